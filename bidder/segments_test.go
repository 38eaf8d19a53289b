package bidder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// segmentWorld is a shop with a campaign per targeting and some segments.
func segmentWorld(t *testing.T, segs []*campaigns.Segment, targetings ...string) *world {
	var camps []*campaigns.Campaign
	for i, expr := range targetings {
		c := openCampaign(uint32(i + 1))
		c.Targeting = expr
		camps = append(camps, c)
	}
	w := shopWorld(t, camps[:0]...)
	w.in.Campaigns, w.in.Segments = camps, segs
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	return w
}

func ruleOf(id uint32, name, expr string) *campaigns.Segment {
	return &campaigns.Segment{ID: id, ShopID: 7, Version: 1, Name: name, Source: campaigns.SegmentRule, Expression: expr}
}

// does sends one event of the person and folds it.
func (w *world) does(fields string) {
	w.t.Helper()
	status, a := w.send(7, shopKey, `{"events":[{"user":{"uid":"`+uid+`"},`+fields+`}]}`)
	require.Equal(w.t, 200, status, a)
	w.shopSpooled()
}

func (w *world) settleSegments() {
	for !w.b.segments.engine.Backfill(w.clock.NowMS(), 1000) || w.b.segments.engine.Tick(w.clock.NowMS(), 1000) > 0 {
	}
}

func (w *world) size(segment uint32) int64 {
	w.t.Helper()
	s := w.b.SegmentSizes(7)
	require.True(w.t, s.Ready, "%+v", s)
	for _, x := range s.Segments {
		if x.Segment == segment {
			return x.Members
		}
	}
	w.t.Fatalf("no size of segment %d", segment)
	return 0
}

func TestASegmentFollowsThePerson(t *testing.T) {
	w := segmentWorld(t, []*campaigns.Segment{ruleOf(1, "Abandoners", "abandoned within 2d"), ruleOf(2, "Buyers", "is_buyer")},
		`segment "abandoners" and not segment "Buyers"`)
	worked := func(f func()) { // with the engine at work, and with it behind
		f()
		w.settleSegments()
		f()
	}
	no := func() { require.Equal(t, "no_campaign", w.noBid("burl", personRequest(""))) }
	w.does(`"type":"cart_add","product":"b","quantity":1,"price":"10"`)
	worked(no)
	require.Zero(t, w.size(1))
	w.clock.Advance(31 * time.Minute)
	worked(func() { w.bid("burl", personRequest("")) })
	require.EqualValues(t, 1, w.size(1))
	w.clock.Advance(48 * time.Hour)
	worked(no)
	require.Zero(t, w.size(1))
	w.does(`"type":"cart_add","product":"b","quantity":1,"price":"10"`)
	w.clock.Advance(time.Hour)
	w.bid("burl", personRequest(""))
	w.does(`"type":"purchase","order_id":"o1","value":"10"`)
	no() // at once: the event itself moves the bits
	w.settleSegments()
	require.Zero(t, w.size(1))
	require.EqualValues(t, 1, w.size(2))
}

func TestASegmentThatWasMadeLaterIsBackfilled(t *testing.T) {
	w := segmentWorld(t, nil)
	for i := range 50 {
		w.b.profiles.Load().Apply(&events.ShopEvent{
			Type: events.ShopProductView, ShopID: 7, TimeMS: noon - int64(i)*3_600_000, UID: events.NamedID(7, "visitor", fmt.Sprint(i)), Product: "a",
		})
	}
	w.does(`"type":"product_view","product":"a"`)
	c := openCampaign(1)
	c.Targeting = `segment "today"`
	w.in.Campaigns, w.in.Segments = []*campaigns.Campaign{c}, []*campaigns.Segment{ruleOf(1, "Today", "viewed within 9h")}
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	require.False(t, w.b.SegmentSizes(7).Ready)
	w.bid("burl", personRequest("")) // before anybody was worked out
	w.b.segments.work()
	require.EqualValues(t, 11, w.size(1), "0 to 9 hours ago, and the person")
	w.in.Segments = []*campaigns.Segment{ruleOf(1, "Today", "viewed within 4h")}
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	w.b.segments.work()
	require.EqualValues(t, 6, w.size(1))
}

