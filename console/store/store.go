// Package store keeps the truth about shops, keys, campaigns and product
// feeds in one SQLite file. It is the slow side of the console: every change
// is one transaction, fsynced before it is answered, that also writes the
// audit log and the outbox from which package publish feeds Kafka.
//
// Beside the file it keeps checksums of its pages, against which Open holds
// them: see sums.go.
//
// Versions are one increasing number over the whole database, so that a
// bidder can ignore what is older than what it holds. Ids are small, increase
// and are never given twice.
//
// Safe for many goroutines. One writer at a time, readers beside it (WAL).
// Imports campaigns and internal only; knows nothing of HTTP or Kafka.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/clock"
)

// Errors that callers tell apart. They are wrapped with what was looked for.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed by someone else meanwhile")
	ErrLimit    = errors.New("limit reached")
)

// Config of a store. Zero values are replaced by the defaults named.
type Config struct {
	// Path of the database file; its folder must exist.
	Path string
	// MaxShops bounds the number of shops; default 100,000.
	MaxShops int
	// MaxCampaigns bounds the campaigns of one shop that are not deleted;
	// default 1,000.
	MaxCampaigns int
	// MaxSegments bounds the segments of one shop that are not deleted;
	// default campaigns.MaxSegments.
	MaxSegments int
	// MaxKeys bounds the valid keys of one shop; default 20.
	MaxKeys int
	// MaxChanges bounds the audit log of one shop, the oldest going first;
	// default 20,000.
	MaxChanges int
	// MaxIdempotency bounds the remembered answers; default 20,000.
	MaxIdempotency int
}

func (c Config) withDefaults() Config {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&c.MaxShops, 100_000)
	set(&c.MaxCampaigns, 1_000)
	set(&c.MaxSegments, campaigns.MaxSegments)
	set(&c.MaxKeys, 20)
	set(&c.MaxChanges, 20_000)
	set(&c.MaxIdempotency, 20_000)
	return c
}

// Store is an open database.
type Store struct {
	cfg   Config
	clock clock.Clock
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB
	// turn queues the writers, so that none meets SQLITE_BUSY.
	turn sync.Mutex
	sums *sums // of the pages; changed in turn
	// changed holds a token while the outbox may have new rows.
	changed chan struct{}
	// recorded holds one while records of accounts may be waiting.
	recorded chan struct{}
}

// Open opens or makes the database and brings its schema up to date.
func Open(ctx context.Context, cfg Config, clk clock.Clock) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := private(cfg.Path); err != nil {
		return nil, err
	}
	pages, err := openSums(cfg.Path)
	if err != nil {
		return nil, err
	}
	if err = pages.waking(); err != nil {
		return nil, errors.Join(err, pages.db.Close())
	}
	s := &Store{cfg: cfg, clock: clk, sums: pages, changed: make(chan struct{}, 1), recorded: make(chan struct{}, 1)}
	if s.write, err = openDB(cfg.Path, "immediate", url.Values{"_pragma": {"journal_mode(WAL)"}}); err != nil {
		return nil, errors.Join(err, pages.db.Close())
	}
	s.write.SetMaxOpenConns(1)
	if err = s.sums.sound(ctx, s.write); err != nil { // not sealed: it stays refused
		return nil, errors.Join(err, s.write.Close(), pages.db.Close())
	}
	if err = s.sums.awake(ctx, s.write); err == nil {
		err = migrate(ctx, s.write)
	}
	if err == nil {
		err = s.seal(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", cfg.Path, err), s.closeWriter())
	}
	if s.read, err = openDB(cfg.Path, "deferred", url.Values{"_pragma": {"query_only(1)"}}); err != nil {
		return nil, errors.Join(err, s.closeWriter())
	}
	s.read.SetMaxOpenConns(8)
	return s, nil
}

// private makes the file, if it is not there, readable by its owner only: it
// holds the shops' salts. SQLite gives the files beside it the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	return f.Close()
}

// openDB opens a database, with more parameters than all have. Nothing goes
// from the log into the pages by itself: see sums.
func openDB(path, lock string, more url.Values) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	q := url.Values{"_txlock": {lock}}
	for _, p := range []string{"busy_timeout(10000)", "synchronous(FULL)", "foreign_keys(1)", "journal_size_limit(67108864)", "wal_autocheckpoint(0)"} {
		q.Add("_pragma", p)
	}
	for name, list := range more {
		q[name] = append(q[name], list...)
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// Close closes the database. Nothing may use the store afterwards.
func (s *Store) Close() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return errors.Join(s.read.Close(), s.closeWriter())
}

// closeWriter closes what Open opened first. SQLite writes what is in the log
// into the pages when it closes, also what a crash has left there: where that
// cannot be sealed before, it is better to have no sums than old ones.
func (s *Store) closeWriter() error {
	err := s.seal(context.Background())
	if err != nil {
		err = errors.Join(err, os.Remove(sumsPath(s.cfg.Path)), removeFirst(s.cfg.Path))
	} else {
		err = s.rest(context.Background())
	}
	return errors.Join(err, s.write.Close(), s.sums.db.Close())
}

// Ping tells whether the database can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	return nil
}

// Changed carries a token whenever the outbox may have grown.
func (s *Store) Changed() <-chan struct{} { return s.changed }

func (s *Store) signal() {
	for _, c := range [...]chan struct{}{s.changed, s.recorded} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// querier is what reading needs of a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Reader reads: View's sees the last committed state at each call, a Tx's
// what the transaction has written.
type Reader struct {
	q   querier
	cfg Config
}

// View reads beside the writer.
func (s *Store) View() Reader { return Reader{q: s.read, cfg: s.cfg} }

// Actor says who changes something, for the audit log.
type Actor struct {
	// Name is "admin" or "key <id>".
	Name string
	// Remote is the client's address.
	Remote string
}

// Tx is one change: all of it happens or nothing.
type Tx struct {
	Reader
	tx    *sql.Tx
	actor Actor
	now   int64
}

// NowMS is the time of the change, ms UTC: the same throughout it.
func (t *Tx) NowMS() int64 { return t.now }

// Write runs fn in a transaction and commits it durably, unless fn returns an
// error, which Write then returns as it is.
func (s *Store) Write(ctx context.Context, actor Actor, fn func(*Tx) error) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a change: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no effect after Commit
	t := &Tx{Reader: Reader{q: tx, cfg: s.cfg}, tx: tx, actor: actor, now: s.clock.NowMS()}
	if err := fn(t); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a change: %w", err)
	}
	s.signal()
	s.sealIfDue(context.WithoutCancel(ctx))
	return nil
}

func (t *Tx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.tx.ExecContext(ctx, query, args...)
	return err
}

// next increases a counter and returns it.
func (t *Tx) next(ctx context.Context, name string) (int64, error) {
	var v int64
	err := t.tx.QueryRowContext(ctx, "UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value", name).Scan(&v)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", name, err)
	}
	return v, nil
}

func (t *Tx) count(ctx context.Context, query string, args ...any) (int, error) {
	var n int
	err := t.q.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}
