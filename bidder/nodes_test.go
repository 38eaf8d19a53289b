package bidder

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// An hour's requests go from each node's counter through its spool and the log
// to every node, and count once however often they are sent or read.
func TestAnHoursRequestsReachEveryNodeThroughTheLog(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	ctx, end := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	defer func() { end(); assert.NoError(t, g.Wait()) }()
	node := func(name string) *world {
		w := newWorld(t)
		w.b.cfg.Node, w.b.cfg.Brokers = name, cluster.ListenAddrs()
		return w
	}
	first, second := node("n1"), node("n2")
	require.NoError(t, kafka.EnsureTopics(ctx, first.b.cfg.Brokers, kafka.Topics(2), first.b.log))
	start := func(w *world) {
		out := kafka.NewWriter(w.b.cfg.Brokers, w.b.log)
		g.Go(func() error { return w.spool.Ship(ctx, kafka.Sink(out)) })
		g.Go(func() error { defer out.Close(); return w.b.followEvents(ctx) })
	}
	start(first)
	start(second)
	hour := func(w *world, n uint64) {
		x := w.b.exchanges["burl"]
		w.b.countTraffic()
		x.counters.requests.Add(n)
		w.b.countTraffic()
		w.clock.Advance(time.Hour)
		w.b.countTraffic()
	}
	hour(first, 1200)
	hour(second, 800)
	x := second.b.exchanges["burl"]
	second.b.tellTraffic(x, plan.HourCount{HourMS: noon, Count: 800}) // a spool sends again what it does not know to be written
	open := func(w *world) []plan.OpenHourState { return w.b.demand.State(int(w.b.exchanges["burl"].number)).Open }
	want := []plan.OpenHourState{{Hour: noon / hourMS, Nodes: map[string]float64{"n1": 1200, "n2": 800}}}
	until := func(w *world, what string, cond func() bool) {
		t.Helper()
		require.Eventually(t, cond, time.Minute, 20*time.Millisecond, "%s: %v", what, open(w))
	}
	for _, w := range []*world{first, second} {
		until(w, "both nodes' hour", func() bool { return assert.ObjectsAreEqual(want, open(w)) })
	}
	third := node("n3") // begins with the log alone
	start(third)
	until(third, "the log read anew", func() bool { return third.b.ready[2].Load() && assert.ObjectsAreEqual(want, open(third)) })
	for range 4 { // the hours after it, until it is over for all
		hour(first, 10)
	}
	until(third, "the forecast", func() bool {
		week := third.b.demand.State(int(third.b.exchanges["burl"].number)).Week
		return week[noon/hourMS%int64(len(week))] == 2000
	})
}

// Each node plans for the part of the settled money that its own bids won,
// whichever node a notice reaches.
func TestEachNodePlansForItsShare(t *testing.T) {
	l := newLeasedNodes(t, 2, 1000*money.NanoUnit)
	for _, w := range l.nodes {
		c := w.in.Campaigns[0]
		c.Budget.Day, c.Pacing, c.Version = 100*money.NanoUnit, campaigns.PacingEven, c.Version+1
		w.in.Version++
		require.Empty(t, w.b.Publish(w.in))
	}
	won := [2]int{}
	bids := [2]int{3, 1} // a turn
	for turn := range 120 {
		l.turn()
		for i, w := range l.nodes {
			for n := range bids[i] {
				code, body, _ := w.post("burl", fmt.Sprintf(leasedRequest, 10*turn+n))
				if code != http.StatusOK {
					continue
				}
				var r openrtb2.BidResponse
				require.NoError(t, json.Unmarshal(body, &r))
				bid := r.SeatBid[0].Bid[0]
				l.bill(l.nodes[(turn+n)%2], bid.BURL, bid.Price)
				won[i]++
			}
		}
		for _, w := range l.nodes {
			w.clock.Advance(500 * time.Millisecond)
		}
	}
	l.turn()
	all := won[0] + won[1]
	require.Greater(t, won[0], 2*won[1])
	require.Greater(t, won[1], 50)
	for i, w := range l.nodes {
		want := float64(won[i]+sharePrior) / float64(all+sharePrior)
		assert.InDelta(t, want, w.b.share(), 0.02, "node %d won %d of %d", i+1, won[i], all)
		w.b.countTraffic()
		w.b.plan(0, 1)
		r := w.b.state.Load().paces[0].Report()
		require.NotNil(t, r)
		assert.Equal(t, w.b.share(), r.Share)
		assert.InDelta(t, 100-nanoPLN(l.billed().Billed), r.Left+r.Open/r.Share, 0.11+0.01*nanoPLN(l.billed().Billed), "of what all nodes have left")
	}
	var e events.Event // what is another campaign's, or nobody's plan, counts for no share
	e.Type, e.Settles, e.CampaignID, e.BidID = events.TypeBilling, true, 99, l.nodes[0].b.randomID()
	before := l.nodes[0].b.share()
	l.nodes[0].b.fold(&e)
	assert.Equal(t, before, l.nodes[0].b.share())
}

func nanoPLN(n money.Nano) float64 { return float64(n) / float64(money.NanoUnit) }
