package learner

import (
	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// pendingMS is how long a bid may wait for its impression: longer than the
// longest hold.
const pendingMS = 2 * 60 * 60 * 1000

// bidInfo is a bid as it may be learned from.
type bidInfo struct {
	ID             events.ID
	Shop, Campaign uint32
	AtMS           int64
	Placement, Own []value.Feature
	Expected       float64 // orders, by the prediction
}

func (b *bidInfo) example() *learn.Example {
	return &learn.Example{Shop: b.Shop, Campaign: b.Campaign, Placement: b.Placement, Own: b.Own}
}

// pending is the bids that may still be won, oldest first. When it is full the
// oldest go, and are counted.
type pending struct {
	max     int
	byID    map[events.ID]*bidInfo
	queue   []*bidInfo
	dropped uint64
}

func newPending(max int) pending { return pending{max: max, byID: make(map[events.ID]*bidInfo)} }

func (p *pending) add(b *bidInfo) {
	if p.byID[b.ID] != nil {
		return
	}
	if len(p.queue) >= p.max {
		p.dropped++
		p.drop()
	}
	p.byID[b.ID] = b
	p.queue = append(p.queue, b)
}

func (p *pending) drop() {
	delete(p.byID, p.queue[0].ID)
	p.queue[0] = nil
	p.queue = p.queue[1:]
}

func (p *pending) expire(nowMS int64) {
	for len(p.queue) > 0 && p.queue[0].AtMS < nowMS-pendingMS {
		p.drop()
	}
}

// early is what came before what it belongs to: topics and partitions are
// read beside each other. It is tried again when a bid or a click comes.
type early struct {
	byID    map[events.ID][]earlyEvent
	queue   []earlyEvent
	dropped uint64
}

type earlyEvent struct {
	Bid    events.ID
	AtMS   int64
	Kind   kind
	Amount money.Nano
}

type kind uint8

const (
	kindImpression kind = iota
	kindClick
	kindOrder
	kindTakeBack
	kindCost
	kindClickCost // what a click is billed, of bids whose impression is not
)

const (
	maxEarly = 100_000
	earlyMS  = 10 * 60 * 1000
)

func newEarly() early { return early{byID: make(map[events.ID][]earlyEvent)} }

func (e *early) add(x earlyEvent) {
	if len(e.queue) >= maxEarly {
		e.dropped++
		e.drop()
	}
	e.byID[x.Bid] = append(e.byID[x.Bid], x)
	e.queue = append(e.queue, x)
}

func (e *early) drop() {
	delete(e.byID, e.queue[0].Bid)
	e.queue = e.queue[1:]
}

func (e *early) expire(nowMS int64) {
	for len(e.queue) > 0 && e.queue[0].AtMS < nowMS-earlyMS {
		e.drop()
	}
}

// take returns what waits for a bid.
func (e *early) take(id events.ID) []earlyEvent {
	list := e.byID[id]
	delete(e.byID, id)
	return list
}

// orderList finds an order's click when it is cancelled or returned. The
// oldest go when it is full: their clicks are mostly over.
type orderList struct {
	byID  map[events.ID]orderInfo
	queue []events.ID
}

type orderInfo struct {
	Bid   events.ID // zero: it came without a click
	Value money.Nano
}

const maxOrders = 500_000

func newOrderList() orderList { return orderList{byID: make(map[events.ID]orderInfo)} }

// add tells whether the order is new.
func (o *orderList) add(id events.ID, x orderInfo) bool {
	if _, ok := o.byID[id]; ok {
		return false
	}
	if len(o.queue) >= maxOrders {
		delete(o.byID, o.queue[0])
		o.queue = o.queue[1:]
	}
	o.byID[id] = x
	o.queue = append(o.queue, id)
	return true
}

// basket is what a shop's kept orders are worth on average, the latest
// thousand or so counting most. Only its own shop's orders are in it.
type basket struct{ Sum, N float64 }

const basketMemory = 1000

func (b *basket) add(v money.Nano) {
	const keep = 1 - 1.0/basketMemory
	b.Sum, b.N = b.Sum*keep+float64(v), b.N*keep+1
}

func (b *basket) takeBack(v money.Nano, whole bool) {
	b.Sum = max(0, b.Sum-float64(v))
	if whole {
		b.N = max(0, b.N-1)
	}
}

// leastOrders is how many orders a mean is told from.
const leastOrders = 5

func (b *basket) mean() int64 {
	if b == nil || b.N < leastOrders {
		return 0
	}
	return int64(b.Sum / b.N)
}
