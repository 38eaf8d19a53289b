package bidder

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
	"github.com/grosz/grosz/segments"
)

// learning is a bidder whose campaigns go by all that moves by itself: goals
// and a model, a paced day, shading, caps of every sort, fatigue, what a person
// hid, products that others look at.
func learning(t *testing.T) (w *world, user segments.UserKey) {
	w = newWorld(t,
		goalCampaign(1, campaigns.Goal{MaxCPC: 11 * money.NanoUnit / 10}, 0, 50_000_000),
		with(2, func(c *campaigns.Campaign) {
			c.Bid.CPM, c.Budget.Day, c.Pacing = 60_000_000, 10*money.NanoUnit, campaigns.PacingEven
		}),
		with(3, func(c *campaigns.Campaign) {
			c.Bid.CPM = 25_000_000
			c.Frequency = campaigns.Frequency{Impressions: 4, Hours: 24, Fatigue: &campaigns.Fatigue{HalfAfter: 3, RecoverMinutes: 2}}
		}),
		with(4, func(c *campaigns.Campaign) {
			c.Bid.CPM = 14_000_000
			c.Frequency.Caps = []campaigns.FrequencyCap{
				{Per: campaigns.PerShop, Impressions: 14, Hours: 24}, {Per: campaigns.PerCreative, Impressions: 9, Hours: 1}, {Per: campaigns.PerProduct, Impressions: 2, Hours: 24},
			}
		}),
		with(5, func(c *campaigns.Campaign) { c.Bid.CPM = 15_000_000 }),
	)
	user = segments.UserFromIFA(explainedIFA)
	w.b.SetModel(flatModel())
	taughtPrices(w.b.exchanges["burl"])
	for i, p := range []string{"a", "b"} {
		w.b.profiles.Load().Apply(&events.ShopEvent{ShopID: 7, UID: user, Type: events.ShopProductView, Product: p, TimeMS: noon - 1000, EventID: events.ID{byte(i + 1)}})
	}
	return w, user
}

// liveContext is one as the bidder's pool has them.
func (w *world) liveContext() *bidContext {
	c := newContext([32]byte{3})
	c.hidden, c.shown, c.pagePrices, c.together = w.b.hidden, w.b.shown, w.b.pagePrices, w.b.together
	return c
}

// goOn lets all of it learn something else.
func (w *world) goOn(user segments.UserKey, round int) {
	now, x := w.clock.NowMS(), w.b.exchanges["burl"]
	m := flatModel()
	m.Version, m.Global[value.Click].Prior = now+int64(round), -4.6+0.05*float64(round%7)
	w.b.SetModel(m)
	for range 400 {
		x.market.Learn(plan.Outcome{Group: 1, Bid: 2_000_000, Won: round%3 == 0}, 60_000)
	}
	x.market.Refit()
	x.market.Publish()
	w.b.plan(0, 1)
	p := segments.Pseudonym(w.b.state.Load().Snapshot.Shop(7).Salt, user)
	id := events.ID{200, byte(round), byte(round >> 8)}
	if round%8 == 0 {
		w.b.frequency.Settled(p, id, 7, 3+uint32(round/8%2), 1, now)
	}
	w.b.shown.Settled(p, 7, id, events.Products{events.ShortProduct(segments.ProductHash([]string{"a", "c"}[round%2]))}, now)
	for i := range 4 { // others look at d beside a
		w.b.sawTogether(&events.ShopEvent{ShopID: 7, UID: segments.UserKey{1, byte(i)}, Type: events.ShopProductView, Product: "a", TimeMS: now})
		w.b.together.Viewed(7, segments.ProductHash([]string{"c", "d"}[round%2]), []uint64{segments.ProductHash("a")}, now+int64(round)*20_000)
	}
	if round == 30 {
		w.b.hidden.Add(7, p, 5, 0, now)
		w.b.hidden.Add(7, p, 0, segments.ProductHash("b"), now)
	}
}

