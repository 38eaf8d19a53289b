package bidder

import (
	"time"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// bid answers the request that c.view holds: the stages in order. It leaves
// the response in c.out, or says why there is none.
func (b *Bidder) bid(c *bidContext) NoBidReason {
	if r := b.accept(c); r != ReasonNone {
		return r
	}
	b.describeRequest(c)
	c.countRequest()
	b.noteSeen(c)
	b.readFloors(c)
	last := ReasonNoImp
	for i := range c.view.Imps {
		if c.expired() {
			b.gate.late.Add(1)
			last = ReasonNoTime
			break
		}
		if r := b.bidImp(c, i); r != ReasonNone {
			last = r
			c.exchange.counters.reasons[r].Add(1)
		}
	}
	if len(c.bids) == 0 {
		return last
	}
	if c.expired() {
		return b.tooLate(c)
	}
	if r := b.respond(c); r != ReasonNone {
		return r
	}
	if c.expired() { // rendering takes its time too
		return b.tooLate(c)
	}
	b.record(c)
	return ReasonNone
}

// tooLate lets the bids go: an answer past the deadline is lost, and a
// bidder that sends many is throttled.
func (b *Bidder) tooLate(c *bidContext) NoBidReason {
	b.letGo(c)
	b.gate.late.Add(1)
	return ReasonNoTime
}

// accept checks what concerns the request as a whole.
func (b *Bidder) accept(c *bidContext) NoBidReason {
	v, x := &c.view, c.exchange
	c.deadline = x.timeout
	if v.TMax > 0 {
		c.deadline = min(c.deadline, time.Duration(v.TMax)*time.Millisecond)
	}
	c.deadline -= x.network // the round trip and a margin
	switch {
	case len(v.Imps) == 0:
		return ReasonNoImp
	case v.DOOH.Present:
		return ReasonDOOH
	case v.Truncated != 0:
		return ReasonBlockListCut // a block list that was cut cannot be honoured
	case c.expired():
		return ReasonNoTime
	case seatRefused(v.WSeat, v.BSeat, x.seat):
		return ReasonSeat
	}
	switch b.trafficOf(v) {
	case traffic.Crawler:
		return ReasonCrawler
	case traffic.DataCentre:
		return ReasonDataCentre
	}
	c.at, c.browser = v.At.Or(x.at), browserOfRequest(v)
	if !c.pickCurrency() {
		return ReasonCurrency
	}
	b.decideBasis(c)
	return ReasonNone
}

// trafficOf tells a crawler or a data centre by the device's user agent and
// addresses.
func (b *Bidder) trafficOf(v *openrtb.Request) traffic.Reason {
	r := b.traffic.Check(v.Device.UA, v.Device.IP)
	if r == traffic.None && v.Device.IPv6 != "" {
		r = b.traffic.Check("", v.Device.IPv6)
	}
	return r
}

// decideBasis reads the privacy signals. Without a basis nobody is looked for.
func (b *Bidder) decideBasis(c *bidContext) {
	v, x := &c.view, c.exchange
	if r := b.recalled; r != nil {
		c.basis = r.basis
		if c.basis.Profile || c.basis.Identify {
			c.user = r.user
		}
		return
	}
	sig := privacy.Signals{
		COPPA: v.Regs.COPPA, GDPR: v.Regs.GDPR, GPC: v.Regs.GPC, Lmt: v.Device.Lmt, DNT: v.Device.DNT,
		Consent: v.User.Consent, USPrivacy: v.Regs.USPrivacy, GPP: v.Regs.GPP, GPPSID: v.Regs.GPPSID,
	}
	c.basis = privacy.Decide(&sig, &x.privacy, c.nowMS)
	x.counters.privacy[c.basis.ProfileWhy].Add(1)
	if c.basis.Profile || c.basis.Identify {
		var optedOut bool
		if c.user, optedOut = b.people.user(x.Name, v, c.nowMS); optedOut {
			c.user, c.basis = segments.UserKey{}, privacy.Basis{}
		}
	}
}

func seatRefused(wseat, bseat []string, seat string) bool {
	for _, s := range bseat {
		if s == seat && s != "" {
			return true
		}
	}
	if len(wseat) == 0 {
		return false
	}
	for _, s := range wseat {
		if s == seat {
			return false
		}
	}
	return true
}

// bidImp puts the best bids for one imp into c.bids, with their holds: as many
// as it has lanes.
func (b *Bidder) bidImp(c *bidContext, i int) NoBidReason {
	imp := &c.view.Imps[i]
	if imp.Multiplier != 0 && imp.Multiplier != 1_000_000 {
		return ReasonMultiplier // one bid for many impressions comes with DOOH
	}
	if duplicateImp(c, i) {
		return ReasonMalformed
	}
	claims := len(c.claims)
	if r := b.claimImp(c, i); r != ReasonNone {
		return r
	}
	last, before := ReasonMediaNotTaken, len(c.bids)
	for media := events.MediaBanner; media <= events.MediaNative; media++ {
		if !offered(imp, media) || !c.exchange.media[media] {
			continue
		}
		t := terms{c: c, imp: imp, index: i, media: media}
		if r := b.bidMedia(&t); r != ReasonNone {
			last = r
		} else if !t.lanesLeft() {
			break
		}
	}
	if len(c.bids) > before {
		return ReasonNone
	}
	b.unclaim(c, claims)
	return last
}

// moreTries bounds how many campaigns are tried for the lanes that a bid has
// left.
const moreTries = 32

// bidMedia looks for the best campaigns for one media type of an imp: all that
// match, dearest first, until its lanes are filled.
func (b *Bidder) bidMedia(t *terms) NoBidReason {
	c := t.c
	if r := t.open(); r != ReasonNone {
		return r
	}
	b.describeImp(c, t.index, t.media)
	c.learnt.ready = false
	if r := b.value(t, c.matches()); len(c.candidates) == 0 {
		if r != ReasonFloor && c.floors.tops != nil && c.matcher.MatchBelow() {
			return ReasonFloor
		}
		return r
	}
	last, tries := ReasonOutranked, len(c.candidates)
	for ; tries > 0 && len(c.candidates) > 0; tries-- {
		best := c.takeBest()
		if t.hasCampaign(best.campaign) {
			continue
		}
		out, r := b.offer(t, best)
		if r == ReasonNone {
			b.predicted(t, &out)
			b.awaits(t, &out)
			c.bids = append(c.bids, out)
			last = ReasonNone
			if !t.lanesLeft() {
				break
			}
			tries = min(tries, moreTries+1)
			continue
		}
		c.exchange.counters.filtered[r].Add(1)
		b.campaignRefused(c.state, c.exchange, best.campaign, r, 1)
		if last != ReasonNone {
			last = r
		}
	}
	return last
}

// matches asks the index: at the first impression of a request about all, at
// the others about what differs. Who cannot reach any of its floors may be
// passed over.
func (c *bidContext) matches() []int32 {
	again, s, f := c.matched, c.state.Snapshot, &c.floors
	c.matched = true
	switch {
	case f.tops != nil && again:
		return s.RematchAbove(&c.facts, c.matcher, f.tops, f.low)
	case f.tops != nil:
		return s.MatchAbove(&c.facts, c.matcher, f.tops, f.low)
	case again:
		return s.Rematch(&c.facts, c.matcher)
	}
	return s.Match(&c.facts, c.matcher)
}

// offer turns a candidate into a bid with a hold, or says why not.
func (b *Bidder) offer(t *terms, cand candidate) (bid, NoBidReason) {
	out, r := t.filter(cand)
	if r != ReasonNone {
		return bid{}, r
	}
	if r := t.price(&out); r != ReasonNone {
		return bid{}, r
	}
	if r := b.pace(t, &out); r != ReasonNone {
		return bid{}, r
	}
	if heldOut(t.c.state.Snapshot.Campaigns[out.campaign], out.user) {
		b.ghost(t, &out)
		return bid{}, ReasonHoldout
	}
	return out, ReasonNone
}

// duplicateImp tells whether an earlier imp has the same id: an answer could
// not say which one it means.
func duplicateImp(c *bidContext, i int) bool {
	for j := range i {
		if c.view.Imps[j].ID == c.view.Imps[i].ID {
			return true
		}
	}
	return c.view.Imps[i].ID == ""
}

// release returns what a bid that will not be sent has taken.
func (b *Bidder) release(o *bid) {
	b.book.Release(o.id)
	b.frequency.Close(o.user, o.id)
	b.shown.Close(o.user, o.id)
	if !b.shadowed {
		b.outcomes.forget(o.id)
	}
}

// letGo returns the holds of bids that will not be sent.
func (b *Bidder) letGo(c *bidContext) {
	for i := range c.bids {
		b.release(&c.bids[i])
	}
	c.bids = c.bids[:0]
	b.unclaim(c, 0)
}

// record passes the bids to the log, off the hot path.
func (b *Bidder) record(c *bidContext) {
	for i := range c.bids {
		b.logBid(c, &c.bids[i], events.TypeBid)
	}
}

// logBid records a bid, or one that was not sent.
func (b *Bidder) logBid(c *bidContext, o *bid, typ events.Type) {
	camp := c.state.Snapshot.Campaigns[o.campaign]
	imp := &c.view.Imps[o.imp]
	c.event = events.Event{
		EventID: events.EventID(o.id, typ, 0), Type: typ,
		TimeMS: c.nowMS, BidMS: c.nowMS, Day: b.days.at(camp.Shop.Location, c.nowMS).text, BidID: o.id,
		ShopID: camp.ShopID, CampaignID: camp.ID, CreativeID: o.creative.ID,
		Exchange: c.exchange.Name, Media: events.MediaName(o.media), User: o.user,
		BidPrice: o.price, Currency: c.currency, ShopCurrency: camp.Shop.Currency, Rate: o.rate,
		Test: c.view.Test, Node: b.cfg.Node, RequestID: clip(c.view.ID, 64), ImpID: clip(imp.ID, 64),
		Domain: clip(c.place(), 128), Device: c.facts.Device, Browser: events.BrowserName(c.browser), Country: clip(c.facts.Country, 3), W: o.w, H: o.h,
		Features: view(c.learnt.text[o.features.from:o.features.to]), ClickPPB: int64(o.click * 1e9), OrderPPB: int64(o.order * 1e9),
		Segments: c.inSegments(camp.Shop),
	}
	c.event.ClickPrice = camp.ClickPrice()
	if camp.HoldoutBPS > 0 {
		c.event.WinPPB = b.predictedWin(c, o)
	}
	b.bidLog.Put(&c.event)
	c.event = events.Event{} // it held views of the request
}

// place is where the ad is to stand: the app, else the site.
func (c *bidContext) place() string {
	if c.facts.Bundle != "" {
		return c.facts.Bundle
	}
	return c.facts.Domain
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// profile returns the user's profile at a shop, nil for a stranger.
func (c *bidContext) profile(shop uint32) *segments.Profile {
	for i := range c.facts.Profiles {
		if c.facts.Profiles[i].Shop == shop {
			return &c.facts.Profiles[i].Profile
		}
	}
	return nil
}
