package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/types"

	"github.com/grosz/grosz/internal/durable"
)

// The log drops what stands behind the first thing in its newest segment that
// it cannot read: it takes that for a write that a crash interrupted. If it
// was damage, whole entries stand behind it. tail finds them by their own
// checksums, so that only what is damaged is lost, and that is told.

// How the log lays a segment out: a head, then frames, each at a multiple of
// eight: a byte of type, three zeros, the length of what follows or a sum.
const (
	segmentHead = 32
	frameHead   = 8
	frameEntry  = 1
	frameIndex  = 2
	frameCommit = 3
)

// tail is the newest segment as it was before the log was opened.
type tail struct {
	path  string
	made  int64 // length that the file was given at its beginning
	base  uint64
	raw   []byte
	found []found
}

// found is an entry whose checksum is right, wherever it stands.
type found struct {
	index uint64
	at    int
	data  []byte
}

// readTail reads the newest segment; nil if there is none yet.
func readTail(dir string) (*tail, error) {
	state, err := new(metaStore).Load(dir)
	if err != nil || len(state.Segments) == 0 {
		return nil, err
	}
	seg := state.Segments[len(state.Segments)-1]
	t := &tail{path: filepath.Join(dir, segmentFile(seg)), made: int64(seg.SizeLimit), base: seg.BaseIndex}
	t.raw, err = os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the log tells, or makes it
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest segment: %w", err)
	}
	t.scan()
	return t, nil
}

func segmentFile(seg types.SegmentInfo) string {
	return fmt.Sprintf("%020d-%016x.wal", seg.BaseIndex, seg.ID)
}

// scan looks for whole entries at every place where one can begin.
func (t *tail) scan() {
	var codec wal.BinaryCodec
	for at := segmentHead; at+frameHead <= len(t.raw); {
		n := t.frame(at)
		if t.raw[at] == frameEntry && n > 0 {
			var l raft.Log
			if codec.Decode(t.raw[at+frameHead:at+frameHead+n], &l) == nil && len(l.Data) > 0 && l.Data[0] == entryMark {
				if _, err := unseal(l.Data); err == nil {
					t.found = append(t.found, found{l.Index, at, l.Data})
					at += frameHead + padded(n)
					continue
				}
			}
		}
		at += frameHead
	}
}

// frame is the length of what the frame at holds; 0 if it does not fit.
func (t *tail) frame(at int) int {
	head := t.raw[at : at+frameHead]
	n := int64(binary.LittleEndian.Uint32(head[4:]))
	if head[1]|head[2]|head[3] != 0 || int64(at)+frameHead+n > int64(len(t.raw)) {
		return 0
	}
	return int(n)
}

func padded(n int) int { return (n + frameHead - 1) &^ (frameHead - 1) }

// used goes through the frames as the log does, up to its entry last. It
// returns where its entries stand and where it writes on.
func (t *tail) used(last uint64) (at map[int]bool, end int) {
	at = map[int]bool{}
	if last < t.base || last == 0 {
		return at, 0
	}
	n, want := uint64(0), last-t.base+1
	for pos := segmentHead; pos+frameHead <= len(t.raw); {
		switch t.raw[pos] {
		case frameEntry:
			if n++; n > want {
				return at, end
			}
			at[pos] = true
			pos += frameHead + padded(int(binary.LittleEndian.Uint32(t.raw[pos+4:])))
		case frameIndex:
			pos += frameHead + padded(int(binary.LittleEndian.Uint32(t.raw[pos+4:])))
		case frameCommit:
			if pos += frameHead; n == want {
				end = pos
			}
		default:
			return at, end
		}
	}
	return at, end
}

// mend puts back what the log has dropped of its newest segment although it is
// whole, and tells what is lost. It comes before the first Append.
func (s *Spool) mend(t *tail, first uint64) error {
	if t == nil {
		return nil
	}
	last := s.last.Load()
	used, end := t.used(last)
	behind := bytes.TrimRight(t.raw[min(end, len(t.raw)):], "\x00")
	short := int64(len(t.raw)) < t.made
	var again []found
	have, newest := map[uint64]bool{}, last
	for _, f := range t.found {
		if have[f.index] = true; !used[f.at] && f.index >= max(first, t.base) {
			again, newest = append(again, f), max(newest, f.index)
		}
	}
	if len(behind) == 0 && !short && len(again) == 0 {
		return nil
	}
	lost := uint64(0)
	for i := max(last+1, t.base); i <= newest; i++ {
		if !have[i] {
			lost++
		}
	}
	if len(again) == 0 || short {
		lost = max(lost, 1) // of the newest one it cannot be known
	}
	name := filepath.Join(s.cfg.Dir, fmt.Sprintf("damaged-tail-%d", last+1))
	if err := durable.ReplaceBytes(name, 0o600, behind); err != nil {
		return fmt.Errorf("keep what is behind the end of the spool: %w", err)
	}
	s.log.Error("the end of the spool is damaged, or a crash interrupted its last write: whole entries are put back, the others are left out",
		"file", t.path, "put_back", len(again), "left_out", lost, "cut_off", short, "kept", name)
	s.damaged.Add(lost)
	if err := t.clear(end, len(behind)); err != nil {
		return fmt.Errorf("clear the end of the spool: %w", err)
	}
	for _, f := range again {
		if err := s.store(f.data); err != nil {
			return err
		}
	}
	return nil
}

// clear makes the segment's end as it was made, so that nothing is found twice.
func (t *tail) clear(at, n int) (err error) {
	f, err := os.OpenFile(t.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt(make([]byte, n), int64(at)); err != nil {
		return err
	}
	if int64(len(t.raw)) < t.made {
		if err := f.Truncate(t.made); err != nil {
			return err
		}
	}
	return f.Sync()
}
