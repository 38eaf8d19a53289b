package learn

import (
	"math"

	"github.com/grosz/grosz/bidder/value"
)

// Control brings the average cost of an order to a campaign's target. In a
// second-price auction a win costs less than its value, so bidding the target
// itself leaves orders unbought, and a model that is off makes them too dear.
// Both show in the log: what the orders that were expected of won impressions
// cost, and how many of them came.
//
//	cost per order(k) = cost ÷ expected orders, lately
//	                    ÷ (orders that came ÷ expected orders that should have, by their age)
//
// The multiplier k moves towards the target each hour. One goroutine uses a
// Control.
type Control struct {
	matured   func(ageMS int64) float64
	campaigns map[uint32]*Steered
}

// Steered is what is known of one campaign, by hour of the impression.
type Steered struct {
	Target float64 // cost of an order, nano-units
	K      float64
	StepMS int64 // when k moved last
	Hours  [controlHours]SteeredHour
}

// SteeredHour is what was bought in an hour, and the orders that followed.
type SteeredHour struct {
	Hour                   int64 // since 1970
	Cost, Expected, Orders float64
}

const (
	controlHours    = 30 * 24
	controlHalfLife = 14.0 // days that orders are remembered for half
	controlRecent   = 6    // hours whose costs count
	controlPrior    = 20.0 // orders as expected, before any
	controlGain     = 0.5
	controlMakeUp   = 0.08 // most that is aimed beside the target, to make up
	controlStep     = 1.25 // most that k changes in an hour
	// MaxControlled bounds the campaigns that are steered.
	MaxControlled = 10_000
)

// NewControl returns a Control that steers nothing yet. matured is the share
// of orders that have come at an age in ms.
func NewControl(matured func(ageMS int64) float64) *Control {
	return &Control{matured: matured, campaigns: make(map[uint32]*Steered)}
}

// SetTarget tells what a campaign's orders are to cost, nano-units of its
// shop's currency; 0 ends its steering.
func (c *Control) SetTarget(campaign uint32, target float64) {
	s := c.campaigns[campaign]
	switch {
	case target <= 0:
		delete(c.campaigns, campaign)
	case s != nil:
		s.Target = target
	case len(c.campaigns) < MaxControlled:
		c.campaigns[campaign] = &Steered{Target: target, K: 1}
	}
}

// Won notes what an impression cost, nano-units, and the orders that were
// expected of it.
func (c *Control) Won(campaign uint32, atMS int64, cost, expected float64) {
	if s := c.campaigns[campaign]; s != nil {
		if h := s.hour(atMS); h != nil {
			h.Cost += cost
			h.Expected += expected
		}
	}
}

// Ordered notes n orders, or takes −n back, of clicks at a time.
func (c *Control) Ordered(campaign uint32, clickMS int64, n float64) {
	if s := c.campaigns[campaign]; s != nil {
		if h := s.hour(clickMS); h != nil {
			h.Orders += n
		}
	}
}

func (s *Steered) hour(atMS int64) *SteeredHour {
	n := atMS / hourMS
	h := &s.Hours[uint64(n)%controlHours]
	if h.Hour < n {
		*h = SteeredHour{Hour: n}
	}
	if h.Hour != n {
		return nil // older than all that is remembered
	}
	return h
}

// Advance lets time pass: once an hour each multiplier moves.
func (c *Control) Advance(nowMS int64) {
	for _, s := range c.campaigns {
		if s.StepMS == 0 {
			s.StepMS = nowMS
		}
		if nowMS-s.StepMS >= hourMS {
			s.StepMS = nowMS
			s.step(nowMS, c.matured)
		}
	}
}

func (s *Steered) step(nowMS int64, matured func(int64) float64) {
	var cost, expected, orders, due, spent, all float64
	for i := range s.Hours {
		h := &s.Hours[i]
		age := nowMS - h.Hour*hourMS - hourMS/2
		if h.Hour == 0 || age < 0 || h.Expected+h.Orders == 0 {
			continue
		}
		w := math.Exp2(-float64(age) / dayMS / controlHalfLife)
		orders += w * h.Orders
		due += w * h.Expected * matured(age)
		spent += w * h.Cost
		all += w * h.Expected
		if age < controlRecent*hourMS {
			recent := math.Exp2(-float64(age) / hourMS)
			cost += recent * h.Cost
			expected += recent * h.Expected
		}
	}
	if expected <= 0 || cost <= 0 {
		return // nothing is bought: nothing tells that k is wrong
	}
	truth := (max(orders, 0) + controlPrior) / (due + controlPrior)
	// What orders cost so far, those still to come included, is made up for a
	// little: the target is an average.
	aim := s.Target
	if so := spent / (all * truth); so > 0 {
		aim *= min(max(s.Target/so, 1-controlMakeUp), 1+controlMakeUp)
	}
	ratio := aim / (cost / expected / truth)
	move := math.Pow(ratio, controlGain)
	s.K = min(max(s.K*min(max(move, 1/controlStep), controlStep), value.MinControl), value.MaxControl)
}

// Multiplier of a campaign; 1 where it is not steered.
func (c *Control) Multiplier(campaign uint32) float64 {
	if s := c.campaigns[campaign]; s != nil {
		return s.K
	}
	return 1
}

// Save returns what is known, for the owner to store.
func (c *Control) Save() map[uint32]*Steered { return c.campaigns }

// Restore takes back what Save returned.
func (c *Control) Restore(m map[uint32]*Steered) {
	if m != nil {
		c.campaigns = m
	}
}

// Each calls f for every campaign that is steered, in no order.
func (c *Control) Each(f func(campaign uint32, k float64)) {
	for id, s := range c.campaigns {
		f(id, s.K)
	}
}
