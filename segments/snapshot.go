package segments

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/grosz/grosz/internal/money"
)

// ErrSnapshot is what Restore wraps for a snapshot that is damaged, cut off
// or of another version.
var ErrSnapshot = errors.New("bad profile snapshot")

// A snapshot is the magic, the offsets, tagged entries, an end tag, the number
// of entries, and xxHash64 of all that; everything little-endian.
const (
	snapshotMagic = "GRSZSEG\x01" // the last byte is the version
	maxOffsets    = 1 << 16

	tagEnd      = 0
	tagProfile  = 1
	tagShopping = 2 // a profile with its second part
	tagOptOut   = 3
)

// Snapshot writes the store and the Kafka offsets (next to read, by
// partition) that it corresponds to. Lookups go on meanwhile; the caller must
// not Apply or Sweep until it returns.
func (s *Store) Snapshot(w io.Writer, offsets map[int]int64) error {
	if len(offsets) > maxOffsets {
		return fmt.Errorf("writing profile snapshot: %d partitions; at most %d", len(offsets), maxOffsets)
	}
	digest := xxhash.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, digest), 1<<16)
	c := &coder{b: append(make([]byte, 0, 1024), snapshotMagic...)}
	c.b = binary.LittleEndian.AppendUint32(c.b, uint32(len(offsets)))
	for _, p := range slices.Sorted(maps.Keys(offsets)) {
		c.b = binary.LittleEndian.AppendUint64(c.b, uint64(p))
		c.b = binary.LittleEndian.AppendUint64(c.b, uint64(offsets[p]))
	}
	n := uint64(0)
	emit := func() error {
		_, err := out.Write(c.b)
		c.b = c.b[:0]
		return err
	}
	err := emit()
	for i := range s.shards {
		if err == nil {
			err = s.shards[i].write(c, &n, emit)
		}
	}
	if err == nil {
		c.b = binary.LittleEndian.AppendUint64(append(c.b, tagEnd), n)
		err = errors.Join(emit(), out.Flush())
	}
	if err == nil {
		_, err = w.Write(binary.LittleEndian.AppendUint64(nil, digest.Sum64()))
	}
	if err != nil {
		return fmt.Errorf("writing profile snapshot: %w", err)
	}
	return nil
}

// write emits a shard's profiles, of every shop the least recent first, and
// its opt-outs.
func (sh *shard) write(c *coder, n *uint64, emit func() error) error {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(sh.shops)) {
		for i := sh.shops[id].oldest; i != 0; i = sh.records.at(i).newer {
			r := sh.records.at(i)
			tag := byte(tagProfile)
			if r.shopping != 0 {
				tag = tagShopping
			}
			c.b = append(c.b, tag)
			c.entry(&r.key, &r.shop)
			c.activity(&r.Activity)
			if r.shopping != 0 {
				c.shopping(sh.shoppings.at(r.shopping))
			}
			*n++
			if err := emit(); err != nil {
				return err
			}
		}
	}
	for _, k := range sh.optOrder[sh.optFirst:] {
		at := sh.optOuts[k]
		c.b = append(c.b, tagOptOut)
		c.entry(&k.user, &k.shop)
		c.u32(&at)
		*n++
		if err := emit(); err != nil {
			return err
		}
	}
	return nil
}

// Restore reads a snapshot into a new store and returns the offsets to read
// on from. If the bounds of cfg are smaller than what is in it, the usual
// profiles leave.
func Restore(r io.Reader, cfg Config) (*Store, map[int]int64, error) {
	s, err := NewStore(cfg)
	if err != nil {
		return nil, nil, err
	}
	in := &snapshotReader{r: bufio.NewReaderSize(r, 1<<16), digest: xxhash.New()}
	offsets, err := in.header()
	if err == nil {
		err = s.readEntries(in)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, fmt.Errorf("%w: at byte %d: %w", ErrSnapshot, in.n, err)
	}
	return s, offsets, nil
}

type snapshotReader struct {
	r      *bufio.Reader
	digest hash.Hash64
	buf    [2048]byte
	n      int64
}

// take reads n bytes; they are valid until the next call.
func (in *snapshotReader) take(n int) ([]byte, error) {
	b := in.buf[:n]
	k, err := io.ReadFull(in.r, b)
	in.n += int64(k)
	in.digest.Write(b[:k])
	return b, err
}

func (in *snapshotReader) header() (map[int]int64, error) {
	b, err := in.take(len(snapshotMagic) + 4)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b[:len(snapshotMagic)], []byte(snapshotMagic)) {
		return nil, errors.New("it is not a snapshot of this version")
	}
	n := binary.LittleEndian.Uint32(b[len(snapshotMagic):])
	if n > maxOffsets {
		return nil, fmt.Errorf("%d offsets; at most %d", n, maxOffsets)
	}
	offsets := make(map[int]int64, n)
	for range n {
		if b, err = in.take(16); err != nil {
			return nil, err
		}
		offsets[int(binary.LittleEndian.Uint64(b))] = int64(binary.LittleEndian.Uint64(b[8:]))
	}
	return offsets, nil
}

