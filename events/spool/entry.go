package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// An entry of the log is a mark, which is also the format's version, a CRC-32C
// of the frames, and the frames: the log itself checks only what was written
// last. Entries of before begin with a frame; no topic is as large as the mark.
const (
	entryMark = 0xf1
	entryHead = 1 + 4
	maxTopic  = 0x0f
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errEntry = errors.New("the checksum differs")

// seal completes an entry whose head was left free.
func seal(entry []byte) {
	entry[0] = entryMark
	binary.LittleEndian.PutUint32(entry[1:], crc32.Checksum(entry[entryHead:], castagnoli))
}

// unseal returns the frames of an entry.
func unseal(entry []byte) ([]byte, error) {
	if len(entry) == 0 {
		return nil, errEntry
	}
	if entry[0] <= maxTopic {
		return entry, nil // written by a version of before
	}
	if len(entry) < entryHead || entry[0] != entryMark || crc32.Checksum(entry[entryHead:], castagnoli) != binary.LittleEndian.Uint32(entry[1:]) {
		return nil, errEntry
	}
	return entry[entryHead:], nil
}

// entry appends the records of one entry. A damaged one is passed over: it is
// kept beside the log, told and counted, and what is behind it is shipped.
func (s *Spool) entry(i uint64, recs []Record) (out []Record, size int64, err error) {
	var l raft.Log
	if err := s.wal.GetLog(i, &l); errors.Is(err, wal.ErrCorrupt) {
		s.damage(i, nil, err)
		return recs, 0, nil
	} else if err != nil {
		return recs, 0, fmt.Errorf("read spool entry %d: %w", i, err)
	}
	frames, err := unseal(l.Data)
	if err == nil {
		out, err = parseFrames(recs, frames)
	}
	if err != nil {
		s.damage(i, l.Data, err)
		return recs, int64(len(l.Data)), nil
	}
	return out, int64(len(l.Data)), nil
}

// damage tells of an entry that cannot be used, once.
func (s *Spool) damage(i uint64, data []byte, why error) {
	if s.bad.Swap(i) == i {
		return
	}
	s.damaged.Add(1)
	name := filepath.Join(s.cfg.Dir, fmt.Sprintf("damaged-%d", i))
	if err := os.WriteFile(name, data, 0o600); err != nil {
		name = "nowhere: " + err.Error()
	}
	s.log.Error("a spooled entry is damaged and is left out: what it held is lost to the log", "entry", i, "err", why, "kept", name)
}
