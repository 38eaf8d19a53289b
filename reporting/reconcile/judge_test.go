package reconcile

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

var usd, pln = money.MustCurrency("USD"), money.MustCurrency("PLN")

const noon = 1_773_144_000_000

func bidID(n int) (id events.ID) {
	id[0], id[1], id[15] = 7, byte(n>>8), byte(n)
	return id
}

// books are the books in memory, as the log's readers would fold them.
type books struct {
	entries map[events.ID]*Entry
	byReq   map[[2]string][]events.ID
	ids     map[events.ID]bool
	late    []events.Event // booked, not yet shown
	events  []events.Event
}

func newBooks() *books {
	return &books{entries: map[events.ID]*Entry{}, byReq: map[[2]string][]events.ID{}, ids: map[events.ID]bool{}}
}

// bid records a bid of n; amount 0 leaves it unsettled.
func (b *books) bid(n int, status string, amount, price money.Nano) *Entry {
	e := &Entry{
		BidID: bidID(n), BidMS: noon, Shop: 1, Campaign: 2, Creative: 3, Exchange: "x", Media: "banner", BidPrice: money.CPM(price),
		Currency: usd, ShopCurrency: pln, Rate: 3_641_000_000,
	}
	if amount > 0 {
		shop := amount.Convert(e.Rate)
		e.BidMS = noon + int64(n)
		e.Settled, e.Status, e.Sum = true, status, Sum{amount, shop, shop.Fee(1250)}
	}
	b.entries[e.BidID] = e
	return e
}

func (b *books) Entries(_ context.Context, ids []events.ID) (map[events.ID]*Entry, error) {
	out := map[events.ID]*Entry{}
	for _, id := range ids {
		if e := b.entries[id]; e != nil {
			c := *e
			out[id] = &c
		}
	}
	return out, nil
}

func (b *books) ByRequest(context.Context, string, []string) (map[[2]string][]events.ID, error) {
	return b.byReq, nil
}

func (b *books) EachSettled(_ context.Context, x string, from, to int64, fn func(events.ID, money.Nano, money.Currency) error) error {
	for id, e := range b.entries {
		if e.Settled && e.Exchange == x && e.BidMS >= from && e.BidMS < to {
			if err := fn(id, e.Sum.plus(e.Correction).plus(e.Credit).Amount, e.Currency); err != nil {
				return err
			}
		}
	}
	return nil
}

// show folds what was booked, each event id once.
func (b *books) show() {
	for i := range b.late {
		e := &b.late[i]
		if b.ids[e.EventID] {
			continue
		}
		b.ids[e.EventID] = true
		b.events = append(b.events, *e)
		r := row{typ: string(e.Type), reason: e.Reason, raw: e.Raw, status: e.PriceStatus, settles: e.Settles, sum: Sum{e.Amount, e.ShopAmount, e.ShopFee}, feeCPM: e.FeeCPM}
		b.entries[e.BidID].add(&r)
	}
	b.late = nil
}

func (b *books) config(found *[]Finding) Config {
	return Config{
		Exchange: "x", Books: b, NowMS: noon + 86_400_000, Day: func(uint32) string { return "2026-03-11" }, Node: "n", Reference: "march.csv",
		SettleType: func(string) events.Type { return events.TypeBilling }, Fee: func(uint32) (money.Fee, bool) { return money.Fee{BPS: 1250}, true },
		Book:  func(_ context.Context, list []events.Event) error { b.late = append(b.late, list...); return nil },
		Found: func(f Finding) error { *found = append(*found, f); return nil },
	}
}

