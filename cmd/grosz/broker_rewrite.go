package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/grosz/grosz/internal/durable"
)

// segmentBytes is where a segment of a compacted log ends.
const segmentBytes = 64 << 20

// rewriter writes the records that are needed into new segments.
type rewriter struct {
	dir    string
	unpack kgo.Decompressor
	pack   map[kgo.CompressionCodecType]kgo.Compressor
	f      *os.File
	w      *bufio.Writer
	size   int64 // of f
}

// writeContents writes what is needed of a partition into dir, which is not
// there yet, and makes it durable. Batches keep their offsets, and those of
// which all is needed their bytes.
func writeContents(c *contents, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	w := &rewriter{dir: dir, unpack: kgo.DefaultDecompressor(), pack: map[kgo.CompressionCodecType]kgo.Compressor{}}
	defer func() { err = errors.Join(err, w.end()) }()
	i := 0
	for n, s := range c.segments {
		if err := eachBatch(s.path, func(_ int64, raw []byte) error {
			if i == len(c.batches) || c.batches[i].segment != n {
				return nil // appended since it was read
			}
			b := c.batches[i]
			last := i == len(c.batches)-1
			i++
			switch {
			case last || b.live == b.records:
				return w.add(raw)
			case b.live == 0:
				return nil
			}
			less, err := w.without(raw, c)
			if err != nil {
				return err
			}
			return w.add(less)
		}); err != nil {
			return fmt.Errorf("compact %s: %w", s.path, err)
		}
	}
	if err := w.end(); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// add appends a batch.
func (w *rewriter) add(raw []byte) (err error) {
	if w.f != nil && w.size+int64(len(raw)) > segmentBytes {
		if err := w.end(); err != nil {
			return err
		}
	}
	if w.f == nil {
		name := fmt.Sprintf("%d.dat", binary.BigEndian.Uint64(raw))
		if w.f, err = os.OpenFile(filepath.Join(w.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		w.w, w.size = bufio.NewWriterSize(w.f, 256<<10), 0
	}
	n, err := w.w.Write(raw)
	w.size += int64(n)
	return err
}

// end makes the segment that is being written durable.
func (w *rewriter) end() error {
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.w.Flush(), w.f.Sync(), w.f.Close())
	w.f = nil
	return err
}

// without is a batch without what is not needed of it: at the same offsets, and
// compressed as it was.
func (w *rewriter) without(raw []byte, c *contents) ([]byte, error) {
	base := int64(binary.BigEndian.Uint64(raw))
	var kept []byte
	n := uint32(0)
	if err := eachRecord(raw, w.unpack, func(r *kmsg.Record, text []byte) {
		if c.keeps(r, base+int64(r.OffsetDelta)) {
			kept = append(kept, text...)
			n++
		}
	}); err != nil {
		return nil, err
	}
	attributes := binary.BigEndian.Uint16(raw[atAttributes:])
	packed, codec, err := w.packed(kept, kgo.CompressionCodecType(attributes&codecBits))
	if err != nil {
		return nil, err
	}
	out := append(bytes.Clone(raw[:batchFront]), packed...)
	binary.BigEndian.PutUint16(out[atAttributes:], attributes&^codecBits|uint16(codec))
	binary.BigEndian.PutUint32(out[atRecords:], n)
	binary.BigEndian.PutUint32(out[atLength:], uint32(len(out)-12))
	binary.BigEndian.PutUint32(out[atChecksum:], crc32.Checksum(out[batchHead:], castagnoli))
	return out, nil
}

// packed compresses records. One writer's batches all have one codec.
func (w *rewriter) packed(records []byte, codec kgo.CompressionCodecType) ([]byte, kgo.CompressionCodecType, error) {
	var by kgo.CompressionCodec
	switch codec {
	case kgo.CodecGzip:
		by = kgo.GzipCompression()
	case kgo.CodecSnappy:
		by = kgo.SnappyCompression()
	case kgo.CodecLz4:
		by = kgo.Lz4Compression()
	case kgo.CodecZstd:
		by = kgo.ZstdCompression()
	default:
		return records, kgo.CodecNone, nil
	}
	if w.pack[codec] == nil {
		made, err := kgo.DefaultCompressor(by)
		if err != nil {
			return nil, 0, fmt.Errorf("compress: %w", err)
		}
		w.pack[codec] = made
	}
	out, got := w.pack[codec].Compress(new(bytes.Buffer), records)
	if out == nil || got != codec {
		return nil, 0, fmt.Errorf("compress %d bytes by codec %d: it failed", len(records), codec)
	}
	return out, codec, nil
}