// TestADecisionIsReplayedAfterAllHasMovedOn: what was learned since a decision
// does not change its replay by a byte, and each thing that is kept of what it
// went by counts.
func TestADecisionIsReplayedAfterAllHasMovedOn(t *testing.T) {
	w, user := learning(t)
	s, c := w.sampler(4096, 1), w.liveContext()
	body := func(i int) string {
		size := []string{`"w":300,"h":250`, `"w":728,"h":90`, `"w":160,"h":600`}[i%3]
		person := `"device":{"ifa":"` + explainedIFA + `"}`
		if i%5 == 0 {
			person = `"device":{"devicetype":2}`
		}
		return fmt.Sprintf(`{"id":"r%d","at":%d,"imp":[{"id":"1","banner":{%s}},{"id":"2","banner":{%s}},{"id":"3","native":{"request":%q}}],
			"site":{"domain":"s%d.example"},%s}`, i, 1+i%2, size, size, nativeReplayed, i%4, person)
	}
	const requests = 160
	reasons := map[NoBidReason]int{}
	for i := range requests {
		reasons[w.sampled(s, c, body(i))]++
		w.clock.Advance(20 * time.Second)
		w.goOn(user, i)
	}
	require.Greater(t, reasons[ReasonNone], requests/2, "%v", reasons)
	require.Len(t, s.ring, requests)
	w.clock.Advance(50 * time.Hour)
	campaignsSeen := map[string]bool{}
	differs := map[string]int{}
	for i, p := range s.ring {
		got, err := w.b.Replay(p)
		require.NoError(t, err)
		require.Equal(t, string(p.Answer), string(got.Answer), "request %d: %s then, %s now", i, p.Reason, got.Reason)
		require.True(t, got.Same)
		for _, cid := range []string{"1", "2", "3", "4", "5"} {
			campaignsSeen[cid] = campaignsSeen[cid] || strings.Contains(string(p.Answer), `"cid":"`+cid+`"`)
		}
		for name, change := range map[string]func(r *recalled){
			"pace":     func(r *recalled) { r.paces = nil },
			"prices":   func(r *recalled) { r.view = plan.NewPrices().View() },
			"worth":    func(r *recalled) { r.worth = nil },
			"people":   func(r *recalled) { r.people = nil },
			"together": func(r *recalled) { r.together = w.b.together },
		} {
			q := *takeSampleOf(p)
			q.recalled = changed(p, change)
			other, err := w.b.Replay(&q)
			require.NoError(t, err)
			if !other.Same {
				differs[name]++
			}
		}
	}
	require.Len(t, campaignsSeen, 5)
	for cid, seen := range campaignsSeen {
		require.True(t, seen, "campaign %s won nothing", cid)
	}
	for _, name := range []string{"pace", "prices", "worth", "people", "together"} {
		require.Positive(t, differs[name], "%s: kept for nothing", name)
	}
	t.Logf("replays that differ without it: %v", differs)
}

// A plan that is made, a model or prices that come while a request is bid on
// leave no sample: nobody could say what it went by.
func TestASampleThatWasDisturbedIsNotKept(t *testing.T) {
	for name, disturb := range map[string]func(w *world){
		"nothing":               func(*world) {},
		"a plan":                func(w *world) { w.b.plan(0, 1) },
		"a plan under way":      func(w *world) { w.b.plans.Add(1) },
		"prices":                func(w *world) { w.b.exchanges["burl"].market.Publish() },
		"a model":               func(w *world) { m := flatModel(); m.Version = noon; w.b.SetModel(m) },
		"of another exchange's": func(w *world) { w.b.exchanges["nurl"].market.Publish() },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := learning(t)
			s, c := w.sampler(8, 1), newContext([32]byte{3})
			c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], time.Now(), w.clock.NowMS()
			require.NoError(t, c.view.Parse([]byte(bannerRequest)))
			inputs := s.beforehand(c)
			require.Equal(t, ReasonNone, w.b.bid(c))
			disturb(w)
			kept := name == "nothing" || name == "of another exchange's"
			require.Equal(t, kept, s.take(c, []byte(bannerRequest), [32]byte{1}, ReasonNone, &inputs))
		})
	}
}

// An imp that another exchange had offered is passed over in the replay, too.
func TestAReplayPassesOverWhatWasPassedOver(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	s, c := w.sampler(8, 1), newContext([32]byte{3})
	body := `{"id":"x","source":{"tid":"T"},"imp":[{"id":"1","ext":{"gpid":"/a"},"tagid":"a","banner":{"w":300,"h":250}},{"id":"2","tagid":"b","banner":{"w":300,"h":250}}],
		"site":{"domain":"news.example","page":"https://news.example/a"}}`
	w.bid("nurl", `{"id":"y","source":{"tid":"T"},"imp":[{"id":"1","ext":{"gpid":"/a"},"tagid":"a","banner":{"w":300,"h":250}}],
		"site":{"domain":"news.example","page":"https://news.example/a"}}`)
	require.Equal(t, ReasonNone, w.sampled(s, c, body))
	p := s.ring[0]
	require.NotContains(t, string(p.Answer), `"impid":"1"`)
	require.Contains(t, string(p.Answer), `"impid":"2"`)
	got, err := w.b.Replay(p)
	require.NoError(t, err)
	require.True(t, got.Same, "%s", got.Answer)
}

// nativeReplayed is a native request for a title and a picture.
const nativeReplayed = `{"ver":"1.2","assets":[{"id":1,"required":1,"title":{"len":40}},{"id":2,"required":1,"img":{"type":3,"wmin":300,"hmin":200}}]}`
