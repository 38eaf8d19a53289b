package publish

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/freeport"
	"github.com/grosz/grosz/internal/money"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const patience = 3 * time.Minute

// broker starts an embedded broker with its data in dir, at port (0: any).
func broker(t *testing.T, dir string, port int) (*kfake.Cluster, string) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.SyncWrites(), kfake.SeedTopics(1, events.TopicCampaigns))
	require.NoError(t, err)
	return c, c.ListenAddrs()[0]
}

// openStore opens a store in dir.
func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{Path: filepath.Join(dir, "console.db")}, clock.System{})
	require.NoError(t, err)
	return s
}

// run starts a publisher; stop ends it and waits.
func run(t *testing.T, s *store.Store, w Writer, drain time.Duration) (p *Publisher, stop func()) {
	t.Helper()
	p = New(Config{Outbox: s, Writer: w, Clock: clock.System{}, Log: quiet, DrainTimeout: drain})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return p, stop
}

func makeShop(t *testing.T, s *store.Store) uint32 {
	t.Helper()
	var id uint32
	err := s.Write(context.Background(), store.Actor{Name: "test"}, func(tx *store.Tx) error {
		shop, err := tx.CreateShop(context.Background(), campaigns.Shop{Name: "Shop", Currency: money.MustCurrency("PLN"), Active: true})
		id = shop.ID
		return err
	})
	require.NoError(t, err)
	return id
}

func rename(t *testing.T, s *store.Store, id uint32, name string) int64 {
	t.Helper()
	var version int64
	err := s.Write(context.Background(), store.Actor{Name: "test"}, func(tx *store.Tx) error {
		shop, err := tx.Shop(context.Background(), id)
		if err != nil {
			return err
		}
		shop.Name = name
		shop, err = tx.UpdateShop(context.Background(), shop.Shop)
		version = shop.Version
		return err
	})
	require.NoError(t, err)
	return version
}

// topic reads what the broker has, in order.
func topic(t *testing.T, addr string) []campaigns.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := kafka.DialLeader(ctx, "tcp", addr, events.TopicCampaigns, 0)
	require.NoError(t, err)
	defer conn.Close()
	first, last, err := conn.ReadOffsets()
	require.NoError(t, err)
	_, err = conn.Seek(first, kafka.SeekAbsolute)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	var out []campaigns.Record
	for at := first; at < last; {
		m, err := conn.ReadMessage(2 << 20)
		require.NoError(t, err)
		at = m.Offset + 1
		var r campaigns.Record
		require.NoError(t, json.Unmarshal(m.Value, &r))
		require.Equal(t, r.Key, string(m.Key))
		out = append(out, r)
	}
	return out
}

// ordered checks that versions of a key never go back.
func ordered(t *testing.T, recs []campaigns.Record) {
	t.Helper()
	newest := map[string]int64{}
	for _, r := range recs {
		require.GreaterOrEqual(t, r.Version, newest[r.Key], r.Key)
		newest[r.Key] = r.Version
	}
}

func last(recs []campaigns.Record, key string) *campaigns.Record {
	for i := len(recs) - 1; i >= 0; i-- {
		if recs[i].Key == key {
			return &recs[i]
		}
	}
	return nil
}

func empty(t *testing.T, s *store.Store) {
	t.Helper()
	require.Eventually(t, func() bool {
		n, err := s.PendingCount(context.Background())
		return err == nil && n == 0
	}, patience, 5*time.Millisecond, "the outbox is emptied")
}

