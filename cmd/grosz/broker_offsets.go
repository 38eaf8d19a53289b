package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkOffsets holds the offsets of a partition's batches, which are not under
// Kafka's checksum, against each other: each goes on where the one before
// ended, the first of a segment with that in its name. Compaction leaves gaps.
// Readers would leave out or read again what is between.
func checkOffsets(segments []string, compacted bool) error {
	next := int64(-1)
	for _, s := range inOrder(segments) {
		if next >= 0 && (s.base < next || s.base > next && !compacted) {
			return fmt.Errorf("%w: %s begins at offset %d, and the segment before it ends at %d: a file is missing, or damaged", errDamaged, s.path, s.base, next)
		}
		end, err := s.offsets(compacted)
		if err != nil {
			return fmt.Errorf("check %s: %w", s.path, err)
		}
		next = max(next, end)
	}
	return nil
}

// segment is a file of whole batches.
type segment struct {
	path string
	base int64
}

// inOrder are the segments among a partition's files, by their offsets.
func inOrder(paths []string) []segment {
	list := make([]segment, 0, len(paths))
	for _, path := range paths {
		s := segment{path: path}
		if _, err := fmt.Sscanf(filepath.Base(path), "%d.dat", &s.base); err == nil { // else it is none of the broker's
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b segment) int { return cmp.Compare(a.base, b.base) })
	return list
}

// offsets is where the segment ends.
func (s segment) offsets(compacted bool) (next int64, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// The last offset's distance from the first is behind the attributes (2),
	// under the checksum.
	head := make([]byte, batchHead+2+4)
	next = s.base
	for at := int64(0); ; {
		if _, err := f.ReadAt(head, at); errors.Is(err, io.EOF) {
			return next, nil
		} else if err != nil {
			return 0, err
		}
		base := int64(binary.BigEndian.Uint64(head))
		if base < next || base > next && !compacted {
			return 0, fmt.Errorf("%w: the batch at byte %d begins at offset %d, where %d is expected: put a copy of the file back", errDamaged, at, base, next)
		}
		next = base + int64(binary.BigEndian.Uint32(head[batchHead+2:])) + 1
		at += int64(binary.BigEndian.Uint32(head[8:])) + 12
	}
}

// isCompacted tells whether a topic's settings let the broker drop what a later
// message of the same key replaced.
func isCompacted(configs map[string]string) bool {
	return strings.Contains(configs["cleanup.policy"], "compact")
}
