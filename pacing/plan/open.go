package plan

import "math"

// bucket is the bids between two plans: they share a multiplier, an age, and
// what is to be expected of them.
type bucket struct {
	from, to float64 // seconds of the day
	k        float64
	n        float64 // bids at k
	mean     float64 // expected spend of bids whose expectation is their own, currency
	square   float64 // and of its square
	reported float64 // spend reported so far, currency
	wins     []won   // that wait until the bucket is ripe
	ripe     bool    // its bids count as lost where nothing was reported
}

// won is a win as the curve learns from it.
type won struct{ critical, cost float64 }

// offer is one bid that was made.
type offer struct {
	bucket    int32
	placement int32
	k         float32 // multiplier; 0 with a bid of its own kind
	value     float32 // CPM
	logBid    float32
	price     float32 // CPM, when won
	t         float32
	state     uint8
}

// States of an offer.
const (
	offerOpen uint8 = iota
	offerWon
	offerLost // taken as lost; a late notice may still come
)

// offers remembers the day's bids by id.
type offers struct {
	byID    map[uint64]int32
	list    []offer
	evicted bool
}

// maxOffers bounds what a day remembers; beyond, wins of the forgotten count
// as spend and teach nothing.
const maxOffers = 8 << 20

func (o *offers) reset() {
	if o.byID == nil {
		o.byID = map[uint64]int32{}
	}
	clear(o.byID)
	o.list, o.evicted = o.list[:0], false
}

func (o *offers) add(id uint64, x offer) {
	if len(o.list) >= maxOffers {
		o.evicted = true
		return
	}
	o.byID[id] = int32(len(o.list))
	o.list = append(o.list, x)
}

// unreported is the spend that is to be expected of bids that nothing was
// heard of yet, and its standard deviation. scale corrects expectations.
func (c *Controller) unreported(now, scale float64) (mean, deviation float64) {
	horizon := c.delays.quantile(0.9999) + 2*replanSeconds
	variance := 0.0
	for i := len(c.buckets) - 1; i >= 0; i-- {
		b := &c.buckets[i]
		age := now - (b.from+b.to)/2
		if age > horizon {
			break
		}
		m, s := c.expect(b)
		missing := 1 - c.delays.reported(age)
		mean += m * scale * missing
		variance += s * scale * missing
	}
	return mean, math.Sqrt(variance)
}

// expect is the spend to be expected of a bucket as far as known today, and
// the sum of squares.
func (c *Controller) expect(b *bucket) (mean, square float64) {
	mean, square = b.mean, b.square
	if b.n > 0 {
		m, s := c.curve.at(b.k)
		mean += b.n * m
		square += b.n * s
	}
	return mean, square
}

// correction is how much dearer or cheaper the last quarter of an hour was
// than expected, as a logarithm.
func (c *Controller) correction(now float64) float64 {
	budget := nanoFloat(c.budget)
	prior := 0.003 * budget
	var reported, expected float64
	for i := len(c.buckets) - 1; i >= 0; i-- {
		b := &c.buckets[i]
		age := now - (b.from+b.to)/2
		if age > correctionSeconds || b.to < c.correctFrom || expected > 0.03*budget {
			break
		}
		m, _ := c.expect(b)
		expected += m * c.delays.reported(age)
		reported += b.reported
	}
	if prior <= 0 {
		return 0
	}
	return math.Log((reported + prior) / (expected + prior))
}
