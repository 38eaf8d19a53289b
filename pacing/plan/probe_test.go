package plan

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

// firstPriceDays plays two days of a tight budget in a first-price market of
// which a share of the notices gets lost, and returns the controller and what
// the second day spent, of its budget.
func firstPriceDays(t *testing.T, lost float64, requests int, currency float64) (c *Controller, spent float64) {
	t.Helper()
	const places = 12
	rng := rand.New(rand.NewPCG(11, 12))
	c = New(Config{Seed: 5})
	budget := money.Nano(currency * nanoPerUnit)
	forecast := []float64{float64(requests) / dayMinutes} // a minute
	type notice struct {
		at   float64
		id   uint64
		cost money.Nano
	}
	for day := range uint64(2) {
		require.NoError(t, c.Start(Day{Budget: budget, Forecast: forecast, Auction: FirstPrice}))
		var due []notice
		sum := money.Nano(0)
		for i := range uint64(requests) {
			at := daySeconds * float64(i) / float64(requests)
			for len(due) > 0 && due[0].at <= at {
				c.Win(due[0].at, due[0].id, due[0].cost)
				due = due[1:]
			}
			id, place := day<<32+i, rng.Uint64N(places)
			value := math.Exp(0.5 + 0.9*rng.NormFloat64())
			price := math.Exp(0.1*float64(place) - 0.5 + 0.5*rng.NormFloat64())
			bid := c.Bid(at, id, place, money.CPM(value*microPerUnit))
			require.LessOrEqual(t, float64(bid), value*microPerUnit)
			if float64(bid) <= price*microPerUnit {
				continue
			}
			sum += bid.PerImpression()
			if rng.Float64() >= lost {
				due = append(due, notice{at + 20, id, bid.PerImpression()})
			}
		}
		spent = float64(sum) / float64(budget)
		if day == 0 {
			c.End()
		}
	}
	return c, spent
}

// Probes find the share of notices that gets lost where a win costs the bid,
// and the plan keeps room for it: the budget is not exceeded, and is spent
// where nothing is lost.
func TestLostNoticesOfFirstPriceDaysAreFound(t *testing.T) {
	for _, c := range []struct {
		name         string
		lost, within float64
		least        float64
	}{
		{"none", 0, 0.006, 0.985},
		{"five in a hundred", 0.05, 0.03, 0.9},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, spent := firstPriceDays(t, c.lost, 40_000, 6)
			t.Logf("found %.4f, doubt %.4f, spent %.4f", 1-got.survey.reported, got.survey.doubt, spent)
			assert.InDelta(t, c.lost, 1-got.survey.reported, c.within)
			assert.LessOrEqual(t, spent, 1.0)
			assert.Greater(t, spent, c.least)
			assert.Positive(t, got.probes.spent)
			assert.LessOrEqual(t, got.probes.spent, got.probes.allowance)
		})
	}
}

// Where money is left over nothing is gained by knowing what is lost.
func TestNothingIsProbedWithMoneyLeftOver(t *testing.T) {
	c, spent := firstPriceDays(t, 0.02, 5_000, 1000)
	assert.Zero(t, c.probes.spent)
	assert.Less(t, spent, 0.5)
}

// As many are taken as are wanted, and of the cheap ones.
func TestProbesAreTheCheapOnes(t *testing.T) {
	rng := random()
	p := probes{}
	p.start(true, 1e9)
	taken, sum, all := 0.0, 0.0, 0.0
	const requests = 100_000
	for i := range requests {
		if i%300 == 0 {
			p.plan(float64(requests - i))
		}
		p.asked++
		p.allowed++
		regret := math.Exp(rng.NormFloat64())
		all += regret
		if p.takes(regret, 0.001, 1) {
			taken++
			sum += regret
		}
	}
	assert.InDelta(t, probesFirst, taken, 0.1*probesFirst)
	assert.Less(t, sum/taken, 0.2*all/requests)
	p.start(false, 10)
	p.plan(100)
	for range 1000 {
		p.takes(1e-9, 0.001, 0.5)
	}
	assert.LessOrEqual(t, p.spent, 10*probesCostLater*0.5+1e-9, "no more than is due of what they may cost")
}
