package bidder

import (
	"fmt"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/pacing"
)

// lend puts leases into the campaign's wallet of the shadow.
func (s *shadow) lend(campaign uint32, leases []pacing.Lent, poor bool) {
	wallet := s.b.book.Account(campaign).Wallet()
	for _, l := range leases {
		wallet.Grant(l.Lease, l.Left, l.Day, l.UntilMS)
	}
	wallet.SetPoor(poor)
}

// lendAs makes the shadow's wallet what the live bidder's is.
func (s *shadow) lendAs(live *Bidder, campaign uint32) {
	wallet := live.book.Account(campaign).Wallet()
	s.lend(campaign, wallet.Lent(), wallet.Poor())
	s.b.book.Account(campaign).Wallet().SetCostly(wallet.Costly())
}

// leased tells whether the node has leased enough for the campaign's bid,
// taking nothing.
func (e *explaining) leased(camp *campaigns.CompiledCampaign, out *ExplainedCampaign, day int32) {
	wallet := e.b.book.Account(camp.ID).Wallet()
	if e.b.leases == nil || !limited(camp) || e.c.view.Test || wallet.Left(day, e.c.nowMS, max(out.Budget.Hold, 1)) > 0 {
		return
	}
	m := Miss{Rule: ReasonLease.String(), Detail: fmt.Sprintf("an impression takes %v %s, no lease of this node has as much left", out.Budget.Hold, camp.Shop.Currency)}
	if wallet.Poor() {
		m.Rule, m.Detail = ReasonBalance.String(), "the shop's balance and credit are used up, or lent already"
	}
	out.Failing = append(out.Failing, m)
}
