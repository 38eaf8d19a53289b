package bidder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// reopen makes a second bidder with the first one's configuration.
func (w *world) reopen() *Bidder {
	w.t.Helper()
	b, err := New(w.b.cfg, Deps{Clock: w.clock, Keys: w.b.keys, Spool: w.spool, Rates: w.b.rates, Log: w.b.log})
	require.NoError(w.t, err)
	require.Empty(w.t, b.Publish(w.in))
	return b
}

func TestACheckpointBringsBackBudgetsCapsAndProfiles(t *testing.T) {
	c := openCampaign(1)
	c.Frequency = campaigns.Frequency{Impressions: 1, Hours: 24}
	w := shopWorld(t, c)
	w.b.cfg.StateDir = t.TempDir()
	w.b.profilePoint, w.b.bookPoint = w.b.profileCheckpoint(), w.b.bookCheckpoint()
	w.send(7, shopKey, `{"events":[{"type":"cart_add","user":{"uid":"`+uid+`"},"product":"b","quantity":1,"price":"900"}]}`)
	w.shopSpooled()
	bid := w.bid("burl", personRequest("")).SeatBid[0].Bid[0]
	w.get(macro(bid.BURL, "1"))
	for _, e := range w.spooled() {
		w.b.fold(&e)
	}
	require.NoError(t, w.b.bookPoint.folded(kafka.Message{Partition: 2, Offset: 41}))
	require.NoError(t, w.b.bookPoint.save())
	require.NoError(t, w.b.profilePoint.save())

	b := w.reopen()
	require.Equal(t, map[int]int64{2: 42}, b.bookPoint.next)
	require.Equal(t, money.Nano(4_400_000), b.Book().Account(1).State(0).Settled)
	require.Equal(t, 1, b.Profiles().Stats().Profiles)
	person := personKey(t)
	user := bidUser(t, w, person)
	require.Equal(t, 1, b.frequency.Count(user, 1, noon-1000))
}

func TestARestartHoldsWhatWasHeld(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.b.cfg.StateDir = t.TempDir()
	w.bid("burl", bannerRequest)
	held := w.b.Book().Account(1).State(0).Held
	require.Equal(t, money.Nano(13_200_000), held)
	w.b.saveHolds()

	b := w.reopen()
	b.exchanges = w.b.exchanges
	b.saveHolds() // housekeeping runs from the start, and has nothing to say yet
	b.recallHolds()
	require.Equal(t, held, b.Book().Account(1).State(0).Held)
	for range 64 {
		b.Book().Sweep(noon + 119_000)
	}
	require.Equal(t, held, b.Book().Account(1).State(0).Held)
	for range 64 {
		b.Book().Sweep(noon + 121_000)
	}
	require.Zero(t, b.Book().Account(1).State(0).Held, "the longest hold has ended")
}

func TestADamagedCheckpointIsReadFromTheLogInstead(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	w.b.cfg.StateDir = t.TempDir()
	for _, name := range []string{"book.snap", "profiles.snap"} {
		require.NoError(t, os.WriteFile(filepath.Join(w.b.cfg.StateDir, name), []byte("nonsense"), 0o600))
	}
	b := w.reopen()
	require.Empty(t, b.bookPoint.next)
	require.Empty(t, b.profilePoint.next)
	require.Zero(t, b.Profiles().Stats().Profiles)
}

func personKey(t *testing.T) segments.UserKey {
	t.Helper()
	k, ok := segments.UserFromUID(uid)
	require.True(t, ok)
	return k
}

func bidUser(t *testing.T, w *world, k segments.UserKey) uint64 {
	t.Helper()
	return segments.Pseudonym(w.b.state.Load().Snapshot.Shop(7).Salt, k)
}
