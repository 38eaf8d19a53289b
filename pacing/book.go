// Package pacing owns what may be spent: budgets, the holds that bids set
// aside, and how often a person may see a campaign. It is the stage between
// the price and the answer. A Book is this node's estimate of the ledger, in
// memory: the log decides (see docs/architecture.md), and Fold brings the
// estimate in line with it.
//
// Hot: Reserve, Settle and Release take two short locks at most and do not
// allocate at steady state; safe for many goroutines. Imports events and
// internal only; files are pacing's own snapshot, written by its owner.
package pacing

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/events"
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
	Used, Settled, Held money.Nano
	DayUsed             money.Nano
}

// State reads the account for the given day number.
func (a *Account) State(day int32) State {
	s := State{
		Limits:  Limits{money.Nano(a.total.Load()), money.Nano(a.day.Load())},
		Used:    money.Nano(a.used.Load()),
		Settled: money.Nano(a.settled.Load()),
		Held:    money.Nano(a.held.Load()),
	}
	slot := &a.days[uint32(day)%daySlots]
	slot.mu.Lock()
	if slot.day == day {
		s.DayUsed = money.Nano(slot.used)
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

// take adds n to what is used if the limits allow it.
func (a *Account) take(n int64, day int32) bool {
	if lim := a.total.Load(); a.used.Add(n) > lim && lim > 0 {
		a.used.Add(-n)
		return false
	}
	slot := &a.days[uint32(day)%daySlots]
	slot.mu.Lock()
	slot.turn(day)
	ok := slot.day == day // false only for a day long gone: not counted
	if lim := a.day.Load(); ok && lim > 0 && slot.used+n > lim {
		slot.mu.Unlock()
		a.used.Add(-n)
		return false
	}
	if ok {
		slot.used += n
	}
	slot.mu.Unlock()
	return true
}

// move adds n, of either sign, without asking the limits.
func (a *Account) move(n int64, day int32) {
	a.used.Add(n)
	slot := &a.days[uint32(day)%daySlots]
	slot.mu.Lock()
	if slot.turn(day); slot.day == day {
		slot.used += n
	}
	slot.mu.Unlock()
}

func (a *Account) book(n int64, day int32) {
	a.settled.Add(n)
	slot := &a.days[uint32(day)%daySlots]
	slot.mu.Lock()
	if slot.turn(day); slot.day == day {
		slot.settled += n
	}
	slot.mu.Unlock()
}

// turn makes the slot that day's, if it held an older one.
func (s *daySlot) turn(day int32) {
	if s.day < day {
		s.day, s.used, s.settled = day, 0, 0
	}
}

// Config of a Book.
type Config struct {
	// MaxHolds bounds the bids that are outstanding; 0 means 2,000,000. Past
	// it Reserve refuses.
	MaxHolds int
	// MaxSettled bounds the bids remembered as settled; 0 means 20,000,000.
	// Past it the oldest day is forgotten early: a notice of that day that
	// comes twice would then move this node's estimate twice, and never the
	// ledger.
	MaxSettled int
}

// Book holds all accounts of a node.
type Book struct {
	cfg Config

	mu       sync.RWMutex
	byID     map[uint32]*Account
	accounts []*Account

	holds  [holdShards]holdShard
	open   atomic.Int64
	sweep  atomic.Uint32
	seen   seenSet
	counts counters
}

type counters struct {
	refusedBudget, refusedFull, expired, released, late, duplicates atomic.Uint64
}

const holdShards = 64

type holdShard struct {
	mu   sync.Mutex
	byID map[uint64]hold
	_    [40]byte
}

// hold is what one open bid has set aside.
type hold struct {
	account uint32
	day     int32
	amount  int64
	expires int64 // ms
}

// NewBook returns an empty book.
func NewBook(cfg Config) *Book {
	if cfg.MaxHolds == 0 {
		cfg.MaxHolds = 2_000_000
	}
	if cfg.MaxSettled == 0 {
		cfg.MaxSettled = 20_000_000
	}
	b := &Book{cfg: cfg, byID: make(map[uint32]*Account)}
	for i := range b.holds {
		b.holds[i].byID = make(map[uint64]hold)
	}
	b.seen.init(cfg.MaxSettled)
	return b
}

// Account returns the campaign's account, making it if it is new. The pointer
// stays valid for the life of the book.
func (b *Book) Account(campaign uint32) *Account {
	b.mu.RLock()
	a := b.byID[campaign]
	b.mu.RUnlock()
	if a != nil {
		return a
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.byID[campaign]; a != nil {
		return a
	}
	a = &Account{id: campaign, index: uint32(len(b.accounts))}
	b.byID[campaign] = a
	b.accounts = append(b.accounts, a)
	return a
}

func (b *Book) at(index uint32) *Account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.accounts[index]
}

// key shortens a bid id; ids are random, so 64 bits tell them apart.
func key(id events.ID) uint64 { return binary.LittleEndian.Uint64(id[:]) }

// Reserve holds amount (in the shop's currency, fee included) for a bid until
// expiresMS, if the account's limits allow it on the given day.
func (b *Book) Reserve(a *Account, bid events.ID, amount money.Nano, day int32, expiresMS int64) bool {
	if b.open.Add(1) > int64(b.cfg.MaxHolds) {
		b.open.Add(-1)
		b.counts.refusedFull.Add(1)
		return false
	}
	if !a.take(int64(amount), day) {
		b.open.Add(-1)
		b.counts.refusedBudget.Add(1)
		return false
	}
	a.held.Add(int64(amount))
	k := key(bid)
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	s.byID[k] = hold{account: a.index, day: day, amount: int64(amount), expires: expiresMS}
	s.mu.Unlock()
	return true
}

// Reprice lowers the hold of a bid to what its win notice said it will cost.
func (b *Book) Reprice(bid events.ID, amount money.Nano) {
	k := key(bid)
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.byID[k]
	if !ok || int64(amount) >= h.amount || amount < 0 {
		return
	}
	a := b.at(h.account)
	a.move(int64(amount)-h.amount, h.day)
	a.held.Add(int64(amount) - h.amount)
	h.amount = int64(amount)
	s.byID[k] = h
}

// drop takes a bid's hold away, if it has one.
func (b *Book) drop(k uint64) bool {
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	h, ok := s.byID[k]
	if ok {
		delete(s.byID, k)
	}
	s.mu.Unlock()
	if ok {
		b.undo(h)
	}
	return ok
}

func (b *Book) undo(h hold) {
	a := b.at(h.account)
	a.move(-h.amount, h.day)
	a.held.Add(-h.amount)
	b.open.Add(-1)
}

// Release lets a lost bid's hold go.
func (b *Book) Release(bid events.ID) {
	if b.drop(key(bid)) {
		b.counts.released.Add(1)
	}
}

// Open tells whether this node holds something for the bid.
func (b *Book) Open(bid events.ID) bool {
	k := key(bid)
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.byID[k]
	return ok
}

// Settled tells whether the bid, made at bidMS, is known to be settled.
func (b *Book) Settled(bid events.ID, bidMS int64) bool { return b.seen.has(key(bid), bidMS) }

// Settlement is what a bid turned out to cost.
type Settlement struct {
	BidID    events.ID
	Campaign uint32
	Amount   money.Nano // in the shop's currency, fee included
	Day      int32      // of the bid, in the shop's time zone
	BidMS    int64
}

// Settle books a settlement that this node has just made durable. It tells
// whether the bid was open here (not late), and whether it is the first of
// its bid: a repeated one changes nothing.
func (b *Book) Settle(s Settlement) (first, onTime bool) {
	k := key(s.BidID)
	if !b.seen.add(k, s.BidMS, false) {
		b.counts.duplicates.Add(1)
		return false, false
	}
	// Booked before the hold goes, so that free is never too high between.
	b.Account(s.Campaign).move(int64(s.Amount), s.Day)
	onTime = b.drop(k)
	if !onTime {
		b.counts.late.Add(1)
	}
	return true, onTime
}

// Fold applies a settlement seen in the log, of whichever node. It returns
// whether it was the first of its bid in the log.
func (b *Book) Fold(s Settlement) bool {
	k := key(s.BidID)
	switch b.seen.fold(k, s.BidMS) {
	case seenFolded:
		return false
	case seenPending: // ours: already counted as used
		b.Account(s.Campaign).book(int64(s.Amount), s.Day)
		return true
	}
	a := b.Account(s.Campaign)
	a.move(int64(s.Amount), s.Day)
	a.book(int64(s.Amount), s.Day)
	b.drop(k)
	return true
}

// Sweep lets go what has expired in one of the shards; its owner calls it
// often: 64 calls see every hold once.
func (b *Book) Sweep(nowMS int64) {
	s := &b.holds[b.sweep.Add(1)%holdShards]
	var gone []hold
	s.mu.Lock()
	for k, h := range s.byID {
		if h.expires <= nowMS {
			gone = append(gone, h)
			delete(s.byID, k)
		}
	}
	s.mu.Unlock()
	for _, h := range gone {
		b.undo(h)
		b.counts.expired.Add(1)
	}
	b.seen.expire(nowMS)
}

// Stats of a Book, for metrics.
type Stats struct {
	Holds, MaxHolds                                                 int64
	Settled, MaxSettled                                             int64
	RefusedBudget, RefusedFull, Expired, Released, Late, Duplicates uint64
}

// Stats reads the counters.
func (b *Book) Stats() Stats {
	return Stats{
		Holds: b.open.Load(), MaxHolds: int64(b.cfg.MaxHolds),
		Settled: b.seen.len(), MaxSettled: int64(b.cfg.MaxSettled),
		RefusedBudget: b.counts.refusedBudget.Load(), RefusedFull: b.counts.refusedFull.Load(),
		Expired: b.counts.expired.Load(), Released: b.counts.released.Load(),
		Late: b.counts.late.Load(), Duplicates: b.counts.duplicates.Load(),
	}
}
