package pacesim

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Pacer is what is judged. Times are seconds of the day, values and bids CPM,
// costs currency per impression: the calls are the lines of `grosz pace
// --stdio`. A bid of 0 is none.
type Pacer interface {
	Start(day int, budget float64, forecast []float64, auction int) error
	Bid(t float64, id int64, placement int, value float64) (float64, error)
	Win(t float64, id int64, cost float64) error
	End() error
}

// Result is one judged day of one seed.
type Result struct {
	Scenario  string
	Seed      uint64
	Requests  int
	Wins      int
	Budget    float64
	Spend     float64 // lost and late notices included
	Share     float64 // percent of the best in hindsight
	Delivered float64 // percent of what could be spent
	Over      float64 // percent of the budget
	Allowed   float64 // percent: what may be overspent
	BestK     float64
	Series    []Minute
	Uneven    float64  // percent of the spend: see uneven
	Bought    *Bought  // with orders in the scenario
	Charged   *Charged // with billing cpc
	Fleet     string   // with nodes: what their ledger says
}

// Minute is what happened in one minute of the judged day.
type Minute struct {
	Requests int
	Forecast float64
	Spend    float64 // since the day began
	Ratio    float64 // mean bid ÷ value
}

// Play runs the pacer through one seed: a plain day 0, unless the scenario
// has none, then the judged day.
func Play(s *Scenario, seed uint64, p Pacer) (Result, error) {
	w := newWorld(s, seed)
	budget, warm := w.budget(s)
	notices := s.Notices
	if s.WarmNotices != nil {
		notices = *s.WarmNotices
	}
	g := game{auction: s.Auction, rng: rand.New(rand.NewPCG(seed, 0x6e6f74)), pacer: p, budget: budget, notices: notices, model: s.model()}
	if s.Clicks != nil {
		var ok bool
		if g.charger, ok = p.(Charger); !ok {
			return Result{}, fmt.Errorf("%s: this pacer knows no billing %s", s.Name, BillingCPC)
		}
		g.clicks, g.fate = s.Clicks, rand.New(rand.NewPCG(seed, 0x636c6b))
		g.charger.PerClick()
	}
	told := func(d *day) []float64 {
		if s.NoForecast {
			return nil
		}
		return d.forecast
	}
	if !s.NoWarmup {
		if err := g.play(0, &warm, told(&warm)); err != nil {
			return Result{}, fmt.Errorf("%s, seed %d, day 0: %w", s.Name, seed, err)
		}
	}
	judged := w.draw(s, false)
	g.notices, g.series = s.Notices, make([]Minute, minutes)
	if g.orders = s.Orders; g.orders != nil {
		g.fate = rand.New(rand.NewPCG(seed, 0x6f7264))
	}
	if err := g.play(1, &judged, told(&judged)); err != nil {
		return Result{}, fmt.Errorf("%s, seed %d: %w", s.Name, seed, err)
	}
	r := g.judge(s, seed, &judged)
	if f, ok := p.(fmt.Stringer); ok && s.Nodes != nil {
		r.Fleet = f.String()
	}
	return r, nil
}

// budget is a share of what bidding the full value spends on a plain day,
// which is returned as the day before the judged one.
func (w *world) budget(s *Scenario) (float64, day) {
	warm := w.draw(s, true)
	auction := s.Auction
	full := replay(warm.requests, auction, math.Inf(1), 1, s.bill())
	return full.spend * s.BudgetRatio, warm
}

// game is a pacer at play.
type game struct {
	auction int
	rng     *rand.Rand
	pacer   Pacer
	budget  float64
	notices Notices
	nextID  int64
	pending [][]notice // by second
	passed  int        // seconds whose notices were sent

	spend, value, surplus float64
	wins                  int
	series                []Minute
	orders                *Orders // of the judged day
	fate                  *rand.Rand
	bought                Bought
	ratios                []float64

	model   float64 // estimates are told as so much more
	clicks  *Clicks // with billing cpc
	charger Charger
	clicked [][]float64 // clicks to come, by second; the last is after midnight
	charged Charged     // of the day
}

type notice struct {
	t    float64
	id   int64
	cost float64
}

