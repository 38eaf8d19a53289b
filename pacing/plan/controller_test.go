package plan

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

// When every win is known at once, the budget is never exceeded by a nano-unit,
// whatever the budget, the prices, the traffic and the forecast are.
func TestNeverOverBudgetWhenWinsAreKnownAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		auction := Auction(rapid.IntRange(1, 2).Draw(t, "at"))
		budget := money.Nano(rapid.Int64Range(0, 2e9).Draw(t, "budget"))
		level := math.Exp(rapid.Float64Range(-6, 3).Draw(t, "prices"))
		var forecast []float64
		if rapid.Bool().Draw(t, "foretold") {
			forecast = []float64{rapid.Float64Range(0, 1e6).Draw(t, "forecast"), rapid.Float64Range(0, 10).Draw(t, "later")}
		}
		c := New(Config{})
		id := uint64(0)
		for range 2 {
			require.NoError(t, c.Start(Day{Budget: budget, Forecast: forecast, Auction: auction}))
			spent, at := money.Nano(0), 0.0
			for range rapid.IntRange(0, 800).Draw(t, "requests") {
				at += rng.ExpFloat64() * 75
				id++
				value := money.CPM(1e6 * level * rng.ExpFloat64())
				price := money.CPM(1e6 * level * rng.ExpFloat64())
				bid := c.Bid(at, id, id%7, value)
				require.GreaterOrEqual(t, bid, money.CPM(0))
				require.LessOrEqual(t, bid, value, "a bid above the value")
				if bid <= price {
					continue
				}
				cost := bid.PerImpression()
				if auction == SecondPrice {
					cost = price.PerImpression()
				}
				spent += cost
				require.True(t, c.Win(at, id, cost))
				require.False(t, c.Win(at, id, cost), "a win counted twice")
			}
			require.LessOrEqual(t, spent, budget)
			c.End()
		}
	})
}

// A few impressions' budget, with notices half a minute late: at most one
// impression too many.
func TestSmallBudgetsWithLateNotices(t *testing.T) {
	type notice struct {
		at   float64
		id   uint64
		cost money.Nano
	}
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 5))
		c := New(Config{Seed: seed})
		id := uint64(0)
		for day := range 2 {
			budget := money.Nano(20_000_000) // about 20 impressions at 1.00 CPM
			require.NoError(t, c.Start(Day{Budget: budget}))
			var pending []notice
			spent, dearest := money.Nano(0), money.Nano(0)
			for at := 0.0; at < daySeconds; at += 10 * rng.ExpFloat64() {
				for len(pending) > 0 && pending[0].at <= at {
					c.Win(pending[0].at, pending[0].id, pending[0].cost)
					pending = pending[1:]
				}
				id++
				value, price := 2e6*rng.ExpFloat64(), 1e6*math.Exp(0.5*rng.NormFloat64())
				if bid := c.Bid(at, id, 1, money.CPM(value)); float64(bid) > price {
					cost := money.CPM(price).PerImpression()
					spent, dearest = spent+cost, max(dearest, cost)
					pending = append(pending, notice{at + 30, id, cost})
				}
			}
			c.End()
			assert.LessOrEqual(t, spent, budget+dearest, "seed %d day %d", seed, day)
			assert.Greater(t, spent, budget/4, "seed %d day %d: starved", seed, day)
		}
	}
}

func TestWinsOfYesterdayAreIgnored(t *testing.T) {
	c := New(Config{})
	require.NoError(t, c.Start(Day{Budget: 1e9}))
	require.Positive(t, c.Bid(1, 1, 1, 2e6))
	c.End()
	assert.False(t, c.Win(2, 1, 1000), "after the end")
	assert.Zero(t, c.Bid(3, 2, 1, 2e6), "no day, no bid")
	require.NoError(t, c.Start(Day{Budget: 1e9}))
	assert.False(t, c.Win(4, 1, 1000), "of the day before")
	assert.False(t, c.Win(4, 99, 1000), "of no bid")
	assert.Zero(t, c.reported)
}

func TestADayThatMakesNoSense(t *testing.T) {
	c := New(Config{})
	require.ErrorContains(t, c.Start(Day{Budget: -1}), "below zero")
	require.ErrorContains(t, c.Start(Day{Auction: 3}), "auction 3")
	require.NoError(t, c.Start(Day{Budget: 1e9, Forecast: []float64{math.NaN(), math.Inf(1), -5}}))
	bid := c.Bid(1, 1, 1, 2e6)
	assert.True(t, bid >= 0 && bid <= 2e6)
	assert.Zero(t, c.Bid(1, 2, 1, 0), "nothing worth")
	c.Bid(math.NaN(), 3, 1, 2e6)
	assert.False(t, math.IsNaN(c.now))
}

// Placements beyond those that are told apart share one; memory is bounded.
func TestPlacementsAreBounded(t *testing.T) {
	c := New(Config{})
	require.NoError(t, c.Start(Day{Budget: 1e9}))
	for i := range uint64(3 * maxPlaces) {
		c.Bid(float64(i)/100, i, i, 1e6)
	}
	assert.Len(t, c.market.places, maxPlaces)
	assert.Len(t, c.places, maxPlaces)
}

// One bid, with its share of the plans; it allocates as the day's memory grows.
func BenchmarkBid(b *testing.B) {
	for _, auction := range []Auction{SecondPrice, FirstPrice} {
		name := map[Auction]string{FirstPrice: "first", SecondPrice: "second"}[auction]
		b.Run(name, func(b *testing.B) {
			rng := random()
			c := New(Config{})
			b.ReportAllocs()
			bids := 0
			for i := 0; b.Loop(); i++ {
				if i%300_000 == 0 {
					require.NoError(b, c.Start(Day{Budget: 100e9, Auction: auction}))
				}
				price := money.CPM(1e6 * rng.Float64())
				bid := c.Bid(float64(i%300_000)*0.288, uint64(i), uint64(i%60), money.CPM(2e6*rng.Float64()))
				if bid > price {
					bids++
					c.Win(float64(i%300_000)*0.288, uint64(i), price.PerImpression())
				}
			}
			if bids == 0 && b.N > 1000 {
				b.Fatal("nothing was won")
			}
		})
	}
}
