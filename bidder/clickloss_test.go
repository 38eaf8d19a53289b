package bidder

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// newLossWorlds are nodes with a campaign at 1 PLN a click, on which the
// platform may lose one click and a tenth of what was billed.
func newLossWorlds(t *testing.T, n int) *leasedNodes {
	l := newLeasedNodes(t, n, 0)
	for _, w := range l.nodes {
		w.in.Campaigns, w.in.Version = []*campaigns.Campaign{clickCampaign(42)}, 2
		w.b.cfg.ClickMarginBPS, w.b.cfg.ClickLossClicks, w.b.cfg.ClickLossBPS = 1000, 1, 1000
		w.b.SetModel(flatModel())
		require.Empty(t, w.b.Publish(w.in))
	}
	return l
}

// Ads that nobody clicks stop when they have cost the platform what it may
// lose, on all nodes alike and visibly; a click has them go on, and so do the
// days.
func TestWhatThePlatformMayLoseOnClicksIsBounded(t *testing.T) {
	l := newLossWorlds(t, 2)
	w, other := l.nodes[0], l.nodes[1]
	var click string
	shown := 0
	show := func(w *world) bool {
		t.Helper()
		shown++
		code, _, _ := w.post("burl", fmt.Sprintf(leasedRequest, shown))
		return code == http.StatusOK
	}
	bought := 0
	for ; bought < 200; bought++ {
		shown++
		if code, _, _ := w.post("burl", fmt.Sprintf(leasedRequest, 10_000+bought)); code != http.StatusOK {
			break
		}
		bid := w.bid("burl", fmt.Sprintf(leasedRequest, 20_000+bought)).SeatBid[0].Bid[0]
		l.bill(w, bid.BURL, bid.Price)
		click = clickOf(t, bid.AdM)
		l.read()
		if bought == 0 {
			assert.Contains(t, metricsOf(w), `grosz_click_loss{campaign="42"} 0.009`)
		}
	}
	assert.Equal(t, 112, bought, "impressions at 0.009 PLN that cost more than one click")
	assert.Equal(t, "click_loss", w.noBid("burl", fmt.Sprintf(leasedRequest, 1)))
	assert.Equal(t, "click_loss", other.noBid("burl", fmt.Sprintf(leasedRequest, 2)), "the log tells all nodes")
	e, err := w.b.Explain("burl", fmt.Appendf(nil, leasedRequest, 3))
	require.NoError(t, err)
	require.NotEmpty(t, e.Imps[0].Campaigns[0].Failing)
	miss := e.Imps[0].Campaigns[0].Failing[0]
	assert.Equal(t, "click_loss", miss.Rule)
	assert.Contains(t, miss.Detail, "PLN more than its clicks brought in 7 days, 1.00 are allowed")

	w.clock.Advance(time.Minute)
	w.clickAs(click, browser, "")
	l.read()
	assert.True(t, show(w), "a click was billed")
	assert.True(t, show(other))

	l = newLossWorlds(t, 1)
	w = l.nodes[0]
	w.b.cfg.ClickLossClicks, w.b.cfg.ClickLossBPS = 1, 0
	for range 112 {
		bid := w.bid("burl", fmt.Sprintf(leasedRequest, 4)).SeatBid[0].Bid[0]
		l.bill(w, bid.BURL, bid.Price)
		l.read()
	}
	require.Equal(t, "click_loss", w.noBid("burl", fmt.Sprintf(leasedRequest, 5)))
	w.clock.Advance(ClickLossDays * 24 * time.Hour)
	for range clickLossEvery {
		l.turn()
	}
	assert.True(t, show(w), "the days are over")
}

// metricsOf is what a node's metrics say.
func metricsOf(w *world) string {
	var s strings.Builder
	w.b.leases.writeClickLosses(&s)
	return s.String()
}

func TestTheBoundOfLossesOnClicks(t *testing.T) {
	for name, c := range map[string]struct {
		clicks, bps   int
		price, billed money.Nano
		want          money.Nano
	}{
		"an allowance in clicks":  {20, 1000, 500, 0, 10_000},
		"and a part of the bills": {20, 1000, 500, 50_000, 15_000},
		"credited clicks":         {20, 1000, 500, -50_000, 10_000},
		"the default":             {0, 0, 500, 50_000, 55_000},
		"a dear click":            {100, 0, campaigns.MaxCPC, 0, 100 * campaigns.MaxCPC},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, clickLossMost(c.clicks, c.bps, c.price, c.billed))
		})
	}
	assert.Greater(t, clickLossMost(-1, 0, 1, 0), money.Nano(1<<62), "no bound")
}
