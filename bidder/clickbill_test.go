package bidder

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
)

// clickCampaign pays 1 PLN for a click; flatModel says that one impression in
// a hundred is clicked.
func clickCampaign(id uint32) *campaigns.Campaign {
	c := goalCampaign(id, campaigns.Goal{}, 0, 50_000_000)
	c.Billing, c.CPC = campaigns.BillingCPC, money.NanoUnit
	return c
}

func newClickWorld(t *testing.T, c *campaigns.Campaign) *world {
	w := newWorld(t, c)
	w.b.cfg.ClickMarginBPS = 1000
	w.b.SetModel(flatModel())
	return w
}

func TestWhatAClickBringsIsBid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *campaigns.Campaign)
		fee    money.Fee
		want   float64 // PLN CPM
		bound  string
	}{
		"the click less the margin":          {func(*campaigns.Campaign) {}, money.Fee{BPS: 1000}, 9, "billed_cpc"},
		"whatever the fee, which comes atop": {func(*campaigns.Campaign) {}, money.Fee{CPM: 2_000_000}, 9, "billed_cpc"},
		"a goal allows less":                 {func(c *campaigns.Campaign) { c.Goal.MaxCPC = 55 * money.NanoUnit / 100 }, money.Fee{BPS: 1000}, 5, "max_cpc"},
		"a bound is less":                    {func(c *campaigns.Campaign) { c.Bid.MaxCPM = 4_000_000 }, money.Fee{BPS: 1000}, 4, "max_cpm"},
		"a price is less":                    {func(c *campaigns.Campaign) { c.Bid.CPM = 3_000_000 }, money.Fee{BPS: 1000}, 3, "cpm"},
	} {
		t.Run(name, func(t *testing.T) {
			camp := clickCampaign(1)
			c.change(camp)
			w := newClickWorld(t, camp)
			w.in.Shops[0].FeeBPS, w.in.Shops[0].FeeCPM = c.fee.BPS, c.fee.CPM
			w.in.Version++
			require.Empty(t, w.b.Publish(w.in))
			e, err := w.b.Explain("burl", []byte(bannerRequest))
			require.NoError(t, err)
			require.NotNil(t, e.Imps[0].Campaigns[0].Value.Goal)
			assert.Equal(t, c.bound, e.Imps[0].Campaigns[0].Value.Goal.Bound)
			assert.InDelta(t, c.want/4, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].Price, 0.001)
		})
	}
}

// TestTheFirstValidClickIsBilled is a bid's whole way: what it holds, what its
// impression costs whom, and what its clicks do.
func TestTheFirstValidClickIsBilled(t *testing.T) {
	w := newClickWorld(t, clickCampaign(1))
	bid := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	account := w.b.book.Account(1)
	assert.InDelta(t, 11_000_000, float64(account.State(0).Held), 20_000, "a hundredth of a click and its fee")
	w.get(macro(bid.BURL, "2.00"))
	settled := w.spooled()
	require.Len(t, settled, 1)
	e := settled[0]
	assert.True(t, e.Settles)
	assert.Equal(t, []money.Nano{2_000_000, 0, 0, money.NanoUnit}, []money.Nano{e.Amount, e.ShopAmount, e.ShopFee, e.ClickPrice}, "the exchange is owed, the shop owes nothing")
	assert.Zero(t, account.State(0).Used, "nothing is held or spent any more")
	w.b.fold(&e)

	click := clickOf(t, bid.AdM)
	w.clickAs(click, "Mozilla/5.0 (compatible; Googlebot/2.1)", "")
	for range 3 {
		w.clock.Advance(time.Minute)
		w.clickAs(click, browser, "")
	}
	var clicks, bills []events.Event
	for _, e := range w.spooled() {
		if e.Type == events.TypeAdjustment {
			bills = append(bills, e)
		} else {
			clicks = append(clicks, e)
		}
	}
	require.Len(t, clicks, 4)
	require.Len(t, bills, 1, "each click is recorded, one of them is billed, and not the crawler's")
	bill := bills[0]
	assert.Equal(t, []any{events.ReasonClick, money.Nano(0), money.Nano(money.NanoUnit), money.Nano(money.NanoUnit / 10), false, events.ClickBillID(e.BidID), e.BidDay},
		[]any{bill.Reason, bill.Amount, bill.ShopAmount, bill.ShopFee, bill.Settles, bill.EventID, bill.BidDay})
	elsewhere := bill
	elsewhere.Node = "n2"
	for _, e := range []events.Event{bill, elsewhere, bill} { // another node took a click too, and the log is read again
		w.b.fold(&e)
	}
	s := account.State(e.BidDay)
	assert.Equal(t, []money.Nano{1_100_000_000, 1_100_000_000, 1_100_000_000, 0}, []money.Nano{s.Settled, s.Used, s.DaySettled, s.Held})
}

