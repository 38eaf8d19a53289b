package reconcile

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// A report is of impressions: where clicks are billed it moves what the
// exchange is owed, and nothing of the shop's.
func TestAReportOfImpressionsMovesNoClick(t *testing.T) {
	for name, c := range map[string]struct {
		status string // "": unsettled
		clicks Sum
		credit Sum
		line   string
		amount money.Nano // after the report, what was credited left out
	}{
		"an unread price":             {status: events.PriceMacro, line: "0.001", amount: 1000},
		"clicked":                     {status: events.PriceMacro, clicks: Sum{Shop: 1_000_000_000, Fee: 100_000_000}, line: "0.001", amount: 1000},
		"dearer than the notice said": {status: events.PriceOK, clicks: Sum{Shop: 1_000_000_000}, line: "0.003", amount: 3000},
		"no notice":                   {line: "0.001", amount: 1000},
		"clicked, and no notice":      {clicks: Sum{Shop: 1_000_000_000}, line: "0.001", amount: 1000},
		"credited with its click":     {status: events.PriceMacro, clicks: Sum{Shop: 1_000_000_000, Fee: 1}, credit: Sum{-3250, -1_000_000_000, -1}, line: "0.001", amount: 3250},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBooks()
			e := b.bid(1, c.status, 3250, 3250)
			e.ClickPrice, e.Clicks, e.Credit = 1_000_000_000, c.clicks, c.credit
			e.Settled, e.Status, e.Sum = c.status != "", c.status, Sum{}
			if e.Settled {
				e.Sum = Sum{Amount: 3250}
			}
			var found []Finding
			cfg := b.config(&found)
			cfg.Rules, cfg.Fee = Rules{Drift: true, Missing: true}, func(uint32) (money.Fee, bool) { return money.Fee{BPS: 1000}, true }
			for range 2 { // the second time nothing is booked
				b.late = nil
				_, err := Run(context.Background(), strings.NewReader("bid_id,price\n"+bidID(1).String()+","+c.line+"\n"), cfg)
				require.NoError(t, err)
				b.show()
				now := b.entries[bidID(1)].Now()
				require.Equal(t, Sum{c.amount, c.clicks.Shop, c.clicks.Fee}.plus(c.credit), now)
			}
			require.LessOrEqual(t, len(b.events), 1)
			for _, ev := range b.events {
				require.Equal(t, []money.Nano{0, 0, 1_000_000_000}, []money.Nano{ev.ShopAmount, ev.ShopFee, ev.ClickPrice})
			}
		})
	}
}
