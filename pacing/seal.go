package pacing

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A checkpoint of several sections is a mark, which ends in the format's
// version, the sections, and a CRC-32C of mark and sections with their length.
// The sections have checksums of their own; this one is checked before any of
// them is used, so that a checkpoint is used whole or not at all, and one that
// ends between two sections is not taken for that of an older version.
const (
	sealMark = "grzckpt\x01"
	sealFoot = 4 + 8
)

// WriteSealed writes what write writes, sealed.
func WriteSealed(w io.Writer, write func(io.Writer) error) error {
	s := &sealer{w: w}
	if _, err := io.WriteString(s, sealMark); err != nil {
		return err
	}
	if err := write(s); err != nil {
		return err
	}
	foot := binary.LittleEndian.AppendUint32(nil, s.crc)
	_, err := w.Write(binary.LittleEndian.AppendUint64(foot, uint64(s.n)))
	return err
}

type sealer struct {
	w   io.Writer
	crc uint32
	n   int64
}

func (s *sealer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.crc, s.n = crc32.Update(s.crc, castagnoli, b[:n]), s.n+int64(n)
	return n, err
}

// OpenSealed checks a checkpoint of size bytes from end to end and returns its
// sections. One without the mark was written before there was one; its
// sections are all the checks it has.
func OpenSealed(f io.ReaderAt, size int64) (io.Reader, error) {
	mark := make([]byte, len(sealMark))
	if n, err := f.ReadAt(mark, 0); n < len(mark) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if string(mark) != sealMark {
		return bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 1<<20), nil
	}
	body := size - sealFoot
	if body < int64(len(mark)) {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrDamaged, size)
	}
	foot := make([]byte, sealFoot)
	if n, err := f.ReadAt(foot, body); n < len(foot) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s := &sealer{w: io.Discard}
	if _, err := io.CopyBuffer(s, io.NewSectionReader(f, 0, body), make([]byte, 1<<20)); err != nil {
		return nil, fmt.Errorf("read a checkpoint: %w", err)
	}
	if binary.LittleEndian.Uint32(foot) != s.crc || binary.LittleEndian.Uint64(foot[4:]) != uint64(body) {
		return nil, fmt.Errorf("%w: the checksum differs", ErrDamaged)
	}
	return bufio.NewReaderSize(io.NewSectionReader(f, int64(len(mark)), body-int64(len(mark))), 1<<20), nil
}
