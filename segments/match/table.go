package match

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/journal"
)

// Config of a Table.
type Config struct {
	// Path of the journal; its folder must be there.
	Path string
	// MaxEntries bounds the table, spread over 256 shards; 0 means 3,145,728
	// (168 MB when full).
	MaxEntries int
	// TTL is how long a match holds after its latest sync; 0 means 180 days.
	TTL time.Duration
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("match: Path is empty"))
	}
	if c.MaxEntries < 0 || c.MaxEntries > 1<<30 {
		errs = append(errs, fmt.Errorf("match: MaxEntries %d is not within 0 to 2^30", c.MaxEntries))
	}
	if c.TTL < 0 {
		errs = append(errs, fmt.Errorf("match: TTL %s is negative", c.TTL))
	}
	return errors.Join(errs...)
}

const (
	shards     = 256
	defaultMax = shards * 12288
	defaultTTL = 180 * 24 * time.Hour

	// refresh is by how much a match must have aged before another sync of
	// the same pair is written down.
	refresh = 24 * 60 * 60 // seconds
)

// The journal's kind, and its records: the key of the hash, a match, a match
// that was deleted.
const (
	journalKind = "match\x00\x00\x01"
	recordKey   = 'k'
	recordPut   = 'p'
	recordDrop  = 'd'
	putSize     = 1 + 16 + 16 + 4
	dropSize    = 1 + 16
)

// Table is the match table. Open makes one; its owner calls Run and Close.
type Table struct {
	cfg    Config
	clock  clock.Clock
	log    *slog.Logger
	hash   hasher
	ttl    int64 // seconds
	shards [shards]shard

	writeMu sync.Mutex // the order of changes in memory is the journal's
	journal *journal.Journal
	written int64 // records in the journal

	swept     int // next shard of sweep
	erased    atomic.Bool
	compacted int64 // ms
	evicted   atomic.Uint64
	hits      atomic.Uint64
	misses    atomic.Uint64
}

// Open reads the journal, or makes it. What a crash cut off at its end is
// logged and left out.
func Open(cfg Config, c clock.Clock, log *slog.Logger) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = defaultMax
	}
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	t := &Table{cfg: cfg, clock: c, log: log, ttl: int64(cfg.TTL / time.Second), compacted: c.NowMS()}
	for i := range t.shards {
		t.shards[i].max = (cfg.MaxEntries + shards - 1) / shards
	}
	now := c.NowMS() / 1000
	j, loss, err := journal.Open(cfg.Path, journalKind, func(p []byte) error { return t.load(p, now) })
	if err != nil {
		return nil, fmt.Errorf("match table: %w", err)
	}
	if loss.Bytes > 0 {
		log.Warn("the end of the match table was cut off", "file", cfg.Path, "bytes", loss.Bytes, "kept", loss.File)
	}
	t.journal = j
	if t.hash == (hasher{}) {
		if err := t.newKey(); err != nil {
			return nil, errors.Join(fmt.Errorf("match table: %w", err), j.Close())
		}
	}
	return t, nil
}

func (t *Table) newKey() error {
	if n := t.Stats().Entries; n > 0 {
		return fmt.Errorf("%d entries without the key of their hash", n)
	}
	var k [16]byte
	_, _ = crand.Read(k[:]) // never fails, by its contract
	t.setKey(k[:])
	if err := t.journal.Append(t.keyRecord()); err != nil {
		return err
	}
	return t.journal.Sync()
}

func (t *Table) setKey(k []byte) {
	t.hash = hasher{binary.LittleEndian.Uint64(k), binary.LittleEndian.Uint64(k[8:])}
}

func (t *Table) keyRecord() []byte {
	b := binary.LittleEndian.AppendUint64([]byte{recordKey}, t.hash.k0)
	return binary.LittleEndian.AppendUint64(b, t.hash.k1)
}

