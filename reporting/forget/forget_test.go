package forget

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
	"github.com/grosz/grosz/segments"
)

const noon = 1_773_144_000_000 // 2026-03-10 12:00 UTC

const salt7, salt8 = "00112233445566778899aabbccddeeff", "ff112233445566778899aabbccddeeff"

var anna = events.ID{0xa1, 15: 7}

// world is a real log and a real engine.
type world struct {
	t      *testing.T
	broker *kafkatest.Broker
	server schema.Server
	conn   driver.Conn
	writer *kafkago.Writer
	log    *slog.Logger
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	_, err := warehouse.FindLibrary("")
	dir := t.TempDir()
	if err == nil {
		w.broker, err = kafkatest.Open(context.Background(), kafkatest.Config{Dir: filepath.Join(dir, "kafka")})
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("not run: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, w.broker.Stop()) })
	brokers := []string{w.broker.Addr()}
	require.NoError(t, kafka.EnsureTopics(t.Context(), brokers, kafka.Topics(1), w.log))
	house, err := warehouse.Start(context.Background(), warehouse.Config{Dir: dir, Addr: "127.0.0.1:0"}, w.log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, house.Close()) })
	w.server = schema.Server{Addr: house.Addr(), PasswordFile: warehouse.PasswordFile(dir)}
	w.conn, err = w.server.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.conn.Close()) })
	require.NoError(t, schema.Migrate(t.Context(), w.conn, w.log))
	w.writer = kafka.NewWriter(brokers, w.log)
	t.Cleanup(func() { require.NoError(t, w.writer.Close()) })
	for shop, salt := range map[int]string{7: salt7, 8: salt8} {
		w.send(events.TopicCampaigns, fmt.Appendf(nil, `{"key":"shop/%d","version":1,"shop":{"id":%d,"name":"s","currency":"PLN","time_zone":"UTC","salt":%q}}`, shop, shop, salt))
	}
	return w
}

func (w *world) send(topic string, value []byte) {
	w.t.Helper()
	kafkatest.Eventually(w.t, "a message written", func() error {
		return w.writer.WriteMessages(w.t.Context(), kafkago.Message{Topic: topic, Key: []byte("k"), Value: value})
	})
}

// receipts keeps what a Job emits.
type receipts struct {
	mu   sync.Mutex
	list []events.Erasure
	fail bool
}

func (r *receipts) emit(_ context.Context, e *events.Erasure) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail {
		return errors.New("Kafka is away")
	}
	r.list = append(r.list, *e)
	return nil
}

func (r *receipts) of(id events.ID) (out []events.Erasure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		if e.EraseID == id {
			out = append(out, e)
		}
	}
	return out
}

