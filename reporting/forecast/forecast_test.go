package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crowd is a simulated public: each person is met so often a day, and a
// campaign has an audience, a price, a market and rates of its own.
type crowd struct {
	people         int
	audience       float64 // share of the people that is bid for
	mean           float64 // impressions offered of one a day
	bid, floor     float64 // CPM
	market         curve
	click, order   float64 // true rates
	says           float64 // predictions by truth
	first          bool
	cap            int // impressions a day; 0: none
	share          float64
	days           float64
	learnt         float64 // bids that the landscape was learned from
	clicks, orders float64 // experience
}

func draw(r *rand.Rand) crowd {
	c := crowd{
		people: 1500 + r.IntN(2500), audience: 0.2 + 0.8*r.Float64(), mean: 0.3 + 1.5*r.Float64(), bid: 2 + 8*r.Float64(), floor: r.Float64() * 2,
		click: 0.004 + 0.01*r.Float64(), order: 0.02 + 0.06*r.Float64(), says: math.Exp(0.3 * r.NormFloat64()), first: r.IntN(2) == 0,
		share: 0.3 + 0.7*r.Float64(), days: 2 + 3*r.Float64(), learnt: 300 + 4000*r.Float64(), clicks: 40 + 400*r.Float64(),
	}
	c.market = curve{math.Log(c.bid) + 0.5*r.NormFloat64(), 0.4 + 0.5*r.Float64()}
	if r.IntN(3) == 0 {
		c.cap = 1 + r.IntN(4)
	}
	c.orders = c.clicks * c.order
	return c
}

// visits draws a day of everybody's bids: person and time, by person.
func (c *crowd) visits(r *rand.Rand, rates []float64, days float64, see func(person int, atMS int64)) {
	traffic := make([]float64, int(math.Ceil(days)))
	for d := range traffic {
		traffic[d] = math.Exp(0.15 * r.NormFloat64())
	}
	for p, rate := range rates {
		at := 0.0
		for {
			at += -math.Log(1-r.Float64()) / rate
			if at >= days {
				break
			}
			if r.Float64() < traffic[int(at)]/1.4 {
				see(p, int64(at*86_400_000))
			}
		}
	}
}

// rates are how often a day people are met: some hardly, some very often.
func (c *crowd) rates(r *rand.Rand) []float64 {
	out := make([]float64, int(float64(c.people)*c.audience))
	for i := range out {
		out[i] = c.mean * math.Exp(0.8*r.NormFloat64()-0.32) * 1.4
	}
	return out
}

// truth plays the days to come: what the campaign really gets.
func (c *crowd) truth(r *rand.Rand, rates []float64, days float64) (imps, clicks, orders, cost float64) {
	recent := map[int][]int64{}
	c.visits(r, rates, days, func(p int, at int64) {
		price := math.Exp(c.market.mu + c.market.sigma*r.NormFloat64())
		if c.bid < c.floor || price > c.bid {
			return
		}
		if c.cap > 0 {
			seen := recent[p]
			for len(seen) > 0 && seen[0] <= at-86_400_000 {
				seen = seen[1:]
			}
			recent[p] = seen
			if len(seen) >= c.cap {
				return
			}
			recent[p] = append(seen, at)
		}
		imps++
		paid := c.bid
		if !c.first {
			paid = max(price, c.floor)
		}
		cost += paid / 1000 * 1.1
		if r.Float64() < c.click {
			clicks++
			if r.Float64() < c.order {
				orders++
			}
		}
	})
	return
}

// sample is what a bidder's sample of the days before gives.
func (c *crowd) sample(r *rand.Rand, rates []float64) Input {
	b := &Bids{ToMS: int64(c.days * 86_400_000), Ads: 1, Markets: []string{"x/banner/USD"}}
	in := make([]bool, len(rates))
	for i := range in {
		in[i] = r.Float64() < c.share
	}
	c.visits(r, rates, c.days, func(p int, at int64) {
		if !in[p] {
			return
		}
		b.Person, b.AtMS, b.Weight, b.Market = append(b.Person, int32(p)), append(b.AtMS, at), append(b.Weight, 1/c.share), append(b.Market, 0)
		b.First, b.Bid, b.Floor = append(b.First, c.first), append(b.Bid, int64(c.bid*1e6)), append(b.Floor, int64(c.floor*1e6))
		b.Gross = append(b.Gross, int64(c.bid/1000*1.1*1e9))
		b.Click, b.Order = append(b.Click, c.click*c.says), append(b.Order, c.order*c.says)
	})
	out := Input{Bids: b, Seed: r.Uint64()}
	for _, f := range []float64{0.4, 0.7, 1, 1.5, 2.2} {
		n := math.Round(c.learnt / 5)
		p := c.market.win(c.bid * f)
		wins := min(max(math.Round(n*p+math.Sqrt(n*p*(1-p))*r.NormFloat64()), 0), n)
		out.Landscape = append(out.Landscape, Price{"x/banner/USD", c.bid * f, n, wins})
	}
	out.Clicks = Level{poisson(r, c.clicks), c.clicks * c.says}
	out.Orders = Level{poisson(r, c.orders), c.orders * c.says}
	if c.cap > 0 {
		out.Caps = []Cap{{c.cap, 24 * time.Hour}}
	}
	return out
}

