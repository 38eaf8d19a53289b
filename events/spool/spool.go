// Package spool is a node's own durable log: what money and orders depend on
// is fsynced here before anyone is told that it was taken, and is shipped to
// Kafka from here, so that Kafka may be away for hours. Slow edge of events:
// it touches files only. Append is safe for many goroutines; several appends
// share one fsync (group commit).
//
// The log itself is hashicorp/raft-wal: torn tails dropped at start, whole
// segments deleted at the head. Each entry has a checksum of ours (entry.go),
// and so has the list of segments (meta.go). A torn tail is told from a damaged
// one, of which what is whole is put back (tail.go).
package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// Config of a spool.
type Config struct {
	// Dir holds the log; made if missing.
	Dir string
	// MaxBytes bounds Dir's size; 0 means 4 GiB. Past it Append answers
	// ErrFull, and callers ask the sender to try again.
	MaxBytes int64
	// SegmentBytes is the size of one file; 0 means 16 MiB.
	SegmentBytes int
	// BatchRecords bounds the appends of one group commit; 0 means 4096.
	BatchRecords int
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("spool: Dir is empty"))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("spool: MaxBytes %d is negative", c.MaxBytes))
	}
	if c.SegmentBytes < 0 || c.BatchRecords < 0 {
		errs = append(errs, errors.New("spool: SegmentBytes and BatchRecords must not be negative"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 4 << 30
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 16 << 20
	}
	if c.BatchRecords == 0 {
		c.BatchRecords = 4096
	}
	return c
}

// Record is one message on its way to Kafka. Topic is an index into the
// shipper's topic list; Value holds one or more whole lines.
type Record struct {
	Topic uint8
	Key   []byte
	Value []byte
}

// MaxRecord bounds a record's key and value together, in bytes: Kafka must
// take it in one message, or it would block all that is behind it.
const MaxRecord = 512 << 10

// Errors of Append.
var (
	ErrFull     = errors.New("spool is full: Kafka has been away too long or the disk is small")
	ErrClosed   = errors.New("spool is closed")
	ErrTooLarge = fmt.Errorf("record is larger than %d bytes", MaxRecord)
)

// Spool is a durable queue on disk.
type Spool struct {
	cfg Config
	log *slog.Logger
	wal *wal.WAL
	// lock says that the directory is ours; it ends with the process.
	lock *os.File

	in     chan *waiter
	closed chan struct{} // closed by Close: no more appends
	once   sync.Once     // of Close
	done   chan struct{} // closed when the committer has ended
	fresh  chan struct{} // there may be something to ship

	last     atomic.Uint64 // newest committed index
	shipped  atomic.Uint64 // newest index known to be in Kafka
	pending  atomic.Int64  // bytes appended and not shipped
	dirBytes atomic.Int64
	commits  atomic.Uint64
	records  atomic.Uint64
	damaged  atomic.Uint64
	bad      atomic.Uint64 // the newest damaged entry
}

type waiter struct {
	recs []Record
	done chan error
}

var waiters = sync.Pool{New: func() any { return &waiter{done: make(chan error, 1)} }}

// Open opens or makes the spool in cfg.Dir.
func Open(cfg Config, log *slog.Logger) (*Spool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	end, err := readTail(cfg.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", cfg.Dir, err), lock.Close())
	}
	quiet := hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: slogWriter{log}})
	w, err := wal.Open(cfg.Dir, wal.WithSegmentSize(cfg.SegmentBytes), wal.WithLogger(quiet), wal.WithMetaStore(new(metaStore)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", cfg.Dir, err), lock.Close())
	}
	s := &Spool{
		cfg: cfg, log: log, wal: w, lock: lock,
		in:     make(chan *waiter, cfg.BatchRecords),
		closed: make(chan struct{}), done: make(chan struct{}), fresh: make(chan struct{}, 1),
	}
	first, err := w.FirstIndex()
	if err != nil {
		return nil, fmt.Errorf("read spool %s: %w", cfg.Dir, err)
	}
	last, err := w.LastIndex()
	if err != nil {
		return nil, fmt.Errorf("read spool %s: %w", cfg.Dir, err)
	}
	s.last.Store(last)
	if first > 0 {
		s.shipped.Store(first - 1)
	}
	if err := s.mend(end, first); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", cfg.Dir, err), w.Close(), lock.Close())
	}
	last = s.last.Load()
	s.pending.Store(0) // counted now
	for i := s.shipped.Load() + 1; i <= last && last > 0; i++ {
		var l raft.Log
		if err := w.GetLog(i, &l); err != nil && !errors.Is(err, wal.ErrCorrupt) { // told when it is shipped
			return nil, errors.Join(fmt.Errorf("read spool %s: entry %d: %w", cfg.Dir, i, err), w.Close(), lock.Close())
		}
		s.pending.Add(int64(len(l.Data)))
	}
	s.measure()
	go s.commit()
	return s, nil
}

