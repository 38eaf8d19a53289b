package erase

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

func TestNobodyIsNeverErased(t *testing.T) {
	_, err := Statements([]Person{{1, 2, 0}, {1, 0, 0}})
	require.ErrorIs(t, err, ErrNobody)
	sql, err := Statements([]Person{{1, 2, 0}, {3, 1<<64 - 1, 0}, {4, 5, 1000}})
	require.NoError(t, err)
	for _, s := range sql {
		require.Contains(t, s, "(shop_id, user) IN ((1,2),(3,18446744073709551615))")
		require.Contains(t, s, "<= fromUnixTimestamp64Milli(toInt64(1000)) AND (shop_id, user) IN ((4,5))")
		require.Contains(t, s, "mutations_sync = 2")
	}
}

// engine is a real one; without the library the test is skipped, or fails
// when CI=true.
func engine(t *testing.T) driver.Conn {
	t.Helper()
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("not run: %v", err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir := t.TempDir()
	srv, err := warehouse.Start(context.Background(), warehouse.Config{Dir: dir, Addr: "127.0.0.1:0"}, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	conn, err := schema.Server{Addr: srv.Addr(), PasswordFile: dir + "/warehouse.key"}.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	require.NoError(t, schema.Migrate(context.Background(), conn, log))
	return conn
}

func TestAPersonLeavesAndTheMoneyStays(t *testing.T) {
	conn, ctx := engine(t), context.Background()
	exec := func(sql string) { require.NoError(t, conn.Exec(ctx, sql)) }
	one := func(sql string) (n uint64) {
		require.NoError(t, conn.QueryRow(ctx, sql).Scan(&n))
		return n
	}
	const when = "toDateTime64('2026-03-10 12:00:00', 3, 'UTC')"
	exec(`INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, user, settles, amount, kafka_offset)
		SELECT generateUUIDv4(number), 'billing', ` + when + `, ` + when + `, '2026-03-10', generateUUIDv4(number + 100), 7, 5 + number % 2, true, 0.002, number FROM numbers(10)`)
	exec(`INSERT INTO grosz.events (event_id, type, time, bid_time, day, shop_id, user) SELECT generateUUIDv4(), 'click', ` + when + `, ` + when + `, '2026-03-10', 8, 5`)
	exec(`INSERT INTO grosz.bids (event_id, type, time, day, shop_id, user) SELECT generateUUIDv4(number), 'bid', now64(3), today(), 7, 5 FROM numbers(3)`)
	exec(`INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user, query, order_id, value)
		SELECT generateUUIDv4(number), ['search', 'purchase'][number % 2 + 1], ` + when + `, ` + when + `, '2026-03-10', 7, 5, 'secret', 'A-1', 10 FROM numbers(4)`)
	spend := one(`SELECT toUInt64(sum(amount) * 1000) FROM grosz.settlements WHERE shop = 7`)
	require.EqualValues(t, 20, spend)

	const noon = 1_773_144_000_000
	r, err := Erase(ctx, conn, []Person{{7, 5, noon - 1}})
	require.NoError(t, err)
	require.Equal(t, Receipt{}, r[0], "nothing was before it")
	r, err = Erase(ctx, conn, []Person{{9, 9, 0}, {7, 5, noon}, {7, 5, 0}})
	require.NoError(t, err)
	require.Equal(t, []Receipt{{}, {Events: 5, Bids: 3, Orders: 2, ShopEvents: 2}, {}}, r)
	require.Equal(t, spend, one(`SELECT toUInt64(sum(amount) * 1000) FROM grosz.settlements WHERE shop = 7`), "not a nano-unit less")
	require.Zero(t, one(`SELECT count() FROM grosz.shop_events WHERE query != '' OR user = 5`))
	require.EqualValues(t, 2, one(`SELECT count() FROM grosz.shop_events WHERE type = 'purchase' AND value = 10`))
	require.EqualValues(t, 5, one(`SELECT count() FROM grosz.events WHERE shop_id = 7 AND user = 6`), "others stay")
	require.EqualValues(t, 1, one(`SELECT count() FROM grosz.events WHERE shop_id = 8 AND user = 5`), "another shop's 5 is somebody else")
	r, err = Erase(ctx, conn, []Person{{7, 5, 0}})
	require.NoError(t, err)
	require.Equal(t, []Receipt{{}}, r)
}
