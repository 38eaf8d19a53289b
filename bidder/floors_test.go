package bidder

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// mixedWorld is a drawn market with all that a price depends on: goals, paced
// days, segments of people, shops of three currencies, one without a rate.
func mixedWorld(t testing.TB) (*world, [][]byte) {
	w, bodies := drawnWorld(t, 400, 400)
	for i, s := range w.in.Shops {
		s.Currency = []money.Currency{usd, pln, money.MustCurrency("EUR"), usd}[i%4]
		s.Active = true
	}
	for i, c := range w.in.Campaigns {
		c.Targeting = fmt.Sprintf("(%s) and not domain = \"nowhere%d.example\"", c.Targeting, i%7)
		switch i % 5 {
		case 1:
			c.Goal.MaxCPC, c.Bid.CPM, c.Bid.MaxCPM = money.Nano(1+i%9)*money.NanoUnit, 0, 60*money.CPMUnit
		case 2:
			c.Pacing, c.Budget.Day = campaigns.PacingEven, 1000*money.NanoUnit
		case 3:
			c.Bid.CPM, c.Bid.MaxCPM = c.Bid.CPM*5, 0
		}
	}
	for _, id := range []uint32{1, 2, 3} {
		w.in.Segments = append(w.in.Segments, &campaigns.Segment{
			ID: id, ShopID: id, Name: "dear", Source: campaigns.SegmentRule, Expression: "visited within 30d", ValueBPS: 25_000, MaxBPS: 20_000,
		})
	}
	currency := map[uint32]string{}
	for _, s := range w.in.Shops {
		currency[s.ID] = " " + s.Currency.String()
	}
	for _, c := range w.in.Campaigns { // amounts are of the shop's currency
		c.Targeting = strings.ReplaceAll(c.Targeting, " USD", currency[c.ShopID])
		for k := range c.Bid.Boosts {
			c.Bid.Boosts[k].When = strings.ReplaceAll(c.Bid.Boosts[k].When, " USD", currency[c.ShopID])
		}
	}
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	for i, body := range bodies {
		switch i % 9 {
		case 1:
			bodies[i] = bytes.Replace(body, []byte(`"cur":["USD"]`), []byte(`"cur":["PLN"]`), 1)
		case 2: // floors that more campaigns reach
			bodies[i] = bytes.ReplaceAll(body, []byte(`"bidfloor":`), []byte(`"bidfloor":0`))
		case 3:
			bodies[i] = bytes.ReplaceAll(body, []byte(`"private_auction":0`), []byte(`"private_auction":1`))
		case 4:
			bodies[i] = bytes.ReplaceAll(body, []byte(`"bidfloorcur":"USD"`), []byte(`"bidfloorcur":"EUR"`))
		}
	}
	return w, bodies
}

// outcomeOf is what became of a request, as far as it does not hang on the clock.
type outcomeOf struct {
	reason NoBidReason
	bids   []string
}

func (w *world) answered(c *bidContext, body []byte) (out outcomeOf) {
	c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], w.b.now(), w.clock.NowMS()
	require.NoError(w.t, c.view.Parse(bytes.Clone(body)))
	out.reason = w.b.bid(c)
	for i := range c.bids {
		o := &c.bids[i]
		out.bids = append(out.bids, fmt.Sprint(o.imp, o.campaign, o.creative.ID, events.MediaName(o.media), o.price, o.hold, o.id))
	}
	w.b.letGo(c)
	c.reset()
	return out
}

// Nobody is passed over for the floor who would have been chosen, and where
// nothing is bid the same is given as the reason.
func TestPassingOverForTheFloorChangesNothing(t *testing.T) {
	w, bodies := mixedWorld(t)
	all, short := newContext([32]byte{7}), newContext([32]byte{7})
	reasons, passed := map[NoBidReason]int{}, 0
	for i, body := range bodies {
		w.b.asksAll = true
		want := w.answered(all, body)
		w.b.asksAll = false
		got := w.answered(short, body)
		require.Equal(t, want, got, "request %d: %s", i, body)
		reasons[got.reason]++
	}
	require.Positive(t, reasons[ReasonNone], "bids are compared")
	require.Positive(t, reasons[ReasonFloor])
	t.Log(reasons)
	for i := range w.b.state.Load().Snapshot.Campaigns {
		for _, x := range w.b.exchanges {
			if n := w.b.state.Load().floors[int(x.number)*len(w.b.state.Load().accounts)+i].Load(); n != nil {
				passed++
			}
		}
	}
	require.Positive(t, passed)
}

// What is counted of one request in sixteen comes to what happened in all.
func TestRefusalsForTheFloorAreCountedBySample(t *testing.T) {
	w := newWorld(t, openCampaign(1), openCampaign(2))
	refused := func(id uint32) uint64 { return w.b.refusals.floorOf(id, 7, w.b.exchanges["burl"]).Load() }
	c := newContext([32]byte{3})
	body := []byte(`{"id":"r","imp":[{"id":"1","bidfloor":900,"banner":{"w":300,"h":250}}],"site":{"domain":"news.example"}}`)
	const n = 8000
	for range n {
		require.Equal(t, ReasonFloor, w.bidOnce(c, bytes.Clone(body)), "the reason is known of each")
	}
	require.InDelta(t, n, refused(1), n/5)
	require.Equal(t, refused(1), refused(2))
	require.Zero(t, refused(1)%wholeEvery)
	require.EqualValues(t, 2*refused(1), w.b.exchanges["burl"].counters.filtered[ReasonFloor].Load())

	w.b.asksAll = true
	before := refused(1)
	w.bidOnce(c, bytes.Clone(body))
	require.Equal(t, before+1, refused(1), "who asks all counts each")
}
