package rollup

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/reporting/erase"
	"github.com/grosz/grosz/reporting/schema"
)

// scratch are views as earlier migrations had them: they work everything out
// from the events at each question, which makes them the truth of what is kept;
// the roll-ups' and those that add them up are what later ones must equal.
var scratch = map[string]string{"0003_adjustments.sql": "settlements", "0007_attribution.sql": "attributions attributed_orders",
	"0008_rollups.sql": "hourly daily places", "0009_costs.sql": "order_places cost_by_domain cost_by_hour", "0012_questions.sql": "reach pacing"}

var scratchName = regexp.MustCompile(`grosz\.(settlements|attributions|attributed_orders|hourly|daily|places|order_places|cost_by_domain|cost_by_hour|reach|pacing)\b`)

// fromScratch makes those views beside the ones in force, with names of their own.
func fromScratch(t *testing.T, conn driver.Conn) {
	t.Helper()
	all, err := schema.Migrations()
	require.NoError(t, err)
	made := 0
	for _, m := range all {
		for _, sql := range m.Statements {
			for name := range strings.FieldsSeq(scratch[m.Name]) {
				if strings.HasPrefix(sql, "CREATE OR REPLACE VIEW grosz."+name+"\n") {
					require.NoError(t, conn.Exec(t.Context(), scratchName.ReplaceAllString(sql, "grosz.${1}_scratch")), name)
					t.Cleanup(func() { conn.Exec(t.Context(), "DROP VIEW IF EXISTS grosz."+name+"_scratch") })
					made++
				}
			}
		}
	}
	require.Equal(t, 11, made)
}

// same compares a view with what is worked out from scratch, row by row.
func same(t *testing.T, conn driver.Conn, view, when string) (rows uint64) {
	t.Helper()
	columns := "*"
	if view == "settlements" {
		columns = "* EXCEPT (conflicts), toUInt64(conflicts)"
	}
	list := func(of string) (out []string) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT arraySort(groupArray(toString(tuple("+columns+")))) FROM grosz."+of).Scan(&out))
		return out
	}
	var want, got []string
	onOneDay(t, conn, func() { want, got = list(view+"_scratch"), list(view) })
	require.Equal(t, want, got, "%s %s", view, when)
	return uint64(len(want))
}

// onOneDay asks several things of which each has today() in it, once more if it
// became another day in between.
func onOneDay(t *testing.T, conn driver.Conn, ask func()) {
	t.Helper()
	today := func() (day time.Time) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT today()").Scan(&day))
		return day
	}
	for day := (time.Time{}); day != today(); {
		day = today()
		ask()
	}
}

// story is a log of touches, bids and goals of a shop.
type story struct {
	rnd   *rand.Rand
	shop  uint32
	users uint64
	start time.Time
	bids  []uuid.UUID
	at    []time.Time
	next  uint64
}

func (s *story) id() (u uuid.UUID) {
	for i := range u {
		u[i] = byte(s.rnd.Uint32())
	}
	return u
}

// rows returns n rows of each table. Every fourth touch is one of before,
// delivered again: at the same offset, or at a new one with another time.
func (s *story) rows(n int) (touches, goals, bids [][]any) {
	day := func(at time.Time) time.Time { return at.Truncate(24 * time.Hour) }
	for range n {
		if len(s.bids) == 0 || s.rnd.IntN(3) > 0 {
			s.bids, s.at = append(s.bids, s.id()), append(s.at, s.start.Add(time.Duration(s.rnd.IntN(72*3600_000))*time.Millisecond))
		}
		k := s.rnd.IntN(len(s.bids))
		bid, made, user := s.bids[k], s.at[k], uint64(k)%s.users
		kind := []string{"click", "viewable", "impression"}[s.rnd.IntN(3)]
		event := bid
		event[0] ^= kind[0]
		s.next++
		offset := s.next
		if s.rnd.IntN(4) == 0 {
			offset = s.rnd.Uint64N(s.next)
		}
		at := made.Add(time.Duration(s.rnd.IntN(48*3600_000)) * time.Millisecond)
		reason := []string{"", "", "", "", "crawler"}[s.rnd.IntN(5)]
		touches = append(touches, []any{event, kind, at, made, day(at), bid, s.shop, user, uint32(k % 3), reason, offset})
		if s.rnd.IntN(3) > 0 {
			bids = append(bids, []any{bid, "bid", made, day(made), bid, s.shop, user, fmt.Sprint("site", k%4, ".example"), "mobile", "POL", s.next})
		}
		var clicked uuid.UUID
		if s.rnd.IntN(4) == 0 {
			clicked = bid
		}
		when := s.start.Add(time.Duration(s.rnd.IntN(5*24*3600_000)) * time.Millisecond)
		order, typ, name := fmt.Sprint("o", s.rnd.IntN(12)), "purchase", ""
		if s.rnd.IntN(5) == 0 {
			typ, name = "conversion", "signup"
		}
		status, of := "", uuid.UUID{}
		if len(goals) > 0 && s.rnd.IntN(4) == 0 { // news of an order
			typ, name, status, of, order = "order_status", "", []string{"cancelled", "returned", "paid"}[s.rnd.IntN(3)], goals[s.rnd.IntN(len(goals))][0].(uuid.UUID), ""
		}
		goals = append(goals, []any{s.id(), typ, when, when.Add(time.Second), day(when), s.shop, user, clicked, order, name, status, of, s.next})
	}
	return touches, goals, bids
}

