package learn

import (
	"math"

	"github.com/grosz/grosz/bidder/value"
)

// A correction multiplies the odds that the mean weights give, in three
// layers: the common one, of all shops' impressions, which follows at once
// what moves all of them; and those of a shop and of a campaign beside it,
// which speak up only where they are sure. They are an offset of the training
// too: what a correction has taken over the weights do not take over a second
// time, so that nothing is corrected twice when they catch up.

// reach is what a gauge looks back on.
type reach struct {
	stepMS int64 // of the finest bucket
	mostMS int64 // what is older is forgotten
	cutMS  int64 // least time that may contradict what was before it
	doubt  float64
}

// Orders come in batches, some at night: less than a day of them says nothing
// against the days before. Common corrections are of everything that is sold,
// so they need not be doubted.
var (
	commonReach = [value.NumTargets]reach{
		value.Click: {minuteMS, 4 * hourMS, 2 * minuteMS, 0},
		value.Order: {hourMS, 4 * dayMS, dayMS, 0},
	}
	ownReach = [value.NumTargets]reach{
		value.Click: {minuteMS, dayMS, 5 * minuteMS, ownDoubt},
		value.Order: {hourMS, 3 * dayMS, dayMS, ownDoubt / 3},
	}
)

const (
	priorTargets = 20   // as many expected targets say that nothing is off
	ownDoubt     = 6    // variances that chance may explain, of a shop's or a campaign's
	surprise     = 13.0 // nats by which a change must be likelier than none
	maxOdds      = 8    // of a correction, either way
	perLevel     = 5    // buckets of one length, before two become one
	maxBuckets   = 80
)

// bucket is what was expected, and what came, in a stretch of time.
type bucket struct {
	FromMS                      int64
	Level                       int     // it holds 2^Level of the finest
	Expected, Squared, Observed float64 // Σp, Σp², Σy
}

func (b *bucket) add(o *bucket) {
	b.Expected, b.Squared, b.Observed = b.Expected+o.Expected, b.Squared+o.Squared, b.Observed+o.Observed
}

// gauge compares what was predicted with what came since the last change that
// it noticed. Its buckets grow longer towards the past, two of one length
// becoming one, so that it looks back far and still tells when a change was
// (Bifet and Gavaldà, 'Learning from Time-Changing Data with Adaptive
// Windowing', SDM 2007). The zero value is ready.
type gauge struct {
	buckets []bucket // oldest first
	bornMS  int64
	log     float64 // of the correction in force
}

// add notes an example at a time, or several. p is what was predicted.
func (g *gauge) add(r *reach, nowMS int64, expected, squared, observed float64) {
	if g.over(r, nowMS) {
		if len(g.buckets) == 0 {
			g.bornMS = nowMS
		} else {
			g.roll(r, nowMS)
		}
		g.buckets = append(g.buckets, bucket{FromMS: nowMS - nowMS%r.stepMS})
	}
	last := &g.buckets[len(g.buckets)-1]
	last.add(&bucket{Expected: expected, Squared: squared, Observed: observed})
}

// over tells whether the newest bucket's time is.
func (g *gauge) over(r *reach, nowMS int64) bool {
	n := len(g.buckets)
	return n == 0 || nowMS >= g.buckets[n-1].FromMS+r.stepMS
}

// roll ends the newest bucket. A young gauge looks back on half its life: what
// was predicted first was the least true.
func (g *gauge) roll(r *reach, nowMS int64) {
	g.cut(r, nowMS)
	g.merge()
	from := nowMS - min(r.mostMS, (nowMS-g.bornMS)/2)
	for len(g.buckets) > maxBuckets || len(g.buckets) > 1 && g.buckets[1].FromMS <= from {
		g.buckets = g.buckets[1:]
	}
	g.settle(r, nowMS)
}

