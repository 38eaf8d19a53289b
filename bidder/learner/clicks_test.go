package learner

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
)

// Where clicks are billed an order costs what its clicks did: the impression
// brings the orders that are expected of it, the bill the cost, whichever of
// bid and bill is read first.
func TestWhatClicksAreBilledIsTheCostOfOrders(t *testing.T) {
	l, err := New(Config{
		Brokers: []string{"127.0.0.1:1"}, Clock: clock.NewManual(start), Log: quiet, Trainer: learn.Config{GlobalBits: 8, ShopBits: 8, K: 3},
		Publish: func(context.Context, []value.Chunk) error { return nil },
	})
	require.NoError(t, err)
	l.control.SetTarget(10, 50*money.NanoUnit)
	features := string(value.AppendFeatures(nil, []value.Feature{value.Number(value.FieldDomain, 1)}, nil))
	event := func(n byte, typ events.Type) events.Event {
		return events.Event{Type: typ, TimeMS: start, BidMS: start, BidID: events.ID{n}, ShopID: 1, CampaignID: 10, ClickPrice: money.NanoUnit}
	}
	for n := byte(1); n <= 2; n++ {
		bid, shown, bill := event(n, events.TypeBid), event(n, events.TypeBilling), event(n, events.TypeAdjustment)
		bid.Features, bid.ClickPPB, bid.OrderPPB = features, 100_000_000, 500_000_000
		shown.Settles, shown.Amount = true, 5_000_000
		bill.Reason, bill.ShopAmount, bill.ShopFee = events.ReasonClick, money.NanoUnit, money.NanoUnit/10
		if n == 1 {
			l.bid(&bid)
		}
		l.event(&shown)
		l.event(&bill)
		if n == 2 {
			l.bid(&bid)
		}
	}
	correction := event(1, events.TypeAdjustment)
	correction.Reason, correction.Amount = events.ReasonReport, 3
	l.event(&correction)
	var cost, expected float64
	for _, h := range l.control.Save()[10].Hours {
		cost, expected = cost+h.Cost, expected+h.Expected
	}
	require.InDelta(t, 2.2*money.NanoUnit, cost, 1)
	require.InDelta(t, 0.1, expected, 1e-9)
}
