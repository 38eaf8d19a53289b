package bidder

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/internal/money"
)

// setClock sets a node's clock, as its machine's would be, and lets it notice.
func (w *world) setClock(by time.Duration) {
	w.clock.Advance(by)
	w.b.clockSet(w.clock.NowMS(), by.Milliseconds())
	w.b.leases.clockSet(by.Milliseconds())
}

// A node whose clock is set goes on bidding out of leases, its bids of before
// are billed, and the budget holds to the end.
func TestANodeWhoseClockIsSetGoesOn(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 5 * time.Minute, -5 * time.Minute} {
		t.Run(by.String(), func(t *testing.T) {
			const budget = 4 * money.NanoUnit / 10 // thirty bids
			l := newLeasedNodes(t, 2, budget)
			l.turn()
			l.turn()
			won, out := 0, []openrtb2.Bid(nil)
			play := func(turns int) {
				for turn := range turns {
					for i, w := range l.nodes {
						code, body, _ := w.post("burl", fmt.Sprintf(leasedRequest, turn))
						if code == http.StatusOK {
							var r openrtb2.BidResponse
							require.NoError(t, json.Unmarshal(body, &r))
							out = append(out, r.SeatBid[0].Bid[0])
						}
						if len(out) > 2 { // so that some are out when the clock is set
							l.bill(l.nodes[(i+turn)%2], out[0].BURL, out[0].Price)
							out, won = out[1:], won+1
						}
					}
					l.turn()
					for _, w := range l.nodes {
						w.clock.Advance(500 * time.Millisecond)
					}
				}
			}
			play(4)
			l.nodes[0].setClock(by)
			before := won
			play(4)
			require.Greater(t, won, before+4, "both nodes go on")
			l.nodes[0].setClock(-by)
			play(40)
			for _, b := range out {
				l.bill(l.nodes[1], b.BURL, b.Price)
				won++
			}
			l.turn()
			s := l.billed()
			require.LessOrEqual(t, s.Billed, money.Nano(budget))
			require.Equal(t, money.Nano(won)*13_200_000, s.Billed+gross(s.House, money.RateOne, money.Fee{})+s.House/10, "every win is booked")
			require.Greater(t, s.Billed, money.Nano(budget)*90/100)
		})
	}
}

// A node that asked for a lease just before its clock was set back asks again
// within seconds, not when the clock has caught up.
func TestLeasesAreAskedForAfterTheClockIsSetBack(t *testing.T) {
	l := newLeasedNodes(t, 1, money.NanoUnit)
	w := l.nodes[0]
	require.NotEmpty(t, w.b.leases.turn(w.clock.NowMS()))
	w.setClock(-time.Hour)
	w.clock.Advance(2*leaseRetry + time.Second)
	require.NotEmpty(t, w.b.leases.turn(w.clock.NowMS()))
}

// A shop's events are taken while its limiter's last moment is in the future.
func TestAShopIsNotHeldUpByAClockThatWasSetBack(t *testing.T) {
	l := newShopLimiter(maxEventsPerBatch)
	for range 2 {
		ok, _ := l.take(1, maxEventsPerBatch, noon)
		require.True(t, ok)
	}
	behind := int64(noon) - time.Hour.Milliseconds()
	ok, _ := l.take(1, maxEventsPerBatch, behind)
	require.False(t, ok)
	ok, _ = l.take(1, maxEventsPerBatch, behind+1000)
	require.True(t, ok, "a second later there is room for as many again")
}

// The watch that the node's loops look at takes a test's clock for time that
// passes.
func TestATestsClockIsNotSet(t *testing.T) {
	w := newWorld(t, openCampaign(42))
	watch := clock.NewWatch(w.b.clock)
	w.clock.Advance(time.Hour)
	_, by := watch.Look()
	require.Zero(t, by)
}

// Holds that were written down while the clock was ahead end with the longest
// hold from now, not an hour later.
func TestHoldsOfAClockThatWasAheadEnd(t *testing.T) {
	w := newWorld(t, openCampaign(42))
	w.b.cfg.StateDir = t.TempDir()
	text, err := json.Marshal(heldState{TimeMS: noon + time.Hour.Milliseconds(), Held: map[uint32]money.Nano{42: 1000}})
	require.NoError(t, err)
	text, err = durable.Seal(heldFormat, text)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(w.b.cfg.StateDir, heldFile), text, 0o600))
	w.b.recallHolds()
	require.EqualValues(t, 1000, heldOf(w.b))
	for range 64 {
		w.b.book.Sweep(noon + w.b.longestHold().Milliseconds())
	}
	require.Zero(t, heldOf(w.b))
}

// heldOf is what the open holds of all campaigns come to.
func heldOf(b *Bidder) (sum money.Nano) {
	b.book.EachHeld(func(_ uint32, held money.Nano) { sum += held })
	return sum
}
