package bidder

import (
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing"
)

// conflict records a settling notice that came again with another readable
// price than the one that stands: it moves nothing, but whoever reconciles
// must see it. The latest settlements of all nodes are known with their
// prices; of older ones a repetition is only counted.
func (b *Bidder) conflict(e *events.Event, settleOn uint8) {
	if events.SettleType(settleOn) != e.Type || e.Test {
		return
	}
	stands, known := b.repeats.price(e.EventID)
	if !known || stands == e.Price {
		return
	}
	b.recordConflict(e)
}

// recordConflict writes the conflict, best effort: what stands is durable
// already. Like rejections, so many a second are recorded and all are counted.
func (b *Bidder) recordConflict(e *events.Event) {
	if e.PriceStatus != events.PriceOK && e.PriceStatus != events.PriceAboveBid {
		return
	}
	id := events.ConflictID(e.BidID, e.Type, int64(e.Price))
	if b.repeats.has(id) {
		return
	}
	b.metrics.conflicts.Inc()
	if !b.conflicts.allow(b.clock.NowMS()) {
		return
	}
	c := *e
	c.EventID, c.Reason, c.Type = id, string(e.Type), events.TypeConflict
	c.Settles, c.Amount, c.ShopAmount, c.ShopFee, c.Disputed, c.Late = false, 0, 0, 0, 0, false
	if err := b.appendEvent(&c); err != nil {
		b.log.Debug("conflict not recorded", "err", err)
		return
	}
	b.repeats.add(id, e.Price)
}

// foldSettlement applies a settlement from the log, of whichever node. The
// first of a bid stands; of this node's own that came second another price is
// a conflict, for the node could not know when it took the notice.
func (b *Bidder) foldSettlement(e *events.Event) (first bool) {
	if b.book.Fold(b.settlementOf(e)) {
		b.frequency.Settled(e.User, e.BidID, e.ShopID, e.CampaignID, e.CreativeID, e.TimeMS)
		b.shown.Settled(e.User, e.ShopID, e.BidID, events.ProductsOf(e.Shows), e.TimeMS)
		b.repeats.add(e.EventID, e.Price)
		return true
	}
	if stands, known := b.repeats.price(e.EventID); known && stands != e.Price && e.Node == b.cfg.Node {
		b.recordConflict(e)
	}
	return false
}

// foldAdjustment applies a correction from the log to the budgets, once.
func (b *Bidder) foldAdjustment(e *events.Event) (first bool) {
	s := b.settlementOf(e)
	first = b.book.Adjust(pacing.Adjustment{EventID: e.EventID, Campaign: s.Campaign, Amount: s.Amount, Day: s.Day, BidMS: s.BidMS, Lease: s.Lease})
	if first && e.Reason == events.ReasonClick {
		b.repeats.add(e.EventID, 0) // a click of this bid elsewhere needs no other bill
	}
	return first
}
