// Package pacing owns what may be spent: budgets, the holds that bids set
// aside, and how often a person may see a campaign. It is the stage between
// the price and the answer. A Book is this node's estimate of the ledger, in
// memory: the log decides (see docs/architecture.md), and Fold brings the
// estimate in line with it. What came from the log outlives the log's
// retention in a snapshot, which the owner of the fold writes.
//
// Hot: Reserve, Settle and Release take two short locks at most and do not
// allocate at steady state; safe for many goroutines. Imports events and
// internal only; no files: a snapshot goes to an io.Writer.
package pacing

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Config of a Book.
type Config struct {
	// MaxHolds bounds the bids that are outstanding; 0 means 2,000,000. Past
	// it Reserve refuses.
	MaxHolds int
	// MaxSettled bounds the bids remembered as settled; 0 means 20,000,000.
	// Past it the oldest day is forgotten early: a notice of that day that
	// comes twice would then move this node's estimate twice, and never the
	// ledger. It bounds as well the bids settled here that the log has not
	// shown yet.
	MaxSettled int
	// Classes of bids whose billing delays are learned apart; 0 means that none
	// are, and full bids are held to the end.
	Classes int
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
	delays *Delays
	counts counters
	// stirred are accounts whose wallets have something to tell.
	stirred stirredList
}

type counters struct {
	refusedBudget, refusedLease, refusedFull, expired, released, late, duplicates atomic.Uint64
}

const holdShards = 64

type holdShard struct {
	mu   sync.Mutex
	byID map[uint64]hold
	_    [48]byte // a cache line of its own
}

// hold is what one open bid has set aside.
type hold struct {
	account uint32
	day     int32
	amount  int64
	expires int64 // ms
	lease   uint64
	madeMS  int64 // 0: its share is not learned
	full    int64 // what the bid can cost at most
	class   uint16
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
	b.delays = NewDelays(cfg.Classes)
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
	a.wallet.list, a.wallet.account = &b.stirred, a
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
// expiresMS, if the account's limits allow it on the given day. A bid has one
// hold: a second Reserve of it is refused.
func (b *Book) Reserve(a *Account, bid events.ID, amount money.Nano, day int32, expiresMS int64) bool {
	return b.reserve(a, bid, hold{day: day, amount: int64(amount), expires: expiresMS})
}

// ReserveClass is Reserve for a bid of a class, made at nowMS: as settlements
// of the class come to be known, what it holds shrinks to what can still come.
func (b *Book) ReserveClass(a *Account, bid events.ID, amount money.Nano, day int32, nowMS, expiresMS int64, class uint16) bool {
	return b.reserve(a, bid, hold{day: day, amount: int64(amount), expires: expiresMS, madeMS: nowMS, class: class})
}

// ReserveLeased is Reserve out of the account's leases. It returns the one
// that pays, for the bid's token; ErrNoLease when none has as much.
func (b *Book) ReserveLeased(a *Account, bid events.ID, amount money.Nano, day int32, nowMS, expiresMS int64, class uint16) (uint64, error) {
	lease := a.wallet.Take(amount, day, nowMS)
	if lease == 0 {
		b.counts.refusedLease.Add(1)
		return 0, ErrNoLease
	}
	if !b.reserve(a, bid, hold{day: day, amount: int64(amount), expires: expiresMS, lease: lease, madeMS: nowMS, class: class}) {
		a.wallet.Put(lease, amount)
		return 0, ErrNoBudget
	}
	return lease, nil
}

// Why ReserveLeased holds nothing.
var (
	ErrNoLease  = errors.New("no lease of this node has as much left")
	ErrNoBudget = errors.New("the budget has not as much left")
)

func (b *Book) reserve(a *Account, bid events.ID, h hold) bool {
	if b.open.Add(1) > int64(b.cfg.MaxHolds) {
		b.open.Add(-1)
		b.counts.refusedFull.Add(1)
		return false
	}
	if !a.take(h.amount, h.day) {
		b.open.Add(-1)
		b.counts.refusedBudget.Add(1)
		return false
	}
	a.held.Add(h.amount)
	h.account, h.full = a.index, h.amount
	k := key(bid)
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	_, twice := s.byID[k]
	if !twice {
		s.byID[k] = h
	}
	s.mu.Unlock()
	if twice {
		h.lease = 0 // its caller puts it back
		b.undo(h, h.amount)
		return false
	}
	if h.madeMS != 0 && len(b.delays.classes) > 0 {
		b.delays.Bid(h.class)
	}
	return true
}

// Learn takes in the delays that were seen in the passedMS since the last
// call.
func (b *Book) Learn(passedMS int64) { b.delays.Learn(passedMS) }

// Hold sets amount aside whether the limits allow it or not: for bids that are
// out there already.
func (b *Book) Hold(campaign uint32, bid events.ID, amount money.Nano, day int32, expiresMS int64) {
	a, k := b.Account(campaign), key(bid)
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	_, known := s.byID[k]
	if !known {
		s.byID[k] = hold{account: a.index, day: day, amount: int64(amount), expires: expiresMS}
	}
	s.mu.Unlock()
	if !known {
		b.open.Add(1)
		a.move(int64(amount), day)
		a.held.Add(int64(amount))
	}
}

// EachHeld calls fn with the sum of the open holds of every campaign that has
// some.
func (b *Book) EachHeld(fn func(campaign uint32, held money.Nano)) {
	b.mu.RLock()
	list := b.accounts // it only grows
	b.mu.RUnlock()
	for _, a := range list {
		if n := a.held.Load(); n > 0 {
			fn(a.id, money.Nano(n))
		}
	}
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
	a.wallet.Put(h.lease, money.Nano(h.amount)-amount)
	h.amount = int64(amount)
	s.byID[k] = h
}

// drop takes a bid's hold away, if it has one, and puts back into its lease
// what it did not cost. atMS is when its settlement was reported, from which
// the delay is learned; 0: nothing is.
func (b *Book) drop(k uint64, cost, atMS int64) bool {
	s := &b.holds[k%holdShards]
	s.mu.Lock()
	h, ok := s.byID[k]
	if ok {
		delete(s.byID, k)
	}
	s.mu.Unlock()
	if !ok {
		return false
	}
	if atMS != 0 && h.madeMS != 0 && len(b.delays.classes) > 0 {
		b.delays.Settled(h.class, atMS-h.madeMS)
	}
	b.undo(h, h.amount-cost)
	return true
}

// undo takes a hold back; rest is what goes back into its lease.
func (b *Book) undo(h hold, rest int64) {
	a := b.at(h.account)
	a.wallet.Put(h.lease, money.Nano(rest))
	a.move(-h.amount, h.day)
	a.held.Add(-h.amount)
	b.open.Add(-1)
}

// Release lets a lost bid's hold go.
func (b *Book) Release(bid events.ID) {
	if b.drop(key(bid), 0, 0) {
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
	Lease    uint64 // what it was held out of
	AtMS     int64  // when it was reported; 0: its delay is not learned
}

// Settle books a settlement that this node has just made durable. It tells
// whether the bid was open here (not late), and whether it is the first of
// its bid: a repeated one changes nothing.
func (b *Book) Settle(s Settlement) (first, onTime bool) {
	k, a := key(s.BidID), b.Account(s.Campaign)
	if !b.seen.settle(k, s.BidMS, pendingBid{account: a.index, day: s.Day, amount: int64(s.Amount)}) {
		b.counts.duplicates.Add(1)
		return false, false
	}
	// Booked before the hold goes, so that free is never too high between.
	a.move(int64(s.Amount), s.Day)
	onTime = b.drop(k, int64(s.Amount), s.AtMS)
	if !onTime {
		b.counts.late.Add(1)
		a.wallet.Put(s.Lease, -s.Amount) // its hold was put back already
	}
	return true, onTime
}

// Fold applies a settlement seen in the log, of whichever node. It returns
// whether it was the first of its bid in the log; that one decides what the
// bid cost, even if this node had settled it at another price.
func (b *Book) Fold(s Settlement) bool {
	k := key(s.BidID)
	was, here := b.seen.fold(k, s.BidMS)
	if was == seenFolded {
		return false
	}
	a := b.Account(s.Campaign)
	if was != seenForgotten {
		a.move(int64(s.Amount), s.Day)
	}
	a.book(int64(s.Amount), s.Day)
	switch was {
	case seenPending: // it was counted as used when it was settled here
		b.at(here.account).move(-here.amount, here.day)
	case seenNew:
		if !b.drop(k, int64(s.Amount), s.AtMS) {
			a.wallet.Put(s.Lease, -s.Amount)
		}
	}
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
		} else if h.madeMS != 0 && len(b.delays.classes) > 0 {
			b.shrink(s, k, h, nowMS)
		}
	}
	s.mu.Unlock()
	for _, h := range gone {
		b.undo(h, h.amount)
		b.counts.expired.Add(1)
	}
	b.seen.expire(nowMS)
}

