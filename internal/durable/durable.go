// Package durable replaces whole files so that at every moment, after a crash
// and after a power cut, either the old one or the new one is there.
//
// Slow side; safe for many goroutines on different files. Imports nothing of
// Grosz.
package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes a file beside path with write, syncs it, puts it in path's
// place and syncs the folder. An error leaves what was there. What crashes left
// of earlier replacements is removed.
func Replace(path string, mode fs.FileMode, write func(io.Writer) error) error {
	return put("replace", path, mode, write, os.Rename)
}

// put writes a file beside path, syncs it and puts it in its place, while it is
// held.
func put(what, path string, mode fs.FileMode, write func(io.Writer) error, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	sweep(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+unfinished+"*")
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, path, err)
	}
	_ = hold(f) // where files cannot be held, nothing is swept
	w := bufio.NewWriterSize(f, 1<<20)
	if err = errors.Join(write(w), w.Flush(), f.Chmod(mode), f.Sync()); err == nil {
		err = place(f.Name(), path)
	}
	if err = errors.Join(err, f.Close(), ignoreGone(os.Remove(f.Name()))); err != nil {
		return fmt.Errorf("%s %s: %w", what, path, err)
	}
	return SyncDir(dir)
}

// ReplaceBytes is Replace with what is at hand.
func ReplaceBytes(path string, mode fs.FileMode, b []byte) error {
	return Replace(path, mode, bytesTo(b))
}

func bytesTo(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// SyncDir makes a rename or a new file in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
