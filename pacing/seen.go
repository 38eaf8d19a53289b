package pacing

import (
	"sync"

	"github.com/grosz/grosz/events"
)

// seenSet remembers which bids are settled, by the UTC day of the bid, for as
// long as a billing token lives and a day more; and, of those that were
// settled here and are still on their way to the log, what was booked.
type seenSet struct {
	mu      sync.Mutex
	max     int
	n       int
	days    map[int32]map[uint64]bool // true: seen in the log; false: settled here only
	pending map[uint64]pendingBid

	oldest   int32 // oldest day folded or restored since the last expire, if oldFold
	oldFold  bool
	replayed int64 // ms: when expire last found that this was an expired day
}

// pendingBid is what a local settlement booked.
type pendingBid struct {
	account uint32
	day     int32
	amount  int64
}

// seenState is what a bid was before it was folded.
type seenState uint8

const (
	seenNew seenState = iota
	seenPending
	seenFolded
	seenForgotten // settled here, but there was no room to remember at what
)

const (
	dayMS = 24 * 60 * 60 * 1000
	// keepMS is how long after its day a bid is remembered.
	keepMS = dayMS
	// replayQuietMS: as long as the log is read from far back, what it says of
	// old days must be remembered, for a repetition may come days later in the
	// log and seconds later by the clock.
	replayQuietMS = 60 * 60 * 1000
)

func (s *seenSet) init(max int) {
	s.max, s.days, s.pending = max, make(map[int32]map[uint64]bool), make(map[uint64]pendingBid)
}

func dayOf(bidMS int64) int32 { return int32(bidMS / dayMS) }

// put remembers a bid of a day.
func (s *seenSet) put(day int32, k uint64, folded bool) {
	m := s.days[day]
	if m == nil {
		m = make(map[uint64]bool)
		s.days[day] = m
	}
	before := len(m)
	m[k] = folded
	if s.n += len(m) - before; s.n > s.max {
		s.forgetOldest()
	}
}

// settle remembers a bid that was settled here and tells whether it is new.
func (s *seenSet) settle(k uint64, bidMS int64, p pendingBid) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	day := dayOf(bidMS)
	if _, ok := s.days[day][k]; ok {
		return false
	}
	if _, ok := s.pending[k]; ok {
		return false // its day was forgotten, it was not
	}
	if len(s.pending) < s.max {
		s.pending[k] = p
	}
	s.put(day, k, false)
	return true
}

func (s *seenSet) has(k uint64, bidMS int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, seen := s.days[dayOf(bidMS)][k]
	_, pending := s.pending[k]
	return seen || pending
}

// fold marks a bid as seen in the log. It returns what the bid was before, and
// what was booked for it if it was pending.
func (s *seenSet) fold(k uint64, bidMS int64) (was seenState, here pendingBid) {
	s.mu.Lock()
	defer s.mu.Unlock()
	day := dayOf(bidMS)
	folded, known := s.days[day][k]
	if folded {
		return seenFolded, pendingBid{}
	}
	s.readFrom(day)
	here, pending := s.pending[k]
	switch {
	case pending:
		was = seenPending
		delete(s.pending, k)
	case known:
		was = seenForgotten
	}
	s.put(day, k, true)
	return was, here
}

// readFrom notes that the log is read around the given day.
func (s *seenSet) readFrom(day int32) {
	if !s.oldFold || day < s.oldest {
		s.oldest, s.oldFold = day, true
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

// expire forgets days whose tokens have expired, unless the log is being read
// from that far back.
func (s *seenSet) expire(nowMS int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := dayOf(nowMS - events.BillingLifetime.Milliseconds() - keepMS)
	if s.oldFold && s.oldest < first {
		s.replayed = nowMS
	}
	s.oldFold = false
	if s.replayed != 0 && nowMS-s.replayed < replayQuietMS {
		return
	}
	for d, m := range s.days {
		if d < first {
			s.n -= len(m)
			delete(s.days, d)
		}
	}
}

func (s *seenSet) len() (settled, pending int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.n), int64(len(s.pending))
}
