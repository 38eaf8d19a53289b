package bookkeeper

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/grosz/grosz/internal/durable"
)

const checkpointFile = "ledger.snap"

// ErrInUse says that another process keeps this ledger.
var ErrInUse = errors.New("another process keeps this ledger")

// lock takes the directory for this process. The kernel gives it back when the
// process ends, however it ends.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the ledger: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", dir, ErrInUse), f.Close())
	}
	return f, nil
}

// load reads the checkpoint; nil where there is none. A damaged one is an
// error: entries may depend on what only it knows.
func load(dir string, maxSettled int) (*fold, error) {
	path := filepath.Join(dir, checkpointFile)
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger's checkpoint: %w", err)
	}
	defer in.Close()
	f, err := restoreFold(bufio.NewReaderSize(in, 1<<20), maxSettled)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w; put a copy back, or move it away to read the log from its beginning", path, err)
	}
	return f, nil
}

// save writes the checkpoint in place of the old one: at every moment one
// whole checkpoint is there.
func (f *fold) save(dir string) error {
	if err := durable.Replace(filepath.Join(dir, checkpointFile), 0o600, f.snapshot); err != nil {
		return fmt.Errorf("write the ledger's checkpoint: %w", err)
	}
	return nil
}