func imported(segment uint32, atMS int64, users ...segments.UserKey) (out []*campaigns.AudienceBucket) {
	buckets := map[int][]byte{}
	for _, u := range users {
		i := rules.AudienceBucket(u)
		buckets[i] = rules.AppendMember(buckets[i], u, uint32(atMS/1000))
	}
	for i, m := range buckets {
		out = append(out, &campaigns.AudienceBucket{ShopID: 7, SegmentID: segment, Bucket: i, Members: rules.SortMembers(m)})
	}
	return out
}

func TestAnImportedListReachesPeopleTheShopHasNotSeen(t *testing.T) {
	crm := &campaigns.Segment{ID: 1, ShopID: 7, Name: "CRM", Source: campaigns.SegmentImport, TTLDays: 10}
	w := segmentWorld(t, []*campaigns.Segment{crm}, `in segment "crm"`)
	list := func(users ...segments.UserKey) {
		w.in.Audiences = imported(1, w.clock.NowMS(), users...)
		w.in.Version++
		require.Empty(t, w.b.Publish(w.in))
		w.b.segments.work()
	}
	w.noBid("burl", personRequest(""))
	list(personKey(t), events.NamedID(7, "visitor", "x"))
	w.bid("burl", personRequest(""))
	require.EqualValues(t, 2, w.size(1))
	w.clock.Advance(10*24*time.Hour - time.Second)
	w.bid("burl", personRequest(""))
	w.clock.Advance(time.Second)
	w.noBid("burl", personRequest(""))
	w.settleSegments()
	require.Zero(t, w.size(1), "the time of all is over")

	list(personKey(t))
	w.bid("burl", personRequest(""))
	w.in.Audiences, w.in.Version = nil, w.in.Version+1
	require.Empty(t, w.b.Publish(w.in))
	w.noBid("burl", personRequest(""))
	list(personKey(t))
	w.bid("burl", personRequest(""))
	w.does(`"type":"opt_out"`)
	w.noBid("burl", personRequest(""))
	require.Zero(t, w.size(1), "who wants nothing of the shop is on no list of it")
}

// Two shops have segments of one name; neither sees the other's people.
func TestSegmentIsolation(t *testing.T) {
	w := segmentWorld(t, []*campaigns.Segment{
		ruleOf(1, "Viewers", "viewed"),
		{ID: 2, ShopID: 8, Name: "Viewers", Source: campaigns.SegmentRule, Expression: "viewed", ValueBPS: 90_000},
	}, `segment "viewers"`)
	rival := openCampaign(2)
	rival.ShopID, rival.Targeting = 8, `segment "viewers"`
	w.in.Campaigns = append(w.in.Campaigns, rival)
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	w.does(`"type":"product_view","product":"a"`)
	w.settleSegments()
	bid := w.bid("burl", personRequest("")).SeatBid[0].Bid[0]
	require.Equal(t, "1", bid.CID)
	require.Equal(t, 3.0, bid.Price, "12 PLN are 3 USD, whatever shop 8's segments multiply")
	require.EqualValues(t, 1, w.size(1))
	require.Equal(t, []rules.Size{{Segment: 2, Members: 0, Ready: true}}, w.b.SegmentSizes(8).Segments)
}