func put(t *testing.T, conn driver.Conn, sql string, rows [][]any) {
	t.Helper()
	if len(rows) == 0 {
		return
	}
	b, err := conn.PrepareBatch(t.Context(), sql)
	require.NoError(t, err)
	for _, r := range rows {
		require.NoError(t, b.Append(r...))
	}
	require.NoError(t, b.Send())
}

const (
	putTouches = "INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, user, campaign_id, reason, kafka_offset)"
	putGoals   = "INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user, click_bid, order_id, name, status, order_event, kafka_offset)"
	putBids    = "INSERT INTO grosz.bids (event_id, type, time, day, bid_id, shop_id, user, domain, device, country, kafka_offset)"
)

// TestAttributionIsRightAtAnyMoment delivers touches, goals, news of orders and
// bids in pieces, in any order, some twice, some with other facts, with
// workings out and crashes between; then the shop's windows change, a person is
// erased, and all is delivered once more.
func TestAttributionIsRightAtAnyMoment(t *testing.T) {
	conn := open(t)
	fromScratch(t, conn)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const shop = 51
	s := &story{rnd: rand.New(rand.NewPCG(seed, 1)), shop: shop, users: 6, start: time.Now().UTC().Truncate(24 * time.Hour).Add(-8 * 24 * time.Hour)}
	r := newRoller(t)
	r.cfg.Goals = 5
	check := func(when string) {
		when = fmt.Sprintf("%s, seed %d", when, seed)
		require.Positive(t, same(t, conn, "attributions", when))
	}
	checkAll := func(when string) {
		check(when)
		same(t, conn, "attributed_orders", fmt.Sprintf("%s, seed %d", when, seed))
		for _, view := range []string{"order_places", "cost_by_domain", "reach"} {
			same(t, conn, view, fmt.Sprintf("%s, seed %d", when, seed))
		}
	}
	work := func() {
		time.Sleep(5 * time.Millisecond) // past the margin
		for n := 1; n > 0; {
			var err error
			n, err = r.Goals(t.Context(), conn)
			require.NoError(t, err)
		}
	}
	goal := func(where string) uint64 { return count(t, conn, "grosz.attribution_goals WHERE "+where) }
	var all [3][][]any
	for round := range 3 {
		touches, goals, bids := s.rows(30)
		for i, rows := range [][][]any{touches, goals, bids} {
			all[i] = append(all[i], rows...)
		}
		put(t, conn, putGoals, goals)
		put(t, conn, putTouches, touches)
		put(t, conn, putBids, bids)
		check("after an insert")
		if round == 1 {
			r.afterFill = func() error { return fmt.Errorf("crash") }
			_, err := r.Goals(t.Context(), conn)
			require.ErrorContains(t, err, "crash")
			r.afterFill = nil
			check("after a crash")
		}
		work()
		require.Zero(t, goal("NOT clean"))
		checkAll("after a working out")
	}
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO grosz.shops (shop_id, version, click_window, view_window) VALUES (51, 1, 3600, 90000)"))
	require.Positive(t, goal("NOT known"), "other windows, other touches")
	check("with other windows")
	work()
	check("with other windows, worked out")

	_, err := erase.Erase(t.Context(), conn, []erase.Person{{Shop: shop, User: 3, UntilMS: s.start.Add(60 * time.Hour).UnixMilli()}})
	require.NoError(t, err)
	check("after a person went")
	work()
	checkAll("after a person went, worked out")

	put(t, conn, putTouches, all[0])
	put(t, conn, putGoals, all[1])
	check("after a replay")
	work()
	checkAll("after a replay, worked out")
	_, err = erase.Erase(t.Context(), conn, []erase.Person{{Shop: shop, User: 3}})
	require.NoError(t, err)
	require.Zero(t, count(t, conn, "grosz.goal_touches WHERE shop_id = 51 AND user = 3"), "nothing worked out names who was erased")
	check("after all of a person went")
}

