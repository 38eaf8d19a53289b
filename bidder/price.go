package bidder

import (
	"math"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/internal/money"
)

// floor returns the least price that the bid must reach, in the bid's
// currency: the deal's where there is one, never the imp's beside it, else the
// imp's; before either the one for the video's duration (implementation guide § 7.11).
// ok is false when the floor's currency has no rate: no bid rather than a
// wrong one. A video's least price per second (mincpmpersec) is a floor too.
func (t *terms) floor(o *bid) (money.CPM, bool) {
	p, code, byDuration := t.imp.BidFloor, t.imp.BidFloorCur, t.imp.Video.DurFloors
	if o.deal != nil {
		p, code, byDuration = o.deal.BidFloor, o.deal.BidFloorCur, o.deal.DurFloors
	}
	seconds := o.seconds()
	for i := range byDuration {
		d := &byDuration[i]
		if seconds > 0 && seconds >= d.MinDur && (d.MaxDur == 0 || seconds <= d.MaxDur) {
			p = d.BidFloor
			break
		}
	}
	floor, ok := t.inBidCurrency(p, code)
	if !ok || seconds == 0 {
		return floor, ok
	}
	perSecond := t.imp.Video.MinCPMPerSec
	if o.deal != nil {
		perSecond = o.deal.MinCPMPerSec
	}
	least, ok := t.inBidCurrency(perSecond, code)
	if least > math.MaxInt64/money.CPM(seconds) {
		return math.MaxInt64, ok
	}
	return max(floor, least*money.CPM(seconds)), ok
}

// leastFloor is what every bid for this impression must reach at least,
// whatever its lane and its creative: the lowest of the imp's floor and the
// deals', those by duration too. 0 where that cannot be said.
func (t *terms) leastFloor() money.CPM {
	least, ok := t.inBidCurrency(t.imp.BidFloor, t.imp.BidFloorCur)
	if !ok || t.imp.PMP.Private == openrtb.Yes { // the imp's own is not asked for where only deals are
		return 0
	}
	lower := func(p openrtb.Price, code string) {
		if floor, ok := t.inBidCurrency(p, code); !ok {
			least = 0
		} else {
			least = min(least, floor)
		}
	}
	for i := range t.imp.Video.DurFloors {
		lower(t.imp.Video.DurFloors[i].BidFloor, t.imp.BidFloorCur)
	}
	for i := range t.imp.PMP.Deals {
		d := &t.imp.PMP.Deals[i]
		lower(d.BidFloor, d.BidFloorCur)
		for k := range d.DurFloors {
			lower(d.DurFloors[k].BidFloor, d.BidFloorCur)
		}
	}
	return least
}

// seconds is the length of the bid's video, 0 where it has none.
func (o *bid) seconds() int32 {
	if o.creative == nil || o.creative.Video == nil {
		return 0
	}
	return videoSeconds(o.creative.Video.DurationMS)
}

func (t *terms) inBidCurrency(p openrtb.Price, code string) (money.CPM, bool) {
	if !p.Set || p.Micro <= 0 {
		return 0, !p.Odd || p.Set
	}
	cur := usd
	if code != "" {
		var err error
		if cur, err = money.ParseCurrency(code); err != nil {
			return 0, false
		}
	}
	rate, ok := t.c.state.Rates.Rate(cur, t.c.currency)
	return money.CPM(p.Micro).ConvertUp(rate), ok
}

// price sets what is bid. In a second-price auction the truth is the best
// bid; a fixed-price deal (deal.at 3) is bid at its price.
func (t *terms) price(o *bid) NoBidReason {
	floor, ok := t.floor(o)
	if !ok {
		return ReasonCurrency
	}
	if cut := t.c.exchange.roundBid(o.price); cut != o.price {
		if o.price = cut; cut == 0 {
			return ReasonNoPrice
		}
	}
	if o.price < floor {
		return ReasonFloor
	}
	if o.deal != nil && o.deal.At.Or(0) == 3 && floor > 0 {
		o.price = floor
	}
	t.shade(o, floor)
	return ReasonNone
}
