package bidder

import (
	"strings"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// An imp has lanes: open_bids of them beside the deals, and one per deal.
// A campaign bids in one of them.

// deal picks the lane of a bid whose creative is chosen; o.deal stays nil in
// an open one. In a private auction only a deal will do. So it will for a
// campaign that matches because of a deal: it bids in that one. Any other
// campaign takes a deal that asks no more than the open auction does. Of
// several deals the one with the lowest floor is taken, of alike ones the
// first.
func (t *terms) deal(camp *campaigns.CompiledCampaign, o *bid) NoBidReason {
	pmp := &t.imp.PMP
	private := pmp.Private == openrtb.Yes
	if len(pmp.Deals) == 0 {
		return t.openLane(private)
	}
	bound := namesDeals(camp) && !t.matchesIn(o.campaign, "")
	var best *openrtb.Deal
	var lowest money.CPM
	for i := range pmp.Deals {
		d := &pmp.Deals[i]
		if !t.dealTakes(camp, d) || t.laneTaken(d) {
			continue
		}
		o.deal = d
		floor, ok := t.floor(o)
		o.deal = nil
		if !ok || o.price < floor || (bound && !t.matchesIn(o.campaign, d.ID)) {
			continue
		}
		if best == nil || floor < lowest {
			best, lowest = d, floor
		}
	}
	if private || bound {
		if o.deal = best; best == nil {
			return ReasonDealOnly
		}
		return ReasonNone
	}
	r := t.openLane(false)
	if best != nil {
		if open, ok := t.floor(o); r != ReasonNone || !ok || lowest <= open {
			o.deal = best
			return ReasonNone
		}
	}
	return r
}

// namesDeals tells whether a campaign's targeting may ask for deals; a wrong
// yes costs a look, no more.
func namesDeals(camp *campaigns.CompiledCampaign) bool {
	return strings.Contains(camp.Targeting, "deal")
}

// dealTakes tells whether a deal is for us and for this advertiser.
func (t *terms) dealTakes(camp *campaigns.CompiledCampaign, d *openrtb.Deal) bool {
	if d.ID == "" || (len(d.WSeat) > 0 && seatRefused(d.WSeat, nil, t.c.exchange.seat)) {
		return false
	}
	return len(d.WADomain) == 0 || domainIn(camp.Shop.Domain, d.WADomain)
}

// domainIn tells whether a list names this very domain: who may bid in a deal
// is compared with adomain as it stands.
func domainIn(domain string, list []string) bool {
	for _, d := range list {
		if strings.EqualFold(cleanDomain(domain), cleanDomain(d)) {
			return true
		}
	}
	return false
}

// matchesIn tells whether the campaign's targeting holds if the imp had this
// deal alone, or none.
func (t *terms) matchesIn(campaign int32, deal string) bool {
	f := &t.c.facts
	all := f.Deals
	f.Deals = t.c.oneDeal[:0]
	f.AddDeal(deal)
	ok := t.c.state.Snapshot.Holds(f, t.c.matcher, campaign)
	f.Deals = all
	return ok
}

// laneTaken tells whether the imp has a bid in the deal.
func (t *terms) laneTaken(d *openrtb.Deal) bool {
	for i := range t.c.bids {
		if o := &t.c.bids[i]; o.imp == t.index && o.deal == d {
			return true
		}
	}
	return false
}

// openLane tells whether there is a place beside the deals.
func (t *terms) openLane(private bool) NoBidReason {
	if private {
		return ReasonDealOnly
	}
	n := 0
	for i := range t.c.bids {
		if o := &t.c.bids[i]; o.imp == t.index && o.deal == nil {
			n++
		}
	}
	if n >= t.c.exchange.openBids {
		return ReasonOutranked
	}
	return ReasonNone
}

// lanesLeft tells whether the imp can take another bid.
func (t *terms) lanesLeft() bool {
	if t.openLane(t.imp.PMP.Private == openrtb.Yes) == ReasonNone {
		return true
	}
	for i := range t.imp.PMP.Deals {
		if d := &t.imp.PMP.Deals[i]; d.ID != "" && !t.laneTaken(d) {
			return true
		}
	}
	return false
}

// hasCampaign tells whether the imp has a bid of the campaign.
func (t *terms) hasCampaign(campaign int32) bool {
	for i := range t.c.bids {
		if o := &t.c.bids[i]; o.imp == t.index && o.campaign == campaign {
			return true
		}
	}
	return false
}
