package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grosz/grosz/internal/durable"
)

// A version of Grosz before the checksums, and SQLite's own shell, write pages
// and know nothing of them. Whoever goes back to such a version and forward
// again has no damage.
//
// SQLite counts in page 1, at two places, the changes that reach this page, and
// so does every program that uses it. We write down the count that our own
// pages will have before they are written. A count beyond it, the same at both
// places, is somebody else's: damage does not write the same number twice.
// Then the pages are taken as they are, if SQLite finds nothing wrong in them.
//
// Changes in a write-ahead log need not reach page 1. So a closed database is
// left in SQLite's other mode, of rollback journals: there every change is
// counted, and who wants a log, as all versions of Grosz do, writes page 1 to
// have one. Only after a kill -9 of ours may another program change so little
// that it cannot be told; then the database is refused like a damaged one.

// Places in page 1: https://www.sqlite.org/fileformat2.html#the_database_header.
const (
	sqliteMagic = "SQLite format 3\x00"
	modeAt      = 18 // and 19: 1 is the mode of journals, 2 that of logs
	changesAt   = 24
	validAt     = 92 // the change counter once more
	versionAt   = 96 // of the SQLite that wrote
	headerSize  = 100
)

// pageSum is the sum of a page. That of page 1 leaves out what changes with the
// mode: see coherent.
func pageSum(number uint32, page []byte) uint32 {
	if number != 1 || len(page) < headerSize {
		return sumOf(page)
	}
	var head [headerSize]byte
	copy(head[:], page)
	clear(head[modeAt : modeAt+2])
	clear(head[changesAt : changesAt+4])
	clear(head[validAt:headerSize])
	return crc32.Update(sumOf(head[:]), castagnoli, page[headerSize:])
}

// coherent tells whether what the sum of page 1 leaves out fits together: both
// counts and both modes are the same. The version of SQLite, of which nothing
// depends, may be anything.
func coherent(page []byte) bool {
	return page[modeAt] == page[modeAt+1] && (page[modeAt] == 1 || page[modeAt] == 2) &&
		string(page[changesAt:changesAt+4]) == string(page[validAt:validAt+4])
}

// header reads the beginning of page 1; ok: it is that of a database.
func (s *sums) header() (head [headerSize]byte, ok bool) {
	_, err := s.db.ReadAt(head[:], 0)
	return head, err == nil && string(head[:len(sqliteMagic)]) == sqliteMagic && coherent(head[:])
}

func countOf(head [headerSize]byte) uint32 { return binary.BigEndian.Uint32(head[changesAt:]) }

// waking writes down the count that a closed database will have when SQLite has
// opened its log.
func (s *sums) waking() error {
	head, ok := s.header()
	if !ok || !s.counted || s.pageSize == 0 || head[modeAt] != 1 {
		return nil
	}
	return s.put(s.list, countOf(head)+1)
}

// awake opens the log and takes over the count of then: pages are as they were
// verified, and who only looked at them has raised it, too.
func (s *sums) awake(ctx context.Context, db *sql.DB) error {
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("open its log: %w", err)
	}
	if head, ok := s.header(); ok && s.counted && s.pageSize > 0 && int32(countOf(head)-s.changes) > 0 {
		return s.put(s.list, countOf(head))
	}
	return nil
}

// rest leaves the sealed database in the mode of journals. Where somebody else
// has it open it stays as it is.
func (s *Store) rest(ctx context.Context) error {
	if _, err := s.write.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	if err := s.sums.put(s.sums.list, s.sums.changes+1); err != nil {
		return err
	}
	_, _ = firstRow(ctx, s.write, "PRAGMA journal_mode = DELETE") // in use by a backup
	if head, ok := s.sums.header(); ok && head[modeAt] == 1 && countOf(head) != s.sums.changes {
		return s.sums.put(s.sums.list, countOf(head))
	}
	return nil
}

// firstSumsHead begins the first format of the sums, in PATH.sums: without the
// change counter. The version of Grosz that knows only this one finds no such
// file behind us and takes the database as it is; where there is one, that
// version was here after us.
const firstSumsHead = "grosz-page-sums 1\n"

func firstSumsPath(path string) string { return path + ".sums" }

// decodeFirst reads the first format.
func (s *sums) decodeFirst(b []byte) error {
	n := len(firstSumsHead)
	if len(b) < n+4 || string(b[:n]) != firstSumsHead {
		return fmt.Errorf("%s: %w", firstSumsPath(s.path), durable.ErrSealed)
	}
	if err := s.decodeList(b, n+4); err != nil {
		return fmt.Errorf("%s: %w", firstSumsPath(s.path), err)
	}
	s.pageSize = int(binary.LittleEndian.Uint32(b[n:]))
	return nil
}

// removeFirst removes a file of the first format, before pages are written of
// which it does not know.
func removeFirst(path string) error {
	err := os.Remove(firstSumsPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// convert makes the sum of page 1 in a list of the first format, which is of
// the whole page, one of ours. Where it differs it stays, as damage.
func (s *sums) convert() {
	if s.counted || len(s.list) == 0 || s.pageSize < headerSize {
		return
	}
	page := make([]byte, s.pageSize)
	if _, err := s.db.ReadAt(page, 0); err == nil && sumOf(page) == s.list[0] {
		s.list[0] = pageSum(1, page)
	}
}

// byOthers tells whether another program has written pages since the sums were
// written down.
func (s *sums) byOthers() bool {
	head, ok := s.header()
	return ok && s.counted && int32(countOf(head)-s.changes) > 0 // it may wrap
}

// sound asks SQLite whether pages that another program has written fit
// together; of others there are sums.
func (s *sums) sound(ctx context.Context, db *sql.DB) error {
	if s.others == nil {
		return nil
	}
	for _, check := range []string{"PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"} {
		said, err := firstRow(ctx, db, check)
		if err != nil {
			return fmt.Errorf("another program has written %s, and it cannot be checked: %w", s.path, err)
		}
		if said != "" && said != "ok" {
			return fmt.Errorf("%w: another program has written %s, and %s finds: %s", ErrDamaged, s.path, check, said)
		}
	}
	return nil
}

// firstRow is the first column of a query's first row; empty if it has none.
func firstRow(ctx context.Context, db *sql.DB, query string) (string, error) {
	var said sql.NullString
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if !rows.Next() {
		return "", rows.Err()
	}
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	into := make([]any, len(columns))
	for i := range into {
		into[i] = new(any)
	}
	into[0] = &said
	if err := rows.Scan(into...); err != nil {
		return "", err
	}
	return said.String, nil
}

// Others tells how the pages differed from their checksums at Open, if they
// were taken over from another program; else nil.
func (s *Store) Others() error { return s.sums.others }
