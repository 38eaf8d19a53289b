package rollup

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWhatANoteHidesIsFoundAgain: a note made while the server's clock was ahead
// does not count until the clock is there; what it hides from then on, a sweep
// finds.
func TestWhatANoteHidesIsFoundAgain(t *testing.T) {
	conn := open(t)
	ctx := t.Context()
	shop := 1000 + rand.Uint32N(1_000_000)
	log := history(rand.New(rand.NewPCG(91, uint64(shop))), shop, 6)
	r := newRoller(t)
	noNotes := func() {
		require.NoError(t, conn.Exec(context.WithoutCancel(ctx), "ALTER TABLE grosz.rollup_done DELETE WHERE shop_id = 0 SETTINGS mutations_sync = 1"))
	}
	t.Cleanup(noNotes)
	notes := func(at string) {
		noNotes()
		for _, l := range r.levels {
			require.NoError(t, conn.Exec(ctx, "INSERT INTO grosz.rollup_done (level, part, shop_id, unit, version, clean_until) SELECT 'all "+l.all+"', 0, 0, toDateTime(0, 'UTC'), 1, "+at))
		}
	}
	insert(t, conn, log)
	want := truth(log)
	notes("now64(3) + INTERVAL 1 HOUR")
	require.Equal(t, want, read(t, conn, "daily", shop))
	notes("now64(3)")
	require.Empty(t, read(t, conn, "daily", shop), "hidden")
	require.NoError(t, r.Sweep(ctx, conn))
	require.Equal(t, want, read(t, conn, "daily", shop))
	require.Equal(t, want, read(t, conn, "hourly", shop))
	time.Sleep(5 * time.Millisecond) // past the margin
	rollAll(t, r, conn)
	require.Equal(t, want, read(t, conn, "daily", shop))
	for _, dirty := range []string{"hours", "days", "seen", "settled"} {
		require.Zero(t, count(t, conn, "grosz.rollup_dirty_"+dirty), dirty)
	}
}

// TestNotesMakeTheQuestionSmall: once all is worked out, what was touched before
// is not looked at.
func TestNotesMakeTheQuestionSmall(t *testing.T) {
	conn := open(t)
	const shop = 92
	insert(t, conn, history(rand.New(rand.NewPCG(92, 1)), shop, 4))
	time.Sleep(50 * time.Millisecond) // past ten margins
	r := newRoller(t)
	rollAll(t, r, conn)
	for _, l := range r.levels {
		require.Zero(t, count(t, conn, "grosz.rollup_touched WHERE shop_id = 92 AND at > (SELECT max(clean_until) FROM grosz.rollup_done WHERE level = 'all "+l.all+"')"), l.all)
	}
}
