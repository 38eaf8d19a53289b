package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/reconcile"
)

// creditedBooks are an exchange's bids with what reports and credits did to
// them: a fold of what was booked, each event id once.
type creditedBooks struct {
	entries map[events.ID]*reconcile.Entry
	seen    map[events.ID]bool
}

func (b *creditedBooks) Entries(context.Context, []events.ID) (map[events.ID]*reconcile.Entry, error) {
	out := make(map[events.ID]*reconcile.Entry)
	for id, e := range b.entries {
		c := *e
		out[id] = &c
	}
	return out, nil
}

func (b *creditedBooks) ByRequest(context.Context, string, []string) (map[[2]string][]events.ID, error) {
	return nil, nil
}

func (b *creditedBooks) EachSettled(context.Context, string, int64, int64, func(events.ID, money.Nano, money.Currency) error) error {
	return nil
}

func (b *creditedBooks) fold(list []events.Event) {
	for i := range list {
		e := &list[i]
		if b.seen[e.EventID] {
			continue
		}
		b.seen[e.EventID] = true
		at, credit := b.entries[e.BidID], events.IsClawback(e.Reason)
		to := &at.Correction
		if credit {
			to = &at.Credit
			at.CreditedRefs = append(at.CreditedRefs, e.Raw)
		} else {
			at.Corrections++
		}
		to.Amount, to.Shop, to.Fee = to.Amount+e.Amount, to.Shop+e.ShopAmount, to.Fee+e.ShopFee
	}
}

// TestReportsAndCreditsInAnyOrder: whatever an exchange reports and credits in
// whatever order, no bid ever costs less than nothing, in no currency and no
// fee; one that is credited whole costs nothing at all; and nothing is booked
// by what is repeated.
func TestReportsAndCreditsInAnyOrder(t *testing.T) {
	usd, pln := money.MustCurrency("USD"), money.MustCurrency("PLN")
	rapid.Check(t, func(t *rapid.T) {
		b := &creditedBooks{map[events.ID]*reconcile.Entry{}, map[events.ID]bool{}}
		var ids []events.ID
		for n := range 3 {
			amount := money.Nano(rapid.Int64Range(1, 3_000_000).Draw(t, "bid"))
			rate := money.Rate(rapid.Int64Range(1_000_000, 5_000_000_000).Draw(t, "rate"))
			shop := amount.Convert(rate)
			ids = append(ids, events.ID{byte(n + 1)})
			b.entries[ids[n]] = &reconcile.Entry{
				BidID: ids[n], BidMS: 1, Exchange: "x", BidPrice: money.CPM(amount), Currency: usd, ShopCurrency: pln, Rate: rate,
				Settled: true, Status: events.PriceMacro, Sum: reconcile.Sum{Amount: amount, Shop: shop, Fee: shop.Fee(1250)},
			}
		}
		day := func(uint32) string { return "2026-03-11" }
		report := func(text string) (booked int) {
			_, err := reconcile.Run(context.Background(), strings.NewReader(text), reconcile.Config{
				Exchange: "x", Books: b, Day: day, Fee: func(uint32) (money.Fee, bool) { return money.Fee{}, false },
				Book: func(_ context.Context, list []events.Event) error { booked += len(list); b.fold(list); return nil },
			})
			require.NoError(t, err)
			return booked
		}
		credit := func(text string) int {
			var due []events.Event
			_, err := traffic.ReadClawbacks(context.Background(), strings.NewReader(text), traffic.ClawbackConfig{
				Exchange: "x", Day: day,
				Find: func(_ context.Context, id events.ID) (traffic.Settled, bool, error) {
					return settledOf(b.entries[id]), true, nil
				},
			}, func(e *events.Event) error { due = append(due, *e); return nil })
			require.NoError(t, err)
			b.fold(due)
			return len(due)
		}
		for n := range rapid.IntRange(1, 8).Draw(t, "files") {
			id := rapid.SampledFrom(ids).Draw(t, "of")
			amount := money.Nano(rapid.Int64Range(0, 3_500_000).Draw(t, "amount"))
			if rapid.Bool().Draw(t, "a report") {
				text := fmt.Sprintf("bid_id,amount\n%s,%s\n", id, amount)
				report(text)
				require.Zero(t, report(text))
			} else {
				text := fmt.Sprintf("bid_id,amount,reference\n%s,%s,r%d\n", id, amount, n)
				if amount%5 == 0 {
					text = fmt.Sprintf("bid_id,reference\n%s,r%d\n", id, n) // the whole
				}
				credit(text)
				require.Zero(t, credit(text))
				if e := b.entries[id]; amount%5 == 0 {
					require.Zero(t, e.Now().Amount)
				}
			}
			for _, e := range b.entries {
				left := []money.Nano{e.Now().Amount, e.Now().Shop, e.Now().Fee}
				for _, n := range left {
					require.GreaterOrEqual(t, n, money.Nano(0), "%v", left)
				}
				require.LessOrEqual(t, left[0], e.BidPrice.PerImpression())
				if left[0] == 0 {
					require.Equal(t, []money.Nano{0, 0, 0}, left)
				}
			}
		}
	})
}
