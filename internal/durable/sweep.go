package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// unfinished is between a file's name and what tells its replacements apart
// while they are written.
const unfinished = ".new-"

// sweepAfter is how old an unfinished replacement is before it may be swept: a
// younger one may be somebody's who has not got to hold it yet.
const sweepAfter = time.Minute

// hold keeps a replacement from being swept, for as long as it is open.
func hold(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("hold %s: %w", f.Name(), err)
	}
	return nil
}

// sweep removes the replacements of a file that crashes have left, so that a
// process that dies again and again while it writes does not fill the disk.
// What cannot be removed now can be the next time.
func sweep(path string) {
	dir, base := filepath.Dir(path), filepath.Base(path)+unfinished
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), base) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > sweepAfter {
			sweepOne(filepath.Join(dir, e.Name()))
		}
	}
}

func sweepOne(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	if hold(f) == nil { // else somebody writes it
		_ = os.Remove(name)
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
