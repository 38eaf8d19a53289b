package bidder

import (
	"sync"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
)

// settle makes a verified notice durable and moves this node's estimate of
// the budget. Which of several settling events counts is decided by the log,
// by the bid's id; here a repeated one only changes nothing.
func (b *Bidder) settle(e *events.Event, tok *events.Token) error {
	audit := e.PriceStatus == events.PriceAudit
	e.Settles = events.SettleType(tok.SettleOn) == e.Type && !tok.Test && !audit
	e.Test = tok.Test || audit
	if e.Settles {
		bookAmounts(e, tok)
		e.Shows = tok.Products.Text()
		e.Late = !b.book.Open(tok.BidID) && !b.book.Settled(tok.BidID, tok.BidMS)
	}
	if err := b.appendEvent(e); err != nil {
		return err
	}
	b.heard(e)
	switch {
	case e.Settles:
		b.book.Settle(pacing.Settlement{
			BidID: tok.BidID, Campaign: tok.CampaignID, Amount: money.Add(e.ShopAmount, e.ShopFee),
			Day: e.BidDay, BidMS: tok.BidMS, Lease: tok.Lease, AtMS: e.TimeMS,
		})
	case e.Type == events.TypeLoss:
		b.book.Release(tok.BidID)
		b.frequency.Close(tok.User, tok.BidID)
		b.shown.Close(tok.User, tok.BidID)
	case e.Type == events.TypeWin && e.PriceStatus == events.PriceOK && tok.ClickPrice == 0:
		b.book.Reprice(tok.BidID, gross(e.Price.PerImpression(), tok.Rate, tok.Fee()))
	}
	return nil
}

// bookAmounts works out what a settling event costs: the reported price, at
// most the bid; what is above goes to dispute, never to the shop. A price
// that cannot be read is booked at the bid. Where the click is billed all of it
// is the platform's.
func bookAmounts(e *events.Event, tok *events.Token) {
	price := e.Price
	switch e.PriceStatus {
	case events.PriceOK:
	case events.PriceAboveBid:
		e.Disputed = (e.Price - tok.Price).PerImpression()
		price = tok.Price
	default:
		price = tok.Price
	}
	e.Amount = price.PerImpression()
	if tok.ClickPrice > 0 {
		return // the shop pays for the click
	}
	e.ShopAmount = e.Amount.Convert(tok.Rate)
	e.ShopFee, e.FeeCPM = tok.Fee().Of(e.ShopAmount), tok.FeeCPM
}

// bidDay is the shop's day on which the bid was made: its budget pays.
func (b *Bidder) bidDay(tok *events.Token) int32 {
	return b.days.at(b.location(tok.ShopID), tok.BidMS).number
}

// lines are buffers for one event's JSON on its way to the spool.
var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// appendEvent makes e durable in this node's spool, keyed by the shop.
func (b *Bidder) appendEvent(e *events.Event) error {
	buf := lines.Get().(*[]byte)
	*buf = e.AppendJSON((*buf)[:0])
	err := b.spool.Append(spool.Record{Topic: kafka.SpoolEvents, Key: events.ShopKey(e.ShopID), Value: *buf})
	lines.Put(buf)
	return err
}

// appendAll makes events durable, all or none, in their order and with one
// fsync: they are of one entry of the spool.
func (b *Bidder) appendAll(es ...*events.Event) error {
	recs := make([]spool.Record, len(es))
	for i, e := range es {
		recs[i] = spool.Record{Topic: kafka.SpoolEvents, Key: events.ShopKey(e.ShopID), Value: e.AppendJSON(nil)}
	}
	return b.spool.Append(recs...)
}