func (g *game) play(number int, d *day, forecast []float64) error {
	if err := g.pacer.Start(number, g.budget, forecast, g.auction); err != nil {
		return err
	}
	g.pending, g.passed = make([][]notice, secondsDay), 0
	g.spend, g.value, g.surplus, g.wins = 0, 0, 0, 0
	g.clicked, g.charged = make([][]float64, secondsDay+1), Charged{}
	g.ratios = make([]float64, minutes)
	for i := range d.requests {
		r := &d.requests[i]
		if err := g.tell(r.t); err != nil {
			return err
		}
		g.nextID++
		bid, err := g.pacer.Bid(r.t, g.nextID, r.placement, r.estimate*g.model)
		if err != nil {
			return err
		}
		if bid > r.price && g.refuses() {
			bid = 0
		}
		g.settle(r, bid)
		g.note(r, bid, d)
	}
	if err := g.tell(secondsDay); err != nil {
		return err
	}
	if err := g.pacer.End(); err != nil {
		return err
	}
	return g.charge(secondsDay)
}

func (g *game) settle(r *request, bid float64) {
	if bid <= r.price {
		return
	}
	cost := bid / 1000
	if g.auction == 2 {
		cost = math.Min(bid, r.price+increment) / 1000
	}
	if g.clicks == nil {
		g.spend += cost
	} else {
		g.shown(r, cost)
	}
	g.value += r.value / 1000
	g.surplus += r.value/1000 - cost
	g.wins++
	g.follow(r)
	if g.rng.Float64() < g.notices.Lost {
		return
	}
	at := r.t + g.notices.Delay + g.notices.Jitter*g.rng.ExpFloat64()
	if g.rng.Float64() < g.notices.LateShare {
		at = r.t + g.notices.Late + g.notices.Jitter*g.rng.ExpFloat64()
	}
	if second := int(at); second < secondsDay {
		g.pending[second] = append(g.pending[second], notice{at, g.nextID, cost})
	}
}

// tell sends the notices that are due before t. Those of one second come in
// the order of their auctions.
func (g *game) tell(t float64) error {
	for ; g.passed < int(t); g.passed++ {
		for _, n := range g.pending[g.passed] {
			if err := g.pacer.Win(n.t, n.id, n.cost); err != nil {
				return err
			}
		}
		g.pending[g.passed] = nil
		if err := g.charge(g.passed); err != nil {
			return err
		}
	}
	return nil
}

func (g *game) note(r *request, bid float64, d *day) {
	if g.series == nil {
		return
	}
	m := int(r.t / 60)
	g.series[m].Requests++
	g.series[m].Forecast = d.forecast[m]
	g.series[m].Spend = g.spend
	g.ratios[m] += bid / r.estimate
	g.series[m].Ratio = g.ratios[m] / float64(g.series[m].Requests)
}

func (g *game) judge(s *Scenario, seed uint64, d *day) Result {
	best := hindsight(d.requests, g.auction, g.budget, s.bill())
	r := Result{
		Scenario: s.Name, Seed: seed, Requests: len(d.requests), Wins: g.wins, Budget: g.budget, Spend: g.spend,
		BestK: best.k, Series: g.series,
	}
	r.Share = 100 * g.value / best.value
	could := math.Min(g.budget, replay(d.requests, g.auction, math.Inf(1), 1, s.bill()).spend)
	if g.auction == 1 {
		r.Share = 100 * g.surplus / best.surplus
		could = best.spend
	}
	if g.clicks != nil { // clicks are worth the same whatever their impressions cost
		r.Share, r.Charged = 100*g.spend/best.spend, &g.charged
	}
	r.Delivered = 100 * math.Min(g.spend, g.budget) / could
	r.Over = 100 * (g.spend/g.budget - 1)
	wins := math.Max(1, float64(g.wins))
	r.Allowed = 100 * math.Max(0.001, 1/wins)
	if lost := s.Notices.Lost; lost > 0 {
		r.Allowed = 100 * math.Max(1/wins, 0.002+3*math.Sqrt(lost*wins)/wins)
	}
	for m := 1; m < len(g.series); m++ { // minutes without requests
		if g.series[m].Requests == 0 {
			g.series[m].Spend, g.series[m].Ratio, g.series[m].Forecast = g.series[m-1].Spend, g.series[m-1].Ratio, d.forecast[m]
		}
	}
	r.Uneven = uneven(g.series)
	if s.Orders != nil {
		g.bought.BestCost = s.Orders.bestCost(best)
		r.Bought = &g.bought
	}
	return r
}

// Reached says whether the result has what the scenario asks.
func (r *Result) Reached(g Goals) bool {
	return r.Share >= g.Share && r.Delivered >= g.Delivered && r.Over <= r.Allowed
}