// shrink lowers a hold to what its age leaves to be expected. A budget that is
// nearly used keeps full bids: there no law of large numbers helps.
func (b *Book) shrink(s *holdShard, k uint64, h hold, nowMS int64) {
	keep := int64(float64(h.full) * b.delays.Share(h.class, nowMS-h.madeMS))
	if keep >= h.amount {
		return
	}
	a := b.at(h.account)
	if a.nearlyUsed(h.day) {
		return
	}
	a.wallet.Put(h.lease, money.Nano(h.amount-keep))
	a.move(keep-h.amount, h.day)
	a.held.Add(keep - h.amount)
	h.amount = keep
	s.byID[k] = h
}

// Stats of a Book, for metrics.
type Stats struct {
	Holds, MaxHolds                                                               int64
	Settled, MaxSettled                                                           int64
	Pending                                                                       int64 // settled here, not yet seen in the log
	RefusedBudget, RefusedLease, RefusedFull, Expired, Released, Late, Duplicates uint64
}

// Stats reads the counters.
func (b *Book) Stats() Stats {
	settled, pending := b.seen.len()
	return Stats{
		Holds: b.open.Load(), MaxHolds: int64(b.cfg.MaxHolds),
		Settled: settled, MaxSettled: int64(b.cfg.MaxSettled), Pending: pending,
		RefusedBudget: b.counts.refusedBudget.Load(), RefusedLease: b.counts.refusedLease.Load(), RefusedFull: b.counts.refusedFull.Load(),
		Expired: b.counts.expired.Load(), Released: b.counts.released.Load(),
		Late: b.counts.late.Load(), Duplicates: b.counts.duplicates.Load(),
	}
}

// Accounts of all campaigns that were ever asked for.
func (b *Book) Accounts() []*Account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.accounts[:len(b.accounts):len(b.accounts)]
}

// WinRate is the share of a class's bids that were settled lately; 1 while too
// little is known.
func (b *Book) WinRate(class uint16) float32 { return b.delays.Rate(class) }
