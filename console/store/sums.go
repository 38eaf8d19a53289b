package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"

	"github.com/grosz/grosz/internal/durable"
)

// SQLite has checksums in its log, but none of the database's pages. We keep
// them beside it, in PATH.pages, and hold the pages against them at every Open.
//
// Only checkpoints write pages, from the log into the database, and only seal
// makes checkpoints: it first writes the sums that the pages will have. So at
// every moment, after any crash, a page is as its sum says, or in the log,
// whose frames have sums of their own and from which it is read. Pages that
// another program has written are told from damage by what SQLite counts: see
// others.go.

// ErrDamaged is in the error of an Open of a database that is not as it was
// written.
var ErrDamaged = errors.New("the database is damaged")

const (
	sumsHead = "grosz-page-sums 2\n"
	// sealEvery is after how many pages in the log these go into the database:
	// SQLite's own default.
	sealEvery = 1000
	// lockByte is the byte in whose page SQLite keeps its locks, and nothing else.
	lockByte = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(page []byte) uint32 { return crc32.Checksum(page, castagnoli) }

// sums are the checksums of a database's pages.
type sums struct {
	path string // of the database
	// db stays open until SQLite has closed the database: closing any
	// descriptor of it lets go of the process's locks on it.
	db       *os.File
	pageSize int
	list     []uint32              // by page, the first is page 1
	failed   atomic.Pointer[error] // of the latest seal
	// changes is SQLite's change counter in page 1 as list knows it, if counted.
	changes uint32
	counted bool
	others  error // how pages differ that another program has written
}

func sumsPath(path string) string { return path + ".pages" }

// openSums holds the pages of a database against their sums. One without sums
// is of an older version, new or restored, and is taken as it is.
func openSums(path string) (*sums, error) {
	s := &sums{path: path}
	name, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("read the database's checksums: %w; if the database is known to be whole, remove %s", err, name)
	}
	if s.db, err = os.Open(path); err != nil {
		return nil, fmt.Errorf("read the database: %w", err)
	}
	s.convert()
	if err := s.verify(); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("%w; put a backup back, or, if another program than this has written it, remove %s", err, name)
	}
	return s, nil
}

// load reads the file of sums that counts, if there is one, and names it.
func (s *sums) load() (name string, err error) {
	for _, f := range []struct {
		name   string
		decode func([]byte) error
	}{{firstSumsPath(s.path), s.decodeFirst}, {sumsPath(s.path), s.decode}} {
		b, err := os.ReadFile(f.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = f.decode(b)
		}
		return f.name, err
	}
	return sumsPath(s.path), nil
}

// decode reads a file of sums: head, size of a page, change counter, number of
// pages, their sums, and a sum of all of this.
func (s *sums) decode(b []byte) error {
	le, n := binary.LittleEndian, len(sumsHead)
	if len(b) < n+4 || string(b[:n]) != sumsHead {
		return fmt.Errorf("%s: %w", sumsPath(s.path), durable.ErrSealed)
	}
	if err := s.decodeList(b, n+8); err != nil {
		return fmt.Errorf("%s: %w", sumsPath(s.path), err)
	}
	s.pageSize, s.changes, s.counted = int(le.Uint32(b[n:])), le.Uint32(b[n+4:]), true
	return nil
}

// decodeList reads what all formats have: from b[at:] the number of pages and
// their sums, and at the end the sum of all before it.
func (s *sums) decodeList(b []byte, at int) error {
	le := binary.LittleEndian
	if len(b) < at+8 || sumOf(b[:len(b)-4]) != le.Uint32(b[len(b)-4:]) || uint64(len(b)) != uint64(at)+8+4*uint64(le.Uint32(b[at:])) {
		return durable.ErrSealed
	}
	s.list = make([]uint32, le.Uint32(b[at:]))
	for i := range s.list {
		s.list[i] = le.Uint32(b[at+4+4*i:])
	}
	return nil
}

func (s *sums) encode(list []uint32, changes uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte(sumsHead), uint32(s.pageSize))
	b = le.AppendUint32(b, changes)
	b = le.AppendUint32(b, uint32(len(list)))
	for _, sum := range list {
		b = le.AppendUint32(b, sum)
	}
	return le.AppendUint32(b, sumOf(b))
}

// verify reads the whole database.
func (s *sums) verify() error {
	if s.pageSize == 0 {
		return nil
	}
	log, err := readWAL(s.path+"-wal", s.pageSize, s.list)
	if err != nil {
		return err
	}
	info, err := s.db.Stat()
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	if err := s.check(s.db, info.Size(), &log); err != nil {
		err = fmt.Errorf("%s: %w", s.path, err)
		if !errors.Is(err, ErrDamaged) || !s.byOthers() {
			return err
		}
		s.others, s.pageSize, s.list = err, 0, nil
	}
	return nil
}

