package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBudgetAndCurve(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := draw(r, 0)
	c.people, c.floor, c.cap = 2000, 0, 0
	in := c.sample(r, c.rates(r, c.people))
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
	figures := Figures(FiguresInput{Shop: Shop{Visits: 40_000, ConversionRate: 0.012}, Days: 30, Budget: 3000, CPM: 12, Visitors: true, Seed: 1})
	for _, res := range []Result{free, asap, even, figures} {
		at := res.Cost.Mid // the answer is a point of its curve
		i := slices.IndexFunc(res.Curve, func(p Point) bool { return math.Abs(p.Budget/at-1) < 1e-9 })
		require.GreaterOrEqual(t, i, 0, "%v is not on the curve %v", at, res.Curve)
		require.InEpsilon(t, res.Orders.Mid, res.Curve[i].Orders, 1e-9)
		require.InEpsilon(t, res.CostPerOrder.Mid, res.Curve[i].CostPerOrder, 1e-9)
		require.InEpsilon(t, res.Cost.Mid/res.Orders.Mid, res.CostPerOrder.Mid, 1e-9)
		for i := 1; i < len(res.Curve); i++ {
			require.GreaterOrEqual(t, res.Curve[i].Orders, res.Curve[i-1].Orders*0.999, "more money brings no less")
			require.GreaterOrEqual(t, res.Curve[i].CostPerOrder, res.Curve[i-1].CostPerOrder*0.999, "and no cheaper")
		}
	}
}

// Where clicks are billed, what is spent is clicks by their price, whatever the
// impressions cost; the rest is as it was.
func TestClicksArePaidFor(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	c := draw(r, 0)
	c.people, c.floor, c.cap = 2000, 0, 0
	in := c.sample(r, c.rates(r, c.people))
	in.Days = 30
	shown := Replay(in)
	in.Bids.PerClick = 1_500_000_000
	free := Replay(in)
	require.Equal(t, shown.Impressions, free.Impressions)
	require.Equal(t, shown.Clicks, free.Clicks)
	require.InEpsilon(t, free.Clicks.Mid*1.5, free.Cost.Mid, 0.1)
	require.InEpsilon(t, free.Clicks.High*1.5, free.Cost.High, 0.01)
	in.Budget = free.Cost.Mid / 3
	bound := Replay(in)
	require.Equal(t, []string{LimitBudget}, bound.Limits)
	require.LessOrEqual(t, bound.Cost.High, in.Budget*1.0001)
	require.InEpsilon(t, free.Clicks.Mid/3, bound.Clicks.Mid, 0.2)
	figures := FiguresInput{Shop: Shop{Visits: 40_000, ConversionRate: 0.012}, Days: 30, CPM: 12, Visitors: true, Seed: 1, PerClick: 1.5}
	rough := Figures(figures)
	require.InEpsilon(t, rough.Clicks.Mid*1.5, rough.Cost.Mid, 0.25)
	figures.Budget = rough.Cost.Mid / 3
	require.LessOrEqual(t, Figures(figures).Cost.High, figures.Budget*1.0001)
}

func win(c curve, cpm float64) float64 {
	p, _ := c.at(math.Log(cpm))
	return p
}

func TestMarketIsLearned(t *testing.T) {
	truth := logNormal{math.Log(3), 0.6}
	var prices []Price
	for _, cpm := range []float64{1, 2, 3, 4, 6} {
		prices = append(prices, Price{"m", cpm, 2000, math.Round(2000 * truth.win(cpm))})
	}
	m := fit(prices, 1, 13)
	likely := m.central()
	for _, cpm := range []float64{0.5, 1, 2, 3, 5, 8, 12} {
		assert.InDelta(t, truth.win(cpm), win(likely, cpm), 0.02, "at %v, beyond what was bid too", cpm)
	}
	none := fit(nil, 2, 5)
	r := rand.New(rand.NewPCG(1, 1))
	low, high := 1.0, 0.0
	for range 200 {
		p := none.draw(r)
		low, high = min(low, win(p, 2)), max(high, win(p, 2))
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
	assert.InDelta(t, sum/float64(n), likely.paid(math.Log(4), math.Log(2)), 0.03)
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

// As many bids as a replay brings, all different, with caps and an even pace.
func BenchmarkReplay(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 9))
	const bids = 60_000
	in := Input{Bids: &Bids{ToMS: 10 * 86_400_000, Ads: 1, Markets: []string{"a", "b", "c"}}, Days: 30, Budget: 100, Even: true, Caps: []Cap{{3, 24 * time.Hour}}, Seed: 1}
	x := in.Bids
	for i := range bids {
		bid := int64(1e6 * math.Exp(r.NormFloat64()))
		x.Person, x.AtMS, x.Weight, x.Market = append(x.Person, int32(i/4)), append(x.AtMS, r.Int64N(x.ToMS)), append(x.Weight, 20), append(x.Market, int32(r.IntN(3)))
		x.First, x.Bid, x.Floor, x.Gross = append(x.First, r.IntN(2) == 0), append(x.Bid, bid), append(x.Floor, int64(r.Float64()*float64(bid))), append(x.Gross, bid)
		x.Click, x.Order = append(x.Click, 0.01*r.Float64()), append(x.Order, 0.1*r.Float64())
	}
	for _, m := range x.Markets {
		for _, cpm := range []float64{0.3, 0.6, 1, 2, 4} {
			in.Landscape = append(in.Landscape, Price{m, cpm, 1e5, 1e5 * phi(math.Log(cpm))})
		}
	}
	for b.Loop() {
		Replay(in)
	}
}
