package rollup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

// people puts n rows of people of a shop in, of a day so many days ago: from
// its visits, bids or events.
func people(t *testing.T, conn driver.Conn, from string, shop, n, ago int, seed uint64) {
	t.Helper()
	drawn := fmt.Sprintf("today() - %d, %d, 1 + cityHash64(number, %d) %% %d, ['', 'chrome', 'safari'][1 + cityHash64(number, 7) %% 3]", ago, shop, seed, 2*n)
	exchange := ", ['alpha', 'beta'][1 + cityHash64(number, 8) % 2]"
	sql := map[string]string{
		"visits": "INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user, browser, page) SELECT generateUUIDv4(), 'visit', now64(3), now64(3), " + drawn + ", number % 2 = 0",
		"bids": "INSERT INTO grosz.bids (event_id, type, time, bid_id, day, shop_id, user, browser, exchange) SELECT generateUUIDv4(), ['bid', 'seen', 'matched'][1 + cityHash64(number, 9) % 3], now64(3), generateUUIDv4(), " +
			drawn + exchange,
		"events": "INSERT INTO grosz.events (event_id, type, time, bid_time, bid_id, day, shop_id, user, browser, exchange) SELECT generateUUIDv4(), ['win', 'viewable', 'click'][1 + cityHash64(number, 9) % 3], now64(3), now64(3), generateUUIDv4(), " +
			drawn + exchange,
	}[from]
	require.NoError(t, conn.Exec(t.Context(), fmt.Sprintf("%s FROM numbers(%d)", sql, n)))
}

// mergeAll merges the windows of all shops.
func mergeAll(t *testing.T, r *Roller, conn driver.Conn) {
	t.Helper()
	time.Sleep(5 * time.Millisecond) // past the margin
	for n := 1; n > 0; {
		var err error
		n, err = r.Reach(t.Context(), conn)
		require.NoError(t, err)
	}
}

// TestReachIsRightAtAnyMoment puts people in, of any day and step, with workings
// out of some shops and crashes between, and compares grosz.reach with what is
// merged from the days' sets. One shop has more people than sets hold exactly.
func TestReachIsRightAtAnyMoment(t *testing.T) {
	conn := open(t)
	fromScratch(t, conn)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := newRoller(t)
	crash := errors.New("crash")
	check := func(when string) {
		require.Positive(t, same(t, conn, "reach", fmt.Sprintf("%s, seed %d", when, seed)))
	}
	for _, ago := range []int{1, 2, 31} {
		people(t, conn, "visits", 84, 60_000, ago, seed+uint64(ago))
	}
	for round := range 4 {
		for range 3 {
			people(t, conn, []string{"visits", "bids", "events"}[rnd.IntN(3)], 81+rnd.IntN(3), 1+rnd.IntN(300), rnd.IntN(34), rnd.Uint64())
		}
		check("after an insert")
		time.Sleep(5 * time.Millisecond) // past the margin
		if round%2 == 1 {
			r.afterFill = func() error { return crash }
			_, err := r.Reach(t.Context(), conn)
			require.ErrorIs(t, err, crash)
			r.afterFill = nil
			check("after a crash")
		}
		_, err := r.Reach(t.Context(), conn)
		require.NoError(t, err)
		check("after a working out")
	}
	var dirty uint64
	onOneDay(t, conn, func() {
		mergeAll(t, r, conn)
		dirty = count(t, conn, "grosz.rollup_dirty_reach")
	})
	require.Zero(t, dirty)
	check("when all is worked out")
	for _, s := range sweeps(1 << 63) { // as if an hour had passed
		require.NoError(t, conn.Exec(t.Context(), s+" SETTINGS mutations_sync = 1"))
	}
	check("after a sweep")
	people(t, conn, "events", 83, 50, 3, rnd.Uint64())
	check("with people who came since, of a day long past")
	people(t, conn, "events", 85, 50, 0, rnd.Uint64())
	check("with a new shop")
}

// TestTomorrowsReachIsThereAtMidnight: the window that ends tomorrow is worked
// out once, of its own days, and not again each time somebody comes.
func TestTomorrowsReachIsThereAtMidnight(t *testing.T) {
	conn := open(t)
	var shop int
	size := func(date string) (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT sum(size) FROM grosz.reach_window WHERE shop_id = ? AND step = 'visited' AND date = `+date+`
			AND version = (SELECT max(version) FROM grosz.rollup_done WHERE level = 'reach' AND shop_id = ? AND toDate(unit) = `+date+`)`, shop, shop).Scan(&n))
		return n
	}
	truth := func(days string) (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT sum(n) FROM (SELECT uniqExact(user) AS n FROM grosz.shop_events WHERE shop_id = ? AND day > today() - "+days+" GROUP BY browser)", shop).Scan(&n))
		return n
	}
	type windows struct{ today, tomorrow, truth, ofTomorrow uint64 }
	var before, after windows
	ask := func() windows { return windows{size("today()"), size("today() + 1"), truth("30"), truth("29")} }
	r := newRoller(t)
	onOneDay(t, conn, func() {
		shop = 1000 + rand.IntN(1_000_000)
		people(t, conn, "visits", shop, 40, 29, 1) // in today's window, not in tomorrow's
		people(t, conn, "visits", shop, 30, 28, 2)
		mergeAll(t, r, conn)
		before = ask()
		people(t, conn, "visits", shop, 500, 0, 3)
		mergeAll(t, r, conn)
		after = ask()
	})
	require.Equal(t, before.truth, before.today)
	require.Equal(t, before.ofTomorrow, before.tomorrow)
	require.Less(t, before.tomorrow, before.today)
	require.Equal(t, after.truth, after.today)
	require.Equal(t, before.tomorrow, after.tomorrow, "a view adds the days that got people since")
}