func (s *Store) readEntries(in *snapshotReader) error {
	sizes := entrySizes()
	for count := uint64(0); ; count++ {
		b, err := in.take(1)
		if err != nil {
			return err
		}
		tag := b[0]
		if int(tag) >= len(sizes) {
			return fmt.Errorf("unknown entry %d", tag)
		}
		if tag == tagEnd {
			return in.trailer(count)
		}
		if b, err = in.take(sizes[tag]); err != nil {
			return err
		}
		if err := s.load(tag, b); err != nil {
			return err
		}
	}
}

func (in *snapshotReader) trailer(count uint64) error {
	b, err := in.take(8)
	if err != nil {
		return err
	}
	if n := binary.LittleEndian.Uint64(b); n != count {
		return fmt.Errorf("%d entries where %d were written", count, n)
	}
	sum := in.digest.Sum64()
	if b, err = in.take(8); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(b) != sum {
		return errors.New("the checksum differs")
	}
	return nil
}

// load puts one entry into the store.
func (s *Store) load(tag byte, b []byte) error {
	c := &coder{b: b, reading: true}
	var k optOutKey
	c.entry(&k.user, &k.shop)
	if k.user.IsZero() || k.shop == 0 {
		return errors.New("an entry without user or shop")
	}
	sh := s.shard(k.user)
	if tag == tagOptOut {
		var at uint32
		c.u32(&at)
		sh.optOut(k, at)
		return nil
	}
	if sh.find(k.user, k.shop) != 0 {
		return errors.New("a profile appears twice")
	}
	r := sh.records.at(sh.insert(k.user, k.shop))
	c.activity(&r.Activity)
	if r.Activity.next >= recentEvents {
		return errors.New("a profile is damaged")
	}
	if tag == tagShopping {
		c.shopping(sh.shopping(r))
	}
	return nil
}

// entrySizes is the length of each entry behind its tag.
func entrySizes() [4]int {
	var sizes [4]int
	size := func(f func(c *coder)) int {
		c := &coder{}
		var key optOutKey
		c.entry(&key.user, &key.shop)
		f(c)
		return len(c.b)
	}
	sizes[tagProfile] = size(func(c *coder) { c.activity(new(Activity)) })
	sizes[tagShopping] = size(func(c *coder) { c.activity(new(Activity)); c.shopping(new(Shopping)) })
	sizes[tagOptOut] = size(func(c *coder) { c.u32(new(uint32)) })
	return sizes
}

// coder appends values to b, or reads them off it: one description of the
// layout serves both ways.
type coder struct {
	b       []byte
	reading bool
}

func (c *coder) entry(u *UserKey, shop *uint32) {
	if c.reading {
		c.b = c.b[copy(u[:], c.b):]
	} else {
		c.b = append(c.b, u[:]...)
	}
	c.u32(shop)
}

func (c *coder) activity(a *Activity) {
	for _, v := range [...]*uint32{&a.First, &a.Last, &a.LastView, &a.LastSearch, &a.Visits, &a.Views} {
		c.u32(v)
	}
	for i := range a.Products {
		c.u64(&a.Products[i])
		c.u32(&a.ProductAt[i])
		c.u16(&a.ProductCount[i])
	}
	for i := range a.Terms {
		c.u32(&a.Terms[i])
		c.u32(&a.TermAt[i])
	}
	for i := range a.Categories {
		c.u32(&a.Categories[i])
		c.u32(&a.CategoryAt[i])
		c.u16(&a.CategoryCount[i])
	}
	for i := range a.events {
		c.u32(&a.events[i])
	}
	next := uint16(a.next)
	c.u16(&next)
	if c.reading {
		a.next = uint8(min(next, 255))
	}
}

func (c *coder) shopping(s *Shopping) {
	for _, v := range [...]*uint32{&s.LastCart, &s.LastCheckout, &s.LastPurchase, &s.Orders} {
		c.u32(v)
	}
	c.nano(&s.Revenue)
	c.nano(&s.CartValue)
	for i := range s.Cart {
		c.u64(&s.Cart[i])
		c.nano(&s.CartPrice[i])
		c.u16(&s.CartQty[i])
	}
	for i := range s.Purchased {
		c.u64(&s.Purchased[i])
	}
	for i := range s.orders {
		c.u32(&s.orders[i])
	}
}

func (c *coder) u16(v *uint16) {
	if c.reading {
		*v, c.b = binary.LittleEndian.Uint16(c.b), c.b[2:]
	} else {
		c.b = binary.LittleEndian.AppendUint16(c.b, *v)
	}
}

func (c *coder) u32(v *uint32) {
	if c.reading {
		*v, c.b = binary.LittleEndian.Uint32(c.b), c.b[4:]
	} else {
		c.b = binary.LittleEndian.AppendUint32(c.b, *v)
	}
}

func (c *coder) u64(v *uint64) {
	if c.reading {
		*v, c.b = binary.LittleEndian.Uint64(c.b), c.b[8:]
	} else {
		c.b = binary.LittleEndian.AppendUint64(c.b, *v)
	}
}

func (c *coder) nano(v *money.Nano) {
	u := uint64(*v)
	c.u64(&u)
	if c.reading { // when writing, others may be reading *v
		*v = money.Nano(u)
	}
}
