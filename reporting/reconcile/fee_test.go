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

// perThousand is a fee of so much a thousand impressions: 2500 nano-units for one.
var perThousand = money.Fee{CPM: 2500}

func TestAFeeOfAThousandImpressionsIsNotOfTheCost(t *testing.T) {
	for _, c := range []struct {
		name, status string
		amount       money.Nano // settled, in USD at 3.641; 0 with no status: unsettled
		fee          money.Fee  // that it was booked with
		today        money.Fee  // the shop's when the report comes
		line         string
		shop, cost   money.Nano // after the report: media cost and fee, in PLN
	}{
		{name: "dearer", status: events.PriceAboveBid, amount: 1000, fee: perThousand, today: perThousand, line: "0.003", shop: 10_923, cost: 2500},
		{name: "cheaper", status: events.PriceMacro, amount: 3250, fee: perThousand, today: perThousand, line: "0.001", shop: 3641, cost: 2500},
		{name: "for nothing: it was shown", status: events.PriceMacro, amount: 3250, fee: perThousand, today: perThousand, line: "0", shop: 0, cost: 2500},
		{name: "the shop pays a share by now", status: events.PriceMacro, amount: 3250, fee: perThousand, today: money.Fee{BPS: 1000}, line: "0.001", shop: 3641, cost: 2500},
		{name: "a share as ever", status: events.PriceMacro, amount: 3000, fee: money.Fee{BPS: 1000}, today: perThousand, line: "0.001", shop: 3641, cost: 364},
		{name: "no notice", fee: perThousand, today: perThousand, line: "0.001", shop: 3641, cost: 2500},
		{name: "no notice, above the bid", fee: perThousand, today: perThousand, line: "9", shop: 11_833, cost: 2500},
		{name: "no notice, no fee", line: "0.001", shop: 3641},
		{name: "settled for nothing, a share", status: events.PriceOK, fee: money.Fee{BPS: 1000}, today: money.Fee{BPS: 1000}, line: "0.001", shop: 3641, cost: 364},
		{name: "settled for nothing", status: events.PriceOK, fee: perThousand, today: perThousand, line: "0.001", shop: 3641, cost: 2500},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			e := b.bid(1, c.status, c.amount, 3250)
			if c.status != "" {
				e.Settled, e.Status, e.FeeCPM, e.Sum = true, c.status, c.fee.CPM, sumOf(c.amount, e.Rate, c.fee)
			}
			var found []Finding
			cfg := b.config(&found)
			cfg.Rules, cfg.Fee = Rules{Drift: true, Missing: true}, func(uint32) (money.Fee, bool) { return c.today, true }
			for range 2 { // the second time nothing is booked
				b.late = nil
				_, err := Run(context.Background(), strings.NewReader("bid_id,price\n"+bidID(1).String()+","+c.line+"\n"), cfg)
				require.NoError(t, err)
				b.show()
				require.Equal(t, []money.Nano{c.shop, c.cost}, []money.Nano{b.entries[bidID(1)].Now().Shop, b.entries[bidID(1)].Now().Fee})
			}
			require.Len(t, b.events, 1)
			if c.status == "" {
				require.Equal(t, c.today.CPM, b.events[0].FeeCPM, "a later report is to know it")
			}
		})
	}
}

func sumOf(amount money.Nano, rate money.Rate, fee money.Fee) Sum {
	shop := amount.Convert(rate)
	return Sum{amount, shop, fee.Of(shop)}
}

// Whatever reports and credits come, a shop that pays so much an impression
// never pays another fee than that, and none below zero.
func TestAFeeOfAThousandImpressionsStaysThroughReports(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBooks()
		fee := money.Fee{CPM: money.CPM(rapid.Int64Range(1, 20_000).Draw(t, "fee"))}
		settled := rapid.Bool().Draw(t, "settled")
		e := b.bid(1, events.PriceMacro, 0, money.Nano(rapid.Int64Range(1, 5_000_000).Draw(t, "bid")))
		if settled {
			e.Settled, e.Status, e.FeeCPM, e.Sum = true, events.PriceMacro, fee.CPM, sumOf(e.BidPrice.PerImpression(), e.Rate, fee)
		}
		var found []Finding
		cfg := b.config(&found)
		cfg.Rules, cfg.Fee = Rules{Missing: true}, func(uint32) (money.Fee, bool) { return fee, true }
		for range rapid.IntRange(1, 6).Draw(t, "reports") {
			amount := money.Nano(rapid.Int64Range(0, 6_000_000).Draw(t, "amount"))
			_, err := Run(context.Background(), strings.NewReader(fmt.Sprintf("bid_id,amount\n%s,%s\n", bidID(1), amount)), cfg)
			require.NoError(t, err)
			b.show()
			now := b.entries[bidID(1)].Now()
			if !b.entries[bidID(1)].Settled {
				require.Equal(t, Sum{}, now)
				continue
			}
			require.Equal(t, fee.CPM.PerImpression(), now.Fee)
			require.Equal(t, now.Amount.Convert(e.Rate), now.Shop)
			require.LessOrEqual(t, now.Amount, e.BidPrice.PerImpression())
		}
	})
}
