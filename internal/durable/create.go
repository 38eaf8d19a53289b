package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CreateBytes puts b into a new file, durably and whole. Where there is a file
// by then it stays as it is, which is no error: of several processes that
// create one at once, one wins, and all read what it wrote.
func CreateBytes(path string, mode fs.FileMode, b []byte) error {
	dir := filepath.Dir(path)
	sweep(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+unfinished+"*")
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	_ = hold(f) // where files cannot be held, nothing is swept
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync()); err == nil {
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return SyncDir(dir)
}
