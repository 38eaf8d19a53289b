package pacing

import (
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/internal/money"
)

// Limits of a campaign in the shop's currency, gross. Zero means none.
type Limits struct{ Total, Day money.Nano }

// Account is a campaign's budget on this node: at every moment
// budget = settled + pending + held + free, where pending is settled here and
// not yet seen in the log.
type Account struct {
	id    uint32
	index uint32

	total, day atomic.Int64 // limits
	used       atomic.Int64 // settled + pending + held, lifetime
	settled    atomic.Int64 // seen in the log
	held       atomic.Int64
	wallet     Wallet
	days       [daySlots]daySlot
}

// daySlots is how many of the shop's days an account tells apart: more than
// a billing token lives.
const daySlots = 16

type daySlot struct {
	mu            sync.Mutex
	day           int32
	used, settled int64
}

// ID is the campaign's.
func (a *Account) ID() uint32 { return a.id }

// SetLimits replaces the limits; they hold from the next Reserve on.
func (a *Account) SetLimits(l Limits) {
	a.total.Store(int64(l.Total))
	a.day.Store(int64(l.Day))
}

// State of an account on a day, for metrics and reports.
type State struct {
	Limits
	// Used is Settled + Pending + Held. Reserve keeps it within the limits;
	// a settlement may cost more than was held, or come after its hold.
	Used, Settled, Pending, Held money.Nano
	// DayUsed and DaySettled are of one of the shop's days.
	DayUsed, DaySettled money.Nano
}

// State reads the account for the given day number. While others move it,
// the parts are each right, but may be of slightly different moments.
func (a *Account) State(day int32) State {
	s := State{
		Limits:  Limits{money.Nano(a.total.Load()), money.Nano(a.day.Load())},
		Used:    money.Nano(a.used.Load()),
		Settled: money.Nano(a.settled.Load()),
		Held:    money.Nano(a.held.Load()),
	}
	s.Pending = s.Used - s.Settled - s.Held
	slot := a.slot(day)
	slot.mu.Lock()
	if slot.day == day {
		s.DayUsed, s.DaySettled = money.Nano(slot.used), money.Nano(slot.settled)
	}
	slot.mu.Unlock()
	return s
}

// Free is what Reserve could still take on the day: at least 0.
func (a *Account) Free(day int32) money.Nano {
	s := a.State(day)
	free := money.Nano(1<<63 - 1)
	if s.Total > 0 {
		free = min(free, s.Total-s.Used)
	}
	if s.Day > 0 {
		free = min(free, s.Day-s.DayUsed)
	}
	return max(free, 0)
}

func (a *Account) slot(day int32) *daySlot { return &a.days[uint32(day)%daySlots] }

// maxUsed bounds what an account without a limit uses, so that sums stay far
// from the end of int64: two billion units of a currency.
const maxUsed = 1 << 61

// take adds n to what is used if the limits allow it.
func (a *Account) take(n int64, day int32) bool {
	lim := a.total.Load()
	if lim <= 0 || lim > maxUsed {
		lim = maxUsed
	}
	if n < 0 || n > lim {
		return false
	}
	if a.used.Add(n) > lim {
		a.used.Add(-n)
		return false
	}
	lim = a.day.Load()
	slot := a.slot(day)
	slot.mu.Lock()
	slot.turn(day)
	counted := slot.day == day // not for a day so long gone that its slot has another
	ok := lim <= 0 || counted && slot.used <= lim-n
	if ok && counted {
		slot.used += n
	}
	slot.mu.Unlock()
	if !ok {
		a.used.Add(-n)
	}
	return ok
}

// move adds n, of either sign, without asking the limits.
func (a *Account) move(n int64, day int32) {
	a.used.Add(n)
	slot := a.slot(day)
	slot.mu.Lock()
	if slot.turn(day); slot.day == day {
		slot.used += n
	}
	slot.mu.Unlock()
}

// book adds n to what the log says is settled.
func (a *Account) book(n int64, day int32) {
	a.settled.Add(n)
	slot := a.slot(day)
	slot.mu.Lock()
	if slot.turn(day); slot.day == day {
		slot.settled += n
	}
	slot.mu.Unlock()
}

// nearlyUsed tells whether less than a fiftieth of a limit is free.
func (a *Account) nearlyUsed(day int32) bool {
	s := a.State(day)
	return s.Total > 0 && s.Total-s.Used < s.Total/50 || s.Day > 0 && s.Day-s.DayUsed < s.Day/50
}

// turn makes the slot that day's, if it held an older one.
func (s *daySlot) turn(day int32) {
	if s.day < day {
		s.day, s.used, s.settled = day, 0, 0
	}
}
