package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// CutFile shortens a file by a random part; one that is not there is left so.
func CutFile(path string, rng *rand.Rand) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err == nil {
		err = os.Truncate(path, rng.Int64N(info.Size()))
	}
	if err != nil {
		return fmt.Errorf("cut a file: %w", err)
	}
	return nil
}

// HalfWrite leaves noise where the next record of an append-only file would
// begin: a write that a crash interrupted. In a file that was made longer
// beforehand that is behind the last byte that is not zero, at a multiple of
// eight.
func HalfWrite(path string, made bool, rng *rand.Rand) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tear a file: %w", err)
	}
	end := len(b)
	if made {
		end = min(end, (len(bytes.TrimRight(b, "\x00"))+7)&^7)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(noise(rng, 1+rng.IntN(60)), int64(end))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("tear a file: %w", err)
	}
	return nil
}

// HalfFile leaves a replacement of a file that a crash interrupted.
func HalfFile(path string, rng *rand.Rand) error {
	if err := os.WriteFile(path+".new-123", noise(rng, 500), 0o600); err != nil {
		return fmt.Errorf("leave half a file: %w", err)
	}
	return nil
}

// Newest is the last file, by name, that matches; empty if none does.
func Newest(pattern string) string {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
