package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Bids is what a campaign would have bid on in a sample of requests, in
// columns: one place in each list is one bid. See bidder/forecast.go.
type Bids struct {
	FromMS   int64     `json:"from"`
	ToMS     int64     `json:"to"`
	Sampled  int       `json:"sampled"`
	Replayed int       `json:"replayed"`
	Below    float64   `json:"below"`
	Ads      float64   `json:"ads"`
	Markets  []string  `json:"markets"`
	Person   []int32   `json:"person"`
	AtMS     []int64   `json:"at"`
	Weight   []float64 `json:"weight"`
	Market   []int32   `json:"market"`
	First    []bool    `json:"first"`
	Bid      []int64   `json:"bid"`   // micro-CPM
	Floor    []int64   `json:"floor"` // micro-CPM
	Gross    []int64   `json:"gross"` // nano-units of the shop's currency
	Click    []float64 `json:"click"`
	Order    []float64 `json:"order"`
	PerClick int64     `json:"per_click"` // nano-units that each click is billed; 0: impressions are
}

// Cap allows so many impressions of one person within a time.
type Cap struct {
	Impressions int
	Within      time.Duration
}

// Level is how many there were, beside how many were predicted: it tells how
// far predictions are to be believed. The zero value is no experience.
type Level struct{ Seen, Expected float64 }

// Input of a forecast by replay.
type Input struct {
	Bids      *Bids
	Landscape []Price
	// Clicks and Orders are the shop's experience with the predictions.
	Clicks, Orders Level
	Days           float64 // to forecast
	Budget         float64 // for all of the days, in the shop's currency; 0: none
	// Even says that the bids are lowered so that the budget lasts; else all
	// that is bid for is bought until the money is gone.
	Even bool
	Caps []Cap
	Seed uint64
}

// Limits say what keeps a campaign from bringing more.
const (
	LimitBudget   = "budget"
	LimitBids     = "bids"
	LimitAudience = "audience"
)

// Point is what a budget would bring: the middle of what is likely. Orders
// are those to be expected, and need not be whole. CostPerOrder is +Inf where
// hardly an order comes.
type Point struct{ Budget, Orders, CostPerOrder float64 }

// Result is a forecast. Money is in the shop's currency. CostPerOrder may be
// +Inf where it may be that no order comes.
type Result struct {
	Days                                     float64
	Reach, Impressions, Clicks, Orders, Cost Interval
	CostPerOrder                             Interval
	Curve                                    []Point
	Limits                                   []string
	WinRate                                  float64
	Bids                                     int     // in the sample, that it rests on
	SampleDays                               float64 // that it rests on
	Budget                                   float64 // for all of the days; 0: none
}

// How far the past speaks for the future.
const (
	curveDraws, peopleDraws = 40, 10
	maxGroups               = 500  // of people, for the bootstrap
	levelShape              = 4    // how firmly predictions are believed before there is experience
	growthSD                = 0.12 // of how reach grows with time
	turnover                = 0.5  // of the people who are there later, are others
)

// sums of a campaign in the sample's time.
type sums struct {
	imps, clicks, orders, cost, reach float64
	// vary is how much a group of people varies in the bootstrap: who was in
	// the sample speaks of those who were not and of those who come later, but
	// not of themselves. With all people in the sample only others vary it.
	vary float64
}

func (s *sums) add(o *sums, f float64) {
	s.imps += f * o.imps
	s.clicks += f * o.clicks
	s.orders += f * o.orders
	s.cost += f * o.cost
	s.reach += f * o.reach
}

// replayer holds what a forecast works with.
type replayer struct {
	in      *Input
	b       *Bids
	order   []int32   // of the bids: by person, then time
	logBid  []float64 // by bid
	logMin  []float64 // of its floor; −∞ for none
	markets []market
	groups  int
	rng     *rand.Rand
}

// Replay forecasts from the bids of a sample.
func Replay(in Input) Result {
	r := newReplayer(&in)
	window := max(float64(in.Bids.ToMS-in.Bids.FromMS)/86_400_000, 1.0/1440)
	out := Result{Days: in.Days, Bids: len(r.b.Bid), SampleDays: window, Budget: in.Budget}
	likely := r.likely()
	central := r.total(likely, 1)
	fraction := r.pacing(likely, central)
	growth := r.growth(likely)
	var imps, clicks, orders, reach, cost, cpo []float64
	var free, expected []float64 // cost without a budget; orders to be expected with it
	scale := in.Days / window
	days := r.traffic(window)
	for range curveDraws {
		curves := make([]curve, len(r.markets))
		for i := range curves {
			curves[i] = r.markets[i].draw(r.rng)
		}
		groups := r.run(curves, 1)
		for range peopleDraws {
			var s sums
			for i := range groups {
				s.add(&groups[i], 1+groups[i].vary*(poisson(r.rng, 1)-1))
			}
			f := days.draw(r.rng, in.Days)
			ctr := gamma(r.rng, levelShape+in.Clicks.Seen) / (levelShape + in.Clicks.Expected)
			c := s.cost * f
			if r.b.PerClick > 0 {
				c *= ctr
			}
			cut := fraction(c, in.Budget)
			cvr := gamma(r.rng, levelShape+in.Orders.Seen) / (levelShape + in.Orders.Expected)
			n := poisson(r.rng, s.imps*f*cut.imps)
			k := poisson(r.rng, s.clicks*f*cut.clicks*ctr)
			mean := s.orders * f * cut.orders * ctr * cvr
			o := poisson(r.rng, mean)
			paid := c * cut.cost
			if r.b.PerClick > 0 {
				paid = r.billed(k)
			}
			free, expected = append(free, c), append(expected, mean)
			grow := math.Pow(scale, min(max(growth+growthSD*r.rng.NormFloat64(), 0), 1))
			imps, clicks, orders, cost = append(imps, n), append(clicks, k), append(orders, o), append(cost, paid)
			reach = append(reach, min(s.reach*(f/scale)*grow*cut.reach, n))
			cpo = append(cpo, costPer(paid, o))
		}
	}
	out.Impressions, out.Clicks, out.Orders, out.Cost, out.Reach = countsOf(imps), countsOf(clicks), countsOf(orders), intervalOf(cost), intervalOf(reach)
	out.CostPerOrder = intervalOf(cpo)
	most := intervalOf(free).Mid
	if r.b.PerClick > 0 && (in.Budget <= 0 || most <= in.Budget) { // what is to be expected, as the curve has it
		out.Cost.Mid = min(max(most, out.Cost.Low), out.Cost.High)
	}
	out.settle(expected, most, func(budget float64) (float64, float64) {
		cut := fraction(most, budget)
		return cut.orders, most * cut.cost
	})
	out.WinRate = r.winRate(central)
	out.limits(most, r.b)
	return out
}

