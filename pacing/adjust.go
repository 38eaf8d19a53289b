package pacing

import (
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Adjustment corrects what an earlier settlement booked.
type Adjustment struct {
	EventID  events.ID // the same one again changes nothing
	Campaign uint32
	Amount   money.Nano // in the shop's currency, fee included; below zero gives back
	Day      int32      // of the bid, in the shop's time zone
	BidMS    int64
	Lease    uint64 // of a billed click: what its bid was held out of; else 0
}

// adjustLaterMS is how much longer than a settlement an adjustment is
// remembered: exchanges correct a month when it is over. It exceeds the
// retention of the log, so that no reading of it adjusts twice.
const adjustLaterMS = 60 * dayMS

// Adjust applies an adjustment seen in the log, of whoever wrote it, and tells
// whether it is the first of its id. It moves the budget of the bid's day. An
// adjustment is never settled here first: it comes by the log alone.
func (b *Book) Adjust(a Adjustment) bool {
	return b.Fold(Settlement{BidID: a.EventID, Campaign: a.Campaign, Amount: a.Amount, Day: a.Day, BidMS: a.BidMS + adjustLaterMS, Lease: a.Lease})
}
