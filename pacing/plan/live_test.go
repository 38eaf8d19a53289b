package plan

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

const monday = 1_773_014_400_000 // 2026-03-09 00:00 UTC

func usualTraffic(hour float64) float64 { return 1 + 0.65*math.Cos(2*math.Pi*(hour-16)/24) }

func TestDemandLearnsTheWeekFromAllNodes(t *testing.T) {
	d := NewDemand(2)
	for h := range int64(3 * 24) {
		for node, part := range map[string]float64{"n1": 600, "n2": 400} {
			d.Told(HourCount{node, 0, monday + h*hourMS, int64(part * usualTraffic(float64(h%24)+0.5))})
		}
		if h > 4 {
			d.Told(HourCount{"n1", 0, monday, 1_000_000}) // an hour that is past
		}
	}
	now := int64(monday + 3*dayMS)
	// This node has four tenths.
	for at := now; at < now+4*hourMS; at += 10_000 {
		d.Seen(0, at, 400*usualTraffic(float64(at-now)/hourMS)/360)
	}
	now += 4 * hourMS
	// After four quiet hours the forecast's own level, 1, still counts as ten
	// minutes of an ordinary hour: 0.433 is not 0.4 yet.
	assert.InDelta(t, 0.4, d.Level(0), 0.04)
	want := 0.0
	for h := 4.5; h < 24; h++ {
		want += 400 * usualTraffic(h)
	}
	rest := d.Rest(0, now, now+20*hourMS, func(int64) float64 { return 1 })
	assert.InEpsilon(t, want, rest, 0.06, "by that level, and a little less than is foretold")
	assert.Zero(t, d.Rest(1, now, now+hourMS, func(int64) float64 { return 1 }), "nothing seen")
	again := NewDemand(2)
	again.Restore(0, d.State(0))
	assert.Equal(t, d.State(0), again.State(0))
}

func TestDemandTellsEachHourOnce(t *testing.T) {
	d := NewDemand(1)
	told := map[int64]int64{}
	for at := int64(monday); at < monday+3*hourMS+20_000; at += 10_000 {
		if c, ok := d.Seen(0, at, 2); ok {
			told[c.HourMS] += c.Count
		}
	}
	assert.Equal(t, map[int64]int64{monday: 720, monday + hourMS: 720, monday + 2*hourMS: 720}, told)
}

// A day of one campaign on n nodes that share its budget. Each sees an even
// part of the traffic and what all have settled.
func TestNodesShareADaysBudget(t *testing.T) {
	for _, nodes := range []int{3} {
		rng := rand.New(rand.NewPCG(7, 7))
		lives, demands := make([]*Live, nodes), make([]*Demand, nodes)
		for i := range lives {
			lives[i], demands[i] = NewLive(uint64(i), 1), NewDemand(1)
		}
		type late struct {
			node int
			w    Won
		}
		var waiting []late
		budget := money.Nano(8 * money.NanoUnit)
		var settled, gone money.Nano
		for day := range int32(2) {
			settled, gone = 0, 0
			for at := monday + int64(day)*dayMS; at < monday+int64(day+1)*dayMS; at += PlanEveryMS {
				for len(waiting) > 0 && waiting[0].w.HeardMS <= at {
					x := waiting[0]
					waiting = waiting[1:]
					if x.w.BidMS >= monday+int64(day)*dayMS {
						settled += x.w.Cost
					}
					lives[x.node].Pace().Win(x.w)
				}
				for i, l := range lives {
					n := int(2.0/float64(nodes)*usualTraffic(float64(at%dayMS)/hourMS) + rng.Float64())
					demands[i].Seen(0, at, float64(n))
					for range n {
						l.Pace().Asked(0, false)
						k := l.Pace().Multiplier(rng.Uint64())
						bid, price := 3*Factor(k), 1.2*math.Exp(0.6*rng.NormFloat64())
						cost := money.Nano(price / 1000 * money.NanoUnit)
						if bid > price && gone+cost <= budget {
							gone += cost
							waiting = append(waiting, late{i, Won{BidMS: at, HeardMS: at + 30_000, K: Factor(k), Share: price / bid, Cost: cost}})
						}
					}
					l.Plan(Moment{NowMS: at, Day: day, FromMS: monday + int64(day)*dayMS, ToMS: monday + int64(day+1)*dayMS, Budget: budget, Spent: settled,
						Share: 1 / float64(nodes), Demand: demands[i]})
				}
			}
			t.Logf("%d nodes, day %d: %.2f %% spent", nodes, day, 100*float64(gone)/float64(budget))
			assert.GreaterOrEqual(t, float64(gone), 0.96*float64(budget))
		}
		text, err := json.Marshal(lives[0].State())
		require.NoError(t, err)
		var s LiveState
		require.NoError(t, json.Unmarshal(text, &s))
		again := NewLive(9, 1)
		again.Restore(s)
		again.curve.rebuild()
		a, _ := lives[0].curve.at(0.5)
		b, _ := again.curve.at(0.5)
		assert.InEpsilon(t, a, b, 1e-3, "what was learned outlives a restart")
		assert.True(t, again.known())
	}
}

