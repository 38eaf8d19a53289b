package bidder

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/internal/money"
)

// goalCPM is what a campaign with goals bids for the impression, in the
// shop's currency. What each goal allows is left in c.learnt.worth.
func (b *Bidder) goalCPM(t *terms, campaign int32, orders bool) money.CPM {
	c := t.c
	camp := c.state.Snapshot.Campaigns[campaign]
	b.placement(t)
	w := &c.learnt.worth
	w.Click, w.Order, w.OrderValue, w.Control, w.Margin = 0, 0, 0, 0, b.clickMargin() // GoalCPM sets the rest
	if b.recallWorth(t, campaign, w) {
		return c.state.Snapshot.GoalCPM(campaign, c.matcher, w)
	}
	own := b.candidateFeatures(c, camp, t.media)
	switch l := &c.learnt; {
	case !orders:
		w.Click = l.chance(value.Click, campaign, camp, own)
	case l.known != nil:
		k := &l.known[campaign]
		p := l.score.Chances(camp.ShopID, k.shop, &k.calibration, own)
		w.Click, w.Order = p[value.Click], p[value.Order]
		if k.shop != nil {
			w.OrderValue, w.Control = float64(k.shop.OrderValue), float64(k.control)
		}
	default:
		w.Click, w.Order = l.chance(value.Click, campaign, camp, own), l.chance(value.Order, campaign, camp, own)
		if shop := l.score.Shop(camp.ShopID); shop != nil {
			w.OrderValue, w.Control = float64(shop.OrderValue), float64(shop.Control[camp.ID])
		}
	}
	if orders && w.OrderValue == 0 {
		w.OrderValue = float64(camp.Shop.Catalogue.MeanPrice())
	}
	return c.state.Snapshot.GoalCPM(campaign, c.matcher, w)
}

// goalCounts say how a campaign with goals fares: what it is asked about, and
// what became of it. They fade, so that they tell of the latest minutes.
type goalCounts struct {
	asked, low, bound, bids atomic.Uint32
	best, floor             atomic.Int64 // highest value and lowest floor that it met, micro-CPM of the bids
}

// What a campaign with goals may say of itself.
const (
	GoalIdle       = "no_matches"        // nothing that it targets is offered
	GoalBids       = "bidding"           // it bids
	GoalBelow      = "below_every_floor" // its value is below every floor seen
	GoalWorthless  = "no_value"          // no value can be told: no order value, or nothing is likely
	GoalHeld       = "held_otherwise"    // something else keeps it: pacing, budget, frequency, creatives
	goalAskedLeast = 20                  // matches from which on a state is told
	goalFadeEvery  = 60 * 20             // of housekeeping's rounds of 50 ms: a minute
)

// asks counts n times that a campaign's value was asked for, and was so high.
func (g *goalCounts) asks(v, floor money.CPM, n uint32) {
	g.asked.Add(n)
	switch {
	case v <= 0:
		g.bound.Add(n)
	case v < floor:
		g.low.Add(n)
	}
	if old := g.best.Load(); int64(v) > old {
		g.best.Store(int64(v)) // the last of two at once wins: it is told, not booked
	}
	if old := g.floor.Load(); floor > 0 && (old == 0 || int64(floor) < old) {
		g.floor.Store(int64(floor))
	}
}

// state says in a word how the campaign fares.
func (g *goalCounts) state() string {
	asked := g.asked.Load()
	switch {
	case g.bids.Load() > 0:
		return GoalBids
	case asked < goalAskedLeast:
		return GoalIdle
	case g.bound.Load() == asked:
		return GoalWorthless
	case g.bound.Load()+g.low.Load() >= asked:
		return GoalBelow
	}
	return GoalHeld
}

// detail says it in a sentence.
func (g *goalCounts) detail() string {
	best, floor := money.CPM(g.best.Load()), money.CPM(g.floor.Load())
	switch g.state() {
	case GoalBelow:
		return fmt.Sprintf("the goals allow at most %s CPM here, the lowest floor seen is %s: raise the goal, or narrow the targeting to people who buy", best, floor)
	case GoalWorthless:
		return "no value can be told: nothing is known of what an order is worth, or no order is likely"
	case GoalIdle:
		return "hardly anything that it targets was offered in the last minutes"
	case GoalHeld:
		return "its value suffices; pacing, budget, frequency or creatives keep it from bidding, or others are worth more"
	}
	return "it bids"
}

// fade halves the counts.
func (g *goalCounts) fade() {
	for _, n := range []*atomic.Uint32{&g.asked, &g.low, &g.bound, &g.bids} {
		n.Store(n.Load() / 2)
	}
	g.best.Store(g.best.Load() / 2)
	g.floor.Store(g.floor.Load() * 2)
}

// writeGoals writes the state of the live campaigns with goals or pacing.
func (s *State) writeGoals(w io.Writer) {
	for i, camp := range s.Snapshot.Campaigns {
		if g := s.goals[i]; g != nil {
			fmt.Fprintf(w, "grosz_goal_state{campaign=\"%d\",state=%q} 1\n", camp.ID, g.state())
		}
	}
}

func (s *State) fadeGoals() {
	for _, g := range s.goals {
		if g != nil {
			g.fade()
		}
	}
}
