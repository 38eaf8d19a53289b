package segments

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// ErrSnapshot is what Restore wraps for a snapshot that is damaged, cut off
// or of another version.
var ErrSnapshot = errors.New("bad profile snapshot")

// A snapshot is the magic and the number of shards, then a section for each:
// its length, the offsets it corresponds to, its profiles as they are packed,
// the opt-outs, and xxHash64 of it; everything little-endian.
const (
	snapshotMagic = "GRSZSEG\x02" // the last byte is the version
	maxOffsets    = 1 << 16
	maxSection    = 1 << 36
	sectionStep   = 1 << 26            // what is read of a section at once
	entryHead     = 16 + 4 + 4 + 1 + 2 // key, shop, last, class, length
	optOutSize    = 16 + 4 + 4
)

// Snapshot writes the store and the Kafka offsets (next to read, by
// partition) that it corresponds to. Lookups go on meanwhile; the caller must
// not Apply or Sweep until it returns.
func (s *Store) Snapshot(w io.Writer, offsets map[int]int64) error {
	return s.SnapshotWhile(w, func(copyShard func(map[int]int64)) { copyShard(offsets) })
}

// SnapshotWhile is Snapshot while events go on being applied. It calls between
// once for every shard: between calls what it is given, once, between two
// events and with the offsets that have been reached then. Shards are so
// copied at different places of the log; Restore knows each one's.
func (s *Store) SnapshotWhile(w io.Writer, between func(copyShard func(offsets map[int]int64))) error {
	head := binary.LittleEndian.AppendUint32([]byte(snapshotMagic), uint32(len(s.shards)))
	_, err := w.Write(head)
	var b []byte
	for i := range s.shards {
		if err != nil {
			break
		}
		b = b[:0]
		between(func(offsets map[int]int64) {
			if len(offsets) > maxOffsets {
				err = fmt.Errorf("%d partitions; at most %d", len(offsets), maxOffsets)
				return
			}
			b = s.shards[i].appendTo(append(b, make([]byte, 8)...), offsets)
		})
		if err != nil {
			break
		}
		binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
		if _, err = w.Write(b); err == nil {
			_, err = w.Write(binary.LittleEndian.AppendUint64(nil, xxhash.Sum64(b)))
		}
	}
	if err != nil {
		return fmt.Errorf("writing profile snapshot: %w", err)
	}
	return nil
}

// appendTo appends a shard's profiles, of every shop and class the least
// recent first, and its opt-outs.
func (sh *shard) appendTo(b []byte, offsets map[int]int64) []byte {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(len(offsets)))
	for _, p := range slices.Sorted(maps.Keys(offsets)) {
		b = le.AppendUint64(le.AppendUint64(b, uint64(p)), uint64(offsets[p]))
	}
	b = le.AppendUint64(b, uint64(sh.count))
	b = le.AppendUint64(b, uint64(len(sh.optOrder)-sh.optFirst))
	b = slices.Grow(b, sh.count*entryHead+int(sh.arena.needs)+(len(sh.optOrder)-sh.optFirst)*optOutSize)
	for _, id := range slices.Sorted(maps.Keys(sh.shops)) {
		for class := range numClasses {
			for i := sh.shops[id].classes[class].oldest; i != 0; {
				r := sh.records.at(i)
				data := sh.arena.get(r.place)
				b = le.AppendUint32(le.AppendUint32(append(b, r.key[:]...), r.shop), r.last)
				b = append(le.AppendUint16(append(b, r.class), uint16(len(data))), data...)
				i = r.newer
			}
		}
	}
	for _, k := range sh.optOrder[sh.optFirst:] {
		b = le.AppendUint32(le.AppendUint32(append(b, k.user[:]...), k.shop), sh.optOuts[k])
	}
	return b
}

// Restore reads a snapshot into a new store and returns the offsets to read
// on from; where shards have taken more than that, ApplyFrom knows. If the
// bounds of cfg are smaller than what is in it, the usual profiles leave.
func Restore(r io.Reader, cfg Config) (*Store, map[int]int64, error) {
	s, err := NewStore(cfg)
	if err != nil {
		return nil, nil, err
	}
	head := make([]byte, len(snapshotMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSnapshot, noEOF(err))
	}
	if !bytes.HasPrefix(head, []byte(snapshotMagic)) {
		return nil, nil, fmt.Errorf("%w: it is not a snapshot of this version", ErrSnapshot)
	}
	if n := binary.LittleEndian.Uint32(head[len(snapshotMagic):]); int(n) != len(s.shards) {
		return nil, nil, fmt.Errorf("%w: it has %d shards, the store %d", ErrSnapshot, n, len(s.shards))
	}
	if err := s.readShards(r); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return s, s.readFrom(), nil
}