func TestWhatALineBecomes(t *testing.T) {
	credited := func(e *Entry) { e.Credit = Sum{-3000, -10923, -1365} }
	for _, c := range []struct {
		name         string
		status       string
		amount       money.Nano // booked; bid 3250
		change       func(*Entry)
		line         string // price,currency
		rules        Rules
		kind         Kind
		booked, note string
	}{
		{name: "as booked", status: "ok", amount: 910, line: "0.00091,USD", kind: Matched},
		{name: "unreadable", status: "unreadable", amount: 3250, line: "0.00091,USD", kind: Corrected, booked: "-0.00000234"},
		{name: "empty", status: "empty", amount: 3250, line: "0.00091,", kind: Corrected, booked: "-0.00000234"},
		{name: "unreadable, for nothing", status: "macro", amount: 3250, line: "0,USD", kind: Corrected, booked: "-0.00000325"},
		{name: "above the bid, settled below it", status: "above_bid", amount: 3250, line: "0.002,USD", kind: Corrected, booked: "-0.00000125"},
		{name: "above the bid again", status: "above_bid", amount: 3250, line: "0.004,USD", kind: AboveBid, note: "0.00000075 above the bid"},
		{name: "provisional and above the bid", status: "macro", amount: 3250, line: "1,USD", kind: AboveBid, note: "above the bid"},
		{name: "readable, and different", status: "ok", amount: 910, line: "0.00092,USD", kind: Drift, note: "readable"},
		{name: "drift is booked where that is wanted", status: "ok", amount: 910, line: "0.00092,USD", rules: Rules{Drift: true}, kind: Corrected, booked: "0.00000001"},
		{name: "drift above the bid stops there", status: "ok", amount: 910, line: "9,USD", rules: Rules{Drift: true}, kind: Corrected, booked: "0.00000234", note: "above the bid"},
		{name: "currency", status: "macro", amount: 3250, line: "0.00091,EUR", kind: OtherCurrency, note: "reported in EUR, bid in USD"},
		{name: "no notice", line: "0.00091,USD", kind: Unbilled, note: "no notice came"},
		{name: "an expired notice", line: "0.00091,USD", change: func(e *Entry) { e.Rejected = "expired_billing" }, kind: Unbilled, note: "expired_billing"},
		{name: "no notice, to be booked", line: "0.00091,USD", rules: Rules{Missing: true}, kind: Booked, booked: "0.00000091"},
		{name: "no notice, above the bid", line: "1,USD", rules: Rules{Missing: true}, kind: Booked, booked: "0.00000325"},
		{name: "no notice, for nothing", line: "0,USD", rules: Rules{Missing: true}, kind: Unbilled},
		{name: "another exchange's", status: "ok", amount: 910, line: "0.00091,USD", change: func(e *Entry) { e.Exchange = "y" }, kind: OtherExchange, note: "bid at y"},
		{name: "test", line: "0.00091,USD", change: func(e *Entry) { e.Test = true }, kind: Test},
		{name: "credited nearly all: no more than is left", status: "macro", amount: 3250, line: "0.00091,USD", change: credited, kind: Corrected, booked: "-0.00000025"},
		{name: "credited all", status: "macro", amount: 3250, line: "0.00091,USD", change: func(e *Entry) { e.Credit = Sum{-3250, -11833, -1479} }, kind: ClawedBack, note: "had credited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			e := b.bid(1, c.status, c.amount, 3250)
			if c.change != nil {
				c.change(e)
			}
			var found []Finding
			cfg := b.config(&found)
			cfg.Rules = c.rules
			report := "bid_id,price,currency\n" + bidID(1).String() + "," + c.line + "\n"
			sum, err := Run(context.Background(), strings.NewReader(report), cfg)
			require.NoError(t, err)
			require.Equal(t, 1, sum.Lines)
			require.NotNil(t, sum.Kinds[c.kind], "%+v", found)
			if c.kind == Matched {
				require.Empty(t, found)
			} else {
				require.Contains(t, found[0].Note, c.note)
			}
			if c.booked == "" {
				require.Empty(t, b.late)
				return
			}
			require.Len(t, b.late, 1)
			require.Equal(t, c.booked, b.late[0].Amount.String())
			require.Equal(t, found[0].Change, b.late[0].Amount)
			b.show()
			found = nil
			sum, err = Run(context.Background(), strings.NewReader(report), cfg)
			require.NoError(t, err)
			require.Empty(t, b.late, "the second time nothing is booked")
			require.Zero(t, sum.Kinds[Corrected])
		})
	}
}

func TestWhatAReportLacksAndHasTwice(t *testing.T) {
	b := newBooks()
	b.bid(1, "ok", 100, 200)
	b.bid(2, "ok", 120, 200) // between the two
	b.bid(3, "ok", 140, 200)
	b.bid(9, "ok", 170, 200) // after them: of another report
	b.byReq[[2]string{"r3", "i"}] = []events.ID{bidID(3)}
	b.byReq[[2]string{"r4", ""}] = []events.ID{bidID(1), bidID(2)}
	var found []Finding
	sum, err := Run(context.Background(), strings.NewReader("bid_id,request_id,imp_id,price\n"+
		bidID(1).String()+",,,0.0001\n"+bidID(1).String()+",,,0.0001\n,r3,i,0.00014\n,r4,,1\n,r5,,1\n"+bidID(77).String()+",,,1\nnonsense,,,1\n"), b.config(&found))
	require.NoError(t, err)
	got := map[Kind]int{}
	for k, n := range sum.Kinds {
		got[k] = n.Count
	}
	require.Equal(t, map[Kind]int{Matched: 2, Twice: 1, Ambiguous: 1, Unknown: 2, Bad: 1, Missing: 1}, got)
	require.Equal(t, bidID(2), found[len(found)-1].BidID)
	require.Empty(t, b.late)
}

