package durable

import (
	"errors"
	"io/fs"
	"os"
)

// CreateBytes puts b into a new file, durably and whole. Where there is a file
// by then it stays as it is, which is no error: of several processes that
// create one at once, one wins, and all read what it wrote.
func CreateBytes(path string, mode fs.FileMode, b []byte) error {
	return put("create", path, mode, bytesTo(b), func(from, to string) error {
		if err := os.Link(from, to); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}
