package pacing

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/internal/money"
)

// A day of traffic with quiet nights in a second-price market, notices half a
// minute late: the budget is a fifth of what bidding in full would spend.
func TestADaysBudgetLastsTheDay(t *testing.T) {
	for _, c := range []struct {
		name   string
		jump   float64 // prices from noon on
		budget float64 // of a full spend of about 100
		front  bool
		least  float64
	}{
		{"plain", 1, 20, false, 0.97}, {"prices double at noon", 2, 20, false, 0.95}, {"scarce", 1, 2, false, 0.95}, {"ample", 1, 500, false, 0}, {"front-loaded", 1, 20, true, 0.97},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(4, 4))
			p, budget := NewPace(), money.Nano(c.budget*1e9)
			const plans = 8640
			weight := func(i int) float64 {
				w := 1 + 0.65*math.Cos(2*math.Pi*(float64(i)/360-16)/24)
				if c.front {
					w *= 4.0/3 - 2.0/3*float64(i)/plans
				}
				return w
			}
			total := 0.0
			for i := range plans {
				total += weight(i)
			}
			var settled, morning money.Nano
			var late [4]money.Nano
			until := 0 // when nearly all was gone
			left, gone := total, money.Nano(0)
			for i := range plans {
				settled += late[i%4]
				price := 1.0
				if i > plans/2 {
					price = c.jump
				}
				k := p.K() / price
				// Spend grows with the factor; traffic does not know the front.
				rate := 100e9 / plans * (1 + 0.65*math.Cos(2*math.Pi*(float64(i)/360-16)/24)) * k * k * price * math.Exp(rng.NormFloat64()*0.2)
				spend := min(money.Nano(rate), budget-gone)
				gone += spend
				late[(i+3)%4] = spend
				if gone < budget*99/100 {
					until = i
				}
				if i == plans/2 {
					morning = gone
				}
				p.Plan(Moment{Day: 1, Budget: budget, Settled: settled, Next: weight(i) / total, Left: left / total})
				left -= weight(i)
			}
			share := float64(gone) / float64(budget)
			t.Logf("%.1f %% spent, %.1f %% of it by noon, 99 %% at %.1f h, k %.3f", 100*share, 100*float64(morning)/float64(gone), float64(until)/360, p.K())
			assert.GreaterOrEqual(t, share, c.least)
			assert.LessOrEqual(t, gone, budget)
			assert.Greater(t, until, plans*22/24, "money is left for the evening")
			if c.name == "ample" {
				assert.InDelta(t, 1, p.K(), 1e-9, "nothing is held back that could be bought")
			}
			if c.name == "plain" {
				assert.InDelta(t, 0.3, float64(morning)/float64(gone), 0.1, "as the traffic comes")
			}
		})
	}
}

func TestScaleRoundsDownAndNeverRaises(t *testing.T) {
	p := NewPace()
	for _, c := range []money.CPM{0, 1, 3, 12_000_000, math.MaxInt64} {
		assert.LessOrEqual(t, p.Scale(c), c)
		assert.GreaterOrEqual(t, p.Scale(c), money.CPM(0))
	}
	assert.Equal(t, money.CPM(3_000_000), p.Scale(12_000_000))
	assert.Zero(t, testing.AllocsPerRun(10, func() { p.Scale(5) }))
}