// A click and its bill are one entry of the spool, the click first: a crash
// keeps both or none. Where the spool takes nothing, neither is remembered, and
// the next click is billed.
func TestAClickAndItsBillAreOneEntry(t *testing.T) {
	w := newClickWorld(t, clickCampaign(1))
	u := clickOf(t, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].AdM)
	w.spooled()
	w.clock.Advance(time.Minute)
	before := w.spool.Stats().Commits
	w.clickAs(u, browser, "")
	assert.EqualValues(t, 1, w.spool.Stats().Commits-before)
	got := w.spooled()
	require.Len(t, got, 2)
	assert.Equal(t, []events.Type{events.TypeClick, events.TypeAdjustment}, []events.Type{got[0].Type, got[1].Type})

	w = newClickWorld(t, clickCampaign(1))
	u = clickOf(t, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].AdM)
	taken := w.b.spool
	shut, err := spool.Open(spool.Config{Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, shut.Close())
	w.clock.Advance(time.Minute)
	w.b.spool = shut
	w.clickAs(u, browser, "")
	w.b.spool = taken
	assert.Empty(t, w.spooled(), "the person is led on, nothing is kept")
	w.clock.Advance(time.Minute)
	w.clickAs(u, browser, "")
	assert.Len(t, w.spooled(), 2)
}

// TestClicksThatAreNotBilled names clicks and bids that nobody is billed for.
func TestClicksThatAreNotBilled(t *testing.T) {
	for name, c := range map[string]struct {
		camp    *campaigns.Campaign
		request string
		after   time.Duration
		agent   string
	}{
		"of a campaign that pays for impressions": {openCampaign(1), bannerRequest, time.Minute, browser},
		"of a test":                 {clickCampaign(1), strings.Replace(bannerRequest, `"id":"r1"`, `"id":"r1","test":1`, 1), time.Minute, browser},
		"of a crawler":              {clickCampaign(1), bannerRequest, time.Minute, "Mozilla/5.0 (compatible; Googlebot/2.1)"},
		"after its token's life":    {clickCampaign(1), bannerRequest, events.ClickLifetime + time.Minute, browser},
		"at once, by no human hand": {clickCampaign(1), bannerRequest, 50 * time.Millisecond, browser},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClickWorld(t, c.camp)
			bid := w.bid("burl", c.request).SeatBid[0].Bid[0]
			w.get(pixelOf(t, bid.AdM))
			w.clock.Advance(c.after)
			require.Equal(t, http.StatusFound, w.getAs(clickOf(t, bid.AdM), c.agent).StatusCode)
			for _, e := range w.spooled() {
				assert.NotEqual(t, events.TypeAdjustment, e.Type)
			}
		})
	}
}

func (w *world) getAs(u, agent string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, u, nil)
	require.NoError(w.t, err)
	req.Header.Set("User-Agent", agent)
	res, err := w.http.Do(req)
	require.NoError(w.t, err)
	require.NoError(w.t, res.Body.Close())
	return res
}

// TestNodesNeverBillClicksOverTheBudget: two nodes, each click taken by both,
// until the budget is gone. The ledger of each says the same; what did not fit
// is the house's, and then nothing more is bid.
func TestNodesNeverBillClicksOverTheBudget(t *testing.T) {
	const budget = 5 * money.NanoUnit
	l := newLeasedNodes(t, 2, budget)
	for _, w := range l.nodes {
		c := clickCampaign(42)
		c.Budget.Total, c.Version = budget, 2
		w.in.Campaigns, w.in.Version = []*campaigns.Campaign{c}, 2
		require.Empty(t, w.b.Publish(w.in))
		w.b.cfg.ClickMarginBPS = 1000
		w.b.SetModel(flatModel())
	}
	var open []string
	for turn := range 30 {
		l.turn()
		for i, w := range l.nodes {
			code, body, _ := w.post("burl", fmt.Sprintf(leasedRequest, 10*turn+i))
			if code != http.StatusOK {
				continue
			}
			var r openrtb2.BidResponse
			require.NoError(t, json.Unmarshal(body, &r))
			bid := r.SeatBid[0].Bid[0]
			l.bill(l.nodes[(turn+i)%2], bid.BURL, bid.Price)
			open = append(open, clickOf(t, bid.AdM))
		}
		for _, w := range l.nodes {
			w.clock.Advance(time.Second)
		}
		if turn == 8 { // the people come back late: all that was shown is clicked at once
			require.Greater(t, len(open), 10)
			for _, u := range open {
				for _, w := range l.nodes {
					w.clickAs(u, browser, "")
				}
			}
			open = nil
		}
	}
	l.turn()
	s := l.billed()
	assert.EqualValues(t, 44*money.NanoUnit/10, s.Billed, "four clicks of 1.10 fit 5")
	assert.Positive(t, s.House, "others did not")
	assert.Zero(t, s.House%money.NanoUnit, "whole clicks")
	assert.LessOrEqual(t, s.Billed+s.Leased+s.Free, money.Nano(budget))
}
