package bidder

import (
	"math"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// A campaign that is billed by clicks pays nothing for its impressions: the
// platform does, and bids what their clicks are likely to bring, less its
// margin. The first valid click of a bid is billed, by an adjustment whose id
// follows from the bid: nodes that take the same click, a click again and the
// log read again all bill it once. Whether it fits the budget the ledger says.

// clickMargin is the part as a factor.
func (b *Bidder) clickMargin() float64 { return float64(b.cfg.ClickMarginBPS) / 10_000 }

// appendClick makes a click durable and, in one entry of the spool, its bill,
// if there is one: no crash leaves a click that was taken without its bill.
func (b *Bidder) appendClick(e *events.Event, tok *events.Token) error {
	if tok.ClickPrice <= 0 || tok.Test || e.Reason != "" {
		return b.appendEvent(e)
	}
	bill := b.eventOf(tok, events.TypeAdjustment, e.TimeMS)
	bill.EventID, bill.Reason, bill.Product = events.ClickBillID(tok.BidID), events.ReasonClick, e.Product
	if b.repeats.has(bill.EventID) {
		return b.appendEvent(e)
	}
	bill.ShopAmount = tok.ClickPrice
	bill.ShopFee = money.Fee{BPS: int64(tok.ClickFeeBPS)}.Of(bill.ShopAmount)
	if err := b.appendAll(e, &bill); err != nil {
		return err
	}
	b.repeats.add(bill.EventID, 0)
	b.metrics.clicksBilled.Inc()
	return nil
}

// clickTerms puts into a bid's token what its click is billed at. A fee of so
// much a thousand impressions is for impressions that are billed: here the
// platform earns its margin.
func clickTerms(tok *events.Token, camp *campaigns.CompiledCampaign) {
	if tok.ClickPrice = camp.ClickPrice(); tok.ClickPrice > 0 {
		tok.ClickFeeBPS = uint32(tok.Fee().Share().BPS)
	}
}

// clickChance is how likely the impression is clicked.
func (b *Bidder) clickChance(t *terms, campaign int32) float64 {
	var w campaigns.Worth
	if b.recallWorth(t, campaign, &w) {
		return w.Click
	}
	c := t.c
	b.placement(t)
	camp := c.state.Snapshot.Campaigns[campaign]
	return c.learnt.chance(value.Click, campaign, camp, b.candidateFeatures(c, camp, t.media))
}

// clickHold is what a bid holds whose click is billed: what it will probably
// bill with the fee, at least what it may cost the platform.
func clickHold(camp *campaigns.CompiledCampaign, pClick float64, media money.Nano) money.Nano {
	likely := math.Ceil(pClick * float64(camp.ClickBill(camp.Shop.Fee())))
	if likely > 0 {
		return max(media, money.Nano(min(likely, 2*float64(camp.ClickPrice())))) // no fee is more than the price
	}
	return media
}