func TestEveryChangeReachesKafkaInOrder(t *testing.T) {
	c, addr := broker(t, t.TempDir(), 0)
	defer c.Close()
	s := openStore(t, t.TempDir())
	defer s.Close()
	w, closeWriter := NewWriter([]string{addr}, nil, quiet)
	defer closeWriter()
	_, stop := run(t, s, w, 0)
	ids := []uint32{makeShop(t, s), makeShop(t, s), makeShop(t, s)}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			for i := range 30 {
				rename(t, s, id, "name "+strconv.Itoa(i))
			}
		})
	}
	wg.Wait()
	empty(t, s)
	stop()
	recs := topic(t, addr)
	ordered(t, recs)
	for _, id := range ids {
		r := last(recs, "shop/"+strconv.Itoa(int(id)))
		require.Equal(t, "name 29", r.Shop.Name)
		require.Len(t, r.Shop.Salt, 32)
	}
}

func TestKafkaMayBeAway(t *testing.T) {
	dir := t.TempDir()
	port, err := freeport.Loopback() // nobody else's while the broker is away
	require.NoError(t, err)
	c, addr := broker(t, dir, port)
	s := openStore(t, t.TempDir())
	defer s.Close()
	w, closeWriter := NewWriter([]string{addr}, nil, quiet)
	defer closeWriter()
	p, stop := run(t, s, w, 0)
	id := makeShop(t, s)
	empty(t, s)
	c.Close()
	want := int64(0)
	for i := range 20 {
		want = rename(t, s, id, "while away "+strconv.Itoa(i))
	}
	require.Eventually(t, func() bool { return p.Status(context.Background()).Err != "" }, patience, 5*time.Millisecond, "the failure is told")
	require.Equal(t, 1, p.Status(context.Background()).Pending, "a key waits once, however often it changed")
	c, addr = broker(t, dir, port)
	defer c.Close()
	empty(t, s)
	require.Eventually(t, func() bool { return p.Status(context.Background()).Err == "" }, patience, 5*time.Millisecond)
	stop()
	recs := topic(t, addr)
	ordered(t, recs)
	require.Equal(t, want, last(recs, "shop/1").Version)
}

func TestAStartSendsEverythingAgain(t *testing.T) {
	c, addr := broker(t, t.TempDir(), 0)
	defer c.Close()
	dir := t.TempDir()
	s := openStore(t, dir)
	for range 5 {
		makeShop(t, s)
	}
	require.NoError(t, s.Close())
	for round := 1; round <= 2; round++ {
		s = openStore(t, dir)
		w, closeWriter := NewWriter([]string{addr}, nil, quiet)
		p, stop := run(t, s, w, 0)
		require.Eventually(t, func() bool { return p.Status(context.Background()).Sent >= 5 }, patience, 5*time.Millisecond)
		empty(t, s)
		stop()
		require.NoError(t, closeWriter())
		require.NoError(t, s.Close())
		require.Len(t, topic(t, addr), 5*round)
	}
	ordered(t, topic(t, addr)) // a version comes again, never an older one
}

// crashing is an outbox that dies after the next sending: Kafka has the
// documents, the mark is never made.
type crashing struct {
	*store.Store
	dead chan struct{}
	once sync.Once
}

func (c *crashing) Sent(ctx context.Context, sent []store.Pending) error {
	if len(sent) > 0 {
		c.once.Do(func() { close(c.dead) })
	}
	return errors.New("crashed")
}

