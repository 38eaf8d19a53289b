package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrInUse says that another process has the spool open.
var ErrInUse = errors.New("another process uses this directory")

// lockDir takes the directory for this process, or says at once that another
// has it. The kernel gives it back when the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock spool: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("spool %s: %w: is a bidder running on the same data? give this one a --data of its own", dir, ErrInUse)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
