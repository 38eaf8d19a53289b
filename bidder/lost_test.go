package bidder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Three notices in a hundred never come. Their wins are paid for all the same,
// by the exchange's report, so that a plan that does not know of them spends
// three in a hundred too much. Nine in ten ads tell by their pixel that they
// were seen; or a report tells.
func TestTheLivePlanKeepsRoomForLostNotices(t *testing.T) {
	const lost, perDay = 0.03, 8_000
	budget := 13 * money.NanoUnit
	for _, c := range []struct {
		name   string
		at     int
		shows  float64
		report bool
		most   float64 // of the budget, truly spent on the third day
		least  float64
	}{
		{"nothing tells of them", 2, 0, false, 1.04, 1.015},
		{"the ads are seen", 2, 0.9, false, 1.01, 0.97},
		{"the ads are seen, first price", 1, 0.9, false, 1.01, 0.965},
		{"a report tells", 2, 0, true, 1.01, 0.97},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newPlayedMarket(t, 5, c.at, pacedCampaign(money.Nano(budget), campaigns.PacingEven))
			m.lost, m.shows = lost, c.shows
			m.midnight()
			m.play(48, perDay)
			if c.report {
				m.w.b.fold(&events.Event{
					EventID: events.NamedID(0, "notices", "march"), Type: events.TypeNotices, TimeMS: m.w.clock.NowMS(),
					BidMS: m.w.clock.NowMS() - 24*hourMS, Exchange: "burl", Count: 10_000, W: 300,
				})
			}
			m.spent, m.wins = 0, 0
			m.play(24, perDay)
			share, found := float64(m.spent)/float64(budget), m.w.b.proofs.lost.Share(int(m.w.b.exchanges["burl"].number), m.w.clock.NowMS())
			r := m.w.b.state.Load().paces[0].Report()
			t.Logf("truly spent %.2f %% of the budget on %d wins, found %.2f %% lost, the plan keeps %.2f %%", 100*share, m.wins, 100*found, 100*r.Lost)
			require.LessOrEqual(t, share, c.most)
			require.GreaterOrEqual(t, share, c.least)
			if c.shows > 0 || c.report {
				require.InDelta(t, lost, found, 0.012)
				require.InDelta(t, found, r.Lost, 0.003)
			} else {
				require.Zero(t, r.Lost)
			}
		})
	}
}

// What proves a win, what is awaited, and what is taken back.
func TestProofsAreJudgedOnceTheirNoticeIsOverdue(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	now, x := w.clock.NowMS(), int(w.b.exchanges["burl"].number)
	n := byte(0)
	event := func(bid byte, typ events.Type, change func(e *events.Event)) {
		n++
		e := events.Event{EventID: events.ID{1, n}, Type: typ, BidID: events.ID{1, bid}, BidMS: now, TimeMS: w.clock.NowMS(),
			ShopID: 7, CampaignID: 1, Exchange: "burl", Media: "banner"}
		if change != nil {
			change(&e)
		}
		w.b.fold(&e)
	}
	settles := func(e *events.Event) { e.Settles, e.PriceStatus = true, events.PriceOK }
	event(1, events.TypeImpression, nil)
	event(1, events.TypeBilling, settles) // both, in either order
	event(2, events.TypeBilling, settles)
	event(2, events.TypeViewable, nil)
	event(3, events.TypeImpression, nil)
	event(3, events.TypeClick, nil) // of one ad
	event(4, events.TypeImpression, func(e *events.Event) { e.Test = true })
	event(5, events.TypeClick, func(e *events.Event) { e.Reason = "too_fast" })
	event(6, events.TypeImpression, nil)
	event(6, events.TypeLoss, nil)                                                                         // looked at by the exchange itself
	event(7, events.TypeImpression, func(e *events.Event) { e.Exchange, e.Settles = "pixel", true })       // it settles
	event(8, events.TypeImpression, func(e *events.Event) { e.BidMS -= 2 * proofWaitMS })                  // far too late
	event(9, events.TypeImpression, func(e *events.Event) { e.Exchange = "gone" })                         // no exchange of ours
	event(10, events.TypeClick, func(e *events.Event) { e.Exchange = "pixel" })                            // seen, and no impression came
	event(11, events.TypeWin, func(e *events.Event) { e.PriceStatus = events.PriceOK })                    // won and perhaps never shown
	event(12, events.TypeBilling, func(e *events.Event) { e.Settles, e.PriceStatus = true, "report" })     // a report's
	event(13, events.TypeImpression, func(e *events.Event) { e.BidMS -= 30 * 60_000; e.Media = "odd" })    // sooner judged
	event(13, events.TypeImpression, func(e *events.Event) { e.BidMS -= 30 * 60_000; e.Media = "native" }) // the same
	require.Len(t, w.b.proofs.wait, 5)
	seen := func() (shown, silent float64) {
		s := w.b.proofs.lost.State(x)
		return s.Shown, s.Silent
	}
	w.b.judgeProofs(w.clock.NowMS())
	shown, _ := seen()
	require.Zero(t, shown, "their notices may still come")
	w.clock.Advance(2 * time.Hour)
	w.b.judgeProofs(w.clock.NowMS())
	require.Empty(t, w.b.proofs.wait)
	shown, silent := seen()
	require.InDelta(t, 4, shown, 1e-9)
	require.InDelta(t, 2, silent, 1e-9, "3 and 13")
	s := w.b.proofs.lost.State(int(w.b.exchanges["pixel"].number))
	require.InDelta(t, 1, s.Silent, 1e-9)
	event(3, events.TypeBilling, settles) // hours late
	_, silent = seen()
	require.InDelta(t, 1, silent, 1e-9)
	event(13, events.TypeBilling, func(e *events.Event) { e.Settles, e.PriceStatus = true, events.PriceReport })
	_, silent = seen()
	require.InDelta(t, 1, silent, 1e-9, "a report is no notice")
}

// A second budget beside the table's: proofs are bounded.
func TestProofsAreBounded(t *testing.T) {
	p := newProofs(1)
	for i := range uint64(proofsMost + 10) {
		p.await(i+1, proof{untilMS: int64(i)})
	}
	require.Len(t, p.wait, proofsMost)
	require.EqualValues(t, 10, p.full)
}
