package bidder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

// How likely a bid wins is said of the bid itself where the exchange's prices
// are known, else of the exchange.
func TestPredictedWin(t *testing.T) {
	camp := openCampaign(1)
	camp.HoldoutBPS = 1
	w := newWorld(t, camp)
	x := w.b.exchanges["burl"]
	c := newContext([32]byte{1})
	made := func(fields, imp string) *bid {
		c.reset()
		c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), x, time.Now(), w.clock.NowMS()
		require.NoError(t, c.view.Parse([]byte(`{"id":"r1",`+fields+`"imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]},"bidfloor":0.5`+imp+`}],"site":{"domain":"news.example"},"cur":["USD"]}`)))
		require.Equal(t, ReasonNone, w.b.bid(c))
		require.Len(t, c.bids, 1)
		return &c.bids[0]
	}
	usual := func(o *bid) int64 { return max(int64(float64(w.b.book.WinRate(x.delayClass(o.media)))*1e9), 1) }

	o := made(`"at":1,`, "")
	require.Equal(t, usual(o), w.b.predictedWin(c, o), "no prices are known yet")
	taughtPrices(x) // 1.20 USD wins every second
	o = made(`"at":1,`, "")
	last := int64(0)
	for _, price := range []money.CPM{300_000, 900_000, 1_200_000, 2_000_000, 5_000_000} {
		o.price = price
		win := w.b.predictedWin(c, o)
		require.Greater(t, win, last, "a higher bid wins more often")
		require.LessOrEqual(t, win, int64(1e9))
		if last = win; price == 1_200_000 {
			require.InDelta(t, 0.5e9, win, 0.15e9)
		}
	}
	if !raceEnabled {
		require.Zero(t, testing.AllocsPerRun(100, func() { w.b.predictedWin(c, o) }))
	}
	o = made(`"at":2,`, "")
	require.Equal(t, usual(o), w.b.predictedWin(c, o), "prices are learned of first-price auctions")
	o = made(`"at":1,`, `,"pmp":{"private_auction":1,"deals":[{"id":"d","bidfloor":1,"at":1}]}`)
	require.Equal(t, usual(o), w.b.predictedWin(c, o), "nor of deals")
	w.b.letGo(c)
}