func newReplayer(in *Input) *replayer {
	b := in.Bids
	r := &replayer{in: in, b: b, rng: rand.New(rand.NewPCG(in.Seed, 0x5eed))}
	r.order = make([]int32, len(b.Bid))
	people := map[int32]struct{}{}
	r.logBid, r.logMin = make([]float64, len(b.Bid)), make([]float64, len(b.Bid))
	bid, floor, n, top := make([]float64, len(b.Markets)), make([]float64, len(b.Markets)), make([]float64, len(b.Markets)), make([]float64, len(b.Markets))
	for i := range b.Bid {
		r.logBid[i], r.logMin[i] = math.Log(float64(b.Bid[i])/1e6), math.Log(float64(b.Floor[i])/1e6)
		r.order[i] = int32(i)
		people[b.Person[i]] = struct{}{}
		m := b.Market[i]
		bid[m], floor[m], n[m] = bid[m]+float64(b.Bid[i]), floor[m]+float64(b.Floor[i]), n[m]+1
		top[m] = max(top[m], float64(b.Bid[i])/1e6)
	}
	slices.SortFunc(r.order, func(x, y int32) int {
		if b.Person[x] != b.Person[y] {
			return int(b.Person[x]) - int(b.Person[y])
		}
		return int(min(max(b.AtMS[x]-b.AtMS[y], -1), 1))
	})
	r.groups = max(min(len(people), maxGroups), 1)
	for m, name := range b.Markets {
		var prices []Price
		for _, p := range in.Landscape {
			if p.Market == name && p.Bids > 0 && p.CPM > 0 {
				prices = append(prices, p)
			}
		}
		// Nothing known: rivals are somewhat above the floor, or about the bid.
		guess := bid[m] / max(n[m], 1) / 1e6
		if f := floor[m] / max(n[m], 1) / 1e6; f > 0 {
			guess = math.Sqrt(guess * f * 1.5)
		}
		r.markets = append(r.markets, fit(prices, guess, top[m]))
	}
	return r
}

func (r *replayer) likely() []curve {
	out := make([]curve, len(r.markets))
	for i := range out {
		out[i] = r.markets[i].central()
	}
	return out
}

// traffic learns how the bids vary from day to day.
func (r *replayer) traffic(window float64) *traffic {
	days := min(max(int(math.Ceil(window)), 1), maxTrafficDays)
	totals, squares, his := make([]float64, days), make([]float64, days), make([]float64, days)
	last := int32(0)
	next := func() {
		for d, w := range his {
			squares[d] += w * w
			his[d] = 0
		}
	}
	for _, i := range r.order {
		if r.b.Person[i] != last {
			next()
			last = r.b.Person[i]
		}
		if d := int((r.b.ToMS - r.b.AtMS[i]) / 86_400_000); d >= 0 && d < days {
			totals[d], his[d] = totals[d]+r.b.Weight[i], his[d]+r.b.Weight[i]
		}
	}
	next()
	return newTraffic(window, totals, squares)
}

func (r *replayer) total(curves []curve, k float64) sums {
	var t sums
	for _, g := range r.run(curves, k) {
		t.add(&g, 1)
	}
	return t
}

// billed is what so many clicks are billed: no more than the budget.
func (r *replayer) billed(clicks float64) float64 {
	paid := clicks * float64(r.b.PerClick) / 1e9
	if r.in.Budget > 0 {
		return min(paid, r.in.Budget)
	}
	return paid
}

// groupOf spreads people over groups that are alike.
func (r *replayer) groupOf(person int32) int {
	x := uint64(uint32(person)) * 0x9E3779B97F4A7C15
	return int((x >> 33) % uint64(r.groups))
}

// winRate is the share of bids that are won.
func (r *replayer) winRate(t sums) float64 {
	sum := 0.0
	for _, w := range r.b.Weight {
		sum += w
	}
	return t.imps / max(sum, 1e-9)
}

// Whole tells whether all columns have a place for each bid, and name markets
// that are there.
func (b *Bids) Whole() bool {
	n := len(b.Bid)
	for _, m := range b.Market {
		if m < 0 || int(m) >= len(b.Markets) {
			return false
		}
	}
	return b.PerClick >= 0 && len(b.Person) == n && len(b.AtMS) == n && len(b.Weight) == n && len(b.Market) == n && len(b.First) == n &&
		len(b.Floor) == n && len(b.Gross) == n && len(b.Click) == n && len(b.Order) == n
}