// Everything that a bidder has between the shop's call and the bid: spool,
// Kafka, profile, segment. A purchase ends the ads within a second.
func TestAPurchaseEndsTheAdsThroughTheLog(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	w := shopWorld(t)
	w.b.clock = clock.System{} // retention goes by the broker's clock
	w.b.cfg.Brokers = cluster.ListenAddrs()
	ctx, end := context.WithCancel(context.Background())
	require.NoError(t, kafka.EnsureTopics(ctx, w.b.cfg.Brokers, kafka.Topics(2), w.b.log))
	require.NoError(t, kafka.EnsureTopics(ctx, w.b.cfg.Brokers, kafka.CampaignTopics(), w.b.log))
	writer := kafka.NewWriter(w.b.cfg.Brokers, w.b.log)
	c := openCampaign(1)
	c.Targeting = `segment "close to buying"`
	recs := []campaigns.Record{
		{Key: "shop/7", Version: 2, Shop: w.in.Shops[0]},
		{Key: "segment/1", Version: 3, Segment: ruleOf(1, "Close to buying", "in_cart and not purchased within 30d")},
		{Key: "campaign/1", Version: 4, Campaign: c},
	}
	for i := range recs {
		value, err := json.Marshal(&recs[i])
		require.NoError(t, err)
		require.NoError(t, writer.WriteMessages(ctx, kafkago.Message{Topic: events.TopicCampaigns, Key: []byte(recs[i].Key), Value: value}))
	}
	for i := range w.b.ready {
		w.b.ready[i].Store(false)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.b.Follow(ctx) })
	g.Go(func() error { return w.spool.Ship(ctx, kafka.Sink(writer)) })
	defer func() {
		end()
		require.NoError(t, g.Wait())
		require.NoError(t, writer.Close())
	}()
	await := func(what string, status int) time.Duration {
		t.Helper()
		start := time.Now()
		require.Eventually(t, func() bool {
			got, _, _ := w.post("burl", personRequest(""))
			return got == status && w.b.bidding()
		}, 3*time.Minute, time.Millisecond, what)
		return time.Since(start)
	}
	require.Eventually(t, w.b.bidding, 3*time.Minute, time.Millisecond)
	send := func(fields string) {
		status, a := w.send(7, shopKey, `{"events":[{"user":{"uid":"`+uid+`"},`+fields+`}]}`)
		require.Equal(t, 200, status, a)
	}
	send(`"type":"cart_add","product":"b","quantity":1,"price":"900"`)
	began := await("the cart makes the campaign bid", 200)
	send(`"type":"purchase","order_id":"o1","value":"900"`)
	ended := await("the purchase ends it", 204)
	t.Logf("from the answer to the shop: ads began after %s, ended after %s", began, ended)
	require.Eventually(t, func() bool { s := w.b.SegmentSizes(7); return s.Ready && s.Segments[0].Members == 0 }, 3*time.Minute, time.Millisecond)
}

func TestABidWithSegmentsDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("pools drop things at random under the race detector; not measured")
		return
	}
	var segs []*campaigns.Segment
	for i := uint32(1); i <= 100; i++ {
		segs = append(segs, ruleOf(i, fmt.Sprint("s", i), fmt.Sprintf("visited within %dd", i)))
		segs[i-1].ValueBPS = 10_100
	}
	w := segmentWorld(t, segs, `segment "s7"`, `not segment "s9"`)
	w.does(`"type":"product_view","product":"a"`)
	w.settleSegments()
	c := newContext([32]byte{1})
	body := []byte(personRequest(""))
	for range 200 {
		require.Equal(t, ReasonNone, w.bidOnce(c, body))
	}
	require.LessOrEqual(t, testing.AllocsPerRun(500, func() { w.bidOnce(c, body) }), 0.5)
}

func TestMembersAreListedByPseudonym(t *testing.T) {
	w := segmentWorld(t, []*campaigns.Segment{ruleOf(1, "Viewers", "viewed"), ruleOf(2, "Buyers", "is_buyer")})
	w.does(`"type":"product_view","product":"a"`)
	w.settleSegments()
	list := func(shop, segment uint32) (string, bool) {
		var b bytes.Buffer
		found, err := w.b.SegmentMembers(shop, segment, &b)
		require.NoError(t, err)
		return b.String(), found
	}
	got, found := list(7, 1)
	require.True(t, found)
	salt := w.b.state.Load().Snapshot.Shop(7).Salt
	require.Equal(t, fmt.Sprintf("user\n%d\n#end\n", segments.Pseudonym(salt, personKey(t))), got)
	got, _ = list(7, 2)
	require.Equal(t, "user\n#end\n", got)
	for _, of := range [][2]uint32{{7, 3}, {8, 1}, {9, 1}} {
		got, found = list(of[0], of[1])
		require.False(t, found, "a segment is of its shop")
		require.Empty(t, got)
	}
}
