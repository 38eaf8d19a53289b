package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/damagetest"
)

// written is a record of a test's log.
type written struct {
	offset, at int64
	key, value string // "": none
}

// keyedBatch is a batch of records, by one of Kafka's codecs; a gap of
// compaction before one shows in its offset.
func keyedBatch(t require.TestingT, codec int, records []written) []byte {
	first := records[0]
	var text []byte
	for _, w := range records {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.TimestampDelta64 = int32(w.offset-first.offset), w.at-first.at
		if w.key != "" {
			r.Key = []byte(w.key)
		}
		if w.value != "" {
			r.Value = []byte(w.value)
		}
		r.Headers = []kmsg.Header{{Key: "h", Value: []byte("v")}}
		body := r.AppendTo(nil)
		text = append(binary.AppendVarint(text, int64(len(body)-1)), body[1:]...) // its own length of 0 is one byte
	}
	if codec != 0 {
		by := []kgo.CompressionCodec{{}, kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}[codec]
		c, err := kgo.DefaultCompressor(by)
		require.NoError(t, err)
		packed, got := c.Compress(new(bytes.Buffer), text)
		require.EqualValues(t, codec, got)
		text = bytes.Clone(packed)
	}
	last := records[len(records)-1]
	b := kmsg.RecordBatch{
		FirstOffset: first.offset, Magic: batchMagic, Attributes: int16(codec), LastOffsetDelta: int32(last.offset - first.offset), FirstTimestamp: first.at,
		MaxTimestamp: last.at, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(len(records)), Records: text,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[atLength:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[atChecksum:], crc32.Checksum(raw[batchHead:], castagnoli))
	return raw
}

// readBack are the records of a partition, in order.
func readBack(t require.TestingT, dir string) (got []written) {
	segments, err := segmentsOf(dir)
	require.NoError(t, err)
	var paths []string
	for _, s := range segments {
		paths = append(paths, s.path)
		require.NoError(t, checkWhole(s.path))
		require.NoError(t, eachBatch(s.path, func(_ int64, raw []byte) error {
			base, at := int64(binary.BigEndian.Uint64(raw)), int64(binary.BigEndian.Uint64(raw[atFirstTime:]))
			return eachRecord(raw, kgo.DefaultDecompressor(), func(r *kmsg.Record, _ []byte) {
				require.Len(t, r.Headers, 1)
				got = append(got, written{base + int64(r.OffsetDelta), at + r.TimestampDelta64, string(r.Key), string(r.Value)})
			})
		}))
	}
	require.NoError(t, checkOffsets(paths, true))
	return got
}

// Whatever is in a log: of each key the last record is kept, in its place, and
// deletions that are old are not; what has no key is kept; so is the last batch.
func TestACompactedLogHasTheLastRecordOfEachKey(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir, to := filepath.Join(root, fmt.Sprint(n)), filepath.Join(root, fmt.Sprint(n, "-new"))
		require.NoError(t, os.MkdirAll(dir, 0o700))
		var all, lastBatch []written
		var segment []byte
		offset, base := int64(0), int64(0)
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			lastBatch = nil
			for range rapid.IntRange(1, 6).Draw(t, "records") {
				lastBatch = append(lastBatch, written{
					offset: offset, at: 1000 + offset,
					key:   rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "key"),
					value: rapid.SampledFrom([]string{"", "x", "a value that is longer", "a value"}).Draw(t, "value"),
				})
				offset += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
			}
			all = append(all, lastBatch...)
			segment = append(segment, keyedBatch(t, rapid.IntRange(0, 4).Draw(t, "codec"), lastBatch)...)
			if rapid.Bool().Draw(t, "roll") {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.dat", base)), segment, 0o600))
				segment, base = nil, offset
			}
		}
		if len(segment) > 0 {
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.dat", base)), segment, 0o600))
		}
		expiry := 1000 + rapid.Int64Range(0, offset).Draw(t, "expiry")
		last := map[string]int64{}
		for _, w := range all {
			last[w.key] = w.offset
		}
		var want []written
		for _, w := range all {
			if w.key == "" || w.offset >= lastBatch[0].offset || last[w.key] == w.offset && (w.value != "" || w.at >= expiry) {
				want = append(want, w)
			}
		}
		before, err := readContents(dir, expiry)
		require.NoError(t, err)
		require.NoError(t, writeContents(before, to))
		require.Equal(t, want, readBack(t, to))
		after, err := readContents(to, 0)
		require.NoError(t, err)
		require.NoError(t, after.same(before))
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.RemoveAll(to))
	})
}

// A log of which a record is missing or differs is not taken for the compacted one.
func TestACompactedLogThatLostARecordIsSeen(t *testing.T) {
	read := func(batches ...[]byte) *contents {
		dir := t.TempDir()
		damagetest.Overwrite(t, bytes.Join(batches, nil), dir, "0.dat")
		c, err := readContents(dir, 0)
		require.NoError(t, err)
		return c
	}
	a, b, end := written{0, 1, "a", "one"}, written{1, 1, "b", "two"}, written{2, 1, "c", "three"}
	was := read(keyedBatch(t, 3, []written{a, b}), keyedBatch(t, 3, []written{end}))
	require.NoError(t, was.same(was))
	for name, now := range map[string]*contents{
		"a record is missing":  read(keyedBatch(t, 3, []written{a}), keyedBatch(t, 3, []written{end})),
		"another value":        read(keyedBatch(t, 3, []written{a, {1, 1, "b", "too"}}), keyedBatch(t, 3, []written{end})),
		"another offset":       read(keyedBatch(t, 3, []written{{0, 1, "b", "two"}, {1, 1, "a", "one"}}), keyedBatch(t, 3, []written{end})),
		"a key too many":       read(keyedBatch(t, 3, []written{a, b}), keyedBatch(t, 3, []written{end}), nil, nil),
		"the end is missing":   read(keyedBatch(t, 3, []written{a, b})),
		"a record without key": read(keyedBatch(t, 3, []written{a, b}), keyedBatch(t, 3, []written{{2, 1, "", "three"}})),
	} {
		if name == "a key too many" {
			now.last["d"] = recordAt{}
		}
		require.Error(t, now.same(was), name)
	}
}

// Nothing of a log that has been damaged, or has transactions, is compacted.
func TestADamagedLogIsNotCompacted(t *testing.T) {
	dir := t.TempDir()
	whole := append(keyedBatch(t, 3, []written{{0, 1, "a", "one"}, {1, 1, "a", "two"}}), keyedBatch(t, 0, []written{{2, 1, "b", "three"}})...)
	damagetest.Overwrite(t, whole, dir, "0.dat")
	want, err := readContents(dir, 0)
	require.NoError(t, err)
	damagetest.Every(t, whole, func(what string, bad []byte) {
		damagetest.Overwrite(t, bad, dir, "0.dat")
		c, err := readContents(dir, 0)
		if err != nil {
			return
		}
		// The length of a batch, which Kafka's checksum leaves out, may say that
		// the rest is still being written; and offsets are checkOffsets' matter.
		require.LessOrEqual(t, len(c.batches), len(want.batches), what)
		require.LessOrEqual(t, c.bytes, want.bytes, what)
	})
	marked := keyedBatch(t, 0, []written{{0, 1, "a", "one"}})
	marked[atAttributes+1] |= 0x10
	binary.BigEndian.PutUint32(marked[atChecksum:], crc32.Checksum(marked[batchHead:], castagnoli))
	damagetest.Overwrite(t, marked, dir, "0.dat")
	_, err = readContents(dir, 0)
	require.ErrorIs(t, err, errTransactions)
}
