package suppress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/journal"
)

// Config of a List.
type Config struct {
	// Path of the journal; its folder must be there.
	Path string
	// Max bounds the people, spread over 64 shards; 0 means 1,000,000, about
	// 60 bytes each.
	Max int
	// TTL is how long one is remembered; 0 means events.ErasureRetention.
	TTL time.Duration
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("suppress: Path is empty"))
	}
	if c.Max < 0 {
		errs = append(errs, fmt.Errorf("suppress: Max %d is negative", c.Max))
	}
	if c.TTL < 0 {
		errs = append(errs, fmt.Errorf("suppress: TTL %s is negative", c.TTL))
	}
	return errors.Join(errs...)
}

const (
	shards      = 64
	defaultMax  = 1_000_000
	journalKind = "suppres\x01"
	recordSize  = 16 + 8 + 1
	flagOptOut  = 1
)

// entry is what is known of one person.
type entry struct {
	untilMS int64 // what was received until then is forgotten
	optOut  bool  // and so is what comes after
}

type shard struct {
	mu sync.RWMutex
	m  map[events.ID]entry
	_  [64]byte // shards do not share a cache line
}

// List is the suppression list. Open makes one, its owner closes it.
type List struct {
	shards    [shards]shard
	max       int // per shard
	ttlMS     int64
	addMu     sync.Mutex // the order in memory is the journal's
	journal   *journal.Journal
	written   int64
	forgotten atomic.Uint64
}

// Open reads the journal, or makes it, and lets go what is too old at nowMS.
func Open(cfg Config, nowMS int64, log *slog.Logger) (*List, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Max == 0 {
		cfg.Max = defaultMax
	}
	if cfg.TTL == 0 {
		cfg.TTL = events.ErasureRetention
	}
	l := &List{max: (cfg.Max + shards - 1) / shards, ttlMS: cfg.TTL.Milliseconds()}
	for i := range l.shards {
		l.shards[i].m = make(map[events.ID]entry)
	}
	j, loss, err := journal.Open(cfg.Path, journalKind, l.load)
	if err != nil {
		return nil, fmt.Errorf("suppression list: %w", err)
	}
	l.journal = j
	if loss.Bytes > 0 {
		// What was lost is in events.TopicErasures, which is read at each start.
		log.Error("the end of the suppression list was cut off", "file", cfg.Path, "bytes", loss.Bytes, "kept", loss.File)
	}
	if err := l.Expire(nowMS); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return l, nil
}

func (l *List) load(p []byte) error {
	if len(p) != recordSize {
		return fmt.Errorf("a record of %d bytes, not %d", len(p), recordSize)
	}
	l.written++
	l.put(events.ID(p[:16]), entry{int64(binary.LittleEndian.Uint64(p[16:])), p[24]&flagOptOut != 0})
	return nil
}

func appendEntry(b []byte, u events.ID, e entry) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, u[:]...), uint64(e.untilMS))
	if e.optOut {
		return append(b, flagOptOut)
	}
	return append(b, 0)
}

func (l *List) shard(u events.ID) *shard {
	h := (binary.LittleEndian.Uint64(u[:8]) ^ binary.LittleEndian.Uint64(u[8:])) * 0x9e3779b97f4a7c15
	return &l.shards[h>>58]
}

// put merges e into what is known and tells whether it said anything new.
func (l *List) put(u events.ID, e entry) bool {
	sh := l.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	was, known := sh.m[u]
	e = entry{max(was.untilMS, e.untilMS), was.optOut || e.optOut}
	if known && e == was {
		return false
	}
	if !known && len(sh.m) >= l.max {
		sh.dropOldest()
		l.forgotten.Add(1)
	}
	sh.m[u] = e
	return true
}

func (sh *shard) dropOldest() {
	var oldest events.ID
	at := int64(1<<63 - 1)
	for u, e := range sh.m {
		if e.untilMS < at {
			oldest, at = u, e.untilMS
		}
	}
	delete(sh.m, oldest)
}

// Add notes that what was received of u until untilMS is forgotten, and with
// optOut all that comes after. It returns whether that is news; when it
// returns it is durable. Nobody is not added.
func (l *List) Add(u events.ID, untilMS int64, optOut bool) (news bool, err error) {
	if u.IsZero() || untilMS <= 0 {
		return false, nil
	}
	l.addMu.Lock()
	defer l.addMu.Unlock()
	if news = l.put(u, entry{untilMS, optOut}); !news {
		return false, nil
	}
	l.written++
	if err := l.journal.Append(appendEntry(nil, u, entry{untilMS, optOut})); err != nil {
		return true, fmt.Errorf("suppression list: %w", err)
	}
	if err := l.journal.Sync(); err != nil {
		return true, fmt.Errorf("suppression list: %w", err)
	}
	return true, nil
}

func (l *List) get(u events.ID) (entry, bool) {
	sh := l.shard(u)
	sh.mu.RLock()
	e, ok := sh.m[u]
	sh.mu.RUnlock()
	return e, ok
}

// OptedOut tells whether nothing of u may be used or kept.
func (l *List) OptedOut(u events.ID) bool {
	e, ok := l.get(u)
	return ok && e.optOut
}

// Suppressed tells whether something of u that was received at receivedMS is
// to be passed over.
func (l *List) Suppressed(u events.ID, receivedMS int64) bool {
	e, ok := l.get(u)
	return ok && (e.optOut || receivedMS <= e.untilMS)
}

// Each calls fn for those whose erasure is of sinceMS or later, in no order;
// fn must not call the list.
func (l *List) Each(sinceMS int64, fn func(u events.ID, untilMS int64, optOut bool)) {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.RLock()
		for u, e := range sh.m {
			if e.untilMS >= sinceMS {
				fn(u, e.untilMS, e.optOut)
			}
		}
		sh.mu.RUnlock()
	}
}

// Expire forgets those who are older than the TTL at nowMS, and writes the
// journal anew when most of it is outdated. Its owner calls it daily.
func (l *List) Expire(nowMS int64) error {
	n := 0
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		for u, e := range sh.m {
			if nowMS-e.untilMS > l.ttlMS {
				delete(sh.m, u)
			}
		}
		n += len(sh.m)
		sh.mu.Unlock()
	}
	l.addMu.Lock()
	defer l.addMu.Unlock()
	if l.written <= 2*int64(n)+1000 {
		return nil
	}
	written := int64(0)
	err := l.journal.Compact(func(add func([]byte) error) (err error) {
		l.Each(0, func(u events.ID, untilMS int64, optOut bool) {
			if err == nil {
				err = add(appendEntry(nil, u, entry{untilMS, optOut}))
				written++
			}
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("suppression list: %w", err)
	}
	l.written = written
	return nil
}

// Stats returns how many people are on the list, the bound, and how many it
// made the list forget.
func (l *List) Stats() (n, most int, forgotten uint64) {
	for i := range l.shards {
		l.shards[i].mu.RLock()
		n += len(l.shards[i].m)
		l.shards[i].mu.RUnlock()
	}
	return n, l.max * shards, l.forgotten.Load()
}

// Close closes the journal.
func (l *List) Close() error {
	if err := l.journal.Close(); err != nil {
		return fmt.Errorf("suppression list: %w", err)
	}
	return nil
}