func TestACrashBetweenSendingAndMarkingSendsAgain(t *testing.T) {
	c, addr := broker(t, t.TempDir(), 0)
	defer c.Close()
	dir := t.TempDir()
	s := openStore(t, dir)
	makeShop(t, s)
	w, closeWriter := NewWriter([]string{addr}, nil, quiet)
	defer closeWriter()
	dying := &crashing{Store: s, dead: make(chan struct{})}
	p := New(Config{Outbox: dying, Writer: w, Clock: clock.System{}, Log: quiet, DrainTimeout: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-dying.dead
	cancel()
	require.NoError(t, <-done)
	n, err := s.PendingCount(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, n, "what was not marked is still to be sent")
	want := rename(t, s, 1, "after the crash")
	require.NoError(t, s.Close())

	s = openStore(t, dir)
	defer s.Close()
	_, stop := run(t, s, w, 0)
	empty(t, s)
	stop()
	recs := topic(t, addr)
	ordered(t, recs)
	require.GreaterOrEqual(t, len(recs), 2)
	require.Equal(t, want, last(recs, "shop/1").Version)
}

func TestACommittedChangeSurvivesACrashBeforeSending(t *testing.T) {
	c, addr := broker(t, t.TempDir(), 0)
	defer c.Close()
	dir := t.TempDir()
	s := openStore(t, dir)
	makeShop(t, s)
	want := rename(t, s, 1, "committed")
	require.NoError(t, s.Close())
	s = openStore(t, dir)
	defer s.Close()
	got, err := s.Pending(context.Background(), 10)
	require.NoError(t, err)
	require.Equal(t, []store.Pending{{Key: "shop/1", Version: want}}, got, "the outbox row was committed with the change")
	w, closeWriter := NewWriter([]string{addr}, nil, quiet)
	defer closeWriter()
	_, stop := run(t, s, w, 0)
	empty(t, s)
	stop()
	require.Equal(t, want, last(topic(t, addr), "shop/1").Version)
}

// changing is a Writer during whose sending the document changes.
type changing struct {
	mu     sync.Mutex
	during func()
	recs   []campaigns.Record
	refuse map[string]error
}

func (c *changing) WriteMessages(_ context.Context, msgs ...kafka.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.during != nil {
		c.during()
		c.during = nil
	}
	errs := make(kafka.WriteErrors, len(msgs))
	for i, m := range msgs {
		if err := c.refuse[string(m.Key)]; err != nil {
			// The whole batch of a partition fails with its worst message.
			for j := range errs {
				errs[j] = err
			}
			return errs
		}
		var r campaigns.Record
		if err := json.Unmarshal(m.Value, &r); err != nil {
			errs[i] = err
		}
		c.recs = append(c.recs, r)
	}
	if errs.Count() > 0 {
		return errs
	}
	return nil
}

func TestAChangeWhileSendingIsSentToo(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	makeShop(t, s)
	var want int64
	w := &changing{during: func() { want = rename(t, s, 1, "meanwhile") }}
	_, stop := run(t, s, w, 0)
	empty(t, s)
	stop()
	require.Len(t, w.recs, 2)
	ordered(t, w.recs)
	require.Equal(t, want, w.recs[1].Version)
}

func TestARefusedDocumentHoldsNothingUp(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	for range 4 {
		makeShop(t, s)
	}
	w := &changing{refuse: map[string]error{"shop/2": kafka.MessageSizeTooLarge}}
	p, stop := run(t, s, w, time.Second)
	require.Eventually(t, func() bool { return p.Status(context.Background()).Pending == 1 }, patience, 5*time.Millisecond)
	stop()
	for _, key := range []string{"shop/1", "shop/3", "shop/4"} {
		require.NotNil(t, last(w.recs, key), key)
	}
	left, err := s.Pending(context.Background(), 10)
	require.NoError(t, err)
	require.Equal(t, "shop/2", left[0].Key)
}

func TestTheTopicIsMadeFirst(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	w := &changing{}
	ctx, cancel := context.WithCancel(context.Background())
	made := false
	p := New(Config{Outbox: s, Writer: w, Clock: clock.System{}, Log: quiet, EnsureTopic: func(context.Context) error {
		require.Empty(t, w.recs)
		made = true
		cancel()
		return nil
	}})
	makeShop(t, s)
	require.NoError(t, p.Run(ctx))
	require.True(t, made)
	require.Len(t, w.recs, 1, "the last attempt still empties the outbox")
	p = New(Config{Outbox: s, Writer: w, Clock: clock.System{}, Log: quiet, EnsureTopic: func(context.Context) error { return errors.New("no rights") }})
	require.ErrorContains(t, p.Run(context.Background()), "no rights")
}