// Of random campaigns whose days to come are then played, the intervals hold
// the truth as often as they say.
func TestIntervalsHoldTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const campaigns, days = 200, 7
	var held [4]int
	for i := range campaigns {
		c := draw(r)
		rates := c.rates(r)
		in := c.sample(r, rates)
		in.Days = days
		got := Replay(in)
		copy(rates[:len(rates)/2], c.rates(r)) // half of the people are others by then
		imps, clicks, orders, cost := c.truth(r, rates, days)
		for k, x := range []struct {
			i Interval
			v float64
		}{{got.Impressions, imps}, {got.Clicks, clicks}, {got.Orders, orders}, {got.Cost, cost}} {
			if x.i.Low <= x.v && x.v <= x.i.High {
				held[k]++
			} else if testing.Verbose() && k == 0 {
				t.Logf("campaign %d: %v is not in %v; %+v", i, x.v, x.i, c)
			}
		}
	}
	for k, name := range []string{"impressions", "clicks", "orders", "cost"} {
		t.Logf("%s: %.1f %% of %d intervals hold the truth", name, 100*float64(held[k])/campaigns, campaigns)
		assert.GreaterOrEqual(t, held[k], campaigns*85/100, name)
		if k != 2 { // few orders: a whole number is either in or out
			assert.LessOrEqual(t, held[k], campaigns*96/100, name)
		}
	}
}

func TestBudgetAndCurve(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := draw(r)
	c.floor, c.cap, c.market = 0, 0, curve{math.Log(c.bid), 0.8}
	in := c.sample(r, c.rates(r))
	in.Days = 30
	free := Replay(in)
	require.NotContains(t, free.Limits, LimitBudget)
	require.NotEmpty(t, free.Curve)
	in.Budget = free.Cost.Mid / 3
	asap := Replay(in)
	require.Equal(t, []string{LimitBudget}, asap.Limits)
	require.LessOrEqual(t, asap.Cost.High, in.Budget*1.0001)
	require.InEpsilon(t, in.Budget, asap.Cost.Mid, 0.01)
	require.InEpsilon(t, free.Impressions.Mid/3, asap.Impressions.Mid, 0.1)
	in.Even = true
	even := Replay(in)
	require.Equal(t, even, Replay(in), "the same question has the same answer")
	require.Greater(t, even.Impressions.Mid, asap.Impressions.Mid*1.05, "lowered bids buy the cheaper impressions")
	for _, res := range []Result{free, asap, even} {
		for i := 1; i < len(res.Curve); i++ {
			require.GreaterOrEqual(t, res.Curve[i].Orders, res.Curve[i-1].Orders*0.999, "more money brings no less")
			require.GreaterOrEqual(t, res.Curve[i].CostPerOrder, res.Curve[i-1].CostPerOrder*0.999, "and no cheaper")
		}
	}
}

func TestMarketIsLearned(t *testing.T) {
	truth := curve{math.Log(3), 0.6}
	var prices []Price
	for _, cpm := range []float64{1, 2, 3, 4, 6} {
		prices = append(prices, Price{"m", cpm, 2000, math.Round(2000 * truth.win(cpm))})
	}
	m := fit(prices, 1)
	for _, cpm := range []float64{0.5, 1, 2, 3, 5, 8, 12} {
		assert.InDelta(t, truth.win(cpm), m.likely.win(cpm), 0.02, "at %v, beyond what was bid too", cpm)
	}
	none := fit(nil, 2)
	r := rand.New(rand.NewPCG(1, 1))
	low, high := 1.0, 0.0
	for range 200 {
		p := none.draw(r)
		low, high = min(low, p.win(2)), max(high, p.win(2))
	}
	assert.Less(t, low, 0.2)
	assert.Greater(t, high, 0.8, "of what is not known much is possible")
	// E[price; won] by numbers.
	sum, n := 0.0, 200_000
	for range n {
		if p := max(math.Exp(truth.mu+truth.sigma*r.NormFloat64()), 2); p < 4 {
			sum += p
		}
	}
	assert.InDelta(t, sum/float64(n), truth.paid(4, 2), 0.02)
}

func TestFigures(t *testing.T) {
	in := FiguresInput{Shop: Shop{Visits: 40_000, ConversionRate: 0.012}, Days: 30, Budget: 3000, CPM: 12, Visitors: true, Seed: 1}
	got := Figures(in)
	require.True(t, got.Orders.Low < got.Orders.Mid && got.Orders.Mid < got.Orders.High)
	require.Greater(t, got.Orders.High, 3*max(got.Orders.Mid, 1), "wide")
	require.LessOrEqual(t, got.Cost.High, 3000.01)
	in.Visitors = false
	got = Figures(in)
	require.Equal(t, []string{LimitBudget}, got.Limits)
	require.InDelta(t, 3000, got.Cost.Mid, 1)
	require.Contains(t, got.Say("PLN", true).EN, "rough estimate")
	require.Contains(t, got.Say("PLN", true).PL, "zgrubny szacunek")
}

func TestNothingToBidOn(t *testing.T) {
	got := Replay(Input{Bids: &Bids{ToMS: 86_400_000, Ads: 1}, Days: 30, Budget: 100})
	require.Equal(t, []string{LimitAudience}, got.Limits)
	require.Zero(t, got.Impressions.High)
	require.Contains(t, got.Say("PLN", false).EN, "hardly show an ad")
	require.False(t, (&Bids{Bid: []int64{1}}).Whole())
	require.False(t, (&Bids{Market: []int32{3}}).Whole())
}