// TestSettlementsAreTheSameFromScratch delivers settling events, some several
// times and some of one bid apart, corrections and conflicts, and compares every
// row of grosz.settlements after each step.
func TestSettlementsAreTheSameFromScratch(t *testing.T) {
	conn := open(t)
	fromScratch(t, conn)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	log := history(rnd, 61, 60)
	for i := range log {
		if log[i].kind == "click" && rnd.IntN(2) == 0 {
			log[i].kind, log[i].amount = "conflict", 0
		}
	}
	r := newRoller(t)
	check := func(when string) {
		require.Positive(t, same(t, conn, "settlements", fmt.Sprintf("%s, seed %d", when, seed)))
	}
	var delivered []fact
	for len(log) > 0 {
		n := min(len(log), 90)
		piece := append(log[:n:n], delivered[:min(len(delivered), rnd.IntN(20))]...)
		log = log[n:]
		insert(t, conn, piece)
		delivered = append(delivered, piece...)
		check("after an insert")
		time.Sleep(5 * time.Millisecond) // past the margin
		_, err := r.work(t.Context(), conn, r.levels[3], 3)
		require.NoError(t, err)
		check("after a round")
	}
	for n := 1; n > 0; {
		var err error
		n, err = r.work(t.Context(), conn, r.levels[3], 100)
		require.NoError(t, err)
	}
	require.Zero(t, count(t, conn, "grosz.rollup_dirty_settled"))
	require.Positive(t, count(t, conn, "grosz.rollup_settled_twice WHERE shop_id = 61"))
	check("after all rounds")
	require.NoError(t, conn.Exec(t.Context(), "OPTIMIZE TABLE grosz.events FINAL"))
	check("after a merge")
}

// TestSumsAreTheSameFromScratch delivers events in pieces, some again, works out
// a few hours or days between, and compares every row of the views that read
// roll-ups with what the earlier forms of these views have.
func TestSumsAreTheSameFromScratch(t *testing.T) {
	conn := open(t)
	fromScratch(t, conn)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	log := history(rnd, 71, 60)
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO grosz.shops (shop_id, version, time_zone) VALUES (71, 1, 'Asia/Kathmandu')"))
	// People, for reach: others' tests may have left none.
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user) SELECT generateUUIDv4(), 'visit', now64(3), now64(3), today(), 71, 1 + number FROM numbers(5)"))
	require.NoError(t, conn.Exec(t.Context(), `INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, user, exchange, currency, shop_currency, loaded_at)
		SELECT generateUUIDv4(), 'impression', now64(3), now64(3), today(), generateUUIDv4(), 71, 1 + number, 'alpha', 'USD', 'PLN', now64(3) FROM numbers(3)`))
	r := newRoller(t)
	for from := 0; from < len(log); from += 90 {
		insert(t, conn, log[from:min(from+90, len(log))])
		insert(t, conn, log[:min(from, rnd.IntN(20))])
		time.Sleep(5 * time.Millisecond) // past the margin
		_, err := r.work(t.Context(), conn, r.levels[rnd.IntN(2)], 7)
		require.NoError(t, err)
		for _, view := range []string{"hourly", "daily", "places", "cost_by_domain", "cost_by_hour", "pacing", "reach"} {
			require.Positive(t, sameSums(t, conn, view, fmt.Sprintf("after %d events, seed %d", from, seed)), view)
		}
	}
}

// sameSums is same for views whose rows are parts of sums until they are added
// up: how many a group has depends on what was worked out.
func sameSums(t *testing.T, conn driver.Conn, view, when string) uint64 {
	t.Helper()
	keys, ok := map[string]string{"hourly": "shop, day, at_hour, campaign", "daily": "shop, day, campaign", "places": "shop, day, campaign, domain"}[view]
	if !ok {
		return same(t, conn, view, when)
	}
	list := func(of string) (out []string) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT arraySort(groupArray(toString(row))) FROM (SELECT tuple("+keys+", sum(wins), sum(impressions), sum(clicks), sum(spend), sum(shop_spend), sum(shop_fee)) AS row FROM grosz."+of+" GROUP BY "+keys+")").Scan(&out))
		return out
	}
	want := list(view + "_scratch")
	require.Equal(t, want, list(view), "%s %s", view, when)
	return uint64(len(want))
}