// Of the billed bids of ours those are counted that no notice had told of: also
// after they were booked, and those alone.
func TestAReportTellsHowManyNoticesAreMissing(t *testing.T) {
	b := newBooks()
	for n := range 5 {
		b.bid(n, "ok", 100, 200)
	}
	b.bid(5, events.PriceUnreadable, 200, 200)
	for n := 6; n < 9; n++ { // bids of ours, no notice of them came
		b.bid(n, "ok", 0, 200).Settled = false
	}
	b.bid(9, "ok", 100, 200).Test = true
	b.bid(10, "ok", 100, 200).Exchange = "other"
	report := "bid_id,amount,currency\n"
	for n := range 11 {
		report += bidID(n).String() + ",0.0000001,USD\n"
	}
	report += bidID(1).String() + ",0.0000001,USD\n" + bidID(77).String() + ",1,USD\n" // twice; not ours
	var found []Finding
	cfg := b.config(&found)
	for _, missing := range []bool{false, true, true} {
		cfg.Rules.Missing = missing
		sum, err := Run(context.Background(), strings.NewReader(report), cfg)
		require.NoError(t, err)
		require.Equal(t, 9, sum.Billed)
		require.Equal(t, 3, sum.Silent)
		require.Equal(t, b.entries[bidID(0)].BidMS, sum.SinceMS)
		b.show()
	}
	require.Equal(t, events.PriceReport, b.entries[bidID(6)].Status, "booked by the report, and still no notice of it")
}

// TestReportsAndTheirRepetitions: whatever reports come in whatever order, as
// often as they come and however late their bookings show, a bid costs what
// the last one that was booked says, at most the bid, and never less than
// nothing; the shop pays for exactly that.
func TestReportsAndTheirRepetitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBooks()
		const bids = 4
		statuses := []string{events.PriceMacro, events.PriceUnreadable, events.PriceEmpty, events.PriceAboveBid}
		for n := range bids {
			amount := money.Nano(rapid.Int64Range(1, 5_000_000).Draw(t, "bid"))
			b.bid(n, statuses[n], amount, amount)
		}
		var found []Finding
		cfg := b.config(&found)
		last := map[int]money.Nano{}
		for range rapid.IntRange(1, 6).Draw(t, "reports") {
			report := "bid_id,amount,currency\n"
			now := map[int]money.Nano{}
			for n := range bids {
				if rapid.Bool().Draw(t, "in it") {
					now[n] = money.Nano(rapid.Int64Range(0, 6_000_000).Draw(t, "amount"))
					report += fmt.Sprintf("%s,%s,USD\n", bidID(n), now[n])
				}
			}
			for range rapid.IntRange(1, 3).Draw(t, "times") { // not shown in between
				_, err := Run(context.Background(), strings.NewReader(report), cfg)
				require.NoError(t, err)
			}
			b.show()
			for n, v := range now {
				last[n] = v
			}
		}
		for n := range bids {
			e := b.entries[bidID(n)]
			want := e.Sum.Amount
			if v, ok := last[n]; ok {
				want = min(v, e.BidPrice.PerImpression())
			}
			got := e.Sum.plus(e.Correction)
			require.Equal(t, want, got.Amount)
			require.Equal(t, want.Convert(e.Rate), got.Shop, "as if the notice had said so")
			require.GreaterOrEqual(t, got.Fee, money.Nano(0))
			require.InDelta(t, int64(got.Shop.Fee(1250)), int64(got.Fee), 1, "one rounding of the fee")
		}
	})
}

// TestTwoReportsThatDoNotSeeEachOther: of two corrections that were made of
// the same state one counts, whichever is first.
func TestTwoReportsThatDoNotSeeEachOther(t *testing.T) {
	b := newBooks()
	b.bid(1, events.PriceMacro, 3000, 3000)
	var found []Finding
	for _, price := range []string{"0.001", "0.002"} {
		_, err := Run(context.Background(), strings.NewReader("bid_id,price\n"+bidID(1).String()+","+price+"\n"), b.config(&found))
		require.NoError(t, err)
	}
	require.Len(t, b.late, 2)
	b.show()
	require.Equal(t, money.Nano(-2000), b.entries[bidID(1)].Correction.Amount)
	_, err := Run(context.Background(), strings.NewReader("bid_id,price\n"+bidID(1).String()+",0.002\n"), b.config(&found))
	require.NoError(t, err)
	b.show()
	require.Equal(t, money.Nano(2000), b.entries[bidID(1)].Sum.plus(b.entries[bidID(1)].Correction).Amount)
}
