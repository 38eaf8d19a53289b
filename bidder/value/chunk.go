package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// A stored model travels in chunks that a message of Kafka holds. Each says
// of which version and how many it is one; the key is its number, so that a
// compacted topic keeps the newest of each.
const (
	chunkBytes  = 700_000
	maxChunks   = 1024
	chunkMagic  = "GRZC"
	chunkHeader = len(chunkMagic) + 1 + 8 + 4 + 4 + 4
	chunkFormat = 1
)

// Chunk is a part of a stored model, as a message carries it.
type Chunk struct{ Key, Value []byte }

// ErrChunk marks a message that is no chunk of a model.
var ErrChunk = errors.New("chunk of a model")

// Chunks cuts a stored model up: magic, format, version, number, count, and
// the checksum of the part.
func Chunks(version int64, stored []byte) ([]Chunk, error) {
	n := max((len(stored)+chunkBytes-1)/chunkBytes, 1)
	if n > maxChunks {
		return nil, fmt.Errorf("%w: %d bytes are more than %d chunks", ErrChunk, len(stored), maxChunks)
	}
	out := make([]Chunk, n)
	for i := range out {
		part := stored[min(i*chunkBytes, len(stored)):min((i+1)*chunkBytes, len(stored))]
		b := append(make([]byte, 0, chunkHeader+len(part)), chunkMagic...)
		b = append(b, chunkFormat)
		b = binary.LittleEndian.AppendUint64(b, uint64(version))
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(part, castagnoli))
		out[i] = Chunk{Key: strconv.AppendInt([]byte("model/"), int64(i), 10), Value: append(b, part...)}
	}
	return out, nil
}

// Gather puts chunks together again. The zero value is ready; one goroutine
// uses it.
type Gather struct {
	version int64
	parts   [][]byte
	have    int
}

// Add takes a message. When it completes a version the model is returned,
// read and validated; else nil. Chunks of an older version than the one being
// gathered are passed over.
func (g *Gather) Add(msg []byte) (*Model, error) {
	if len(msg) < chunkHeader || string(msg[:len(chunkMagic)]) != chunkMagic || msg[len(chunkMagic)] != chunkFormat {
		return nil, fmt.Errorf("%w: %d bytes of another format", ErrChunk, len(msg))
	}
	head, part := msg[len(chunkMagic)+1:chunkHeader], msg[chunkHeader:]
	version := int64(binary.LittleEndian.Uint64(head))
	i, n, sum := binary.LittleEndian.Uint32(head[8:]), binary.LittleEndian.Uint32(head[12:]), binary.LittleEndian.Uint32(head[16:])
	switch {
	case n == 0 || n > maxChunks || i >= n:
		return nil, fmt.Errorf("%w: number %d of %d", ErrChunk, i, n)
	case crc32.Checksum(part, castagnoli) != sum:
		return nil, fmt.Errorf("%w: checksum of number %d is wrong", ErrChunk, i)
	case version < g.version:
		return nil, nil
	case version > g.version || len(g.parts) != int(n):
		g.version, g.parts, g.have = version, make([][]byte, n), 0
	}
	if g.parts[i] == nil {
		g.have++
	}
	g.parts[i] = append([]byte{}, part...)
	if g.have < len(g.parts) {
		return nil, nil
	}
	var whole []byte
	for _, p := range g.parts {
		whole = append(whole, p...)
	}
	g.parts, g.have = nil, 0
	m, err := Decode(whole)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", version, err)
	}
	if m.Version != version {
		return nil, fmt.Errorf("%w: holds version %d, not %d", ErrChunk, m.Version, version)
	}
	return m, nil
}
