package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockData claims the data directory for one run of `up`. The lock is of an
// open file that the children inherit: when `up` was killed it lasts until the
// last of them has finished what it had in hand, for which lockData waits; two
// generations of a role on the same files would spoil them.
func lockData(ctx context.Context, dir string, out io.Writer) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	const gap = 200 * time.Millisecond
	for waited := time.Duration(0); ; waited += gap {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || waited > stopTimeout+orphanGrace || ctx.Err() != nil {
			f.Close()
			return nil, fmt.Errorf("--data: %s is in use by another `grosz up`, or its processes (their ids are in %s): stop it, or choose another directory: %w",
				dir, filepath.Join(dir, "run"), errors.Join(err, ctx.Err()))
		}
		if waited == time.Second {
			fmt.Fprintf(out, "waiting for the last run on %s to finish what it has in hand\n", dir)
		}
		select {
		case <-ctx.Done():
		case <-time.After(gap):
		}
	}
}

// openLock opens a file for a lock, and makes it if it is not there. One that
// root makes, as a backup may that comes first, belongs to whom its folder
// belongs to: the role that runs as that user must be able to open it, too. Only
// what was made here is given away: a file that the user put there may be a link
// to another's.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil || os.Geteuid() != 0 {
		return f, err
	}
	info, err := os.Stat(filepath.Dir(path))
	if err == nil {
		if folder, ok := info.Sys().(*syscall.Stat_t); ok {
			err = f.Chown(int(folder.Uid), int(folder.Gid))
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("give %s to whom its folder belongs: %w", path, err)
	}
	return f, nil
}

// holdAlone takes the lock name in dir for a role of which one at a time may use
// what is there; has says which and what.
func holdAlone(dir, name, has string) (release func(), err error) {
	release, err = holdFile(filepath.Join(dir, name), syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("another %s in %s: stop it, or choose another --data: %w", has, dir, err)
	}
	return release, nil
}