// load applies one record of the journal.
func (t *Table) load(p []byte, now int64) error {
	t.written++
	switch {
	case p[0] == recordKey && len(p) == 17:
		t.setKey(p[1:])
	case p[0] == recordPut && len(p) == putSize:
		s := slot{key: readKey(p[1:]), seen: binary.LittleEndian.Uint32(p[33:])}
		copy(s.uid[:], p[17:])
		if sh := t.shard(s.key); !s.uid.IsZero() && now-int64(s.seen) <= t.ttl {
			sh.put(s)
		}
	case p[0] == recordDrop && len(p) == dropSize:
		t.erased.Store(true) // who was deleted is still in the file
		sh, k := t.shard(readKey(p[1:])), readKey(p[1:])
		if len(sh.slots) > 0 {
			if i, ok := sh.find(k); ok {
				sh.remove(i)
			}
		}
	default:
		return fmt.Errorf("unknown record %q of %d bytes", p[0], len(p))
	}
	return nil
}

func readKey(p []byte) key {
	return key{binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])}
}

func appendKey(b []byte, k key) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, k.a), k.b)
}

func appendPut(b []byte, s *slot) []byte {
	b = append(appendKey(append(b, recordPut), s.key), s.uid[:]...)
	return binary.LittleEndian.AppendUint32(b, s.seen)
}

func (t *Table) shard(k key) *shard { return &t.shards[k.a%shards] }

// Lookup returns the person whom the exchange means by its id, at nowMS.
func (t *Table) Lookup(exchange, id string, nowMS int64) (events.ID, bool) {
	k, ok := t.hash.key(exchange, id)
	if !ok {
		return events.ID{}, false
	}
	sh := t.shard(k)
	var s slot
	sh.mu.RLock()
	if len(sh.slots) > 0 {
		var i int
		if i, ok = sh.find(k); ok {
			s = sh.slots[i]
		}
	} else {
		ok = false
	}
	sh.mu.RUnlock()
	if !ok || nowMS/1000-int64(s.seen) > t.ttl {
		t.misses.Add(1)
		return events.ID{}, false
	}
	t.hits.Add(1)
	return s.uid, true
}

// Put notes that the exchange means uid by its id; the latest sync counts.
// When it returns, the match survives the process. A pair that was seen
// within a day changes nothing. Ids that are empty, or longer than 256 bytes,
// are refused.
func (t *Table) Put(exchange, id string, uid events.ID, nowMS int64) error {
	k, ok := t.hash.key(exchange, id)
	if !ok || uid.IsZero() {
		return fmt.Errorf("match table: an id of %d bytes at exchange %q; 1 to %d are matched", len(id), clip(exchange), maxID)
	}
	s := slot{key: k, uid: uid, seen: uint32(nowMS / 1000)}
	sh := t.shard(k)
	t.writeMu.Lock()
	defer t.writeMu.Unlock()
	sh.mu.Lock()
	if len(sh.slots) > 0 {
		if i, ok := sh.find(k); ok && sh.slots[i].uid == uid && int64(s.seen)-int64(sh.slots[i].seen) < refresh {
			sh.mu.Unlock()
			return nil
		}
	}
	evicted := sh.put(s)
	sh.mu.Unlock()
	if evicted {
		t.evicted.Add(1)
	}
	var buf [putSize]byte
	if err := t.journal.Append(appendPut(buf[:0], &s)); err != nil {
		return fmt.Errorf("match table: %w", err)
	}
	t.written++
	return nil
}

func clip(s string) string { return s[:min(len(s), maxExchange)] }

// Forget removes all of a person's matches that were last seen at untilMS or
// before, and returns how many there were. It looks at the whole table.
func (t *Table) Forget(uid events.ID, untilMS int64) (int, error) {
	return t.ForgetWhere(func(u events.ID, seenMS int64) bool { return u == uid && seenMS <= untilMS })
}

// ForgetWhere removes the matches of which drop says so, durably: when it
// returns they do not come back, and within the hour the file is written
// without them. It returns how many there were.
func (t *Table) ForgetWhere(drop func(uid events.ID, seenMS int64) bool) (n int, err error) {
	for i := range t.shards {
		k, ferr := t.forgetIn(&t.shards[i], drop)
		n, err = n+k, errors.Join(err, ferr)
	}
	if n > 0 {
		t.erased.Store(true)
		err = errors.Join(err, t.journal.Sync())
	}
	if err != nil {
		return n, fmt.Errorf("match table: forget: %w", err)
	}
	return n, nil
}

