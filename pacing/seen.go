package pacing

import (
	"sync"

	"github.com/grosz/grosz/events"
)

// seenSet remembers which bids are settled, by the day of the bid, for as
// long as a billing token lives and a day more.
type seenSet struct {
	mu   sync.Mutex
	max  int
	n    int
	days map[int32]map[uint64]bool // true: seen in the log; false: settled here only
}

type seenState uint8

const (
	seenNew seenState = iota
	seenPending
	seenFolded
)

const dayMS = 24 * 60 * 60 * 1000

func (s *seenSet) init(max int) {
	s.max, s.days = max, make(map[int32]map[uint64]bool)
}

// of returns the map of a bid's UTC day, making it.
func (s *seenSet) of(bidMS int64) map[uint64]bool {
	d := int32(bidMS / dayMS)
	m := s.days[d]
	if m == nil {
		m = make(map[uint64]bool)
		s.days[d] = m
	}
	return m
}

// add remembers a bid and tells whether it is new.
func (s *seenSet) add(k uint64, bidMS int64, folded bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.of(bidMS)
	if _, ok := m[k]; ok {
		return false
	}
	m[k] = folded
	s.grown()
	return true
}

func (s *seenSet) has(k uint64, bidMS int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.of(bidMS)[k]
	return ok
}

// fold marks a bid as seen in the log and returns what it was before.
func (s *seenSet) fold(k uint64, bidMS int64) seenState {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.of(bidMS)
	folded, ok := m[k]
	switch {
	case folded:
		return seenFolded
	case ok:
		m[k] = true
		return seenPending
	}
	m[k] = true
	s.grown()
	return seenNew
}

func (s *seenSet) grown() {
	if s.n++; s.n > s.max {
		s.forgetOldest()
	}
}

func (s *seenSet) forgetOldest() {
	oldest, found := int32(0), false
	for d := range s.days {
		if !found || d < oldest {
			oldest, found = d, true
		}
	}
	s.n -= len(s.days[oldest])
	delete(s.days, oldest)
}

// expire forgets days whose tokens have expired.
func (s *seenSet) expire(nowMS int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := int32((nowMS - events.BillingLifetime.Milliseconds() - dayMS) / dayMS)
	for d, m := range s.days {
		if d < oldest {
			s.n -= len(m)
			delete(s.days, d)
		}
	}
}

func (s *seenSet) len() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.n)
}
