package report

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

func TestConfigListsAllThatIsWrong(t *testing.T) {
	err := Config{Addr: "x", Protocol: "ftp", Password: "a", PasswordFile: "b", Timeout: -1}.Validate()
	for _, want := range []string{`"x"`, `"ftp"`, "both a", "-1ns"} {
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, Config{Addr: "127.0.0.1:8123"}.Validate())
}

func TestClickHouseAway(t *testing.T) {
	r, err := Open(Config{Addr: "127.0.0.1:1", PasswordFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err, "it may come later")
	defer r.Close()
	require.ErrorContains(t, r.Ping(context.Background()), "password")
	r, err = Open(Config{Addr: "127.0.0.1:1"})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.CostPerOrder(context.Background(), 1, "2026-11-01", "2026-11-02")
	require.ErrorContains(t, err, "shop 1")
}

// openEngine starts the real engine, with the schema, for one test.
func openEngine(t *testing.T) (context.Context, driver.Conn, Config) {
	t.Helper()
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // of the whole test, on a busy machine
	t.Cleanup(cancel)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir := t.TempDir()
	w, err := warehouse.Start(ctx, warehouse.Config{Dir: dir, Addr: "127.0.0.1:0"}, log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.Close() })
	conn, err := schema.Server{Addr: w.Addr(), Password: w.Password()}.Open()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, schema.Migrate(ctx, conn, log))
	return ctx, conn, Config{Addr: w.Addr(), PasswordFile: filepath.Join(dir, "warehouse.key"), User: "default"}
}

// TestCostPerOrder asks the real engine through the real view.
func TestCostPerOrder(t *testing.T) {
	ctx, conn, cfg := openEngine(t)
	insert := `INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id, exchange, currency, shop_currency, settles, price_status, amount, shop_amount, shop_fee, kafka_offset) VALUES
		(generateUUIDv4(), 'billing', '2026-11-20 10:00:00', '2026-11-20 10:00:00', '2026-11-20', generateUUIDv4(), 1, 5, 'demo', 'USD', 'PLN', true, 'ok', 0.0025, 0.01, 0.0015, 1),
		(generateUUIDv4(), 'billing', '2026-11-20 11:00:00', '2026-11-20 11:00:00', '2026-11-20', generateUUIDv4(), 1, 5, 'demo', 'USD', 'PLN', true, 'ok', 0.001, 0.004, 0.0006, 2),
		(generateUUIDv4(), 'billing', '2026-11-22 11:00:00', '2026-11-22 11:00:00', '2026-11-22', generateUUIDv4(), 1, 6, 'other', 'EUR', 'PLN', true, 'ok', 7, 30, 3, 3),
		(generateUUIDv4(), 'billing', '2026-11-20 11:00:00', '2026-11-20 11:00:00', '2026-11-20', generateUUIDv4(), 2, 9, 'demo', 'USD', 'PLN', true, 'ok', 99, 400, 40, 4)`
	require.NoError(t, conn.Exec(ctx, insert))

	r, err := Open(cfg)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Ping(ctx))
	rows, err := r.CostPerOrder(ctx, 1, "2026-11-20", "2026-11-21")
	require.NoError(t, err)
	require.Equal(t, []CostPerOrder{{
		Day: "2026-11-20", Campaign: 5, Exchange: "demo", Currency: "USD", Wins: 2, Spend: "0.0035",
		ShopCurrency: "PLN", Revenue: "0", ShopSpend: "0.014", ShopFee: "0.0021",
	}}, rows, "only this shop, only these days")
	rows, err = r.CostPerOrder(ctx, 1, "2026-11-20", "2026-11-22")
	require.NoError(t, err)
	require.Len(t, rows, 2)
	rows, err = r.CostPerOrder(ctx, 3, "2026-11-20", "2026-11-22")
	require.NoError(t, err)
	require.NotNil(t, rows)
	require.Empty(t, rows)
	testErasures(ctx, t, conn, r)
	testCompare(ctx, t, func(sql string) error { return conn.Exec(ctx, sql) }, r)
	testForecasts(ctx, t, conn, r)
}
