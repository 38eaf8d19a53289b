package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/ledger"
)

// shown is an impression at 25 US cents, 1 PLN, whose click is billed.
func shown() *ledger.Record {
	return &ledger.Record{
		Kind: ledger.Settlement, PerClick: true, Shop: 1, Campaign: 7, Exchange: "x", Day: 1,
		Amount: 25, Currency: usd, ShopMedia: 100, ShopCurrency: pln,
	}
}

func clicked(price, fee money.Nano) *ledger.Record {
	return &ledger.Record{
		Kind: ledger.Adjustment, PerClick: true, Shop: 1, Campaign: 7, Exchange: "x", Day: 1,
		Currency: usd, ShopAmount: price, ShopFee: fee, ShopCurrency: pln,
	}
}

func TestClicksPayForImpressions(t *testing.T) {
	for name, c := range map[string]struct {
		records             []*ledger.Record
		billed, house       money.Nano
		margin, fee, halves money.Nano // in the shop's currency, in its too, owed to the exchange
	}{
		"an impression is the platform's":  {[]*ledger.Record{shown()}, 0, 0, -100, 0, 25},
		"whatever the budget":              {[]*ledger.Record{budget(ledger.Limits{Total: 1}), shown()}, 0, 0, -100, 0, 25},
		"a click is the shop's":            {[]*ledger.Record{shown(), clicked(400, 40)}, 440, 0, 300, 40, 25},
		"before its impression is settled": {[]*ledger.Record{clicked(400, 40), shown()}, 440, 0, 300, 40, 25},
		"just within the budget":           {[]*ledger.Record{budget(ledger.Limits{Total: 440}), shown(), clicked(400, 40)}, 440, 0, 300, 40, 25},
		"beyond the budget":                {[]*ledger.Record{budget(ledger.Limits{Total: 439}), shown(), clicked(400, 40)}, 0, 400, 300, 0, 25},
		"the second does not fit":          {[]*ledger.Record{budget(ledger.Limits{Day: 800}), shown(), clicked(400, 40), clicked(400, 40)}, 440, 400, 700, 40, 25},
		"credited":                         {[]*ledger.Record{shown(), clicked(400, 40), clicked(-400, -40)}, 0, 0, -100, 0, 25},
		"more credited than was ever paid": {[]*ledger.Record{shown(), clicked(-400, -40)}, 0, -400, -500, 0, 25},
	} {
		t.Run(name, func(t *testing.T) {
			f := ledger.New()
			sum := balances(apply(f, c.records...))
			s := f.Campaign(1, 7, 1)
			assert.Equal(t, []money.Nano{c.billed, c.house}, []money.Nano{s.Billed, s.House})
			assert.Equal(t, []money.Nano{c.margin, c.fee, c.halves},
				[]money.Nano{sum[key{ledger.Margin, pln}], sum[key{ledger.Fee, pln}], sum[key{ledger.Media, usd}]})
			assert.Equal(t, sum[key{ledger.Margin, pln}]-c.house, c.billed-c.fee-100, "margin less the house's is what came in less what went out")
		})
	}
}

func TestAReportOfAnImpressionWhoseClickIsBilled(t *testing.T) {
	unread := shown()
	unread.Provisional = true
	report := shown()
	report.Kind, report.Provisional, report.Amount, report.ShopMedia, report.Owed = ledger.Adjustment, true, -5, -20, 20
	f := ledger.New()
	sum := balances(apply(f, unread, report))
	assert.Equal(t, money.Nano(-80), sum[key{ledger.Margin, pln}])
	assert.Equal(t, money.Nano(20), sum[key{ledger.Media, usd}])
	assert.Zero(t, sum[key{ledger.Unread, usd}])
	assert.Zero(t, f.Campaign(1, 7, 1).Billed)
}

func TestAClickIsPaidOutOfItsBidsLease(t *testing.T) {
	f := ledger.New()
	click := clicked(60, 0)
	click.LeaseID = 3
	apply(f, budget(ledger.Limits{Total: 1000}), &ledger.Record{Kind: ledger.Lease, Shop: 1, Campaign: 7, LeaseID: 3, ShopAmount: 100, TTLMS: 1000, Day: 1}, shown(), click)
	s := f.Campaign(1, 7, 1)
	assert.Equal(t, []money.Nano{60, 40, 900}, []money.Nano{s.Billed, s.Leased, s.Free}, "billed, leased, free")
}

func TestTheEventsOfABilledClick(t *testing.T) {
	e := events.Event{Type: events.TypeBilling, Settles: true, PriceStatus: events.PriceOK, ClickPrice: 400, Amount: 25, Rate: 4 * money.RateOne, ShopCurrency: pln, Currency: usd}
	r, ok := ledger.FromEvent(&e)
	assert.True(t, ok)
	assert.True(t, r.PerClick)
	assert.Equal(t, money.Nano(100), r.ShopMedia)
	assert.Zero(t, r.ShopAmount)
	e = events.Event{Type: events.TypeAdjustment, Reason: events.ReasonClick, ClickPrice: 400, ShopAmount: 400}
	r, ok = ledger.FromEvent(&e)
	assert.True(t, ok && r.PerClick && r.Kind == ledger.Adjustment)
	assert.Zero(t, r.ShopMedia)
}
