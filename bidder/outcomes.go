package bidder

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// outcomes remembers this node's bids whose fate teaches something: those in
// first-price auctions, and those of campaigns whose day is paced. What is
// heard of them, here or from the log, goes to the plan of the campaign and
// to the prices of the exchange. A fixed table of sets with eight places each;
// who finds no place is not remembered, whatever becomes of the bid, so that
// nothing is seen askew.
type outcomes struct {
	stripes [outcomeStripes]outcomeStripe
	sweep   atomic.Uint32
	put     atomic.Uint64
	full    atomic.Uint64
	open    atomic.Int64
}

type outcomeStripe struct {
	mu   sync.Mutex
	bids []awaited // none before the first bid
}

// awaited is one bid.
type awaited struct {
	key             uint64 // of the bid's id; 0 is a free place
	group           uint64
	price, told     money.CPM // the bid; what would have won, as a loss notice says
	madeMS, untilMS int64
	campaign        uint32
	k               uint32
	exchange        uint16
	state           outcomeState
}

type outcomeState uint8

const (
	outcomeFirst   outcomeState = 1 << iota // in a first-price auction: its price is learned
	outcomePaced                            // of a paced campaign
	outcomeWon                              // heard of
	outcomeLost                             // heard of
	outcomeUnclear                          // refused for another reason than its price
	outcomeJudged                           // the prices have learned from it
	outcomeBooked                           // the plan has
)

const (
	outcomeStripes = 64
	outcomeSets    = 512 // in a stripe: 262,144 bids in all, 80 bytes each
	outcomePlaces  = 8
	outcomeKeepMS  = 60_000 // after the settlement: the log tells of it again
)

func outcomeKey(id events.ID) uint64 { return binary.LittleEndian.Uint64(id[:]) | 1 }

// set is where a bid may stand; the stripe is locked.
func (s *outcomeStripe) set(key uint64) []awaited {
	if s.bids == nil {
		return nil
	}
	i := int(key>>32%outcomeSets) * outcomePlaces
	return s.bids[i : i+outcomePlaces]
}

func (o *outcomes) stripe(key uint64) *outcomeStripe { return &o.stripes[key>>1%outcomeStripes] }

// await remembers a bid.
func (o *outcomes) await(a awaited) {
	s := o.stripe(a.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bids == nil {
		s.bids = make([]awaited, outcomeSets*outcomePlaces)
	}
	o.put.Add(1)
	set := s.set(a.key)
	for i := range set {
		if set[i].key == 0 {
			set[i] = a
			o.open.Add(1)
			return
		}
	}
	o.full.Add(1)
}

// forget lets a bid go that was not sent.
func (o *outcomes) forget(id events.ID) {
	key := outcomeKey(id)
	s := o.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.set(key)
	for i := range set {
		if set[i].key == key {
			set[i] = awaited{}
			o.open.Add(-1)
			return
		}
	}
}

// kept is the share of bids that found a place.
func (o *outcomes) kept() float64 {
	put := o.put.Load()
	if put == 0 {
		return 1
	}
	return float64(put-o.full.Load()) / float64(put)
}

// heard takes in what became of a bid of this node; false for another's.
func (b *Bidder) heard(e *events.Event) bool {
	win := e.Type == events.TypeWin || e.Settles
	if e.Test || !(win || e.Type == events.TypeLoss) || b.outcomes == nil {
		return false
	}
	key := outcomeKey(e.BidID)
	s := b.outcomes.stripe(key)
	s.mu.Lock()
	var a awaited
	set := s.set(key)
	for i := range set {
		if set[i].key == key {
			a = b.note(&set[i], e, win)
			break
		}
	}
	s.mu.Unlock()
	if a.key == 0 {
		return false
	}
	x := b.exchanges[e.Exchange]
	if win && a.state&(outcomeFirst|outcomeWon) == outcomeFirst && x != nil {
		x.market.Heard(float64(e.TimeMS-a.madeMS) / 1000)
		if a.state&outcomeJudged != 0 {
			x.market.Late(plan.Outcome{Group: a.group, Bid: a.price})
		}
	}
	if e.Settles && a.state&outcomePaced != 0 && a.state&outcomeBooked == 0 {
		if p := b.refusals.pacerOf(a.campaign); p != nil {
			w := plan.Won{BidMS: a.madeMS, HeardMS: e.TimeMS, K: plan.Factor(a.k), Share: 1, Cost: money.Add(e.ShopAmount, e.ShopFee), Exchange: a.exchange, First: a.state&outcomeFirst != 0}
			if e.ClickPrice > 0 {
				w.Cost = e.Amount.Convert(e.Rate) // about what its clicks will be billed, which come later
			}
			if e.PriceStatus == events.PriceOK && a.price > 0 {
				w.Share = float64(e.Price) / float64(a.price)
			}
			p.pace.Win(w)
		}
	}
	return true
}

// note writes down what was heard, and returns what was known before.
func (b *Bidder) note(a *awaited, e *events.Event, win bool) awaited {
	before := *a
	switch {
	case win:
		a.state |= outcomeWon
		if e.Settles {
			a.state |= outcomeBooked
		}
	case !lostByPrice(e.LossReason):
		a.state |= outcomeUnclear
	default:
		a.state |= outcomeLost
		a.told = e.MinToWin
	}
	return before
}

// lostByPrice tells whether a loss reason (openrtb list 'Loss Reason Codes')
// is about the price: none given, below the floor, or lost to a higher bid.
func lostByPrice(reason int) bool {
	return reason == 0 || reason == 100 || reason == 101 || reason == 102
}

// sweepOutcomes tells the prices of bids that are old enough, of one stripe;
// housekeeping calls it often.
func (b *Bidder) sweepOutcomes(nowMS int64) {
	s := &b.outcomes.stripes[b.outcomes.sweep.Add(1)%outcomeStripes]
	ages := b.judgeAges()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.bids {
		a := &s.bids[i]
		if a.key == 0 {
			continue
		}
		age := nowMS - a.madeMS
		if a.state&(outcomeFirst|outcomeJudged) == outcomeFirst && age >= ages[a.exchange] {
			a.state |= outcomeJudged
			b.judgeOutcome(a, age)
		}
		done := a.state&(outcomeBooked|outcomeLost|outcomeUnclear) != 0 && a.state&(outcomeFirst|outcomeJudged) != outcomeFirst && age > outcomeKeepMS
		if done || nowMS >= a.untilMS {
			*a = awaited{}
			b.outcomes.open.Add(-1)
		}
	}
}

// judgeAges are Prices.Age by exchange.
func (b *Bidder) judgeAges() []int64 {
	ages := make([]int64, len(b.byNumber))
	for i, x := range b.byNumber {
		ages[i] = x.market.Age()
	}
	return ages
}

func (b *Bidder) judgeOutcome(a *awaited, age int64) {
	if a.state&outcomeUnclear != 0 {
		return
	}
	o := plan.Outcome{Group: a.group, Bid: a.price, Won: a.state&outcomeWon != 0}
	if !o.Won {
		o.Price = a.told
	}
	b.byNumber[a.exchange].market.Learn(o, age)
}
