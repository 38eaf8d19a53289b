package loader

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/internal/money"
)

var (
	usd = money.MustCurrency("USD")
	pln = money.MustCurrency("PLN")
)

// noon is a noon some days ago, UTC: within the life of grosz.bids.
func noon() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(-60 * time.Hour) }

// event is one of a bid, a minute after it.
func event(shop uint32, typ events.Type, bid events.ID, t time.Time) events.Event {
	return events.Event{
		EventID: events.EventID(bid, typ, 0), Type: typ, TimeMS: t.UnixMilli(), BidMS: noon().UnixMilli(), Day: t.Format(time.DateOnly),
		BidID: bid, ShopID: shop, CampaignID: 7, CreativeID: 3, Exchange: "alpha", Media: "banner", User: 42,
		BidPrice: 2_000_000, Currency: usd, ShopCurrency: pln, Rate: 4 * money.RateOne, Node: "n1",
	}
}

// billing settles at amount.
func billing(shop uint32, bid events.ID, t time.Time, amount money.Nano) events.Event {
	e := event(shop, events.TypeBilling, bid, t)
	e.Settles, e.Price, e.PriceStatus, e.Amount = true, money.CPM(amount), events.PriceOK, amount
	e.ShopAmount, e.ShopFee = 4*amount, amount
	return e
}

func purchase(shop uint32, order string, t time.Time, user uint64, click events.ID) events.ShopEvent {
	uid := events.ID{1, byte(user)}
	return events.ShopEvent{
		EventID: events.NamedID(shop, "purchase", order), Type: events.ShopPurchase, TimeMS: t.UnixMilli(), ReceivedMS: t.UnixMilli(),
		Day: t.Format(time.DateOnly), ShopID: shop, UID: uid, User: user, ClickBid: click, OrderID: order,
		Value: 100_000_000_000, Currency: pln, Items: []events.Item{{Product: "p1", Quantity: 2, Price: 50_000_000_000}},
	}
}

func (w *world) spend(t testing.TB, shop uint32) string {
	return w.text(t, "SELECT toString(sum(spend)) FROM grosz.cost_per_order WHERE shop = ?", shop)
}

func TestEventCountsOnceHoweverOftenDelivered(t *testing.T) {
	w := start(t)
	shop, day := newShop(), noon()
	a, b, c, d := newID(), newID(), newID(), newID()
	first := billing(shop, a, day, 910_000)
	retry := billing(shop, a, day.Add(26*time.Hour), 990_000) // the same notice, later and with another price
	conflict := billing(shop, b, day, 500_000)
	conflict.Type, conflict.EventID = events.TypeImpression, events.EventID(b, events.TypeImpression, 0)
	test := billing(shop, c, day, 700_000)
	test.Test = true
	win := event(shop, events.TypeWin, d, day)
	click := event(shop, events.TypeClick, a, day)
	click.EventID = events.EventID(a, events.TypeClick, 77)
	second := click
	second.EventID = events.EventID(a, events.TypeClick, 78)

	r := w.load(t, "once", nil)
	w.send(t, events.TopicEvents,
		message(first, win, click), message(retry), message(billing(shop, b, day, 300_000), conflict),
		message(test, win, win), message(first, first, click, second), message(conflict, retry))
	r.caughtUp(t)

	check := func(when string) {
		var spend, fee string
		var wins, imps, clicks uint64
		w.row(t, `SELECT toString(sum(spend)), toString(sum(shop_fee)), sum(wins), sum(impressions), sum(clicks)
			FROM grosz.cost_per_order WHERE shop = ?`, []any{shop}, &spend, &fee, &wins, &imps, &clicks)
		require.Equal(t, []any{"0.00121", "0.00121", uint64(3), uint64(1), uint64(2)}, []any{spend, fee, wins, imps, clicks}, when)
		require.Equal(t, "0.00091/"+day.Format(time.DateOnly), w.text(t,
			"SELECT concat(toString(amount), '/', toString(day)) FROM grosz.settlements WHERE shop = ? AND bid = ?", shop, a.String()), when+": the first delivery counts")
		require.Equal(t, "1", w.text(t, "SELECT toString(conflicts) FROM grosz.settlements WHERE shop = ? AND bid = ?", shop, b.String()), when)
		require.Equal(t, "6", w.text(t, "SELECT toString(count()) FROM grosz.events FINAL WHERE shop_id = ? AND NOT test", shop), when)
	}
	check("as inserted")
	require.NoError(t, w.conn.Exec(t.Context(), "OPTIMIZE TABLE grosz.events FINAL"))
	check("as merged")

	again := w.load(t, "once-more", nil) // a new group reads all of it again
	again.caughtUp(t)
	check("as read again")
}

func TestCrashBetweenInsertAndCommit(t *testing.T) {
	w := start(t)
	shop := newShop()
	crash := errors.New("crash")
	crashing := w.load(t, "crash", func(l *Loader) { l.beforeCommit = func() error { return crash } })
	w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 1_000_000)), message(billing(shop, newID(), noon(), 2_000_000)))
	err := <-crashing.done
	crashing.done <- nil
	require.ErrorIs(t, err, crash)

	w.load(t, "crash", nil).caughtUp(t)
	require.Equal(t, "0.003", w.spend(t, shop))
}

