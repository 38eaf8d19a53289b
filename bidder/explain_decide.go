package bidder

import (
	"bytes"

	"github.com/grosz/grosz/events"
)

// decide lets the shadow bid, as the hot path would, and keeps what it would
// send. The answer is written a second time as if the request were a test, so
// that its tokens move no money wherever they end up.
func (e *explaining) decide() error {
	for _, m := range e.out.Reasons {
		if m.Rule == ReasonNotReady.String() || m.Rule == ReasonNoTime.String() {
			e.out.NoBid = m.Rule // these the shadow does not know
			return nil
		}
	}
	c, err := e.parsed()
	if err != nil {
		return err
	}
	if r := e.b.bid(c); r != ReasonNone {
		e.out.NoBid = r.String()
		return nil
	}
	c.view.Test = true
	if r := e.b.respond(c); r != ReasonNone { // other products, drawn anew, did not fit
		e.out.NoBid = r.String()
		return nil
	}
	e.out.Answer = bytes.Clone(c.out)
	for i := range c.bids {
		o := &c.bids[i]
		out := ExplainedBid{
			Imp: c.view.Imps[o.imp].ID, Index: o.imp, Media: events.MediaName(o.media), Campaign: e.snapshot.Campaigns[o.campaign].ID,
			Creative: o.creative.ID, Price: o.price, Currency: c.currency.String(), W: o.w, H: o.h,
		}
		if o.deal != nil {
			out.Deal = o.deal.ID
		}
		e.out.Bids = append(e.out.Bids, out)
		e.won(out)
	}
	return nil
}

// won marks the winner of an imp.
func (e *explaining) won(bid ExplainedBid) {
	for i := range e.out.Imps {
		x := &e.out.Imps[i]
		if x.Index != bid.Index || x.Media != bid.Media {
			continue
		}
		for k := range x.Campaigns {
			if x.Campaigns[k].ID == bid.Campaign {
				x.Campaigns[k].Outcome = OutcomeWins
			}
		}
	}
}

// finish says what became of the campaigns that did not win.
func (e *explaining) finish(x *ExplainedImp) {
	for k := range x.Campaigns {
		camp := &x.Campaigns[k]
		switch {
		case camp.Outcome == OutcomeWins:
		case len(camp.Failing) > 0:
			camp.Outcome = OutcomeFails
		case len(x.Reasons)+len(e.out.Reasons) > 0 || camp.Unexamined:
			camp.Outcome = OutcomeBlocked
		default:
			camp.Outcome = OutcomeOutranked
		}
	}
}
