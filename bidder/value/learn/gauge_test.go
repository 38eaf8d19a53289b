package learn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/bidder/value"
)

// What a gauge says an hour after a change, and how much it remembers.
func TestAGaugeSeesChangesAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name    string
		perMin  float64 // expected targets
		change  float64 // of the rate, after six hours
		want    float64 // the correction an hour later
		within  float64
		reaches reach
	}{
		{"nothing changes", 50, 1, 1, 0.05, commonReach[value.Click]},
		{"doubles", 50, 2, 2, 0.12, commonReach[value.Click]},
		{"halves", 50, 0.5, 0.5, 0.05, commonReach[value.Click]},
		{"a shop's doubles", 20, 2, 2, 0.2, ownReach[value.Click]},
		{"a shop of few clicks changes by what chance explains", 0.2, 1.05, 1, 0.05, ownReach[value.Click]},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng, g, r := rand.New(rand.NewPCG(4, 2)), gauge{}, &c.reaches
			const tries, p = 1000, 0.01 // a minute's impressions come in so many parts
			for minute := range int64(7 * 60) {
				rate := 1.0
				if minute >= 6*60 {
					rate = c.change
				}
				for range tries {
					came := 0.0
					if rng.Float64() < rate*c.perMin/tries {
						came = 1
					}
					g.add(r, minute*minuteMS, c.perMin/tries, p*c.perMin/tries, came)
				}
			}
			g.settle(r, 7*hourMS)
			assert.InDelta(t, c.want, math.Exp(g.log), c.within)
			assert.LessOrEqual(t, len(g.buckets), maxBuckets)
		})
	}
}

// A gauge stays small however long it lives, and however long it was idle.
func TestAGaugeIsBounded(t *testing.T) {
	var g gauge
	r := &ownReach[value.Click]
	for minute := range int64(5 * 24 * 60) {
		g.add(r, minute*minuteMS, 1, 0, 1)
	}
	assert.LessOrEqual(t, len(g.buckets), maxBuckets)
	assert.GreaterOrEqual(t, g.buckets[1].FromMS, int64(4*dayMS-hourMS*2))
	g.add(r, 40*dayMS, 1, 0, 1)
	g.add(r, 40*dayMS+minuteMS, 1, 0, 1)
	assert.LessOrEqual(t, len(g.buckets), 3)
}

// A rise of traffic is no rise of the click rate, though clicks are learned
// before their absence.
func TestMoreTrafficIsNoBetterRate(t *testing.T) {
	tr := trainer(t, Config{GlobalBits: 10, ShopBits: 8})
	rng, n, at := rand.New(rand.NewPCG(8, 1)), uint64(0), int64(0)
	minute := func(impressions int) {
		for range impressions {
			n++
			at += minuteMS / int64(impressions)
			e := Example{Shop: 1 + uint32(n%4), Campaign: 1, Placement: []value.Feature{value.Number(value.FieldDomain, n%3)}, Own: []value.Feature{9}}
			tr.Impression(id(n), at, &e)
			if rng.Float64() < 0.1 {
				tr.Click(id(n), at)
			}
			tr.Advance(at)
		}
	}
	predicted := func() float64 {
		var s value.Score
		s.Reset(tr.Model(int64(n)), []value.Feature{value.Number(value.FieldDomain, 1)})
		p, _ := s.Predict(value.Click, 1, 1, []value.Feature{9})
		return p
	}
	for range 120 {
		minute(100)
	}
	for range 5 {
		minute(800)
	}
	assert.InDelta(t, 0.1, predicted(), 0.02)
}