func TestClickHouseAwayAndBack(t *testing.T) {
	w := start(t)
	shop := newShop()
	r := w.load(t, "away", func(l *Loader) { l.cfg.BatchRows = 100 })
	r.caughtUp(t)
	w.proxy.set(true)
	defer w.proxy.set(false)
	for i := range 200 {
		w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), money.Nano(i+1))))
	}
	kafkatest.Eventually(t, "the backlog shows", func() error {
		var n int64
		for _, l := range r.Lag() {
			n += l.Messages
		}
		var text strings.Builder
		r.set.WritePrometheus(&text)
		if n < 200 || !strings.Contains(text.String(), "grosz_loader_lag_messages") {
			return fmt.Errorf("lag of %d", n)
		}
		return nil
	})
	w.proxy.set(false)
	r.caughtUp(t)
	require.Equal(t, "0.0000201", w.spend(t, shop))
}

func TestStartsWhileClickHouseIsAway(t *testing.T) {
	w := start(t)
	shop := newShop()
	w.proxy.set(true)
	defer w.proxy.set(false)
	r := w.load(t, "early", nil)
	w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 5)))
	require.False(t, r.Ready())
	w.proxy.set(false)
	r.caughtUp(t)
	require.True(t, r.Ready())
	require.Equal(t, "0.000000005", w.spend(t, shop))
}

func TestKafkaRestarts(t *testing.T) {
	w := start(t)
	shop := newShop()
	r := w.load(t, "restart", nil)
	w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 1)))
	r.caughtUp(t)
	for i, end := range []func() error{w.broker.Stop, w.broker.Kill} {
		require.NoError(t, end())
		time.Sleep(time.Second) // the loader meets the outage
		require.NoError(t, w.broker.Restart(t.Context()))
		w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 1)))
		r.caughtUp(t)
		require.Equal(t, fmt.Sprintf("0.00000000%d", i+2), w.spend(t, shop))
	}
}

func TestPoisonHoldsNothingUp(t *testing.T) {
	w := start(t)
	shop := newShop()
	r := w.load(t, "poison", nil)
	good := message(billing(shop, newID(), noon(), 1_000))
	late := billing(shop, newID(), noon(), 3_000)
	late.TimeMS = 1 << 60
	mark := fmt.Sprint("garbage of ", shop)
	mixed := kafka.Message{Key: good.Key, Value: append([]byte(mark+strings.Repeat("x", 9000)+"\n"), message(billing(shop, newID(), noon(), 2_000)).Value...)}
	w.send(t, events.TopicEvents, mixed, good, message(late), kafka.Message{Key: good.Key})
	w.send(t, events.TopicShopEvents, kafka.Message{Value: []byte(`{"v":1,"type":"visit","event_id":"zz"}`)})
	w.send(t, events.TopicCampaigns, kafka.Message{Key: []byte("x"), Value: []byte(`{"key":"x"}`)})
	r.caughtUp(t)
	require.Equal(t, "0.000003", w.spend(t, shop), "the good lines of a bad message count")
	var size, line uint64
	w.row(t, "SELECT length(message), toUInt64(seq) FROM grosz.poison FINAL WHERE startsWith(message, ?)", []any{mark}, &size, &line)
	require.Equal(t, []uint64{maxPoison, 0}, []uint64{size, line})
	for topic, part := range map[string]string{events.TopicEvents: "out of range", events.TopicShopEvents: "event_id", events.TopicCampaigns: "nothing that is known"} {
		n := w.text(t, "SELECT toString(count()) FROM grosz.poison FINAL WHERE topic = ? AND position(error, ?) > 0", topic, part)
		require.NotEqual(t, "0", n, "%s: %s", topic, part)
	}
	// Two, once more each time that all was fetched again: a loader that a busy
	// machine lets wait too long is put out of its group, and comes back.
	n := r.metrics[events.TopicEvents].poison.Get()
	require.True(t, n > 0 && n%2 == 0, "%d", n)
}

func TestTwoLoadersDivideThePartitions(t *testing.T) {
	w := start(t)
	shops := []uint32{newShop(), newShop(), newShop(), newShop(), newShop(), newShop()}
	one, two := w.load(t, "pair", nil), w.load(t, "pair", nil)
	for range 5 {
		for _, shop := range shops {
			w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 10)))
		}
	}
	one.caughtUp(t)
	one.stop(t)
	for _, shop := range shops {
		w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 10)))
	}
	two.caughtUp(t)
	for _, shop := range shops {
		require.Equal(t, "0.00000006", w.spend(t, shop))
	}
}

func TestStopInsertsAndCommitsWhatItHolds(t *testing.T) {
	w := start(t)
	shop := newShop()
	r := w.load(t, "stop", nil)
	r.caughtUp(t)
	r.stop(t)
	w.send(t, events.TopicEvents, message(billing(shop, newID(), noon(), 10)))
	r = w.load(t, "stop", func(l *Loader) { l.cfg.BatchWait = time.Hour })
	kafkatest.Eventually(t, "the message is fetched", func() error {
		if n := r.metrics[events.TopicEvents].fetched.Get(); n < 1 { // more where it lost its group meanwhile
			return fmt.Errorf("%d fetched", n)
		}
		return nil
	})
	require.Equal(t, "0", w.spend(t, shop), "the batch is still open")
	r.stop(t)
	require.Equal(t, "0.00000001", w.spend(t, shop))
	lags, err := r.lag.ask(t.Context(), events.TopicEvents)
	require.NoError(t, err)
	for _, l := range lags {
		require.Zero(t, l.Messages)
	}
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	_, err := New(Config{Brokers: []string{"here"}, BatchRows: -1, BatchBytes: -1, BatchWait: -1, StopTimeout: 2 * time.Hour}, metrics.NewSet(), quietLog())
	for _, part := range []string{`broker "here"`, "clickhouse: address", "-1 rows", "-1 bytes", "batch wait", "stop timeout"} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorContains(t, Config{}.Validate(), "no Kafka broker")
}
