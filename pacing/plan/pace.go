package plan

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/internal/money"
)

// Pace is what a bid reads and writes of a campaign's plan, from many
// goroutines: the multiplier of its value, counts of what it could have bid
// on, and what Live learns from. Multiplier is one atomic load, Asked one
// atomic add; neither allocates.
type Pace struct {
	k     atomic.Uint64 // of paceOne: the multiplier, and in the upper half the varied one
	asked []askedOf     // by exchange
	every atomic.Uint64 // opportunities in first-price auctions for one wish, a power of two

	mu     sync.Mutex
	wins   []Won // not taken yet
	lost   int   // wins beyond maxWaiting: their money is in the account all the same
	wishes [wishRing]Wish
	wished int
	drawn  int // wishes when the plan sampled them last

	report atomic.Pointer[Report]
}

type askedOf struct{ second, first atomic.Uint64 }

const (
	paceOne    = 1 << 16
	paceBegin  = 0.25    // before anything is known: rather too little than too much
	maxWaiting = 100_000 // wins that wait for the next plan
	wishRing   = 256     // latest first-price opportunities that the plan samples
	wishLeast  = 8       // opportunities for one of them, where there are few
	wishMost   = 1 << 12 // and where there are many: the ring is filled twice between two samples
	varyEvery  = 32      // opportunities for one that is bid on with the varied multiplier
)

// Won is a win, once its cost is known.
type Won struct {
	BidMS, HeardMS int64
	K              float64    // multiplier of the bid
	Share          float64    // of the bid that it cost
	Cost           money.Nano // what the budget pays, fee included
	Exchange       uint16
	First          bool // first price: Share says nothing
}

// Wish is an opportunity in a first-price auction.
type Wish struct {
	Exchange   uint16
	Group      uint64
	Value      money.CPM // in the bid's currency, before the multiplier
	Floor      money.CPM
	NanoPerCPM float64 // what the budget pays for a bid of one CPM, in currency, fee included
}

// NewPace makes room for exchanges 0 to n−1.
func NewPace(n int) *Pace {
	p := &Pace{asked: make([]askedOf, n)}
	p.every.Store(wishLeast)
	p.set(paceBegin, paceBegin)
	return p
}

func (p *Pace) set(k, varied float64) {
	whole := func(v float64) uint64 { return uint64(math.Round(math.Max(0, math.Min(1, v)) * paceOne)) }
	p.k.Store(whole(varied)<<32 | whole(k))
}

// Multiplier is what the value is multiplied by, of paceOne. drawn is a random
// number: now and then another multiplier is tried, so that what spending
// costs is known beside the plan too.
func (p *Pace) Multiplier(drawn uint64) uint32 {
	k := p.k.Load()
	if drawn%varyEvery == 0 {
		k >>= 32
	}
	return uint32(k)
}

// Scale multiplies a price by what Multiplier gave, rounding down.
func Scale(c money.CPM, k uint32) money.CPM {
	if c > math.MaxInt64>>17 {
		return c / paceOne * money.CPM(k)
	}
	return money.CPM(int64(c) * int64(k) >> 16)
}

// K is the multiplier, 0 to 1, without variation.
func (p *Pace) K() float64 { return float64(uint32(p.k.Load())) / paceOne }

// Factor is what Multiplier gave, as a number.
func Factor(k uint32) float64 { return float64(k) / paceOne }

// Asked counts an impression that the campaign could have bid on.
func (p *Pace) Asked(exchange uint16, first bool) {
	if int(exchange) >= len(p.asked) {
		return
	}
	if a := &p.asked[exchange]; first {
		a.first.Add(1)
	} else {
		a.second.Add(1)
	}
}

// Wishes tells whether an opportunity in a first-price auction is to be
// sampled.
func (p *Pace) Wishes(drawn uint64) bool { return drawn>>8&(p.every.Load()-1) == 0 }

// Wish samples one.
func (p *Pace) Wish(w Wish) {
	if !p.mu.TryLock() {
		return // one of many
	}
	p.wishes[p.wished%wishRing] = w
	p.wished++
	p.mu.Unlock()
}

// Win tells of a win of this node's own bid.
func (p *Pace) Win(w Won) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wins) >= maxWaiting {
		p.lost++
		return
	}
	p.wins = append(p.wins, w)
}

// Report is the latest plan; nil before the first.
func (p *Pace) Report() *Report { return p.report.Load() }

// take empties what Win left, into dst.
func (p *Pace) take(dst []Won) []Won {
	p.mu.Lock()
	defer p.mu.Unlock()
	dst = append(dst[:0], p.wins...)
	p.wins = p.wins[:0]
	return dst
}

// sample copies the latest wishes, into dst, and chooses how many there are to
// be until the next time.
func (p *Pace) sample(dst []Wish) []Wish {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen, every := p.every.Load()*uint64(p.wished-p.drawn), uint64(wishLeast)
	for every < wishMost && seen > 2*wishRing*every {
		every *= 2
	}
	p.drawn = p.wished
	p.every.Store(every)
	return append(dst[:0], p.wishes[:min(p.wished, wishRing)]...)
}

// Planned is what Multiplier draws from, at one moment: a decision that is made
// again goes by it.
func (p *Pace) Planned() uint64 { return p.k.Load() }

// PlannedPace is a Pace that stays as it was planned then.
func PlannedPace(planned uint64) *Pace {
	p := new(Pace)
	p.k.Store(planned)
	return p
}
