package rollup

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPricesAreTheSameFromRollups: what became of bids by price is the same
// from events, from roll-ups, and after a replay of the log.
func TestPricesAreTheSameFromRollups(t *testing.T) {
	conn := open(t)
	const shop = 31
	log := history(rand.New(rand.NewPCG(5, 1)), shop, 12)
	r := newRoller(t)
	ask := func(sql string) string {
		var s string
		require.NoError(t, conn.QueryRow(t.Context(), sql, shop).Scan(&s))
		return s
	}
	prices := func() string {
		return ask("SELECT arrayStringConcat(arraySort(groupArray(toString((day, campaign, exchange, price_from, bids, wins, losses, paid_cpm)))), '\n') FROM grosz.price_landscape WHERE shop = ?")
	}
	insert(t, conn, log)
	live := prices()
	won := ask("SELECT toString(uniqExact(bid_id)) FROM grosz.events WHERE shop_id = ? AND NOT test AND price_status != 'audit' AND (type IN ('win', 'billing', 'impression') OR settles)")
	require.NotEqual(t, "0", won)
	require.Equal(t, won, ask("SELECT toString(sum(wins)) FROM grosz.price_landscape WHERE shop = ?"))
	time.Sleep(5 * time.Millisecond) // past the margin
	rollAll(t, r, conn)
	require.Equal(t, live, prices(), "from roll-ups")
	var rows uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM grosz.rollup_price_day WHERE shop_id = ?", shop).Scan(&rows))
	require.Positive(t, rows)
	insert(t, conn, log)
	require.Equal(t, live, prices(), "after a replay")
	time.Sleep(5 * time.Millisecond)
	rollAll(t, r, conn)
	require.Equal(t, live, prices(), "after its rounds")
}
