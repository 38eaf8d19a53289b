package rollup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

var (
	once   sync.Once
	server *warehouse.Server
	conn   driver.Conn
	reach  schema.Server
	errUp  error
	dir    string
	quiet  = slog.New(slog.DiscardHandler)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if conn != nil {
		conn.Close()
	}
	if server != nil {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// open starts the real engine once; without it the test is skipped, or fails
// when CI=true.
func open(t *testing.T) driver.Conn {
	t.Helper()
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("not run: %v", err)
	}
	once.Do(func() {
		if dir, errUp = os.MkdirTemp("", "rollup-test-"); errUp != nil {
			return
		}
		if server, errUp = warehouse.Start(context.Background(), warehouse.Config{Dir: dir, Addr: "127.0.0.1:0"}, quiet); errUp != nil {
			return
		}
		reach = schema.Server{Addr: server.Addr(), PasswordFile: warehouse.PasswordFile(dir)}
		if conn, errUp = reach.Open(); errUp != nil {
			return
		}
		errUp = schema.Migrate(context.Background(), conn, quiet)
	})
	require.NoError(t, errUp)
	return conn
}

func newRoller(t *testing.T) *Roller {
	t.Helper()
	r, err := New(Config{ClickHouse: reach, Margin: NoMargin, Every: time.Millisecond, Hours: 7, Days: 3}, metrics.NewSet(), quiet)
	require.NoError(t, err)
	return r
}

// fact is one event of the test, as the log has it.
type fact struct {
	id, bid  uuid.UUID
	kind     string
	settles  bool
	shop     uint32
	bidTime  time.Time
	time     time.Time
	amount   int64 // units
	offset   uint64
	campaign uint32
}

func insert(t *testing.T, conn driver.Conn, facts []fact) {
	t.Helper()
	b, err := conn.PrepareBatch(t.Context(), `INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id,
		exchange, currency, shop_currency, settles, price_status, amount, shop_amount, shop_fee, kafka_offset, loaded_at)`)
	require.NoError(t, err)
	for _, f := range facts {
		a := decimal.New(f.amount, 0)
		require.NoError(t, b.Append(f.id, f.kind, f.time, f.bidTime, f.time.Truncate(24*time.Hour), f.bid, f.shop, f.campaign,
			"alpha", "USD", "PLN", f.settles, "ok", a, a, a, f.offset, time.Now().UTC()))
	}
	require.NoError(t, b.Send())
}

// truth is what a shop's days add up to: the first in the log decides,
// however it was delivered.
func truth(all []fact) map[string]string {
	type sums struct {
		wins, shown, clicks int
		spend               int64
	}
	first := map[string]fact{}
	note := func(key string, f fact) {
		if old, ok := first[key]; !ok || f.offset < old.offset {
			first[key] = f
		}
	}
	for _, f := range all {
		switch f.kind {
		case "click", "adjustment":
			note(f.kind+f.id.String(), f)
			continue
		case "impression":
			note("impression"+f.bid.String(), f)
		}
		note("win"+f.bid.String(), f)
		if f.settles {
			note("spend"+f.bid.String(), f)
		}
	}
	days := map[string]sums{}
	for key, f := range first {
		day := fmt.Sprintf("%d/%s", f.shop, f.time.Format(time.DateOnly))
		s := days[day]
		switch {
		case strings.HasPrefix(key, "click"):
			s.clicks++
		case strings.HasPrefix(key, "impression"):
			s.shown++
		case strings.HasPrefix(key, "win"):
			s.wins++
		default:
			s.spend += f.amount
		}
		days[day] = s
	}
	out := map[string]string{}
	for day, s := range days {
		out[day] = fmt.Sprintf("%d %d %d %d", s.wins, s.shown, s.clicks, s.spend)
	}
	return out
}

func read(t *testing.T, conn driver.Conn, view string, shop uint32) map[string]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT concat(toString(shop), '/', toString(day)), concat(toString(sum(wins)), ' ', toString(sum(impressions)), ' ', toString(sum(clicks)), ' ', toString(sum(spend)))
		FROM grosz.`+view+` WHERE shop = ? GROUP BY shop, day`, shop)
	require.NoError(t, err)
	defer rows.Close()
	got := map[string]string{}
	for rows.Next() {
		var k, v string
		require.NoError(t, rows.Scan(&k, &v))
		got[k] = v
	}
	require.NoError(t, rows.Err())
	return got
}

// history draws the events of some bids over some days.
func history(rnd *rand.Rand, shop uint32, bids int) []fact {
	id := func() (u uuid.UUID) {
		for i := range u {
			u[i] = byte(rnd.Uint32())
		}
		return u
	}
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-5 * 24 * time.Hour)
	var all []fact
	for range bids {
		f := fact{bid: id(), shop: shop, campaign: 1 + rnd.Uint32N(2), bidTime: start.Add(time.Duration(rnd.IntN(60)) * time.Hour).Add(time.Duration(rnd.IntN(3600)) * time.Second)}
		for _, kind := range []string{"win", "billing", "impression", "click", "click", "adjustment"} {
			if rnd.IntN(3) == 0 {
				continue
			}
			f.id, f.kind, f.settles = id(), kind, kind == "billing" || (kind == "impression" && rnd.IntN(4) == 0)
			f.amount = 0
			if f.settles || kind == "adjustment" {
				f.amount = rnd.Int64N(1000) - 100
			}
			f.time = f.bidTime.Add(time.Duration(rnd.IntN(30*3600)) * time.Second)
			f.offset = uint64(len(all))
			all = append(all, f)
		}
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i].offset, all[j].offset = all[j].offset, all[i].offset })
	return all
}

// TestRightAtAnyMoment delivers a log in random pieces: out of order, the same
// offsets twice, events again at later offsets and with other facts, with
// rounds between, rounds that crash before they are noted, merges and sweeps.
func TestRightAtAnyMoment(t *testing.T) {
	conn := open(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	const shop = 11
	log := history(rnd, shop, 40)
	r := newRoller(t)
	crash := errors.New("crash")
	var delivered []fact
	check := func(when string) {
		want := truth(delivered)
		for _, view := range []string{"daily", "hourly", "places", "cost_per_order"} {
			require.Equal(t, want, read(t, conn, view, shop), "%s after %s, seed %d", view, when, seed)
		}
	}
	for len(log) > 0 {
		n := min(len(log), 1+rnd.IntN(60))
		piece := log[:n]
		log = log[n:]
		for _, f := range delivered[:min(len(delivered), rnd.IntN(8))] { // delivered again
			if rnd.IntN(2) == 0 {
				f.offset += 1_000_000
				f.amount, f.time = f.amount+7, f.time.Add(time.Hour)
			}
			piece = append(piece[:len(piece):len(piece)], f)
		}
		insert(t, conn, piece)
		delivered = append(delivered, piece...)
		check("an insert")
		time.Sleep(5 * time.Millisecond) // past the margin
		if rnd.IntN(3) == 0 {
			r.afterFill = func() error { return crash }
			_, err := r.Round(t.Context(), conn)
			require.ErrorIs(t, err, crash)
			r.afterFill = nil
			check("a crash")
		}
		_, err := r.Round(t.Context(), conn)
		require.NoError(t, err)
		check("a round")
	}
	rollAll(t, r, conn)
	require.Zero(t, count(t, conn, "grosz.rollup_dirty_hours"))
	require.Zero(t, count(t, conn, "grosz.rollup_dirty_days"))
	check("all rounds")
	require.NoError(t, conn.Exec(t.Context(), "OPTIMIZE TABLE grosz.events FINAL"))
	insert(t, conn, delivered) // the whole log once more
	check("a replay")
	time.Sleep(5 * time.Millisecond)
	rollAll(t, r, conn)
	check("the replay's rounds")
	for _, s := range sweeps(1 << 63) { // as if an hour had passed
		require.NoError(t, conn.Exec(t.Context(), s+" SETTINGS mutations_sync = 1"))
	}
	check("a sweep")
	require.Equal(t, count(t, conn, "(SELECT part, shop_id, date FROM grosz.rollup_day GROUP BY part, shop_id, date)"),
		count(t, conn, "(SELECT part, shop_id, date, version FROM grosz.rollup_day GROUP BY part, shop_id, date, version)"), "one version of each unit stays")
}

// Two rollers at once: whichever ends last, the figures are right.
func TestTwoRollers(t *testing.T) {
	conn := open(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	const shop = 12
	log := history(rnd, shop, 20)
	half := len(log) / 2
	a, b := newRoller(t), newRoller(t)
	insert(t, conn, log[:half])
	time.Sleep(5 * time.Millisecond)
	met := 0
	a.afterFill = func() error { // a has read; more comes, and b is faster
		if met++; met > 1 {
			return nil
		}
		insert(t, conn, log[half:])
		time.Sleep(5 * time.Millisecond)
		_, err := b.Round(t.Context(), conn)
		return err
	}
	rollAll(t, a, conn)
	require.Positive(t, met)
	require.Equal(t, truth(log), read(t, conn, "daily", shop))
	require.Equal(t, truth(log), read(t, conn, "hourly", shop))
}

func rollAll(t *testing.T, r *Roller, conn driver.Conn) {
	t.Helper()
	for {
		n, err := r.Round(t.Context(), conn)
		require.NoError(t, err)
		if n == 0 {
			return
		}
	}
}

func count(t *testing.T, conn driver.Conn, of string) uint64 {
	t.Helper()
	var n uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM "+of).Scan(&n))
	return n
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	err := Config{ClickHouse: schema.Server{Addr: "x"}, Margin: 2 * time.Hour, Every: -1, Hours: -1}.Validate()
	for _, part := range []string{"host:port", "margin of 2h", "pause of -1ns", "-1 hours"} {
		require.ErrorContains(t, err, part)
	}
}
