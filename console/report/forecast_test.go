package report

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

// testForecasts asks what forecasts and lift learn from the past.
func testForecasts(ctx context.Context, t *testing.T, conn driver.Conn, r *Reader) {
	t.Helper()
	now := time.Now()
	for _, sql := range []string{
		// A hundred bids at 2.0 of two shops, every fourth settled; later ones of a holdout: person 1 is served, 2 and 3 are held.
		`INSERT INTO grosz.bids (event_id, type, time, day, bid_id, shop_id, campaign_id, exchange, media, user, bid_price, currency, click_ppb, order_ppb, kafka_offset)
			SELECT generateUUIDv4(number), 'bid', now64(3) - INTERVAL 1 DAY, today(), reinterpretAsUUID(toUInt128(1000 + number)), 70 + number % 2, 1, 'demo', 'banner', 9, 2, 'USD', 10000000, 50000000, number FROM numbers(100)`,
		`INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id, exchange, settles, kafka_offset)
			SELECT generateUUIDv4(number), 'billing', now64(3) - INTERVAL 1 DAY, now64(3) - INTERVAL 1 DAY, today(), reinterpretAsUUID(toUInt128(1000 + number * 4)), 70, 1, 'demo', true, number FROM numbers(25)`,
		`INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id, exchange, settles, kafka_offset)
			SELECT generateUUIDv4(number), 'click', now64(3) - INTERVAL 1 DAY, now64(3) - INTERVAL 1 DAY, today(), reinterpretAsUUID(toUInt128(1000 + number * 4)), 70, 1, 'demo', false, 100 + number FROM numbers(3)`,
		`INSERT INTO grosz.bids (event_id, type, time, day, bid_id, shop_id, campaign_id, exchange, media, user, bid_price, currency, win_ppb, kafka_offset) VALUES
			(generateUUIDv4(1), 'bid', now64(3) - INTERVAL 3 HOUR, today(), generateUUIDv4(11), 70, 5, 'demo', 'banner', 1, 2, 'USD', 1000000000, 201),
			(generateUUIDv4(2), 'ghost_bid', now64(3) - INTERVAL 3 HOUR, today(), generateUUIDv4(12), 70, 5, 'demo', 'banner', 2, 2, 'USD', 1, 202),
			(generateUUIDv4(3), 'ghost_bid', now64(3) - INTERVAL 3 HOUR, today(), generateUUIDv4(13), 70, 5, 'demo', 'banner', 3, 2, 'USD', 1000000000, 203)`,
		// Person 3 bought before the first bid, 1 twice since.
		`INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user, order_id, value, currency, kafka_offset) VALUES
			(generateUUIDv4(1), 'purchase', now64(3) - INTERVAL 5 HOUR, now64(3), today(), 70, 3, 'o1', 50, 'PLN', 1),
			(generateUUIDv4(2), 'purchase', now64(3) - INTERVAL 2 HOUR, now64(3), today(), 70, 1, 'o2', 30, 'PLN', 2),
			(generateUUIDv4(3), 'purchase', now64(3) - INTERVAL 1 HOUR, now64(3), today(), 70, 1, 'o3', 20, 'PLN', 3)`,
	} {
		require.NoError(t, conn.Exec(ctx, sql))
	}
	prices, err := r.Landscape(ctx, now.UnixMilli())
	require.NoError(t, err)
	require.NotEmpty(t, prices)
	require.Equal(t, "demo/banner/USD", prices[0].Market)
	require.InEpsilon(t, 2, prices[0].CPM, 0.1)
	require.GreaterOrEqual(t, prices[0].Bids, 100.0)
	require.Equal(t, 25.0, prices[0].Wins)
	was, err := r.Predicted(ctx, 70, now.Add(24*time.Hour).UnixMilli())
	require.NoError(t, err)
	require.Equal(t, 3.0, was.Clicks)
	require.InDelta(t, 25*0.01, was.ClicksExpected, 0.001)
	require.InDelta(t, 3*0.05, was.OrdersExpected, 0.001)
	rows, err := r.Lift(ctx, 70, 5)
	require.NoError(t, err)
	got := map[bool]uint64{}
	for _, x := range rows {
		got[x.Held] += x.People
		if x.Held {
			require.Zero(t, x.Orders, "what was bought before does not count")
		} else {
			require.Equal(t, LiftBuyers{false, true, 2, 50, 1}, x)
		}
	}
	require.Equal(t, map[bool]uint64{false: 1, true: 2}, got)
	rows, err = r.Lift(ctx, 71, 5)
	require.NoError(t, err)
	require.Empty(t, rows, "another shop's")
}
