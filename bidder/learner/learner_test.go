package learner

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/internal/money"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const start = 1_773_144_000_000

func id(n uint64) (out events.ID) {
	binary.BigEndian.PutUint64(out[:8], n+1)
	return out
}

// story is a log: n impressions of two shops, of which every 4th of shop 1 and
// every 40th of shop 2 is clicked; every second click of shop 1 buys.
type story struct {
	bids, events, shops bytes.Buffer
}

func (s *story) tell(from, to uint64) {
	pln := money.MustCurrency("PLN")
	for n := from; n < to; n++ {
		shop := uint32(n%2) + 1
		at := int64(start + n*100)
		place, own := []value.Feature{value.Number(value.FieldDomain, n%5)}, []value.Feature{value.Number(value.FieldCampaign, uint64(shop)*10)}
		s.bids.Write((&events.Event{Type: events.TypeBid, TimeMS: at, BidMS: at, BidID: id(n), ShopID: shop, CampaignID: shop * 10,
			Features: string(value.AppendFeatures(nil, place, own)), ClickPPB: 1e8, OrderPPB: 5e8}).AppendJSON(nil))
		s.events.Write((&events.Event{Type: events.TypeImpression, Settles: true, ShopAmount: 2_000_000, TimeMS: at + 10, BidMS: at, BidID: id(n), ShopID: shop, CampaignID: shop * 10}).AppendJSON(nil))
		every := uint64(8)
		if shop == 2 {
			every = 80
		}
		if (n/2)*2%every != 0 {
			continue
		}
		s.events.Write((&events.Event{Type: events.TypeClick, TimeMS: at + 20, BidMS: at, BidID: id(n), ShopID: shop, CampaignID: shop * 10}).AppendJSON(nil))
		if shop == 1 && n%16 == 0 {
			s.shops.Write((&events.ShopEvent{Type: events.ShopPurchase, TimeMS: at + 30, ReceivedMS: at + 30, ShopID: shop, ClickBid: id(n),
				OrderID: id(n).String(), Value: 80 * money.NanoUnit, Currency: pln}).AppendJSON(nil))
		}
	}
}

// trial is a learner on an embedded broker.
type trial struct {
	t       *testing.T
	brokers []string
	path    string
	clock   *clock.Manual
}

func newTrial(t *testing.T) *trial {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w := &trial{t: t, brokers: c.ListenAddrs(), path: filepath.Join(t.TempDir(), "state"), clock: clock.NewManual(start)}
	require.NoError(t, kafka.EnsureTopics(t.Context(), w.brokers, kafka.Topics(1), quiet))
	doc, err := json.Marshal(campaigns.Record{Key: "campaign/10", Version: 1, Campaign: &campaigns.Campaign{
		ID: 10, ShopID: 1, Status: campaigns.StatusActive, Goal: campaigns.Goal{TargetCPO: 10 * money.NanoUnit},
	}})
	require.NoError(t, err)
	w.write(events.TopicCampaigns, doc)
	return w
}

func (w *trial) write(topic string, text []byte) {
	out := kafka.NewWriter(w.brokers, quiet)
	defer out.Close()
	var msgs []kafkago.Message
	for len(text) > 0 {
		n := len(text)
		if n > 20_000 {
			n = bytes.LastIndexByte(text[:20_000], '\n') + 1
		}
		msgs = append(msgs, kafkago.Message{Topic: topic, Key: []byte("k"), Value: text[:n]})
		text = text[n:]
	}
	if len(msgs) > 0 {
		require.NoError(w.t, out.WriteMessages(w.t.Context(), msgs...))
	}
}

func (w *trial) log(s *story) {
	w.write(events.TopicShopEvents, s.shops.Bytes()) // out of step on purpose
	w.write(events.TopicEvents, s.events.Bytes())
	w.write(events.TopicBids, s.bids.Bytes())
}

// run lets a learner run until cond holds, then ends it.
func (w *trial) run(cond func(*Learner, *value.Model) error) *Learner {
	w.t.Helper()
	out := kafka.NewWriter(w.brokers, quiet)
	defer out.Close()
	l, err := New(Config{
		Brokers: w.brokers, Path: w.path, Every: 50 * time.Millisecond, Clock: w.clock, Log: quiet,
		Trainer: learn.Config{GlobalBits: 10, ShopBits: 8, K: 3},
		Publish: func(ctx context.Context, chunks []value.Chunk) error {
			for _, c := range chunks {
				if err := out.WriteMessages(ctx, kafkago.Message{Topic: events.TopicModels, Key: c.Key, Value: c.Value}); err != nil {
					return err
				}
			}
			return nil
		},
	})
	require.NoError(w.t, err)
	ctx, end := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	models := w.follow(ctx)
	kafkatest.Eventually(w.t, "the model", func() error { return cond(l, models()) })
	end()
	require.NoError(w.t, <-done)
	return l
}

// follow reads models as a bidder does.
func (w *trial) follow(ctx context.Context) func() *value.Model {
	got := make(chan *value.Model, 1000)
	go func() {
		var g value.Gather
		f := kafka.Follower{Brokers: w.brokers, Topic: events.TopicModels, Log: quiet, Handle: func(m kafka.Message) error {
			if model, err := g.Add(m.Value); err == nil && model != nil {
				got <- model
			}
			return nil
		}}
		_ = f.Run(ctx)
	}()
	var last *value.Model
	return func() *value.Model {
		for {
			select {
			case last = <-got:
			default:
				return last
			}
		}
	}
}

