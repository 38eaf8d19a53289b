package learn

import (
	"math"

	"github.com/grosz/grosz/bidder/value"
)

// halfLives of what a gauge remembers, ms: the slow one is exact, the quick
// one sees a base rate that moved. Orders come in batches, some at night.
var halfLives = [value.NumTargets]struct{ slow, quick float64 }{
	value.Click: {hourMS / 2, hourMS / 4},
	value.Order: {2 * dayMS, dayMS / 2},
}

// Shrinkage and alarm of a gauge.
const (
	priorTargets = 50 // as many expected targets say that nothing is off
	alarm        = 3  // standard deviations at which the quick memory takes over
	maxOdds      = 8  // of a correction, either way
)

// gauge compares what was predicted with what came, forgetting with time.
type gauge struct {
	slow, quick memory
	atMS        int64
}

type memory struct{ expected, observed float64 }

func (m *memory) fade(share float64) { m.expected *= share; m.observed *= share }

// ratio is observed ÷ expected, pulled towards a prior.
func (m *memory) ratio(prior float64) float64 {
	return (m.observed + priorTargets*prior) / (m.expected + priorTargets)
}

func (g *gauge) add(t value.Target, nowMS int64, expected, observed float64) {
	// Fading in steps of ten seconds is enough, and saves the exponentials.
	if age := nowMS - g.atMS; age >= 10_000 {
		g.slow.fade(math.Exp2(-float64(age) / halfLives[t].slow))
		g.quick.fade(math.Exp2(-float64(age) / halfLives[t].quick))
		g.atMS = nowMS
		if g.moved(1) {
			g.slow = g.quick // what was before says nothing any more
		}
	}
	g.slow.expected, g.slow.observed = g.slow.expected+expected, g.slow.observed+observed
	g.quick.expected, g.quick.observed = g.quick.expected+expected, g.quick.observed+observed
}

// moved tells whether the latest quarter of an hour contradicts the memory.
func (g *gauge) moved(prior float64) bool {
	want := g.slow.ratio(prior) * g.quick.expected
	return math.Abs(g.quick.observed-want) > alarm*math.Sqrt(want+1)
}

// correction is what predictions are to be multiplied with; prior is that of
// the group around it.
func (g *gauge) correction(prior float64) float64 {
	return min(max(g.slow.ratio(prior), 1.0/maxOdds), maxOdds)
}

// gauge returns that of a shop's campaign; campaign 0 is the shop's own.
func (x *target) gauge(shop, campaign uint32) *gauge {
	m := x.gauges[shop]
	if m == nil {
		m = map[uint32]*gauge{}
		x.gauges[shop] = m
	}
	g := m[campaign]
	if g == nil {
		g = &gauge{}
		m[campaign] = g
	}
	return g
}
