package rollup

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// seenTruth is how many impressions a shop had by day, and how many were seen.
func seenTruth(all []fact) (seen map[string][2]int) {
	type bid struct {
		day         string
		shown, seen bool
	}
	bids := map[uuid.UUID]bid{}
	for _, f := range all {
		b := bids[f.bid]
		switch f.kind {
		case "impression":
			if day := f.time.Format(time.DateOnly); !b.shown || day < b.day {
				b.day = day
			}
			b.shown = true
		case "viewable":
			b.seen = true
		}
		bids[f.bid] = b
	}
	seen = map[string][2]int{}
	for _, b := range bids {
		if !b.shown {
			continue
		}
		n := seen[b.day]
		n[0]++
		if b.seen {
			n[1]++
		}
		seen[b.day] = n
	}
	return seen
}

func readSeen(t *testing.T, conn driver.Conn, shop uint32) map[string][2]int {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT toString(day), sum(impressions), sum(viewable) FROM grosz.viewability WHERE shop = ? GROUP BY day", shop)
	require.NoError(t, err)
	defer rows.Close()
	got := map[string][2]int{}
	for rows.Next() {
		var day string
		var shown, seen uint64
		require.NoError(t, rows.Scan(&day, &shown, &seen))
		got[day] = [2]int{int(shown), int(seen)}
	}
	require.NoError(t, rows.Err())
	return got
}

// TestViewabilityIsRightAtAnyMoment delivers impressions and what was seen of
// them in pieces, some twice, with rounds and crashes between.
func TestViewabilityIsRightAtAnyMoment(t *testing.T) {
	conn := open(t)
	const shop = 41
	rnd := rand.New(rand.NewPCG(41, 1))
	var log []fact
	for _, f := range history(rnd, shop, 60) {
		if f.kind == "impression" || f.kind == "win" {
			log = append(log, f)
		}
		if f.kind == "click" { // as many are seen, some of what we never heard was shown
			f.kind = "viewable"
			log = append(log, f)
		}
	}
	r := newRoller(t)
	var delivered []fact
	check := func(when string) {
		require.Equal(t, seenTruth(delivered), readSeen(t, conn, shop), when)
	}
	for round := 0; len(log) > 0; round++ {
		n := min(len(log), 1+rnd.IntN(50))
		piece := log[:n:n]
		log = log[n:]
		insert(t, conn, append(piece, delivered[:min(len(delivered), rnd.IntN(8))]...))
		delivered = append(delivered, piece...)
		check("after an insert")
		time.Sleep(5 * time.Millisecond) // past the margin
		if round%2 == 0 {
			r.afterFill = func() error { return fmt.Errorf("crash") }
			_, err := r.work(t.Context(), conn, r.levels[2], 3)
			require.ErrorContains(t, err, "crash")
			r.afterFill = nil
			check("after a crash")
		}
		_, err := r.Round(t.Context(), conn)
		require.NoError(t, err)
		check("after a round")
	}
	rollAll(t, r, conn)
	require.Zero(t, count(t, conn, "grosz.rollup_dirty_seen"))
	require.Positive(t, count(t, conn, fmt.Sprintf("(SELECT * FROM grosz.rollup_seen_day WHERE shop_id = %d)", shop)))
	check("from roll-ups alone")
	insert(t, conn, delivered)
	check("after a replay")
	time.Sleep(5 * time.Millisecond)
	rollAll(t, r, conn)
	for _, s := range sweeps(1 << 63) { // as if an hour had passed
		require.NoError(t, conn.Exec(t.Context(), s+" SETTINGS mutations_sync = 1"))
	}
	check("after the replay's rounds and a sweep")
}
