package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// SQLite's write-ahead log: a head of 32 bytes, then frames, each a head of 24
// bytes and a page. See https://www.sqlite.org/fileformat2.html#walformat.
const (
	walHead   = 32
	frameHead = 24
	walMagic  = 0x377f0682 // the lowest bit: sums are of big-endian words
	walForm   = 3007000
)

// walPages are the committed pages of a write-ahead log, by number.
type walPages struct {
	sums map[uint32]uint32 // CRC-32C of each page's latest content
	size uint32            // of the database after the last commit, in pages; 0: no commit
	// changes is SQLite's change counter in the latest page 1, if there is one.
	changes uint32
}

// has tells whether a page, counted from 0, is read from the log, or is behind
// the end that the log gives the database.
func (w *walPages) has(i int) bool {
	_, ok := w.sums[uint32(i+1)]
	return ok || w.size > 0 && i >= int(w.size)
}

// readWAL reads the log beside a database. SQLite takes frames up to the first
// that is not whole, as it takes those behind it for a crash's; where what is
// behind it was committed after it, they are not, and changes that were
// acknowledged would be gone: that is an error. list has the sums of the
// database's own pages, nil if they are not known.
func readWAL(path string, pageSize int, list []uint32) (w walPages, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return w, fmt.Errorf("read the database's log: %w", err)
	}
	defer f.Close()
	if w, err = parseWAL(f, pageSize, list); err != nil {
		return w, fmt.Errorf("read %s: %w", path, err)
	}
	return w, nil
}

func parseWAL(f io.ReaderAt, pageSize int, list []uint32) (walPages, error) {
	w := walPages{sums: map[uint32]uint32{}}
	r := walReader{r: io.NewSectionReader(f, 0, 1<<62), page: make([]byte, frameHead+pageSize)}
	whole, err := r.head(pageSize)
	if err == nil {
		err = r.frames(&w, whole)
	}
	if err != nil || whole {
		return w, err
	}
	// A crash may leave half a head before frames of before, all of which the
	// database has.
	for page, sum := range w.sums {
		if list != nil && (int(page) > len(list) || list[page-1] != sum) {
			return w, fmt.Errorf("%w: its head is not whole, and page %d of it is not in the database", ErrDamaged, page)
		}
	}
	return walPages{}, nil
}

// walReader reads a log from its beginning.
type walReader struct {
	r      *io.SectionReader
	page   []byte // a frame
	order  binary.ByteOrder
	salt   [2]uint32
	s0, s1 uint32 // of all before
}

// head reads the log's head; false: it is not whole, or there is none. The
// salts are then the first frame's.
func (r *walReader) head(pageSize int) (whole bool, err error) {
	var b [walHead + frameHead]byte
	n, err := io.ReadFull(r.r, b[:])
	if err != nil && !torn(err) {
		return false, err
	}
	be := binary.BigEndian
	r.order = binary.LittleEndian
	if b[3]&1 != 0 {
		r.order = be
	}
	r.add(b[:24])
	if n >= walHead && be.Uint32(b[:])&^1 == walMagic && be.Uint32(b[4:]) == walForm && int(be.Uint32(b[8:])) == pageSize && r.s0 == be.Uint32(b[24:]) && r.s1 == be.Uint32(b[28:]) {
		r.salt = [2]uint32{be.Uint32(b[16:]), be.Uint32(b[20:])}
		return true, nil
	}
	r.salt = [2]uint32{be.Uint32(b[walHead+8:]), be.Uint32(b[walHead+12:])}
	return false, nil
}

// frames reads those up to the first that is not whole, and looks at those
// behind it. Without a whole head sums cannot be told: only salts are compared.
func (r *walReader) frames(w *walPages, summed bool) error {
	if _, err := r.r.Seek(walHead, io.SeekStart); err != nil {
		return err
	}
	be := binary.BigEndian
	open := map[uint32]uint32{} // since the last commit
	changes := uint32(0)        // of page 1 among them
	for at := 1; ; at++ {
		if _, err := io.ReadFull(r.r, r.page); err != nil {
			if torn(err) {
				return nil
			}
			return err
		}
		salt := [2]uint32{be.Uint32(r.page[8:]), be.Uint32(r.page[12:])}
		if summed {
			r.add(r.page[:8])
			r.add(r.page[frameHead:])
		}
		if salt != r.salt || summed && (r.s0 != be.Uint32(r.page[16:]) || r.s1 != be.Uint32(r.page[20:])) || be.Uint32(r.page) == 0 {
			if !summed || salt[0] != r.salt[0] && salt[1] != r.salt[1] {
				return nil // of before: never written in this log
			}
			return r.behind(at)
		}
		open[be.Uint32(r.page)] = pageSum(be.Uint32(r.page), r.page[frameHead:])
		if be.Uint32(r.page) == 1 {
			changes = be.Uint32(r.page[frameHead+changesAt:])
		}
		if size := be.Uint32(r.page[4:]); size > 0 {
			w.size, w.changes = size, changes
			for page, sum := range open {
				w.sums[page] = sum
			}
			clear(open)
		}
	}
}

// behind looks for a commit of this log behind a frame that is not whole.
func (r *walReader) behind(bad int) error {
	be := binary.BigEndian
	for at := bad + 1; ; at++ {
		if _, err := io.ReadFull(r.r, r.page); err != nil {
			if torn(err) {
				return nil
			}
			return err
		}
		if be.Uint32(r.page[4:]) > 0 && be.Uint32(r.page[8:]) == r.salt[0] && be.Uint32(r.page[12:]) == r.salt[1] {
			return fmt.Errorf("%w: frame %d is not whole, and frame %d was committed after it, so no crash has cut it", ErrDamaged, bad, at)
		}
	}
}

// add is SQLite's checksum, over pairs of words.
func (r *walReader) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		r.s0 += r.order.Uint32(b) + r.s1
		r.s1 += r.order.Uint32(b[4:]) + r.s0
	}
}

func torn(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