// run starts a Job and returns how to stop it.
func (w *world) run(clk clock.Clock, r *receipts) (*Job, *metrics.Set, func()) {
	set := metrics.NewSet()
	j := New(Config{Brokers: []string{w.broker.Addr()}, ClickHouse: w.server, Clock: clk, Tick: 20 * time.Millisecond, Emit: r.emit}, set, w.log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	return j, set, sync.OnceFunc(func() {
		cancel()
		require.NoError(w.t, <-done)
	})
}

// seen inserts what two shops know of a person at a time.
func (w *world) seen(ms int64) {
	w.t.Helper()
	for shop, salt := range map[int]string{7: salt7, 8: salt8} {
		user := segments.Pseudonym(segments.SaltOf(salt), anna)
		at := fmt.Sprintf("fromUnixTimestamp64Milli(toInt64(%d))", ms)
		for _, sql := range []string{
			`INSERT INTO grosz.events (event_id, type, time, bid_time, day, shop_id, user) SELECT generateUUIDv4(), 'click', %[1]s, %[1]s, toDate(%[1]s), %[2]d, %[3]d`,
			`INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user, query) SELECT generateUUIDv4(), 'search', %[1]s, %[1]s, toDate(%[1]s), %[2]d, %[3]d, 'sofa'`,
		} {
			require.NoError(w.t, w.conn.Exec(w.t.Context(), fmt.Sprintf(sql, at, shop, user)))
		}
	}
}

// known is how many rows of the person a shop has: events, shop events.
func (w *world) known(shop int, salt string) string {
	user := segments.Pseudonym(segments.SaltOf(salt), anna)
	var s string
	require.NoError(w.t, w.conn.QueryRow(w.t.Context(), fmt.Sprintf(`SELECT concat(toString((SELECT count() FROM grosz.events WHERE shop_id = %[1]d AND user = %[2]d)), ' ',
		toString((SELECT count() FROM grosz.shop_events WHERE shop_id = %[1]d AND user = %[2]d)))`, shop, user)).Scan(&s))
	return s
}

func wanted(ms int64, shop uint32, out bool) events.Erasure {
	e := events.Erasure{Type: events.TypeErase, TimeMS: ms, UID: anna, ShopID: shop, OptOut: out, Reason: "shop", Node: "n1"}
	e.EventID = events.EraseID(e.Subject(), ms)
	return e
}

func TestAPersonIsTakenOutAndAReceiptIsKept(t *testing.T) {
	w := newWorld(t)
	clk, r := clock.NewManual(noon), &receipts{fail: true}
	j, set, stop := w.run(clk, r)
	defer stop()
	w.seen(noon - 1000)
	w.seen(noon + 1000)

	atSeven := wanted(noon, 7, false)
	w.send(events.TopicErasures, atSeven.AppendJSON(nil))
	kafkatest.Eventually(t, "the rows to go", func() error {
		if got := w.known(7, salt7); got != "1 1" {
			return errors.New(got)
		}
		return nil
	})
	require.Empty(t, r.of(atSeven.EventID))
	require.Equal(t, 1, j.pending(), "without a receipt it is not done")
	r.mu.Lock()
	r.fail = false
	r.mu.Unlock()
	await := func(e events.Erasure, n int) []events.Erasure {
		t.Helper()
		kafkatest.Eventually(t, "receipts", func() error {
			if got := r.of(e.EventID); len(got) < n {
				return fmt.Errorf("%d of %d", len(got), n)
			}
			return nil
		})
		return r.of(e.EventID)
	}
	got := await(atSeven, 1)
	require.Equal(t, Node, got[0].Node)
	require.Equal(t, uint32(7), got[0].ShopID)
	require.True(t, got[0].UID.IsZero(), "a receipt names nobody")
	require.Equal(t, "2 2", w.known(8, salt8), "another shop's is not the shop's to erase")

	// What comes late is found at the next look; what was received after the
	// wish stays.
	w.seen(noon - 500)
	clk.Advance(2 * time.Minute)
	got = await(atSeven, 2)
	require.EqualValues(t, []int64{1, 1}, []int64{got[1].Events, got[1].ShopEvents})
	require.NotEqual(t, got[0].EventID, got[1].EventID)
	require.Equal(t, "1 1", w.known(7, salt7))

	everywhere := wanted(noon+60_000, 0, true)
	w.send(events.TopicErasures, everywhere.AppendJSON(nil))
	got = await(everywhere, 1)
	require.EqualValues(t, []int64{4, 4}, []int64{got[0].Events, got[0].ShopEvents})
	require.Equal(t, "0 0", w.known(7, salt7))
	require.Equal(t, "0 0", w.known(8, salt8))

	var text bytes.Buffer
	set.WritePrometheus(&text)
	require.Contains(t, text.String(), "grosz_erasures_warehouse_total 2\n")
	require.Contains(t, text.String(), "grosz_erasures_warehouse_pending 0\n")

	// A restart, a day later: a loader has read the log again meanwhile.
	stop()
	for _, e := range append(r.of(atSeven.EventID), r.of(everywhere.EventID)...) {
		w.send(events.TopicErasures, e.AppendJSON(nil))
	}
	w.seen(noon - 1000)
	clk.Advance(24 * time.Hour)
	later := &receipts{}
	_, _, stop = w.run(clk, later)
	defer stop()
	kafkatest.Eventually(t, "the rows to go again", func() error {
		if got := w.known(7, salt7) + w.known(8, salt8); got != "0 00 0" {
			return errors.New(got)
		}
		return nil
	})
	stop()
	require.LessOrEqual(t, len(later.of(atSeven.EventID))+len(later.of(everywhere.EventID)), 2, "receipts of what was found only")

	// After 35 days it is over.
	clk.Advance(36 * 24 * time.Hour)
	w.seen(noon - 1000)
	last := &receipts{}
	_, _, stop = w.run(clk, last)
	defer stop()
	marker := wanted(clk.NowMS(), 9, false)
	w.send(events.TopicErasures, marker.AppendJSON(nil))
	kafkatest.Eventually(t, "the log to be read to its end", func() error {
		if len(last.of(marker.EventID)) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	require.Len(t, last.list, 1)
	require.Equal(t, "1 1", w.known(8, salt8))
}

func TestWishesAreBounded(t *testing.T) {
	j := New(Config{Clock: clock.NewManual(noon)}, metrics.NewSet(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	for i := range 3 {
		e := wanted(noon+int64(i), 0, false)
		j.note(&e)
		j.note(&e)
	}
	require.Len(t, j.wishes, 3)
	j.dropOldest()
	first := wanted(noon, 0, false)
	require.NotContains(t, j.wishes, first.EventID)
	old := wanted(noon-repeatFor.Milliseconds()-1, 0, false)
	j.note(&old)
	require.Len(t, j.wishes, 2)
	_, people := j.due(noon)
	require.Equal(t, []int{0, 0}, []int{len(people[0]), len(people[1])}, "no shop is known")
}