// merge makes the two oldest of a length one, where there are too many.
func (g *gauge) merge() {
	end := len(g.buckets)
	for level := 0; end > 0; level++ {
		from := end
		for from > 0 && g.buckets[from-1].Level == level {
			from--
		}
		if end-from <= perLevel {
			return
		}
		g.buckets[from].add(&g.buckets[from+1])
		g.buckets[from].Level++
		g.buckets = append(g.buckets[:from+1], g.buckets[from+2:]...)
		end = from + 1
	}
}

// cut forgets what was before a change, where there was one.
func (g *gauge) cut(r *reach, nowMS int64) {
	var all, late bucket
	for i := range g.buckets {
		all.add(&g.buckets[i])
	}
	at, most := 0, surprise
	for i := len(g.buckets) - 1; i > 0; i-- {
		late.add(&g.buckets[i])
		if nowMS-g.buckets[i].FromMS < r.cutMS {
			continue
		}
		if s := late.against(&all); s > most {
			at, most = i, s
		}
	}
	g.buckets = g.buckets[at:]
}

// against is how many nats likelier than one share of targets throughout it
// is that a part of the whole had a share of its own.
func (b *bucket) against(all *bucket) float64 {
	before := bucket{Expected: all.Expected - b.Expected, Observed: all.Observed - b.Observed}
	if !(b.Expected > 0 && before.Expected > 0 && all.Observed > 0) {
		return 0
	}
	share := all.Observed / all.Expected
	return nats(b.Observed, share*b.Expected) + nats(before.Observed, share*before.Expected)
}

func nats(observed, expected float64) float64 {
	if observed <= 0 {
		return expected
	}
	return observed*math.Log(observed/expected) - observed + expected
}

// settle works the correction out anew.
func (g *gauge) settle(r *reach, nowMS int64) {
	var all bucket
	for i := range g.buckets {
		all.add(&g.buckets[i])
	}
	// The first hour, in which clicks are learned before their absence, says
	// nothing of a shop.
	if young := r.doubt > 0 && nowMS-g.bornMS < 60*r.stepMS; young || all.Expected <= 0 {
		g.log = 0
		return
	}
	// Odds are multiplied, and chances counted: q makes one of the other.
	q := all.Squared / all.Expected
	observed, expected := max(all.Observed, 0)+priorTargets, all.Expected+priorTargets
	odds := observed * (1 - q) / max(expected-q*observed, 1e-9)
	g.log = math.Log(min(max(odds, 1.0/maxOdds), maxOdds))
	if r.doubt > 0 {
		g.log *= 1 - min(1, r.doubt/(2*max(nats(max(all.Observed, 0), all.Expected), 1e-9)))
	}
}

// moved tells that predictions are by so much higher than they were.
func (g *gauge) moved(by float64) {
	for i := range g.buckets {
		b := &g.buckets[i]
		b.Expected, b.Squared = b.Expected*by, b.Squared*by*by
	}
}

// gauges are those of a shop, by campaign; the shop's own under 0.
type gauges map[uint32]*gauge

// logs are the corrections in force of the shop and of a campaign.
func (m gauges) logs(campaign uint32) (own, of float64) {
	if g := m[0]; g != nil {
		own = g.log
	}
	if g := m[campaign]; g != nil && campaign != 0 {
		of = g.log
	}
	return own, of
}

// gauge returns that of a shop's campaign; campaign 0 is the shop's own.
func (x *target) gauge(shop, campaign uint32) *gauge {
	m := x.gauges[shop]
	if m == nil {
		m = gauges{}
		x.gauges[shop] = m
	}
	g := m[campaign]
	if g == nil {
		g = &gauge{}
		m[campaign] = g
	}
	return g
}

// settle works all corrections out anew: a quiet gauge has not since its last
// example.
func (x *target) settle(t value.Target, nowMS int64) {
	for _, m := range x.gauges {
		for _, g := range m {
			g.settle(&ownReach[t], nowMS)
		}
	}
}
