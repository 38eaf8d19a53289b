package report

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSameRate(t *testing.T) {
	for name, c := range map[string]struct {
		spendA, spendB   float64
		ordersA, ordersB uint64
		want             float64
	}{
		"nothing ordered":        {10, 10, 0, 0, 1},
		"nothing spent":          {0, 10, 0, 3, 1},
		"the same":               {10, 10, 4, 4, 1},
		"all ten on one side":    {10, 10, 10, 0, 2.0 / 1024},
		"and on the other":       {10, 10, 0, 10, 2.0 / 1024},
		"one order says nothing": {30, 10, 1, 0, 1},
		"as the spend":           {30, 10, 30, 10, 1},
		"many, the same":         {1, 1, 5000, 5000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, c.want, SameRate(c.spendA, c.spendB, c.ordersA, c.ordersB), 0.1*c.want*b2f(c.want < 1)+b2f(c.want == 1)*0.5)
		})
	}
	require.Less(t, SameRate(1, 1, 5000, 5500), 1e-5)
	require.InDelta(t, SameRate(3, 2, 1180, 800), SameRate(3, 2, 1192, 809), 0.2, "the exact law and the normal one meet")
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// TestSameRateIsHonest: where an order costs the same on both sides, one says
// that it does not at most as often as promised.
func TestSameRateIsHonest(t *testing.T) {
	const n = 40
	for _, share := range []float64{0.1, 0.5, 0.8} {
		wrong := 0.0
		for k := uint64(0); k <= n; k++ {
			if SameRate(1-share, share, n-k, k) <= 0.05 {
				wrong += binomial(n, k, share)
			}
		}
		require.LessOrEqual(t, wrong, 0.05)
	}
}

func binomial(n, k uint64, p float64) float64 {
	c := 1.0
	for i := range k {
		c *= float64(n-i) / float64(i+1)
	}
	return c * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
}

func TestCompareAsksForAKnownDimension(t *testing.T) {
	r, err := Open(Config{Addr: "127.0.0.1:1"})
	require.NoError(t, err)
	defer r.Close()
	_, _, err = r.Compare(context.Background(), Moment{Shop: 1, By: "shoe size"})
	require.ErrorContains(t, err, "shoe size")
}

// testCompare asks the real engine. What is bid before the moment stays on its
// side, whenever it is billed.
func testCompare(ctx context.Context, t *testing.T, run func(string) error, r *Reader) {
	t.Helper()
	day := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly) // bids are kept for some days only
	exec := func(sql string) error { return run(strings.ReplaceAll(sql, "2026-10-05", day)) }
	require.NoError(t, exec(`INSERT INTO grosz.bids (event_id, bid_id, type, time, day, shop_id, campaign_id, domain, segments) VALUES
		(generateUUIDv4(), '00000000-0000-0000-0000-0000000000a1', 'bid', '2026-10-05 10:00:00', '2026-10-05', 7, 5, 'a.example', [3, 8]),
		(generateUUIDv4(), '00000000-0000-0000-0000-0000000000b1', 'bid', '2026-10-05 12:00:00', '2026-10-05', 7, 5, 'b.example', [8]),
		(generateUUIDv4(), '00000000-0000-0000-0000-0000000000b2', 'bid', '2026-10-05 14:00:00', '2026-10-05', 7, 6, 'b.example', [])`))
	require.NoError(t, exec(`INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id, exchange, currency, shop_currency, settles, price_status, amount, shop_amount, shop_fee, kafka_offset) VALUES
		(generateUUIDv4(), 'billing', '2026-10-05 13:30:00', '2026-10-05 10:00:00', '2026-10-05', '00000000-0000-0000-0000-0000000000a1', 7, 5, 'demo', 'USD', 'PLN', true, 'ok', 1, 4, 1, 101),
		(generateUUIDv4(), 'billing', '2026-10-05 12:00:01', '2026-10-05 12:00:00', '2026-10-05', '00000000-0000-0000-0000-0000000000b1', 7, 5, 'demo', 'USD', 'PLN', true, 'ok', 1, 2, 0.5, 102),
		(generateUUIDv4(), 'billing', '2026-10-05 14:00:01', '2026-10-05 14:00:00', '2026-10-05', '00000000-0000-0000-0000-0000000000b2', 7, 6, 'demo', 'USD', 'PLN', true, 'ok', 1, 8, 0, 103)`))
	ms := func(clock string) int64 {
		at, err := time.Parse(time.DateTime, day+" "+clock)
		require.NoError(t, err)
		return at.UnixMilli()
	}
	whole := Moment{Shop: 7, Zone: "Etc/GMT-2", From: ms("00:00:00"), At: ms("13:00:00"), To: ms("23:00:00")}
	for name, c := range map[string]struct {
		change        func(*Moment)
		before, after string
		wins          [2]uint64
	}{
		"all":               {func(*Moment) {}, "7.5", "8", [2]uint64{2, 1}},
		"one campaign":      {func(m *Moment) { m.Campaign = 5 }, "7.5", "0", [2]uint64{2, 0}},
		"one domain":        {func(m *Moment) { m.By, m.Key = "domain", "b.example" }, "2.5", "8", [2]uint64{1, 1}},
		"one segment":       {func(m *Moment) { m.By, m.Key = "segment", "8" }, "7.5", "0", [2]uint64{2, 0}},
		"another segment":   {func(m *Moment) { m.By, m.Key = "segment", "3" }, "5", "0", [2]uint64{1, 0}},
		"no segment at all": {func(m *Moment) { m.By, m.Key = "segment", "x" }, "0", "0", [2]uint64{}},
		"an hour of theirs": {func(m *Moment) { m.By, m.Key = "hour", "12" }, "5", "0", [2]uint64{1, 0}},
		"from noon on":      {func(m *Moment) { m.From = ms("12:00:00") }, "2.5", "8", [2]uint64{1, 1}},
		"another shop":      {func(m *Moment) { m.Shop = 99 }, "0", "0", [2]uint64{}},
	} {
		t.Run("compare "+name, func(t *testing.T) {
			m := whole
			c.change(&m)
			before, after, err := r.Compare(ctx, m)
			require.NoError(t, err)
			require.Equal(t, []string{c.before, c.after}, []string{before.Spend, after.Spend})
			require.Equal(t, c.wins, [2]uint64{before.Wins, after.Wins})
			require.True(t, after.After)
		})
	}
	// By audience: who is in two segments counts in both.
	rows, err := r.Breakdown(ctx, Question{Shop: 7, By: "segment", From: day, To: day, Zone: "UTC"})
	require.NoError(t, err)
	got := map[string][2]any{}
	for _, x := range rows {
		got[x.Key] = [2]any{x.Bids, x.Spend}
	}
	require.Equal(t, map[string][2]any{"8": {uint64(2), "7.5"}, "3": {uint64(1), "5"}, "": {uint64(1), "8"}}, got)
}
