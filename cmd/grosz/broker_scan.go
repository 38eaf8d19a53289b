package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Places in a record batch of the broker's log, bytes: Kafka's message format,
// version 2.
const (
	atLength     = 8
	atChecksum   = 17
	atAttributes = 21
	atLastDelta  = 23
	atFirstTime  = 27
	atLastTime   = 35
	atRecords    = 57 // how many there are
	batchFront   = 61 // where the records begin
)

// Attributes of a batch.
const (
	codecBits   = 0x07
	transaction = 0x30 // of a transaction, or the mark of its end
)

// tombstoneLife is how long a deletion stays for readers that were away, where
// the topic does not say; Kafka's default.
const tombstoneLife = 24 * time.Hour

// errTransactions is of a partition that is left alone: which records of
// transactions are valid is not looked into. Grosz writes none.
var errTransactions = errors.New("the log has transactions")

// contents is what one reading of a compacted partition finds.
type contents struct {
	segments []segment
	batches  []batchAt
	last     map[string]recordAt
	keyless  int64 // records without a key: always kept
	bytes    int64
	next     int64 // the offset behind the last batch
}

// batchAt is where a batch lies, and how many of its records are needed.
type batchAt struct {
	segment       int
	at, size      int64
	records, live int
}

// recordAt is the last record of a key.
type recordAt struct {
	batch   int
	offset  int64
	value   uint64 // its hash
	expired bool   // a deletion that every reader has had time to see
}

// segmentsOf are a partition's segments in their order.
func segmentsOf(part string) ([]segment, error) {
	paths, err := filepath.Glob(filepath.Join(part, "*.dat"))
	if err != nil {
		return nil, fmt.Errorf("look through the broker's log: %w", err)
	}
	return inOrder(paths), nil
}

// readContents reads a partition, which the broker may be appending to:
// what is written meanwhile is not seen. Deletions of before expiry (ms) go.
func readContents(part string, expiry int64) (*contents, error) {
	segments, err := segmentsOf(part)
	if err != nil {
		return nil, err
	}
	c := &contents{segments: segments, last: map[string]recordAt{}}
	unpack := kgo.DefaultDecompressor()
	for i, s := range segments {
		if err := eachBatch(s.path, func(at int64, raw []byte) error {
			return c.add(batchAt{segment: i, at: at, size: int64(len(raw))}, raw, unpack, expiry)
		}); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.path, err)
		}
	}
	for _, r := range c.last {
		if r.expired {
			c.batches[r.batch].live--
		}
	}
	return c, nil
}

// add counts a batch in.
func (c *contents) add(b batchAt, raw []byte, unpack kgo.Decompressor, expiry int64) error {
	base, stamp := int64(binary.BigEndian.Uint64(raw)), int64(binary.BigEndian.Uint64(raw[atFirstTime:]))
	at := len(c.batches)
	c.batches = append(c.batches, b)
	c.bytes += b.size
	c.next = endOf(raw)
	return eachRecord(raw, unpack, func(r *kmsg.Record, _ []byte) {
		b := &c.batches[at]
		b.records++
		b.live++
		if r.Key == nil {
			c.keyless++
			return
		}
		if before, ok := c.last[string(r.Key)]; ok {
			c.batches[before.batch].live--
		}
		now := recordAt{batch: at, offset: base + int64(r.OffsetDelta), value: xxhash.Sum64(r.Value)}
		if r.Value == nil {
			now.value, now.expired = 0, stamp+r.TimestampDelta64 < expiry
		}
		c.last[string(r.Key)] = now
	})
}

// dead is how many bytes nobody needs, about. The last batch always stays: it
// says where offsets go on.
func (c *contents) dead() (n int64) {
	for i, b := range c.batches {
		if i < len(c.batches)-1 && b.records > 0 {
			n += b.size * int64(b.records-b.live) / int64(b.records)
		}
	}
	return n
}

// keeps tells whether a record outlives the compaction.
func (c *contents) keeps(r *kmsg.Record, offset int64) bool {
	if r.Key == nil {
		return true
	}
	last := c.last[string(r.Key)]
	return last.offset == offset && !last.expired
}

// same holds the compacted log against the one that it was made of.
func (c *contents) same(before *contents) error {
	if c.next != before.next || c.keyless != before.keyless {
		return fmt.Errorf("it ends at offset %d with %d records without keys, in place of %d with %d", c.next, c.keyless, before.next, before.keyless)
	}
	for key, was := range before.last {
		now, ok := c.last[key]
		if !ok && was.expired {
			continue
		}
		if !ok || now.offset != was.offset || now.value != was.value {
			return fmt.Errorf("the record of key %q at offset %d is not the last of its key", key, was.offset)
		}
	}
	if len(c.last) > len(before.last) {
		return fmt.Errorf("it has %d keys of %d", len(c.last), len(before.last))
	}
	return nil
}

// eachBatch reads a segment up to its last whole batch; raw is do's until it returns.
func eachBatch(path string, do func(at int64, raw []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r, raw := bufio.NewReaderSize(f, int(min(info.Size(), 1<<20))), []byte(nil)
	for at := int64(0); at+batchFront <= info.Size(); at += int64(len(raw)) {
		head, err := r.Peek(atLength + 4)
		if err != nil {
			return err
		}
		size := int64(int32(binary.BigEndian.Uint32(head[atLength:]))) + 12
		if size < batchFront {
			return fmt.Errorf("%w: a batch of %d bytes at byte %d", errDamaged, size, at)
		}
		if at+size > info.Size() {
			return nil
		}
		raw = slices.Grow(raw[:0], int(size))[:size]
		if _, err := io.ReadFull(r, raw); err != nil {
			return err
		}
		if raw[16] != batchMagic || crc32.Checksum(raw[batchHead:], castagnoli) != binary.BigEndian.Uint32(raw[atChecksum:]) {
			return fmt.Errorf("%w: no whole batch at byte %d", errDamaged, at)
		}
		if err := do(at, raw); err != nil {
			return fmt.Errorf("batch at byte %d: %w", at, err)
		}
	}
	return nil
}

// eachRecord reads a batch's records, with their bytes as they stand there.
func eachRecord(raw []byte, unpack kgo.Decompressor, do func(r *kmsg.Record, text []byte)) error {
	attributes := binary.BigEndian.Uint16(raw[atAttributes:])
	if attributes&transaction != 0 {
		return errTransactions
	}
	records, err := unpack.Decompress(raw[batchFront:], kgo.CompressionCodecType(attributes&codecBits))
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	var r kmsg.Record
	for range binary.BigEndian.Uint32(raw[atRecords:]) {
		n, width := binary.Varint(records)
		if width <= 0 || n < 0 || n > int64(len(records)-width) {
			return fmt.Errorf("%w: a record of %d bytes, %d are left", errDamaged, n, len(records))
		}
		text := records[:int64(width)+n]
		if err := r.UnsafeReadFrom(text); err != nil {
			return fmt.Errorf("%w: a record: %w", errDamaged, err)
		}
		do(&r, text)
		records = records[len(text):]
	}
	if len(records) > 0 {
		return fmt.Errorf("%w: %d bytes behind the last record", errDamaged, len(records))
	}
	return nil
}

// isExpired tells whether a topic's settings let the broker drop what is old.
func isExpired(configs map[string]string) bool {
	policy, set := configs["cleanup.policy"]
	return !set || strings.Contains(policy, "delete")
}
