// Package wanted keeps what licensed partners tell of people's intent: a
// bounded, expiring store in memory, folded from the topic grosz.intent. It
// knows nothing of shops: who may use a signal is the licence's to say when it
// is read.
//
// Hot: Lookup copies a person's few signals under a read lock of one of 64
// shards and allocates nothing but to grow dst. Safe for many goroutines.
// Imports events only.
package wanted

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/events"
)

// Bounds of the store.
const (
	// MaxSignals is how many signals of one person are kept; the weakest goes.
	MaxSignals = 8
	// DefaultMaxUsers bounds the people, about 400 bytes each.
	DefaultMaxUsers = 1_000_000

	shards = 64
)

// Signal is what one partner said of a person.
type Signal struct {
	Partner, Licence string
	Text             string
	Strength         uint16 // thousandths
	ReceivedS        uint32 // seconds since the epoch, UTC
	ExpiresS         uint32
}

// Store holds signals by person.
type Store struct {
	max    int // people per shard
	shards [shards]shard

	applied, expired, evicted atomic.Uint64
}

type shard struct {
	mu    sync.RWMutex
	users map[events.ID][]Signal
}

// New returns an empty store for at most maxUsers people; 0 means
// DefaultMaxUsers.
func New(maxUsers int) *Store {
	if maxUsers <= 0 {
		maxUsers = DefaultMaxUsers
	}
	s := &Store{max: max(maxUsers/shards, 1)}
	for i := range s.shards {
		s.shards[i].users = map[events.ID][]Signal{}
	}
	return s
}

func (s *Store) shard(u events.ID) *shard {
	return &s.shards[binary.LittleEndian.Uint64(u[:8])*0x9e3779b97f4a7c15>>58]
}

// Apply takes one signal in; a newer one of the same partner and text replaces
// the older. It returns false for one that has expired, or is older than what
// is held.
func (s *Store) Apply(e *events.Wanted, nowMS int64) bool {
	if e.ExpiresMS <= nowMS || e.UID.IsZero() {
		return false
	}
	n := Signal{e.Partner, e.Licence, e.Text, uint16(min(max(e.Strength, 1), 1000)), uint32(e.ReceivedMS / 1000), uint32(e.ExpiresMS / 1000)}
	sh := s.shard(e.UID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list, known := sh.users[e.UID]
	if !known && len(sh.users) >= s.max {
		s.evict(sh)
	}
	for i := range list {
		if list[i].Partner == n.Partner && list[i].Text == n.Text {
			if list[i].ReceivedS > n.ReceivedS {
				return false
			}
			list[i] = n
			s.applied.Add(1)
			return true
		}
	}
	if len(list) < MaxSignals {
		sh.users[e.UID] = append(list, n)
		s.applied.Add(1)
		return true
	}
	least := 0
	for i := range list {
		if list[i].worth() < list[least].worth() {
			least = i
		}
	}
	s.evicted.Add(1)
	if list[least].worth() > n.worth() {
		return false
	}
	list[least] = n
	s.applied.Add(1)
	return true
}

// worth orders signals: strong ones that last are kept.
func (n *Signal) worth() uint64 { return uint64(n.Strength)<<32 | uint64(n.ExpiresS) }

// evict makes room: of a few people, the one whose signals end first goes.
func (s *Store) evict(sh *shard) {
	var victim events.ID
	least, tried := ^uint32(0), 0
	for u, list := range sh.users {
		last := uint32(0)
		for i := range list {
			last = max(last, list[i].ExpiresS)
		}
		if last <= least {
			victim, least = u, last
		}
		if tried++; tried == 8 {
			break
		}
	}
	delete(sh.users, victim)
	s.evicted.Add(1)
}

// Lookup appends a person's signals that have not expired to dst[:0].
func (s *Store) Lookup(u events.ID, nowMS int64, dst []Signal) []Signal {
	dst = dst[:0]
	sh := s.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for i, n := range sh.users[u] {
		if int64(n.ExpiresS) > nowMS/1000 {
			dst = append(dst, sh.users[u][i])
		}
	}
	return dst
}

// Erase forgets what was received of a person until untilMS, and returns how
// many signals that were.
func (s *Store) Erase(u events.ID, untilMS int64) int {
	sh := s.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.keep(u, func(n *Signal) bool { return int64(n.ReceivedS)*1000 > untilMS })
}

// keep drops the signals of a person for which f is false.
func (sh *shard) keep(u events.ID, f func(*Signal) bool) (dropped int) {
	list := sh.users[u]
	left := list[:0]
	for i := range list {
		if f(&list[i]) {
			left = append(left, list[i])
		}
	}
	dropped = len(list) - len(left)
	clear(list[len(left):])
	if len(left) == 0 {
		delete(sh.users, u)
	} else {
		sh.users[u] = left
	}
	return dropped
}

// EraseWhere forgets by person: until tells up to when (ms UTC), or is
// negative for one who stays.
func (s *Store) EraseWhere(until func(events.ID) int64) (n int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for u := range sh.users {
			if ms := until(u); ms >= 0 {
				n += sh.keep(u, func(x *Signal) bool { return int64(x.ReceivedS)*1000 > ms })
			}
		}
		sh.mu.Unlock()
	}
	return n
}

// Sweep lets expired signals of one shard go; call it in turn, with a counter.
func (s *Store) Sweep(turn uint32, nowMS int64) {
	sh := &s.shards[turn%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for u := range sh.users {
		n := sh.keep(u, func(x *Signal) bool { return int64(x.ExpiresS) > nowMS/1000 })
		s.expired.Add(uint64(n))
	}
}

// Stats of a Store, for metrics.
type Stats struct {
	Users, MaxUsers           int
	Applied, Expired, Evicted uint64
}

// Stats counts.
func (s *Store) Stats() Stats {
	st := Stats{MaxUsers: s.max * shards, Applied: s.applied.Load(), Expired: s.expired.Load(), Evicted: s.evicted.Load()}
	for i := range s.shards {
		s.shards[i].mu.RLock()
		st.Users += len(s.shards[i].users)
		s.shards[i].mu.RUnlock()
	}
	return st
}

// Put makes list what the store holds of a person. It is for stores that play a
// recorded decision again: a live store is a fold of the log.
func (s *Store) Put(u events.ID, list []Signal) {
	sh := s.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.users[u] = append([]Signal(nil), list...)
}
