package bidder

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// taughtPrices lets the exchange know that 1.20 USD wins every second auction.
func taughtPrices(x *Exchange) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 4000 {
		bid, price := money.CPM(200_000+rng.IntN(3_000_000)), 1.2*math.Exp(0.4*rng.NormFloat64())
		x.market.Learn(plan.Outcome{Group: 1, Bid: bid, Won: float64(bid) > price*money.CPMUnit}, 60_000)
	}
	x.market.Refit()
	x.market.Publish()
}

func TestFirstPriceBidsAreShaded(t *testing.T) {
	at := func(kind int, floor float64, deal string) string {
		return `{"id":"r1","at":` + string(rune('0'+kind)) + `,"imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]},"bidfloor":` +
			string(money.AppendDecimal(nil, int64(floor*money.CPMUnit), 6, 0)) + deal + `}],"site":{"domain":"news.example"},"cur":["USD"]}`
	}
	for _, c := range []struct {
		name        string
		body        string
		least, most float64
	}{
		{"second price: the value", at(2, 0.5, ""), 3, 3},
		{"first price: less", at(1, 0.5, ""), 1.1, 2.4},
		{"never below the floor", at(1, 2.9, ""), 2.9, 2.9},
		{"a deal is bid at its worth", at(1, 0.5, `,"pmp":{"private_auction":1,"deals":[{"id":"d","bidfloor":1,"at":1}]}`), 3, 3},
		{"a fixed price stays", at(1, 0.5, `,"pmp":{"private_auction":1,"deals":[{"id":"d","bidfloor":2,"at":3}]}`), 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, openCampaign(1))
			taughtPrices(w.b.exchanges["burl"])
			times := map[float64]int{}
			for range 80 {
				times[w.bid("burl", c.body).SeatBid[0].Bid[0].Price]++
			}
			usual := 0.0
			for price, n := range times {
				if n > times[usual] {
					usual = price
				}
			}
			require.GreaterOrEqual(t, usual, c.least)
			require.LessOrEqual(t, usual, c.most)
			require.Greater(t, times[usual], 80*3/4, "one in sixteen is varied")
			for price := range times {
				require.GreaterOrEqual(t, price, min(usual, max(shadeVaryLeast*usual, 0.5))-1e-6)
				require.LessOrEqual(t, price, min(shadeVaryMost*usual, 3)+1e-6)
			}
			before := w.b.outcomes.open.Load()
			e, err := w.b.Explain("burl", []byte(c.body))
			require.NoError(t, err)
			require.Len(t, e.Bids, 1)
			assert.Equal(t, before, w.b.outcomes.open.Load(), "an explanation leaves no trace")
		})
	}
	t.Run("unknown prices: the value", func(t *testing.T) {
		w := newWorld(t, openCampaign(1))
		assert.InDelta(t, 3, w.bid("burl", at(1, 0.5, "")).SeatBid[0].Bid[0].Price, 1e-9)
	})
}

func TestWhatBecomesOfABidIsLearnedOnce(t *testing.T) {
	w := newWorld(t, pacedCampaign(1000*money.NanoUnit, campaigns.PacingEven))
	b, x := w.b, w.b.exchanges["burl"]
	id := b.randomID()
	b.outcomes.await(awaited{key: outcomeKey(id), group: 5, price: 2_000_000, madeMS: noon, untilMS: noon + 120_000, campaign: 1, k: 1 << 15,
		exchange: x.number, state: outcomeFirst | outcomePaced})
	e := events.Event{Type: events.TypeBilling, BidID: id, Exchange: "burl", Settles: true, PriceStatus: events.PriceOK, Price: 2_000_000, ShopAmount: 8_000_000,
		ShopID: 7, CampaignID: 1, TimeMS: noon + 3000, BidMS: noon}
	other := e
	other.BidID = b.randomID()
	assert.False(t, b.heard(&other), "another node's")
	assert.True(t, b.heard(&e))
	assert.True(t, b.heard(&e), "again, from the log")
	for range outcomeStripes {
		b.sweepOutcomes(noon + 119_000)
	}
	x.market.Publish()
	assert.Equal(t, 1.0, x.market.View().Outcomes())
	assert.Zero(t, b.outcomes.open.Load())
	b.countTraffic()
	b.plan(0, 1)
	assert.True(t, b.outcomes.kept() == 1)

	full := outcomeKey(id)
	for i := range uint64(outcomePlaces + 3) { // of one set
		b.outcomes.await(awaited{key: full + i<<50, untilMS: noon + 1, state: outcomeFirst, exchange: x.number})
	}
	assert.Equal(t, uint64(3), b.outcomes.full.Load(), "bounded, and counted")
	assert.Less(t, b.outcomes.kept(), 1.0)
	for range outcomeStripes {
		b.sweepOutcomes(noon + 200_000)
	}
	assert.Zero(t, b.outcomes.open.Load())
}

func TestPlansOutliveARestart(t *testing.T) {
	w := newWorld(t, pacedCampaign(1000*money.NanoUnit, campaigns.PacingEven))
	taughtPrices(w.b.exchanges["burl"])
	w.b.cfg.StateDir = t.TempDir()
	w.b.demand.Told(plan.HourCount{Exchange: 0, HourMS: noon, Count: 5000})
	w.b.demand.Told(plan.HourCount{Exchange: 0, HourMS: noon + 3*3_600_000, Count: 7000})
	w.b.countTraffic()
	w.b.plan(0, 1)
	w.b.savePlans()
	k := w.b.state.Load().paces[0].K()

	n := newWorld(t)
	n.b.cfg.StateDir = w.b.cfg.StateDir
	n.b.recallPlans()
	require.Empty(t, n.b.Publish(w.in))
	assert.InDelta(t, k, n.b.state.Load().paces[0].K(), 1e-4)
	assert.True(t, n.b.exchanges["burl"].market.View().Known())
	name := w.b.byNumber[0].Name
	assert.Equal(t, w.b.demand.State(0), n.b.demand.State(int(n.b.exchanges[name].number)))
}