// readShards reads one section after the other, and loads several at a time.
func (s *Store) readShards(r io.Reader) error {
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, runtime.GOMAXPROCS(0)+1)
		errs  = make([]error, len(s.shards))
	)
	var err error
	for i := range s.shards {
		slots <- struct{}{}
		var b []byte
		if b, err = readSection(r); err != nil {
			err = fmt.Errorf("shard %d: %w", i, err)
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if e := s.load(i, b); e != nil {
				errs[i] = fmt.Errorf("shard %d: %w", i, e)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, err)...)
}

func readSection(r io.Reader) ([]byte, error) {
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, noEOF(err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > maxSection {
		return nil, fmt.Errorf("a section of %d bytes", n)
	}
	b := append(make([]byte, 0, min(n, sectionStep)+8), size[:]...)
	for left := n; left > 0; { // a length that is wrong must not take all memory
		step := min(left, sectionStep)
		at := len(b)
		b = slices.Grow(b, int(step))[:at+int(step)]
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, noEOF(err)
		}
		left -= step
	}
	var sum [8]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return nil, noEOF(err)
	}
	if xxhash.Sum64(b) != binary.LittleEndian.Uint64(sum[:]) {
		return nil, errors.New("the checksum differs")
	}
	return b[8:], nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// load fills one shard from its section. Checked by its sum, it can only be
// wrong if it was written so; it is read as what may be anything all the same.
func (s *Store) load(shard int, b []byte) error {
	sh := &s.shards[shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := cutter{b: b}
	n := c.u32()
	if n > maxOffsets {
		return fmt.Errorf("%d offsets; at most %d", n, maxOffsets)
	}
	sh.taken = make(map[int]int64, n)
	for range n {
		p := int(c.u64())
		sh.taken[p] = int64(c.u64())
	}
	profiles, optOuts := c.u64(), c.u64()
	if c.bad || profiles > uint64(len(b))/entryHead || optOuts > uint64(len(b))/optOutSize {
		return errPacked
	}
	for sh.users.n = 0; uint64(len(sh.users.slots))*7 < profiles*8; {
		sh.users.grow()
	}
	for range profiles {
		if err := s.loadProfile(sh, &c); err != nil {
			return err
		}
	}
	for range optOuts {
		k := optOutKey{UserKey(c.bytes(16)), c.u32()}
		at := c.u32()
		if c.bad || s.shard(k.user) != sh {
			return errPacked
		}
		sh.optOut(k, at)
	}
	if len(c.b) != 0 {
		return errPacked
	}
	return nil
}

func (s *Store) loadProfile(sh *shard, c *cutter) error {
	k := optOutKey{UserKey(c.bytes(16)), c.u32()}
	last, class, n := c.u32(), c.bytes(1)[0], c.u16()
	data := c.bytes(int(n))
	switch {
	case c.bad || k.user.IsZero() || k.shop == 0 || last == 0 || class >= numClasses || n > maxPacked:
		return errPacked
	case s.shard(k.user) != sh:
		return errors.New("a profile is in the wrong shard")
	case sh.find(k.user, k.shop) != 0:
		return errors.New("a profile appears twice")
	}
	// What is in data is as it was written, by the section's checksum; and
	// whatever it were, unpack would end.
	sh.keepPacked(0, k.user, k.shop, data, last, class)
	return nil
}

// readFrom is where the log is to be read from: of every partition the least
// that a shard has taken; a partition that one does not know is not in it, and
// is read from its beginning. Shards that are all at that place need not look.
func (s *Store) readFrom() map[int]int64 {
	from := maps.Clone(s.shards[0].taken)
	for i := range s.shards {
		maps.DeleteFunc(from, func(p int, at int64) bool {
			taken, ok := s.shards[i].taken[p]
			if ok && taken < at {
				from[p] = taken
			}
			return !ok
		})
	}
	for i := range s.shards {
		if maps.Equal(s.shards[i].taken, from) {
			s.shards[i].taken = nil
		}
	}
	return from
}

// cutter takes values off the front of b; past its end they are zero.
type cutter struct {
	b   []byte
	bad bool
}

func (c *cutter) bytes(n int) []byte {
	if len(c.b) < n {
		c.bad, c.b = true, nil
		return make([]byte, max(n, 1))
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cutter) u16() uint16 { return binary.LittleEndian.Uint16(c.bytes(2)) }
func (c *cutter) u32() uint32 { return binary.LittleEndian.Uint32(c.bytes(4)) }
func (c *cutter) u64() uint64 { return binary.LittleEndian.Uint64(c.bytes(8)) }
