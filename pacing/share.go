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

// roomSample is how many entries are looked at for one that makes room.
const roomSample = 16
