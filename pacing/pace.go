package pacing

import (
	"math"
	"sync/atomic"

	"github.com/grosz/grosz/internal/money"
)

// Pace is the factor by which a campaign's bids are lowered so that a day's
// budget lasts the day. Scale is hot: one atomic load. Plan belongs to one
// goroutine, every PlanEveryMS.
//
// It is feedback on what the log says was settled, by every node: each node
// so plans about the same factor, and a budget that nodes share need not be
// split for it. What is left of the budget is spread over what is left of the
// day's traffic; the factor moves until what is spent comes as fast as that.
type Pace struct {
	k    atomic.Uint32 // of paceOne
	day  int32
	seen [paceWindow + 1]money.Nano // settled today, by plan, newest first
	n    int
}

// PlanEveryMS is how often Plan is to be called.
const PlanEveryMS = 10_000

const (
	paceOne    = 1 << 16
	paceWindow = 30 // plans: what is spent is measured over five minutes
	paceGain   = 0.012
	paceMove   = 1.0 // most that an error counts, as a logarithm
	paceLeast  = 1.0 / 4096
	paceBegin  = 0.25 // before anything is known: rather too little than too much
)

// NewPace returns one that begins cautiously.
func NewPace() *Pace {
	p := &Pace{}
	p.k.Store(uint32(paceBegin * paceOne))
	return p
}

// Scale lowers a price, rounding down.
func (p *Pace) Scale(c money.CPM) money.CPM {
	k := int64(p.k.Load())
	if c > math.MaxInt64>>16 {
		return c / paceOne * money.CPM(k)
	}
	return money.CPM(int64(c) * k >> 16)
}

// K is the factor, above 0 and at most 1.
func (p *Pace) K() float64 { return float64(p.k.Load()) / paceOne }

// Moment is what a plan is made from.
type Moment struct {
	Day     int32      // number of the shop's day
	Budget  money.Nano // of the day
	Settled money.Nano // today, of all nodes
	// Next is the share of the day's traffic, weighed by how it is to be
	// spread, that comes within PlanEveryMS; Left the share still to come.
	Next, Left float64
}

// Plan moves the factor.
func (p *Pace) Plan(m Moment) {
	if p.day != m.Day {
		p.day, p.n = m.Day, 0
	}
	copy(p.seen[1:], p.seen[:paceWindow])
	p.seen[0] = m.Settled
	p.n = min(p.n+1, paceWindow+1)
	left := m.Budget - m.Settled
	if p.n < 2 || left <= 0 || m.Left <= 0 {
		return
	}
	plans := p.n - 1
	spent := float64(p.seen[0]-p.seen[plans]) / float64(plans)
	want := float64(left) * min(m.Next/m.Left, 1)
	// A little of the budget on both sides, so that single wins do not count
	// for everything where there are few.
	floor := 0.02 * want
	move := math.Log((want + floor) / (max(spent, 0) + floor))
	move = max(-paceMove, min(paceMove, move)) * paceGain
	k := max(paceLeast, min(1, p.K()*math.Exp(move)))
	p.k.Store(uint32(math.Round(k * paceOne)))
}