func (t *Table) forgetIn(sh *shard, drop func(events.ID, int64) bool) (int, error) {
	t.writeMu.Lock()
	defer t.writeMu.Unlock()
	var gone [][]byte
	// Found under the read lock: bids go on looking up.
	sh.mu.RLock()
	for i := range sh.slots {
		if s := &sh.slots[i]; !s.uid.IsZero() && drop(s.uid, int64(s.seen)*1000) {
			gone = append(gone, appendKey([]byte{recordDrop}, s.key))
		}
	}
	sh.mu.RUnlock()
	if len(gone) == 0 {
		return 0, nil
	}
	sh.mu.Lock()
	for _, g := range gone {
		if i, ok := sh.find(readKey(g[1:])); ok {
			sh.remove(i)
		}
	}
	sh.mu.Unlock()
	t.written += int64(len(gone))
	return len(gone), t.journal.Append(gone...)
}

// Run keeps the table: syncs it every second, lets old matches go, and writes
// the file anew when most of it is outdated or a person was deleted. It ends
// with ctx.
func (t *Table) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := t.Keep(); err != nil {
			t.log.Error("match table", "err", err)
		}
	}
}

// Keep does what Run does each second.
func (t *Table) Keep() error {
	t.sweep(t.clock.NowMS())
	err := t.journal.Sync()
	if t.outdated() {
		err = errors.Join(err, t.compact())
	}
	return err
}

// sweep lets the old matches of one shard go. The journal need not know: by
// then they are too old there as well.
func (t *Table) sweep(nowMS int64) {
	t.writeMu.Lock()
	defer t.writeMu.Unlock()
	sh := &t.shards[t.swept]
	t.swept = (t.swept + 1) % shards
	sh.mu.Lock()
	sh.removeWhere(func(s *slot) bool { return nowMS/1000-int64(s.seen) > t.ttl })
	sh.mu.Unlock()
}

const (
	compactSlack   = 64 << 10       // records
	compactErasedM = 60 * 60 * 1000 // ms
	compactLeastMS = 30 * 1000      // between two attempts
)

func (t *Table) outdated() bool {
	now := t.clock.NowMS()
	t.writeMu.Lock()
	written := t.written
	t.writeMu.Unlock()
	since := now - t.compacted
	return t.erased.Load() && since >= compactErasedM ||
		since >= compactLeastMS && written > 2*int64(t.Stats().Entries)+compactSlack
}

// compact writes the journal anew, a shard at a time.
func (t *Table) compact() error {
	t.compacted = t.clock.NowMS()
	t.erased.Store(false)
	t.writeMu.Lock()
	before := t.written
	t.writeMu.Unlock()
	n := int64(1)
	err := t.journal.Compact(func(add func([]byte) error) error {
		if err := add(t.keyRecord()); err != nil {
			return err
		}
		var copied []slot
		var buf [putSize]byte
		for i := range t.shards {
			sh := &t.shards[i]
			sh.mu.RLock()
			copied = append(copied[:0], sh.slots...)
			sh.mu.RUnlock()
			for j := range copied {
				if copied[j].uid.IsZero() {
					continue
				}
				if err := add(appendPut(buf[:0], &copied[j])); err != nil {
					return err
				}
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.erased.Store(true)
		return err
	}
	t.writeMu.Lock()
	t.written += n - before
	t.writeMu.Unlock()
	return nil
}

// Stats of a table.
type Stats struct {
	Entries, MaxEntries   int
	Bytes                 int64 // of memory
	FileBytes             int64
	Evicted, Hits, Misses uint64
}

// Stats counts over all shards.
func (t *Table) Stats() Stats {
	st := Stats{Evicted: t.evicted.Load(), Hits: t.hits.Load(), Misses: t.misses.Load()}
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.RLock()
		st.Entries += sh.n
		st.MaxEntries += sh.max
		st.Bytes += int64(len(sh.slots)) * 40
		sh.mu.RUnlock()
	}
	if t.journal != nil {
		st.FileBytes = t.journal.Size()
	}
	return st
}

// Close syncs and closes the file. Run must have ended.
func (t *Table) Close() error {
	if err := t.journal.Close(); err != nil {
		return fmt.Errorf("match table: %w", err)
	}
	return nil
}
