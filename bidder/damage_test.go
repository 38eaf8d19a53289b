package bidder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
	"github.com/grosz/grosz/internal/money"
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

// A damaged book is not believed in part: budgets come from it whole, or the
// log is read from its beginning.
func TestADamagedBookIsWholeOrNotUsed(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.b.cfg.StateDir = t.TempDir()
	w.b.bookPoint = w.b.bookCheckpoint()
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "1"))
	for _, e := range w.spooled() {
		w.b.fold(&e)
	}
	w.b.bookPoint.next[2] = 42
	require.NoError(t, w.b.bookPoint.save())
	path := filepath.Join(w.b.cfg.StateDir, "book.snap")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	settled := w.reopen().Book().Account(1).State(0).Settled
	require.NotZero(t, settled)
	damagetest.Some(t, whole, 1+len(whole)/150, func(what string, bad []byte) {
		damagetest.Overwrite(t, bad, path)
		b := w.reopen()
		if len(b.bookPoint.next) == 0 {
			require.Zero(t, b.Book().Account(1).State(0).Settled, what)
			return
		}
		require.Equal(t, map[int]int64{2: 42}, b.bookPoint.next, what)
		require.Equal(t, settled, b.Book().Account(1).State(0).Settled, what)
	})
}
