package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

// world is a real Kafka and a real engine, started once for the package.
type world struct {
	dir    string
	broker *kafkatest.Broker
	server *warehouse.Server
	proxy  *proxy // in front of the engine
	conn   driver.Conn
	err    error
}

var (
	theWorld  world
	makeWorld sync.Once
	nextShop  atomic.Uint32
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := theWorld.close(); err != nil {
		fmt.Fprintln(os.Stderr, "closing Kafka and the warehouse:", err)
		code = 1
	}
	os.Exit(code)
}

func quietLog() *slog.Logger {
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// start returns the world; without Kafka or the engine the test is skipped,
// or fails when CI=true.
func start(t testing.TB) *world {
	t.Helper()
	makeWorld.Do(func() { theWorld.err = theWorld.open() })
	if err := theWorld.err; err != nil {
		_, noLibrary := warehouse.FindLibrary("")
		if os.Getenv("CI") != "true" && (errors.Is(err, kafkatest.ErrMissing) || noLibrary != nil) {
			t.Skipf("not run: %v", err)
		}
		t.Fatal(err)
	}
	w := &theWorld
	for _, topic := range []string{events.TopicEvents, events.TopicBids, events.TopicShopEvents} {
		w.broker.Topic(t, topic, 3)
	}
	w.broker.Topic(t, events.TopicErasures, 1)
	w.broker.Topic(t, events.TopicCampaigns, 1, kafka.ConfigEntry{ConfigName: "cleanup.policy", ConfigValue: "compact"})
	return w
}

func (w *world) open() error {
	var err error
	if _, err = warehouse.FindLibrary(""); err != nil {
		return err
	}
	if w.dir, err = os.MkdirTemp("", "loader-test-"); err != nil {
		return err
	}
	if w.broker, err = kafkatest.Open(context.Background(), kafkatest.Config{Dir: filepath.Join(w.dir, "kafka")}); err != nil {
		return err
	}
	if w.server, err = warehouse.Start(context.Background(), warehouse.Config{Dir: w.dir, Addr: "127.0.0.1:0"}, quietLog()); err != nil {
		return err
	}
	if w.proxy, err = newProxy(w.server.Addr()); err != nil {
		return err
	}
	if w.conn, err = w.clickhouse(w.server.Addr()).Open(); err != nil {
		return err
	}
	return schema.Migrate(context.Background(), w.conn, quietLog())
}

func (w *world) close() error {
	var errs []error
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	if w.proxy != nil {
		w.proxy.close()
	}
	if w.server != nil {
		errs = append(errs, w.server.Close())
	}
	if w.broker != nil {
		errs = append(errs, w.broker.Stop())
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

func (w *world) clickhouse(addr string) schema.Server {
	return schema.Server{Addr: addr, PasswordFile: warehouse.PasswordFile(w.dir)}
}

// running is a loader in a goroutine.
type running struct {
	*Loader
	cancel context.CancelFunc
	done   chan error
}

// load starts a loader; change, which may be nil, edits it before it runs. It
// is stopped at the test's end.
func (w *world) load(t testing.TB, group string, change func(*Loader)) *running {
	t.Helper()
	l, err := New(Config{Brokers: []string{w.broker.Addr()}, ClickHouse: w.clickhouse(w.proxy.addr()), Group: group, BatchWait: 50 * time.Millisecond},
		metrics.NewSet(), quietLog())
	require.NoError(t, err)
	if change != nil {
		change(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{l, cancel, make(chan error, 1)}
	go func() { r.done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

// stop ends the loader in good order and returns what Run did.
func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	err := <-r.done
	r.done <- nil
	require.NoError(t, err)
}

// caughtUp waits until everything in Kafka is committed as loaded.
func (r *running) caughtUp(t testing.TB) {
	t.Helper()
	kafkatest.Eventually(t, "the loader catches up", func() error {
		for _, topic := range r.lag.topics {
			lags, err := r.lag.ask(t.Context(), topic)
			if err != nil {
				return err
			}
			for _, l := range lags {
				if l.Messages != 0 {
					return fmt.Errorf("%+v", l)
				}
			}
		}
		return nil
	})
}

// send writes messages to a topic, each to the partition of its key.
func (w *world) send(t testing.TB, topic string, msgs ...kafka.Message) {
	t.Helper()
	tr := &kafka.Transport{}
	defer tr.CloseIdleConnections()
	kw := &kafka.Writer{Addr: kafka.TCP(w.broker.Addr()), Topic: topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: tr}
	defer kw.Close()
	kafkatest.Eventually(t, "messages written to "+topic, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return kw.WriteMessages(ctx, msgs...)
	})
}

// message is a message of one shop's events.
func message(es ...events.Event) kafka.Message {
	var buf []byte
	for i := range es {
		buf = es[i].AppendJSON(buf)
	}
	return kafka.Message{Key: events.ShopKey(es[0].ShopID), Value: buf}
}

func shopMessage(es ...events.ShopEvent) kafka.Message {
	var buf []byte
	for i := range es {
		buf = es[i].AppendJSON(buf)
	}
	return kafka.Message{Key: events.ShopUserKey(es[0].ShopID, es[0].UID), Value: buf}
}

func newShop() uint32 { return 1000 + nextShop.Add(1) }

func newID() (id events.ID) {
	for i := range id {
		id[i] = byte(rand.Uint32())
	}
	return id
}

// row scans the one row of a query.
func (w *world) row(t testing.TB, sql string, args []any, dest ...any) {
	t.Helper()
	require.NoError(t, w.conn.QueryRow(t.Context(), sql, args...).Scan(dest...), sql)
}

// text returns the one value of a query as text.
func (w *world) text(t testing.TB, sql string, args ...any) string {
	t.Helper()
	var s string
	w.row(t, sql, args, &s)
	return s
}

// proxy forwards to a server until it is cut.
type proxy struct {
	to string
	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{to: to, l: l, conns: make(map[net.Conn]bool)}
	p.wg.Go(p.serve)
	return p, nil
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) serve() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil || !p.hold(in, out) {
			in.Close()
			if out != nil {
				out.Close()
			}
			continue
		}
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			p.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				in.Close()
				out.Close()
				p.mu.Lock()
				delete(p.conns, in)
				delete(p.conns, out)
				p.mu.Unlock()
			})
		}
	}
}

func (p *proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.cut
}

// set cuts every connection and refuses new ones, or lets them through.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) close() {
	p.l.Close()
	p.set(true)
	p.wg.Wait()
}