func TestPricesAreLearnedFromCensoredOutcomes(t *testing.T) {
	for _, tell := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(2, 2))
		p := NewPrices()
		price := func(mu float64) float64 { return math.Exp(mu + 0.5*rng.NormFloat64()) }
		mus := []float64{-0.5, 0.2, 0.9}
		for i := range 12_000 {
			g := i % len(mus)
			bid, x := math.Exp(mus[g]+0.8*rng.NormFloat64()), price(mus[g])
			o := Outcome{Group: uint64(g + 1), Bid: money.CPM(bid * money.CPMUnit), Won: bid > x}
			if tell && !o.Won {
				o.Price = money.CPM(x * money.CPMUnit)
			}
			p.Learn(o, 120_000)
			if i%2000 == 1999 {
				p.Refit()
			}
		}
		p.Publish()
		v := p.View()
		worst := 0.0
		for g, mu := range mus {
			for _, z := range []float64{-1.5, -1, -0.5, 0, 0.5, 1, 1.5} {
				worst = math.Max(worst, math.Abs(v.Chance(uint64(g+1), money.CPM(math.Exp(mu+0.5*z)*money.CPMUnit))-normalCDF(z)))
			}
		}
		t.Logf("losses tell the price: %v; win rate off by at most %.4f", tell, worst)
		assert.Less(t, worst, 0.03)
		bid, win, young := v.Shade(1, money.CPMUnit)
		assert.False(t, young)
		assert.Less(t, bid, money.CPM(money.CPMUnit))
		assert.InDelta(t, v.Chance(1, bid), win, 0.01)
		again := NewPrices()
		again.Restore(p.State())
		other, _, _ := again.View().Shade(1, money.CPMUnit)
		assert.InEpsilon(t, float64(bid), float64(other), 0.001)
		assert.Equal(t, 3, again.View().Groups())
	}
}

func TestTheHotPartOfAPaceAllocatesNothing(t *testing.T) {
	p := NewPace(2)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		p.Asked(1, true)
		p.Asked(9, true) // of an exchange that it does not know
		p.Wish(Wish{Value: 1})
		Scale(money.CPM(p.Multiplier(7)), p.Multiplier(0))
	}))
	for _, c := range []money.CPM{0, 1, 3, 12_000_000, math.MaxInt64} {
		assert.LessOrEqual(t, Scale(c, paceOne), c)
		assert.GreaterOrEqual(t, Scale(c, 1), money.CPM(0))
	}
	assert.Equal(t, money.CPM(3_000_000), Scale(12_000_000, p.Multiplier(1)), "a quarter, before anything is known")
}
