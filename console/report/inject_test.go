package report

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNoTextIsSQL puts SQL into every text that a report is asked with: the
// real engine takes it for a date that cannot be read or a name that it does
// not know, and never answers with another shop's rows.
func TestNoTextIsSQL(t *testing.T) {
	ctx, conn, cfg := openEngine(t)
	require.NoError(t, conn.Exec(ctx, `INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id, exchange, currency, shop_currency, settles, price_status, amount, shop_amount, shop_fee, kafka_offset) VALUES
		(generateUUIDv4(), 'billing', '2026-11-20 11:00:00', '2026-11-20 11:00:00', '2026-11-20', generateUUIDv4(), 2, 9, 'demo', 'USD', 'PLN', true, 'ok', 99, 400, 40, 4)`))
	r, err := Open(cfg)
	require.NoError(t, err)
	defer r.Close()

	const from, to, zone = "2026-11-01", "2026-11-30", "Europe/Warsaw"
	rows, err := r.Breakdown(ctx, Question{Shop: 2, From: from, To: to, Zone: zone, By: "exchange"})
	require.NoError(t, err)
	require.NotEmpty(t, rows, "there is something to be stolen")
	for _, text := range []string{
		"' OR 1 = 1 --", `\' OR 1 = 1 --`, "2026-11-01') OR (1 = 1", "2026-11-01\\') OR (1=1)/*", "2026-11-01' OR shop = 2 OR '' = '",
		"{shop:UInt32}", "?", "'; DROP TABLE grosz.events; --", "2026-11-01\x00' OR 1=1", "＇ OR 1=1",
	} {
		for name, q := range map[string]Question{
			"from": {Shop: 1, From: text, To: to, Zone: zone, By: "exchange"},
			"to":   {Shop: 1, From: from, To: text, Zone: zone, By: "exchange"},
			"zone": {Shop: 1, From: from, To: to, Zone: text, By: "hour"},
			"by":   {Shop: 1, From: from, To: to, Zone: zone, By: text},
		} {
			got, err := r.Breakdown(ctx, q)
			require.Empty(t, got, "%s: %q: %v", name, text, err)
		}
		cost, err := r.CostPerOrder(ctx, 1, text, to)
		require.Empty(t, cost, "%q: %v", text, err)
		cost, err = r.CostPerOrder(ctx, 1, from, text)
		require.Empty(t, cost, "%q: %v", text, err)
	}
	rows, err = r.Breakdown(ctx, Question{Shop: 2, From: from, To: to, Zone: zone, By: "exchange"})
	require.NoError(t, err)
	require.NotEmpty(t, rows, "and nothing was dropped")
}
