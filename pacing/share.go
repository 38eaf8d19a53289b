package pacing

import (
	"sync"
	"sync/atomic"
)

// shares counts how many entries of a bounded store are each shop's. When the
// store is full, room is made among the entries of shops that hold their fair
// share or more (the bound ÷ the shops that hold any), so that a shop within
// its share loses nothing, whatever another brings. Safe for many goroutines.
type shares struct {
	shops atomic.Int64 // that hold any
	mu    sync.RWMutex
	by    map[uint32]*atomic.Int64
}

func (s *shares) of(shop uint32) *atomic.Int64 {
	s.mu.RLock()
	n := s.by[shop]
	s.mu.RUnlock()
	if n != nil {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[uint32]*atomic.Int64{}
	}
	if n = s.by[shop]; n == nil {
		n = new(atomic.Int64)
		s.by[shop] = n
	}
	return n
}

// add counts d more entries of a shop, 1 or −1.
func (s *shares) add(shop uint32, d int64) {
	switch n := s.of(shop).Add(d); {
	case d > 0 && n == d:
		s.shops.Add(1)
	case d < 0 && n == 0:
		s.shops.Add(-1)
	}
}

// full tells whether a shop holds its fair share of a bound, or more.
func (s *shares) full(shop uint32, bound int64) bool {
	return s.of(shop).Load()*max(s.shops.Load(), 1) >= bound
}

// room is the bound that Frequency, Hidden and Shown share: how many entries
// there are of whose, and which of them makes room.
type room struct {
	shares shares
	max    int64
	n      atomic.Int64
	evict  atomic.Uint64
}

// Stats returns how many entries are kept, the bound, and how many had to
// make room.
func (r *room) Stats() (n, max int64, evicted uint64) { return r.n.Load(), r.max, r.evict.Load() }

// add counts d more entries of a shop, 1 or −1.
func (r *room) add(shop uint32, d int64) {
	r.n.Add(d)
	r.shares.add(shop, d)
}

// tooMany tells whether an entry of a shop is to go: there are more than the
// bound, and the shop holds its fair share or more.
func (r *room) tooMany(shop uint32) bool { return r.n.Load() > r.max && r.shares.full(shop, r.max) }

// roomSample is how many entries are looked at for one that makes room.
const roomSample = 16

// place tells whether there is room for one more entry of shop in a shard,
// which is locked. Where the bound is reached, the quietest of a few entries of
// shops with their fair share or more makes room: of tells an entry's shop and
// second, remove takes it away.
func place[K comparable, C any](r *room, m map[K]C, shop uint32, of func(C) (shop, at uint32), remove func(K)) bool {
	if r.n.Load() < r.max {
		return true
	}
	var victim K
	oldest, looked, found := uint32(1<<32-1), 0, false
	for k, c := range m { // the order of a Go map is random: a sample
		whose, at := of(c)
		if r.shares.full(whose, r.max) && (!found || at < oldest) {
			oldest, victim, found = at, k, true
		}
		if looked++; looked == roomSample {
			break
		}
	}
	if found {
		remove(victim)
	}
	if found || looked > 0 && r.shares.full(shop, r.max) {
		r.evict.Add(1)
	}
	return found || looked == 0 || !r.shares.full(shop, r.max)
}
