package pacesim

import (
	"fmt"
	"math"
)

// What a shop pays for.
const (
	BillingCPM = "cpm" // what its impressions cost
	BillingCPC = "cpc" // clicks at a fixed price; the platform pays for impressions
)

// Clicks are what is billed with billing cpc. An impression's true value is
// what its click brings the platform less its margin, so that P(click) is
// value ÷ (price × (1 − margin)). What clicks bring beyond the budget nobody
// pays.
type Clicks struct {
	Price      float64 `yaml:"price"`       // of a click, currency
	Margin     float64 `yaml:"margin"`      // the platform's part; 0.1, negative for none
	Model      float64 `yaml:"model"`       // predicted ÷ true P(click); 1
	Delay      float64 `yaml:"delay"`       // seconds from the impression to its click, exponential mean; 10
	LossClicks float64 `yaml:"loss_clicks"` // what the platform may lose, in clicks; 100, negative without a bound
	LossShare  float64 `yaml:"loss_share"`  // and beside it, of what was billed; 0.1
}

// Charger is a Pacer of a campaign whose wins cost its budget nothing: its
// clicks do, later.
type Charger interface {
	Pacer
	// PerClick says so, before the first day.
	PerClick()
	// Charge takes what a click was billed, currency.
	Charge(t float64, cost float64) error
}

// Charged is what came of a judged day with billing cpc.
type Charged struct {
	Clicks  int
	Beyond  int     // of them: did not fit the budget, nobody pays
	Paid    float64 // by the shop
	Media   float64 // by the platform, to the exchanges
	Refused int     // bids that were not made, for the platform had lost what it may
	Lost    float64 // by the platform at the worst moment
	May     float64 // what it might have lost then
}

func (s *Scenario) clickDefaults() {
	c := s.Clicks
	if c == nil {
		return
	}
	for _, d := range []struct {
		v  *float64
		to float64
	}{{&c.Margin, 0.1}, {&c.Model, 1}, {&c.Delay, 10}, {&c.LossClicks, 100}, {&c.LossShare, 0.1}} {
		if *d.v == 0 {
			*d.v = d.to
		}
	}
	c.Margin = math.Max(0, c.Margin)
}

func (s *Scenario) checkClicks(bad func(cond bool, format string, args ...any)) {
	bad(s.Billing != "" && s.Billing != BillingCPM && s.Billing != BillingCPC, "billing %q: %s or %s", s.Billing, BillingCPM, BillingCPC)
	bad((s.Billing == BillingCPC) != (s.Clicks != nil), "billing %s and clicks go together", BillingCPC)
	c := s.Clicks
	if c == nil {
		return
	}
	bad(!(c.Price > 0), "clicks.price %v: above 0", c.Price)
	bad(!(c.Margin < 1), "clicks.margin %v: below 1", c.Margin)
	bad(!(c.Model > 0), "clicks.model %v: above 0", c.Model)
	bad(!(c.Delay >= 0 && c.Delay <= secondsDay), "clicks.delay %v: seconds of a day", c.Delay)
	bad(!(c.LossShare >= 0), "clicks.loss_share %v: not below 0", c.LossShare)
	bad(s.Nodes != nil, "nodes share no campaign with billing %s here", BillingCPC)
	bad(s.Orders != nil, "orders are not drawn with billing %s", BillingCPC)
}

// bill is what a value is billed at; 0 where costs are billed.
func (s *Scenario) bill() float64 {
	if s.Clicks == nil {
		return 0
	}
	return 1 / (1 - s.Clicks.Margin)
}

// model is what an estimate is told as.
func (s *Scenario) model() float64 {
	if s.Clicks == nil {
		return 1
	}
	return s.Clicks.Model
}

// lost is what the platform has lost on the day, and what it may lose.
func (g *game) lost() (lost, may float64) {
	c, x := g.clicks, &g.charged
	if may = c.LossClicks*c.Price + c.LossShare*x.Paid; c.LossClicks < 0 {
		may = math.Inf(1)
	}
	return x.Media - x.Paid, may
}

// refuses tells whether the platform does not bid for what it has lost.
func (g *game) refuses() bool {
	if g.clicks == nil {
		return false
	}
	lost, may := g.lost()
	if lost <= may {
		return false
	}
	g.charged.Refused++
	return true
}

// shown has the platform pay for an impression, and draws its click.
func (g *game) shown(r *request, cost float64) {
	c, x := g.clicks, &g.charged
	x.Media += cost
	if lost, may := g.lost(); lost > x.Lost {
		x.Lost, x.May = lost, may
	}
	if g.fate.Float64() >= r.value/1000/(c.Price*(1-c.Margin)) {
		return
	}
	at := r.t + c.Delay*g.fate.ExpFloat64()
	second := min(int(at), secondsDay) // after midnight: the budget of the bid's day pays
	g.clicked[second] = append(g.clicked[second], at)
}

// charge bills the clicks of a second, as far as they fit the budget.
func (g *game) charge(second int) error {
	if g.clicks == nil {
		return nil
	}
	for _, t := range g.clicked[second] {
		x := &g.charged
		x.Clicks++
		if x.Paid+g.clicks.Price > g.budget {
			x.Beyond++
			continue
		}
		x.Paid += g.clicks.Price
		g.spend = x.Paid
		if second == secondsDay {
			continue // the pacer's day is over
		}
		if err := g.charger.Charge(t, g.clicks.Price); err != nil {
			return err
		}
	}
	g.clicked[second] = nil
	return nil
}

// String is the result as one line.
func (x *Charged) String() string {
	return fmt.Sprintf("%d clicks, %d of them beyond the budget: the shop paid %.2f, the exchanges got %.2f, the platform keeps %.2f (%.1f %%); it had lost %.2f at worst of %.2f that it may, %d bids were not made for it",
		x.Clicks, x.Beyond, x.Paid, x.Media, x.Paid-x.Media, 100*(1-x.Media/math.Max(x.Paid, 1e-9)), x.Lost, x.May, x.Refused)
}
