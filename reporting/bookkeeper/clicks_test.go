package bookkeeper

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/loader"
)

// ofClick makes a settlement one of a bid whose click is billed at 1 in the
// shop's currency, and clickOf its click.
func ofClick(e events.Event) events.Event {
	e.ClickPrice, e.Rate, e.ShopAmount, e.ShopFee = money.NanoUnit, 4*money.RateOne, 0, 0
	return e
}

func clickOf(e events.Event) events.Event {
	return events.Event{
		EventID: events.ClickBillID(e.BidID), Type: events.TypeAdjustment, TimeMS: e.TimeMS + 60_000, BidMS: e.BidMS, Day: e.Day, BidDay: e.BidDay, BidID: e.BidID,
		ShopID: e.ShopID, CampaignID: e.CampaignID, CreativeID: e.CreativeID, Exchange: e.Exchange, Media: e.Media, Currency: e.Currency, ShopCurrency: e.ShopCurrency, Rate: e.Rate,
		ClickPrice: e.ClickPrice, ShopAmount: e.ClickPrice, ShopFee: e.ClickPrice / 10, Reason: events.ReasonClick, Node: e.Node,
	}
}

// TestClicksAreBilledOnceAndTheMarginIsShown: a log in which every click was
// taken by two nodes, of a budget that three clicks fit, kept twice over: the
// ledger, the statement and the views say what was billed, what the house bears
// and what the platform earned.
func TestClicksAreBilledOnceAndTheMarginIsShown(t *testing.T) {
	e := startEnv(t)
	var all []events.Event
	total := events.Event{EventID: events.ID{9}, Type: events.TypeBudget, TimeMS: noon, BidMS: noon, ShopID: 1, CampaignID: 10, Version: 1, LimitTotal: 33 * money.NanoUnit / 10, Node: "n1"}
	all = append(all, total)
	for i := range 8 {
		shown := ofClick(billing(1, 10, uint64(i+1), 100_000_000))
		all = append(all, shown)
		if i%2 == 0 || i == 7 {
			click := clickOf(shown)
			again := click
			again.Node = "n2"
			all = append(all, click, again)
		}
	}
	want := newFold(0)
	for i := range all {
		want.message(message(0, int64(i), all[i]), nil)
	}
	st := want.ledger.Campaign(1, 10, all[1].BidDay)
	require.EqualValues(t, 33*money.NanoUnit/10, st.Billed, "three clicks and their fee")
	require.EqualValues(t, 2*money.NanoUnit, st.House, "two did not fit")

	e.send(all...)
	e.send(all...) // a spool that did not know that it was heard
	_, stop := e.keep(nil)
	entries := fmt.Sprint(want.counts.entries)
	require.Eventually(t, func() bool { return e.text("SELECT toString(count()) FROM grosz.ledger FINAL") == entries }, patience, 20*time.Millisecond)
	stop()
	l, err := loader.New(loader.Config{Brokers: []string{e.broker.Addr()}, ClickHouse: e.click}, metrics.NewSet(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	require.Eventually(t, func() bool {
		return e.text("SELECT toString(((SELECT count() FROM grosz.settlements), (SELECT count() FROM grosz.adjustments WHERE kind = 'click')))") == "(8,5)"
	}, patience, 50*time.Millisecond)
	cancel()
	require.NoError(t, <-done)

	media := e.text("SELECT toString(sum(amount * rate)) FROM grosz.settlements")
	for name, c := range map[string][2]string{
		"the margin": {"SELECT toString((impressions, clicks, toFloat64(billed), house_clicks, toFloat64(house), margin = billed - media_cost)) FROM grosz.cpc_margin", "(8,3,3,2,2,1)"},
		"what exchanges are owed in the shop's currency": {"SELECT toString(toFloat64(media_cost) = toFloat64('" + media + "')) FROM grosz.cpc_margin", "1"},
		"the statement":          {"SELECT toString((toFloat64(media_cost), toFloat64(fee), toFloat64(billed), toFloat64(house), wins, house_wins, clicks, toFloat64(click_cost), house_clicks)) FROM grosz.statement", "(3,0.3,3.3,2,8,0,3,3,2)"},
		"beyond the budget":      {"SELECT toString((wins, toFloat64(amount), clicks)) FROM grosz.beyond_budget", "(0,2,2)"},
		"double entry":           {"SELECT toString(count()) FROM (SELECT currency, sum(balance) AS b FROM grosz.account_balances GROUP BY currency HAVING b != 0)", "0"},
		"the margin's account":   {"SELECT toString(toFloat64(sumIf(balance, account = 'margin')) = 5 - toFloat64('" + media + "')) FROM grosz.account_balances", "1"},
		"the exchange's invoice": {"SELECT toString(sum(owed) = (SELECT sum(amount) FROM grosz.settlements)) FROM grosz.statement_exchanges", "1"},
		"what it cost the shop":  {"SELECT toString((toFloat64(sum(shop_spend)), toFloat64(sum(shop_fee)), sum(spend) = (SELECT sum(amount) FROM grosz.settlements))) FROM grosz.cost_per_order", "(5,0.5,1)"},
	} {
		require.Equal(t, c[1], e.text(c[0]), name)
	}
}
