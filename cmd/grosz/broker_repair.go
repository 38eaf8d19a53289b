package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// repairLog cuts torn writes off the ends of the embedded broker's log before
// it is opened: what stands behind the last whole batch was acknowledged to
// nobody, and batches that were appended behind it would not be found again.
func repairLog(dir string, log *slog.Logger) error {
	parts, err := filepath.Glob(filepath.Join(dir, "partitions", "*"))
	if err != nil {
		return fmt.Errorf("look through the broker's log: %w", err)
	}
	for _, part := range parts {
		segments, err := filepath.Glob(filepath.Join(part, "*.dat"))
		if err != nil {
			return fmt.Errorf("look through the broker's log: %w", err)
		}
		newest, at := "", int64(-1)
		for _, s := range segments {
			var base int64
			if _, err := fmt.Sscanf(filepath.Base(s), "%d.dat", &base); err == nil && base > at {
				newest, at = s, base
			}
		}
		if newest == "" {
			continue
		}
		cut, err := cutTorn(newest)
		if err != nil {
			return fmt.Errorf("repair %s: %w", newest, err)
		}
		if cut > 0 {
			log.Warn("a torn write was cut off the broker's log", "file", newest, "bytes", cut)
		}
	}
	return nil
}

// A record batch: base offset (8), length of what follows (4), leader epoch
// (4), magic (1), CRC-32C (4) of the rest.
const batchHead = 8 + 4 + 4 + 1 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cutTorn cuts a segment behind its last whole batch, and lets its index and
// the partition's summary be made again if there was something to cut.
func cutTorn(path string) (cut int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	good, err := wholeBatches(bufio.NewReaderSize(f, 1<<20), info.Size())
	if err != nil || good == info.Size() {
		return 0, err
	}
	if err := errors.Join(f.Truncate(good), f.Sync()); err != nil {
		return 0, err
	}
	for _, made := range []string{path[:len(path)-len(".dat")] + ".idx", filepath.Join(filepath.Dir(path), "snapshot.json")} {
		if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	return info.Size() - good, nil
}

// wholeBatches is the length of the batches from the beginning that are whole.
func wholeBatches(r io.Reader, size int64) (good int64, err error) {
	head := make([]byte, batchHead)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return good, unlessTorn(err)
		}
		n := int64(int32(binary.BigEndian.Uint32(head[8:]))) + 12
		if n < batchHead || good+n > size {
			return good, nil
		}
		sum := crc32.New(castagnoli)
		if _, err := io.CopyN(sum, r, n-batchHead); err != nil {
			return good, unlessTorn(err)
		}
		if sum.Sum32() != binary.BigEndian.Uint32(head[17:]) {
			return good, nil
		}
		good += n
	}
}

func unlessTorn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