func predict(m *value.Model, t value.Target, shop uint32) float64 {
	var s value.Score
	s.Reset(m, []value.Feature{value.Number(value.FieldDomain, 1)})
	p, _ := s.Predict(t, shop, shop*10, []value.Feature{value.Number(value.FieldCampaign, uint64(shop)*10)})
	return p
}

func counted(l *Learner, clicks, orders uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts.clicks != clicks || l.counts.orders != orders {
		return errors.New("not all is learned yet")
	}
	return nil
}

func TestFromTheLogToAModelAndOnAfterARestart(t *testing.T) {
	w := newTrial(t)
	var a story
	a.tell(0, 8_000)
	w.log(&a)
	w.clock.Set(start + 8_000*100 + 20*60*1000)
	l := w.run(func(l *Learner, m *value.Model) error {
		if m == nil {
			return errors.New("none yet")
		}
		return counted(l, 1_100, 500)
	})
	m := l.Model(w.clock.NowMS())
	require.NoError(t, m.Validate())
	// After a few thousand impressions it has come most of the way from the prior.
	assert.InDelta(t, 0.2, predict(m, value.Click, 1), 0.1)
	assert.InDelta(t, 0.02, predict(m, value.Click, 2), 0.012)
	assert.Greater(t, predict(m, value.Order, 1), 10*predict(m, value.Order, 2))
	assert.Equal(t, int64(80*money.NanoUnit), m.Shops[1].OrderValue)
	var text strings.Builder
	l.WriteMetrics(&text)
	assert.Contains(t, text.String(), "grosz_learner_clicks_total 1100\n")
	assert.Contains(t, text.String(), `grosz_learner_positives_total{target="order"} 500`)
	assert.Contains(t, text.String(), `grosz_learner_control{campaign="10"}`)

	// The next process goes on from the state: half of the orders come back.
	var b story
	b.tell(8_000, 9_000)
	for n := uint64(0); n < 4_000; n += 16 {
		b.shops.Write((&events.ShopEvent{Type: events.ShopOrderStatus, Status: events.OrderReturned, TimeMS: start + 1_000_000, ReceivedMS: start + 1_000_000,
			ShopID: 1, OrderID: id(n).String()}).AppendJSON(nil))
	}
	w.log(&b)
	again := w.run(func(l *Learner, m *value.Model) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.counts.takenBack != 250 || l.counts.bids != 1_000 {
			return errors.New("not all is learned yet")
		}
		return nil
	})
	after := again.Model(w.clock.NowMS())
	assert.EqualValues(t, 500+63-250, again.trainer.Totals(value.Order).Positives)
	assert.InDelta(t, predict(m, value.Click, 1), predict(after, value.Click, 1), 0.05, "nothing was forgotten")
	assert.GreaterOrEqual(t, again.version, l.version)
}

// Whatever order the topics come in, the same is learned.
func TestWhatComesBeforeItsBidWaits(t *testing.T) {
	var s story
	s.tell(0, 400)
	var dec events.Decoder
	teach := func(order ...string) *Learner {
		l, err := New(Config{Brokers: []string{"x"}, Clock: clock.NewManual(start), Log: quiet, Publish: func(context.Context, []value.Chunk) error { return nil },
			Trainer: learn.Config{GlobalBits: 10, ShopBits: 8}})
		require.NoError(t, err)
		text := map[string][]byte{events.TopicBids: s.bids.Bytes(), events.TopicEvents: s.events.Bytes(), events.TopicShopEvents: s.shops.Bytes()}
		for _, topic := range order {
			l.message(topic, &dec, kafka.Message{Value: text[topic]})
		}
		return l
	}
	a := teach(events.TopicBids, events.TopicEvents, events.TopicShopEvents)
	b := teach(events.TopicShopEvents, events.TopicEvents, events.TopicBids)
	assert.Equal(t, a.counts, b.counts)
	assert.Equal(t, uint64(25), a.counts.orders)
	assert.Zero(t, len(b.early.byID))
}

func TestADamagedStateIsNotUsed(t *testing.T) {
	mk := func() *Learner {
		l, err := New(Config{Brokers: []string{"x"}, Clock: clock.NewManual(start), Log: quiet, Publish: func(context.Context, []value.Chunk) error { return nil },
			Trainer: learn.Config{GlobalBits: 8, ShopBits: 8}})
		require.NoError(t, err)
		return l
	}
	l := mk()
	l.next[events.TopicBids][0] = 7
	b, err := l.encode()
	require.NoError(t, err)
	fresh := mk()
	require.NoError(t, fresh.decode(b))
	assert.Equal(t, int64(7), fresh.next[events.TopicBids][0])
	for _, at := range []int{0, 8, 10, 20, len(b) - 1} {
		bad := bytes.Clone(b)
		bad[at] ^= 1
		require.Error(t, mk().decode(bad), "byte %d", at)
	}
}

func TestTopicsStayTogetherWhileTheyAreBehind(t *testing.T) {
	var g gate
	g.init()
	passed := make(chan string, 1)
	go func() {
		g.wait(events.TopicShopEvents, start+10*slackMS)
		passed <- "orders"
	}()
	g.caughtUp(events.TopicEvents)
	g.wait(events.TopicBids, start)
	select {
	case <-passed:
		t.Fatal("orders went ahead of the bids")
	case <-time.After(20 * time.Millisecond):
	}
	g.caughtUp(events.TopicBids)
	select {
	case <-passed:
	case <-time.After(kafkatest.Bound):
		t.Fatal("nothing is behind any more, and yet orders wait")
	}
}
