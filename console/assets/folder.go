// Package assets keeps the files that shops upload for their ads, in the
// folder from which the bidders serve /assets/. A file is named by its bytes,
// under the shop's own folder, so that it never changes and no shop can tell
// what another has uploaded.
//
// Slow side of the console. One goroutine at a time may change a folder; it is
// read by others, and by other processes, at any time. Imports internal
// only.
package assets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/grosz/grosz/internal/durable"
)

// Folder is where the files are.
type Folder struct{ Dir string }

// Path is a file's place below the base that serves the folder, with a leading
// slash: /s7/<id>.png.
func Path(shop uint32, id, ext string) string {
	return "/s" + strconv.FormatUint(uint64(shop), 10) + "/" + id + ext
}

func (f Folder) file(path string) string { return filepath.Join(f.Dir, filepath.FromSlash(path)) }

// Put writes a file durably, unless it is there.
func (f Folder) Put(path string, data []byte) error {
	name := f.file(path)
	if info, err := os.Stat(name); err == nil && info.Size() == int64(len(data)) {
		return nil
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep an uploaded file: %w", err)
	}
	if err := durable.ReplaceBytes(name, 0o644, data); err != nil {
		return fmt.Errorf("keep an uploaded file: %w", err)
	}
	return nil
}

// Remove deletes a file, if it is there.
func (f Folder) Remove(path string) error { return ignoreGone(os.Remove(f.file(path))) }

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Sweep removes files of shops that keep does not know, and unfinished ones:
// what a crash between file and database left. Other folders are not touched.
func (f Folder) Sweep(keep func(path string) bool) (removed int, err error) {
	shops, err := os.ReadDir(f.Dir)
	if err != nil {
		return 0, ignoreGone(err)
	}
	for _, shop := range shops {
		if n, ok := strings.CutPrefix(shop.Name(), "s"); !ok || !shop.IsDir() || !digits(n) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(f.Dir, shop.Name()))
		if err != nil {
			return removed, err
		}
		for _, file := range files {
			path := "/" + shop.Name() + "/" + file.Name()
			if keep(path) {
				continue
			}
			if err := f.Remove(path); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

func digits(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
