package bidder

import (
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// goal tells how the latest value of a campaign with goals came to be.
func (e *explaining) goal(campaign uint32) *ExplainedGoal {
	w, live := &e.c.learnt.worth, e.live.refusals.goalOf(campaign)
	out := &ExplainedGoal{
		PClick: w.Click, POrder: w.Order, OrderValue: money.Nano(w.OrderValue), Control: w.Control,
		Allows: map[string]money.CPM{}, Bound: w.Bound.String(), State: live.state(), Detail: live.detail(),
	}
	for l := campaigns.LimitCPM; l < campaigns.NumLimits; l++ {
		if w.Values[l] != campaigns.NoLimit {
			out.Allows[l.String()] = w.Values[l]
		}
	}
	if m := e.b.model.Load(); m != nil {
		out.Model = m.Version
	}
	return out
}
