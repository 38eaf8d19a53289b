package pacing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A section is how a snapshot lies in a stream: a head of eight bytes, which
// names its kind and version, then blocks of at most 64 KiB, then an empty
// block. Each block is its length, a CRC-32C and its bytes; the CRC runs on
// from the head through all blocks, so that a block that is missing, doubled
// or of another section does not pass. Nothing is read past the end, so that
// several sections can follow one another.

// ErrDamaged is what Restore wraps when the bytes are not a whole snapshot.
var ErrDamaged = errors.New("snapshot is damaged")

const maxBlock = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sectionWriter writes numbers; its first error stays.
type sectionWriter struct {
	w   io.Writer
	crc uint32
	buf []byte // eight bytes for the block's head, then what it holds
	err error
}

func newSectionWriter(w io.Writer, head [8]byte) *sectionWriter {
	s := &sectionWriter{w: w, buf: make([]byte, 8, maxBlock+8)}
	s.crc = crc32.Update(0, castagnoli, head[:])
	_, s.err = w.Write(head[:])
	return s
}

// room flushes when less than n bytes are left.
func (s *sectionWriter) room(n int) {
	if len(s.buf)+n > maxBlock+8 {
		s.flush()
	}
}

func (s *sectionWriter) flush() {
	size, sum := s.buf[:4], s.buf[4:8]
	binary.LittleEndian.PutUint32(size, uint32(len(s.buf)-8))
	s.crc = crc32.Update(s.crc, castagnoli, size)
	s.crc = crc32.Update(s.crc, castagnoli, s.buf[8:])
	binary.LittleEndian.PutUint32(sum, s.crc)
	if s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:8]
}

func (s *sectionWriter) int(v int64) {
	s.room(binary.MaxVarintLen64)
	s.buf = binary.AppendVarint(s.buf, v)
}

func (s *sectionWriter) fixed64(v uint64) {
	s.room(8)
	s.buf = binary.LittleEndian.AppendUint64(s.buf, v)
}

// end writes what is left and the empty block.
func (s *sectionWriter) end() error {
	if len(s.buf) > 8 {
		s.flush()
	}
	s.flush()
	return s.err
}

// sectionReader reads numbers back; after its first error it returns zeros.
type sectionReader struct {
	r    io.Reader
	crc  uint32
	head [8]byte
	mem  []byte
	left []byte // of the current block, checked
	done bool   // the empty block was read
	err  error

	version byte
}

func newSectionReader(r io.Reader, head [8]byte) *sectionReader {
	return newSectionReaderFrom(r, head, head[7])
}

// newSectionReaderFrom reads versions from oldest to head's.
func newSectionReaderFrom(r io.Reader, head [8]byte, oldest byte) *sectionReader {
	s := &sectionReader{r: r, version: head[7]}
	s.full(s.head[:])
	if v := s.head[7]; s.err == nil && [7]byte(s.head[:7]) == [7]byte(head[:7]) && v >= oldest && v < head[7] {
		head, s.version = s.head, v
	}
	if s.err == nil && s.head != head {
		if [7]byte(s.head[:7]) == [7]byte(head[:7]) {
			s.err = fmt.Errorf("%w: version %d, this program reads %d", ErrDamaged, s.head[7], head[7])
		} else {
			s.err = fmt.Errorf("%w: it begins with %q, not %q", ErrDamaged, s.head[:], head[:])
		}
	}
	s.crc = crc32.Update(0, castagnoli, head[:])
	return s
}

func (s *sectionReader) full(b []byte) {
	if _, err := io.ReadFull(s.r, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: it is cut off", ErrDamaged)
		}
		s.err = err
	}
}

// next reads a block and checks it.
func (s *sectionReader) next() {
	if s.done {
		s.err = fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	if s.err != nil {
		return
	}
	if s.full(s.head[:]); s.err != nil {
		return
	}
	size := binary.LittleEndian.Uint32(s.head[:4])
	if size > maxBlock {
		s.err = fmt.Errorf("%w: block of %d bytes", ErrDamaged, size)
		return
	}
	if s.mem == nil {
		s.mem = make([]byte, maxBlock)
	}
	b := s.mem[:size]
	if s.full(b); s.err != nil {
		return
	}
	s.crc = crc32.Update(s.crc, castagnoli, s.head[:4])
	s.crc = crc32.Update(s.crc, castagnoli, b)
	if s.crc != binary.LittleEndian.Uint32(s.head[4:]) {
		s.err = fmt.Errorf("%w: checksum does not match", ErrDamaged)
		return
	}
	s.left, s.done = b, size == 0
}

// have makes sure that the current block has something left.
func (s *sectionReader) have() bool {
	if s.err == nil && len(s.left) == 0 {
		if s.next(); s.done && s.err == nil {
			s.err = fmt.Errorf("%w: it ends too early", ErrDamaged)
		}
	}
	return s.err == nil
}

func (s *sectionReader) int() int64 {
	if !s.have() {
		return 0
	}
	v, n := binary.Varint(s.left)
	if n <= 0 {
		s.err = fmt.Errorf("%w: a number does not end", ErrDamaged)
		return 0
	}
	s.left = s.left[n:]
	return v
}

// within reads a number that must be from low to high.
func (s *sectionReader) within(what string, low, high int64) int64 {
	v := s.int()
	if s.err == nil && (v < low || v > high) {
		s.err = fmt.Errorf("%w: %s is %d", ErrDamaged, what, v)
	}
	if s.err != nil {
		return 0
	}
	return v
}

func (s *sectionReader) fixed64() uint64 {
	if !s.have() {
		return 0
	}
	if len(s.left) < 8 {
		s.err = fmt.Errorf("%w: a number does not end", ErrDamaged)
		return 0
	}
	v := binary.LittleEndian.Uint64(s.left)
	s.left = s.left[8:]
	return v
}

// end makes sure that the section ends here.
func (s *sectionReader) end() error {
	if s.err == nil {
		if len(s.left) == 0 {
			s.next()
		}
		if s.err == nil && !s.done {
			s.err = fmt.Errorf("%w: more than expected follows", ErrDamaged)
		}
	}
	return s.err
}
