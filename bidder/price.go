package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/internal/money"
)

// floor returns the least price that the bid must reach, in the bid's
// currency: the deal's where there is one, never the imp's beside it; else
// the video's for its duration, else the imp's (implementation guide § 7.11).
// ok is false when the floor's currency has no rate: no bid rather than a
// wrong one.
func (t *terms) floor(o *bid) (money.CPM, bool) {
	imp := t.imp
	if o.deal != nil {
		return t.inBidCurrency(o.deal.BidFloor, o.deal.BidFloorCur)
	}
	p := imp.BidFloor
	if o.creative.Video != nil {
		seconds := int32(o.creative.Video.DurationMS / 1000)
		for i := range imp.Video.DurFloors {
			d := &imp.Video.DurFloors[i]
			if seconds >= d.MinDur && (d.MaxDur == 0 || seconds <= d.MaxDur) {
				p = d.BidFloor
				break
			}
		}
	}
	return t.inBidCurrency(p, imp.BidFloorCur)
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
	if o.price < floor {
		return ReasonFloor
	}
	if v := &t.imp.Video; o.creative.Video != nil && v.MinCPMPerSec.Micro > 0 && o.deal == nil {
		perSecond, ok := t.inBidCurrency(v.MinCPMPerSec, t.imp.BidFloorCur)
		if !ok || int64(o.price) < int64(perSecond)*(o.creative.Video.DurationMS/1000) {
			return ReasonFloor
		}
	}
	if o.deal != nil && o.deal.At.Or(0) == 3 && floor > 0 {
		o.price = floor
	}
	return ReasonNone
}
