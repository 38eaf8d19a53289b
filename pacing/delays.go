package pacing

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Delays learns, by class (an exchange and media type), how long after the
// bid its settlement is reported, and how many bids are settled at all. With
// both a hold need not stand at the full bid until its end: once nearly all
// settlements of its age have come, what is still to be expected is
//
//	P(still to be reported | age) = w(1 − F(age)) / (1 − w·F(age))
//
// with w the share of bids that settle and F the distribution of the delay.
// Holding every full bid for half an hour at a win rate of a tenth would
// freeze a third of a day's budget.
//
// Counts fade by half every two hours of Learn. Safe for many goroutines;
// nothing allocates after NewDelays.
type Delays struct {
	classes []delayClass
}

// Steps of delays: four in each doubling, from a quarter of a second on, the
// last for everything above a day and a half.
const (
	delaySteps   = 80
	delayUnitMS  = 250
	delayHalf    = 2 * 60 * 60 * 1000 // ms in which counts fade by half
	delayTrusted = 500                // settlements without which the full bid is held
	delayQuantil = 0.99               // the full bid is held until so much has come
	// delayMargin is put on top of what is expected: counts are samples, and an
	// exchange may have a slow day.
	delayMargin = 1.5
	delayLeast  = 0.005 // never less than this share of the bid
)

type delayClass struct {
	bids, settled atomic.Uint64 // since the last Learn
	came          [delaySteps]atomic.Uint64

	oldBids, oldSettled float64 // of Learn's goroutine
	oldCame             [delaySteps]float64
	rate                atomic.Uint32             // float32 bits: share of bids that settle
	learned             [delaySteps]atomic.Uint32 // float32 bits: share of the bid that an age still holds
}

// NewDelays makes room for classes 0 to n−1; each begins with holding all.
func NewDelays(n int) *Delays {
	d := &Delays{classes: make([]delayClass, n)}
	for i := range d.classes {
		d.classes[i].hold(1)
		d.classes[i].rate.Store(math.Float32bits(1))
	}
	return d
}

// Rate is the share of a class's bids that settle: 1 until so much is known,
// which overstates what is to be expected.
func (d *Delays) Rate(class uint16) float32 {
	if int(class) >= len(d.classes) {
		return 1
	}
	return math.Float32frombits(d.classes[class].rate.Load())
}

func (c *delayClass) hold(share float32) {
	for i := range c.learned {
		c.learned[i].Store(math.Float32bits(share))
	}
}

// delayStep is the step of an age: 4·log2 of it, in units.
func delayStep(ms int64) int {
	u := uint64(max(ms, 0)) / delayUnitMS
	if u < 4 {
		return int(u)
	}
	top := bits.Len64(u) - 1 // at least 2
	return min(4*(top-1)+int(u>>(top-2)&3), delaySteps-1)
}

// Bid counts a bid of a class.
func (d *Delays) Bid(class uint16) { d.classes[class].bids.Add(1) }

// Settled counts a settlement that came so long after its bid.
func (d *Delays) Settled(class uint16, delayMS int64) {
	c := &d.classes[class]
	c.settled.Add(1)
	c.came[delayStep(delayMS)].Add(1)
}

// Share of the bid that a hold of an age is to keep: from 0 to 1.
func (d *Delays) Share(class uint16, ageMS int64) float64 {
	return float64(math.Float32frombits(d.classes[class].learned[delayStep(ageMS)].Load()))
}

// Learn takes in what was counted since the last call, passedMS ago. One
// goroutine calls it, about once a second.
func (d *Delays) Learn(passedMS int64) {
	fade := math.Exp2(-float64(passedMS) / delayHalf)
	for i := range d.classes {
		d.classes[i].learn(fade)
	}
}

func (c *delayClass) learn(fade float64) {
	c.oldBids = c.oldBids*fade + float64(c.bids.Swap(0))
	c.oldSettled = c.oldSettled*fade + float64(c.settled.Swap(0))
	for i := range c.oldCame {
		c.oldCame[i] = c.oldCame[i]*fade + float64(c.came[i].Swap(0))
	}
	if c.oldSettled < delayTrusted || c.oldBids < c.oldSettled {
		c.hold(1)
		c.rate.Store(math.Float32bits(c.earlyRate()))
		return
	}
	// Young bids may still settle: the share that will is at least this.
	w, come := min(c.oldSettled/c.oldBids, 1), 0.0
	c.rate.Store(math.Float32bits(float32(w)))
	for i := range c.learned {
		// What came in the age's own step may have come after it.
		f := come / c.oldSettled
		come += c.oldCame[i]
		share := 1.0
		if f >= delayQuantil {
			left := 1 - f
			share = min(max(delayMargin*w*left/(1-w*f+1e-9), delayLeast), 1)
		}
		c.learned[i].Store(math.Float32bits(float32(share)))
	}
}

// earlyRate is the rate from few bids, on the safe side: as if 20 more had
// settled. A cap may use it long before a hold may.
func (c *delayClass) earlyRate() float32 {
	return float32(min((c.oldSettled+20)/(c.oldBids+20), 1))
}
