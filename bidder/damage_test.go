package bidder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/damagetest"
	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// Damaged holds are not believed: nothing is held, or what was.
func TestDamagedHoldsAreNotBelieved(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.b.cfg.StateDir = t.TempDir()
	w.bid("burl", bannerRequest)
	w.b.saveHolds()
	path := filepath.Join(w.b.cfg.StateDir, heldFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	held := w.b.Book().Account(1).State(0).Held
	damagetest.Some(t, whole, 3, func(what string, bad []byte) {
		damagetest.Overwrite(t, bad, path)
		b := w.reopen()
		b.exchanges = w.b.exchanges
		b.recallHolds()
		require.Contains(t, []money.Nano{0, held}, b.Book().Account(1).State(0).Held, what)
	})
}

// A damaged book is not believed in part: budgets, counts of people and the
// ledger's fold come from it whole, or the log is read from its beginning.
func TestADamagedBookIsWholeOrNotUsed(t *testing.T) {
	c := openCampaign(1)
	c.Frequency = campaigns.Frequency{Impressions: 1, Hours: 24}
	w := shopWorld(t, c)
	w.b.cfg.StateDir = t.TempDir()
	w.b.bookPoint = w.b.bookCheckpoint()
	bid := w.bid("burl", personRequest("")).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "1"))
	for _, e := range w.spooled() {
		w.b.fold(&e)
	}
	w.b.bookPoint.next[2] = 42
	require.NoError(t, w.b.bookPoint.save())
	path := filepath.Join(w.b.cfg.StateDir, "book.snap")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	user := bidUser(t, w, personKey(t))
	state := func() (offsets map[int]int64, settled money.Nano, seen int) {
		b := w.reopen()
		return b.bookPoint.next, b.Book().Account(1).State(0).Settled, b.frequency.Count(user, 1, noon-1000)
	}
	offsets, settled, seen := state()
	require.Equal(t, map[int]int64{2: 42}, offsets)
	require.NotZero(t, settled)
	require.Equal(t, 1, seen)
	damagetest.Some(t, whole, 1+len(whole)/150, func(what string, bad []byte) {
		damagetest.Overwrite(t, bad, path)
		offsets, settled, seen := state()
		require.Empty(t, offsets, what)
		require.Zero(t, settled, what)
		require.Zero(t, seen, what)
	})
}

// Damaged plans are not believed in part: they begin anew, or as they were
// learned. A file of the time before it was sealed is read.
func TestDamagedPlansAreNotBelieved(t *testing.T) {
	w := newWorld(t, pacedCampaign(1000*money.NanoUnit, campaigns.PacingEven))
	w.b.cfg.StateDir = t.TempDir()
	w.b.countTraffic()
	w.b.plan(0, 1)
	w.b.savePlans()
	path := filepath.Join(w.b.cfg.StateDir, plansFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	recalled := func() map[uint32]plan.LiveState {
		w.b.refusals.saved = nil
		w.b.recallPlans()
		return w.b.refusals.saved
	}
	learned := recalled()
	require.NotEmpty(t, learned)
	damagetest.Some(t, whole, 1+len(whole)/150, func(what string, bad []byte) {
		damagetest.Overwrite(t, bad, path)
		if got := recalled(); len(got) > 0 { // a key in capitals is the same key
			require.Equal(t, learned, got, what)
		}
	})
	before, err := durable.Unseal(plansFormat, whole)
	require.NoError(t, err)
	damagetest.Overwrite(t, before, path)
	require.Equal(t, learned, recalled())
}