// Backlog calls fn for every record that was in the spool when it was called
// and may not be in Kafka yet, oldest first. Ship may run meanwhile.
func (s *Spool) Backlog(fn func(Record) error) error {
	last := s.last.Load()
	for next := s.shipped.Load() + 1; next <= last; {
		recs, upTo, _, err := s.read(next, 1<<20)
		if err != nil {
			if next <= s.shipped.Load() { // shipped and trimmed under us
				next = s.shipped.Load() + 1
				continue
			}
			return err
		}
		for _, r := range recs {
			if err := fn(r); err != nil {
				return err
			}
		}
		next = upTo + 1
	}
	return nil
}

// Append makes recs durable, all or none, and returns when they are: after
// the fsync. Their memory may be reused afterwards.
func (s *Spool) Append(recs ...Record) error {
	for i := range recs {
		if len(recs[i].Key) > math.MaxUint16 || len(recs[i].Key)+len(recs[i].Value) > MaxRecord {
			return fmt.Errorf("append to spool, record %d of %d: %w", i+1, len(recs), ErrTooLarge)
		}
	}
	if s.dirBytes.Load() > s.cfg.MaxBytes {
		return ErrFull
	}
	w := waiters.Get().(*waiter)
	w.recs = append(w.recs[:0], recs...)
	select {
	case s.in <- w:
	case <-s.closed:
		waiters.Put(w)
		return ErrClosed
	}
	select {
	case err := <-w.done:
		clear(w.recs)
		waiters.Put(w)
		return err
	case <-s.done:
		// The committer ended; it may have served this one last.
		select {
		case err := <-w.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// maxCommit is where a group commit stops gathering, in bytes; the log takes
// entries up to 64 MiB.
const maxCommit = 4 << 20

// commit is the one writer: it gathers what waits and commits it together.
func (s *Spool) commit() {
	defer close(s.done)
	var batch []*waiter
	var buf []byte
	for {
		var w *waiter
		select {
		case w = <-s.in:
		case <-s.closed:
			select {
			case w = <-s.in: // what came in before the close is still taken
			default:
				return
			}
		}
		batch, buf = batch[:0], append(buf[:0], make([]byte, entryHead)...)
		n := 0
	gather:
		for {
			batch, n = append(batch, w), n+len(w.recs)
			for i := range w.recs {
				buf = appendFrame(buf, &w.recs[i])
			}
			if len(batch) >= s.cfg.BatchRecords || len(buf) >= maxCommit {
				break
			}
			select {
			case w = <-s.in:
			default:
				break gather
			}
		}
		seal(buf)
		err := s.store(buf)
		for _, w := range batch {
			w.done <- err
		}
		s.records.Add(uint64(n))
	}
}

func (s *Spool) store(buf []byte) error {
	index := s.last.Load() + 1
	// raft-wal keeps no reference to Data after StoreLog.
	if err := s.wal.StoreLog(&raft.Log{Index: index, Data: buf}); err != nil {
		s.log.Error("spool write failed", "err", err)
		return fmt.Errorf("write spool: %w", err)
	}
	s.last.Store(index)
	s.pending.Add(int64(len(buf)))
	s.dirBytes.Add(int64(len(buf))) // until it is measured again
	s.commits.Add(1)
	s.wake()
	return nil
}

func (s *Spool) wake() {
	select {
	case s.fresh <- struct{}{}:
	default:
	}
}

// Sink takes records in order and returns when they are durable elsewhere.
type Sink func(ctx context.Context, recs []Record) error

// Ship sends everything in the log to sink, oldest first, until ctx ends. A
// failed send is tried again, with growing pauses of at most ten seconds;
// after a crash the last second or so is sent twice, which readers see by the
// event id.
func (s *Spool) Ship(ctx context.Context, sink Sink) error {
	const maxBatch = 4 << 20
	measure := time.NewTicker(time.Second)
	defer measure.Stop()
	next := s.shipped.Load() + 1
	for {
		if next > s.last.Load() {
			select {
			case <-ctx.Done():
				return s.trim()
			case <-s.fresh:
			case <-measure.C:
				if err := s.trim(); err != nil {
					s.log.Error("spool trim failed", "err", err)
				}
				s.measure()
			}
			continue
		}
		recs, upTo, bytes, err := s.read(next, maxBatch)
		if err != nil {
			return err
		}
		if err := s.sendUntilTaken(ctx, sink, recs); err != nil {
			return s.trim()
		}
		s.pending.Add(-bytes)
		s.shipped.Store(upTo)
		next = upTo + 1
		select {
		case <-measure.C:
			if err := s.trim(); err != nil {
				s.log.Error("spool trim failed", "err", err)
			}
			s.measure()
		default:
		}
	}
}

func (s *Spool) sendUntilTaken(ctx context.Context, sink Sink, recs []Record) error {
	// A second at most: leases wait for what is sent, and the broker minds one
	// try a second little.
	const longest = time.Second
	pause := 50 * time.Millisecond
	for try := 0; ; try++ {
		err := sink(ctx, recs)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if pause < longest || try%60 == 0 {
			s.log.Warn("spool cannot ship, will try again", "in", pause, "backlog_bytes", s.pending.Load(), "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
		s.measure()
	}
}

// read gathers the records from index on, at least one entry, about max bytes.
func (s *Spool) read(from uint64, max int64) (recs []Record, upTo uint64, size int64, err error) {
	last := s.last.Load()
	for i := from; i <= last && (i == from || size < max); i++ {
		var n int64
		if recs, n, err = s.entry(i, recs); err != nil {
			return nil, 0, 0, err
		}
		upTo, size = i, size+n
	}
	return recs, upTo, size, nil
}

// trim gives back the disk of what was shipped.
func (s *Spool) trim() error {
	first, err := s.wal.FirstIndex()
	if err != nil {
		return fmt.Errorf("trim spool: %w", err)
	}
	if to := s.shipped.Load(); first > 0 && to >= first {
		if err := s.wal.DeleteRange(first, to); err != nil {
			return fmt.Errorf("trim spool to %d: %w", to, err)
		}
	}
	return nil
}

func (s *Spool) measure() {
	var n int64
	err := filepath.WalkDir(s.cfg.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a segment deleted meanwhile
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	if err == nil {
		s.dirBytes.Store(n)
	}
}

// Stats of a spool, for metrics.
type Stats struct {
	Records, Commits uint64
	BacklogBytes     int64 // not yet in Kafka
	BacklogEntries   uint64
	DirBytes         int64
	MaxBytes         int64
	// Last is the newest entry on disk, Shipped the newest in Kafka.
	Last, Shipped uint64
	Damaged       uint64 // entries that could not be used
}

// Stats reads the counters.
func (s *Spool) Stats() Stats {
	return Stats{
		Records: s.records.Load(), Commits: s.commits.Load(), BacklogBytes: max(s.pending.Load(), 0),
		BacklogEntries: s.last.Load() - min(s.shipped.Load(), s.last.Load()),
		DirBytes:       s.dirBytes.Load(), MaxBytes: s.cfg.MaxBytes,
		Last: s.last.Load(), Shipped: s.shipped.Load(), Damaged: s.damaged.Load(),
	}
}

// Drained tells whether all that was appended is in Kafka.
func (s *Spool) Drained() bool { return s.shipped.Load() >= s.last.Load() }

// Close ends appending and closes the log, the first time it is called. Ship
// must have ended before.
func (s *Spool) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		<-s.done
		err = errors.Join(s.wal.Close(), s.lock.Close())
	})
	if err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// A frame is topic (1), key length (2), value length (4), key, value.
func appendFrame(dst []byte, r *Record) []byte {
	dst = append(dst, r.Topic)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Key)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Value)))
	dst = append(dst, r.Key...)
	return append(dst, r.Value...)
}

var errFrame = errors.New("frame does not fit its entry")

func parseFrames(recs []Record, b []byte) ([]Record, error) {
	for len(b) > 0 {
		if len(b) < 7 {
			return recs, errFrame
		}
		key, val := int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint32(b[3:]))
		if len(b)-7 < key+val {
			return recs, errFrame
		}
		recs = append(recs, Record{Topic: b[0], Key: b[7 : 7+key : 7+key], Value: b[7+key : 7+key+val : 7+key+val]})
		b = b[7+key+val:]
	}
	return recs, nil
}

// slogWriter passes the log library's lines on.
type slogWriter struct{ log *slog.Logger }

func (w slogWriter) Write(b []byte) (int, error) {
	w.log.Error("spool log", "msg", string(b))
	return len(b), nil
}