// check holds a database of size bytes against the sums, but for what is read
// from the log.
func (s *sums) check(db io.ReaderAt, size int64, log *walPages) error {
	there := int((size + int64(s.pageSize) - 1) / int64(s.pageSize))
	r := bufio.NewReaderSize(io.NewSectionReader(db, 0, size), int(min(size+1, 1<<20)))
	page, zero := make([]byte, s.pageSize), sumOf(make([]byte, s.pageSize)) // page 1 is never behind the end
	for i := range max(there, len(s.list)) {
		got, err := io.ReadFull(r, page)
		if err != nil && !torn(err) {
			return fmt.Errorf("read it: %w", err)
		}
		if log.has(i) || i*s.pageSize == lockByte {
			continue
		}
		switch known, sum := i < len(s.list), pageSum(uint32(i+1), page); {
		case got < s.pageSize:
			return fmt.Errorf("%w: it ends in page %d of %d", ErrDamaged, i+1, len(s.list))
		case known && sum != s.list[i], i == 0 && !coherent(page), !known && sum != zero: // zeros: a hole before pages of the log
			return fmt.Errorf("%w: page %d of %d is not as it was written", ErrDamaged, i+1, len(s.list))
		}
	}
	return nil
}

// seal writes the sums of what a checkpoint will make of the pages, and makes
// it. Nobody may write meanwhile.
func (s *Store) seal(ctx context.Context) error {
	err := s.sums.write()
	if err == nil {
		if _, err = s.write.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
			err = fmt.Errorf("checkpoint: %w", err)
		}
	}
	if err != nil {
		s.sums.failed.Store(&err)
		return err
	}
	s.sums.failed.Store(nil)
	return nil
}

// write puts the sums of the log's pages down.
func (s *sums) write() error {
	if s.pageSize == 0 {
		if err := s.first(); err != nil {
			return err
		}
	}
	log, err := readWAL(s.path+"-wal", s.pageSize, nil)
	if err != nil {
		return err
	}
	list, changes := slices.Clone(s.list), s.changes
	if _, ok := log.sums[1]; ok {
		changes = log.changes
	}
	if log.size > 0 {
		zero := sumOf(make([]byte, s.pageSize))
		for len(list) < int(log.size) {
			list = append(list, zero)
		}
		list = list[:log.size]
	}
	for n, sum := range log.sums {
		if int(n) <= len(list) {
			list[n-1] = sum
		}
	}
	return s.put(list, changes)
}

// put replaces the file.
func (s *sums) put(list []uint32, changes uint32) error {
	err := durable.ReplaceBytes(sumsPath(s.path), 0o600, s.encode(list, changes))
	if err == nil {
		err = removeFirst(s.path)
	}
	if err != nil {
		return fmt.Errorf("write the database's checksums: %w", err)
	}
	s.list, s.changes, s.counted = list, changes, true
	return nil
}

// first reads the sums of a database that has none.
func (s *sums) first() error {
	head := make([]byte, 100)
	if _, err := s.db.ReadAt(head, 0); err != nil {
		return fmt.Errorf("read %s: %w", s.path, err)
	}
	size := int(binary.BigEndian.Uint16(head[16:]))
	if size == 1 { // SQLite's way to say 65536
		size = 1 << 16
	}
	if size < 512 {
		return fmt.Errorf("%s: pages of %d bytes", s.path, size)
	}
	r, page := io.NewSectionReader(s.db, 0, 1<<62), make([]byte, size)
	var list []uint32
	for {
		_, err := io.ReadFull(r, page)
		if errors.Is(err, io.EOF) {
			s.pageSize, s.list, s.changes = size, list, binary.BigEndian.Uint32(head[changesAt:])
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // half a page is in the log
			return fmt.Errorf("read %s: %w", s.path, err)
		}
		list = append(list, pageSum(uint32(len(list)+1), page))
	}
}

// sealIfDue seals when enough is in the log. What it does not manage now it
// tries again after the next change; the log grows meanwhile.
func (s *Store) sealIfDue(ctx context.Context) {
	var busy, pages, done int
	err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &done)
	if err == nil && pages-done < sealEvery {
		return
	}
	_ = s.seal(ctx) // Sealed tells
}

// Sealed is the error of the latest writing of checksums, if any: until it
// works again, the database's log grows.
func (s *Store) Sealed() error {
	if err := s.sums.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// LogBytes is the size of the database's log.
func (s *Store) LogBytes() int64 {
	info, err := os.Stat(s.cfg.Path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}
