package bookkeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/loader"
	"github.com/grosz/grosz/reporting/schema"
	"github.com/grosz/grosz/reporting/warehouse"
)

const patience = 3 * time.Minute

// env is a real Kafka and a real engine.
type env struct {
	t      *testing.T
	dir    string
	broker *kafkatest.Broker
	click  schema.Server
	conn   driver.Conn
	writer *kafkago.Writer
}

func startEnv(t *testing.T) *env {
	t.Helper()
	_, noLibrary := warehouse.FindLibrary("")
	e := &env{t: t, dir: t.TempDir()}
	var err error
	if noLibrary == nil {
		e.broker, err = kafkatest.Open(t.Context(), kafkatest.Config{Dir: filepath.Join(e.dir, "kafka")})
	}
	if (noLibrary != nil || errors.Is(err, kafkatest.ErrMissing)) && os.Getenv("CI") != "true" {
		t.Skipf("not run: %v", errors.Join(noLibrary, err))
	}
	require.NoError(t, errors.Join(noLibrary, err))
	t.Cleanup(func() { require.NoError(t, e.broker.Stop()) })
	server, err := warehouse.Start(t.Context(), warehouse.Config{Dir: e.dir, Addr: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	e.click = schema.Server{Addr: server.Addr(), PasswordFile: filepath.Join(e.dir, "warehouse.key")}
	require.NoError(t, kafka.EnsureTopics(t.Context(), []string{e.broker.Addr()}, kafka.Topics(2), slog.New(slog.DiscardHandler)))
	e.writer = kafka.NewWriter([]string{e.broker.Addr()}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { require.NoError(t, e.writer.Close()) })
	e.conn, err = e.click.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.conn.Close()) })
	require.NoError(t, schema.Migrate(t.Context(), e.conn, slog.New(slog.DiscardHandler)))
	return e
}

func (e *env) send(evs ...events.Event) {
	for len(evs) > 0 {
		n := min(len(evs), 50)
		msgs := make([]kafkago.Message, n)
		for i := range n {
			msgs[i] = kafkago.Message{Topic: events.TopicEvents, Key: events.ShopKey(evs[i].ShopID), Value: evs[i].AppendJSON(nil)}
		}
		require.NoError(e.t, e.writer.WriteMessages(e.t.Context(), msgs...))
		evs = evs[n:]
	}
}

// keep runs a Keeper; stop ends it in order, kill without its last words.
func (e *env) keep(change func(*Keeper)) (k *Keeper, stop func()) {
	k, err := New(Config{
		Brokers: []string{e.broker.Addr()}, ClickHouse: e.click, Dir: filepath.Join(e.dir, "ledger"), BatchEntries: 64, BatchWait: 5 * time.Millisecond, CheckpointEvery: 20 * time.Millisecond,
	}, metrics.NewSet(), slog.New(slog.DiscardHandler))
	require.NoError(e.t, err)
	if change != nil {
		change(k)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return k, func() {
		cancel()
		require.NoError(e.t, <-done)
	}
}

func (e *env) text(query string, args ...any) (out string) {
	e.t.Helper()
	require.NoError(e.t, e.conn.QueryRow(e.t.Context(), query, args...).Scan(&out), query)
	return out
}

// A log with repetitions, disputes, prepaid shops and wins beyond them, kept by
// keepers that die: the ledger has each entry once, every currency's accounts
// sum to 0, and the statement is the settlements to the nano-unit.
func TestTheLedgerEqualsTheSettlements(t *testing.T) {
	e := startEnv(t)
	rng := rand.New(rand.NewPCG(11, 7))
	var all []events.Event
	for i := range 1500 {
		shop := uint32(1 + rng.IntN(3))
		ev := billing(shop, shop*10, uint64(i+1), 1+12_345_678)
		if i%9 == 0 {
			ev.PriceStatus = events.PriceMacro
		}
		if i%11 == 0 {
			ev.Disputed, ev.PriceStatus = 1_000_003, events.PriceAboveBid
		}
		if i%2 == 0 {
			ev.Day, ev.TimeMS = "2026-04-01", noon+22*24*3600_000
		}
		all = append(all, ev)
		if i%5 == 0 && i > 20 {
			all = append(all, all[rng.IntN(len(all))]) // a retry of another node
		}
		switch i {
		case 10:
			all = append(all, terms(2, 1, 0), deposit(2, 1, 1_000_000_007), terms(3, 1, 500_000_000))
		case 700:
			all = append(all, deposit(2, 2, 777), deposit(2, 1, 1_000_000_007))
		}
	}
	want := newFold(0)
	for i := range all {
		want.message(message(0, int64(i), all[i]), nil)
	}

	// Three keepers, of which two die: one after inserts that no checkpoint has,
	// one that forgets what it did not insert.
	e.send(all[:600]...)
	died := errors.New("died")
	k, err := New(Config{Brokers: []string{e.broker.Addr()}, ClickHouse: e.click, Dir: filepath.Join(e.dir, "ledger"), BatchEntries: 64, BatchWait: time.Hour}, metrics.NewSet(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	k.conn = e.conn
	f := &kafka.Follower{Brokers: []string{e.broker.Addr()}, Topic: events.TopicEvents, Log: slog.New(slog.DiscardHandler), Handle: func(m kafka.Message) error {
		if k.fold.counts.events > 400 {
			return died
		}
		if k.fold.counts.events%200 == 0 && k.fold.counts.events < 300 {
			require.NoError(t, k.flush(t.Context()))
			require.NoError(t, os.MkdirAll(k.cfg.Dir, 0o700))
			require.NoError(t, k.checkpoint())
		}
		return k.handle(t.Context(), m)
	}}
	require.ErrorIs(t, f.Run(t.Context()), died)

	_, stop := e.keep(nil)
	e.send(all[600:1100]...)
	stop()
	k, stop = e.keep(nil)
	e.send(all[1100:]...)
	entries := want.counts.entries
	require.Eventually(t, func() bool { return e.text("SELECT toString(count()) FROM grosz.ledger FINAL") == fmt.Sprint(entries) }, patience, 20*time.Millisecond)
	stop()
	require.Positive(t, k.checkpoints.Get())

	// The loader brings the same log to the views of settlements.
	l, err := loader.New(loader.Config{Brokers: []string{e.broker.Addr()}, ClickHouse: e.click}, metrics.NewSet(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	require.Eventually(t, func() bool { return e.text("SELECT toString(count()) FROM grosz.settlements") == "1500" }, patience, 50*time.Millisecond)
	cancel()
	require.NoError(t, <-done)

	require.Equal(t, "0", e.text("SELECT toString(count()) FROM (SELECT currency, sum(balance) AS b FROM grosz.account_balances GROUP BY currency HAVING b != 0)"), "double entry")
	require.Equal(t,
		e.text("SELECT toString(groupArray((shop, toString(m), toString(a)))) FROM (SELECT shop, toStartOfMonth(day) AS m, sum(shop_amount) AS a FROM grosz.settlements GROUP BY shop, m ORDER BY shop, m)"),
		e.text("SELECT toString(groupArray((shop, toString(m), toString(a)))) FROM (SELECT shop, month AS m, sum(media_cost + house) AS a FROM grosz.statement GROUP BY shop, m ORDER BY shop, m)"),
		"what was billed and what the house paid is what was settled")
	require.Equal(t,
		e.text("SELECT toString((sum(amount), sum(disputed))) FROM grosz.settlements"),
		e.text("SELECT toString((sum(owed), sum(disputed))) FROM grosz.statement_exchanges"), "and the exchange's invoice")
	require.Equal(t, e.text("SELECT toString(sumIf(amount, price_status = 'macro')) FROM grosz.settlements"), e.text("SELECT toString(sum(unread)) FROM grosz.statement_exchanges"))
	require.Equal(t, fmt.Sprint(want.counts.houseWins), e.text("SELECT toString(sum(wins)) FROM grosz.beyond_budget"))

	reports, err := report.Open(report.Config{Addr: e.click.Addr, User: "default", Password: e.password()})
	require.NoError(t, err)
	defer reports.Close()
	for shop := uint32(1); shop <= 3; shop++ {
		st := want.ledger.Shop(shop)
		b, err := reports.Balance(t.Context(), shop)
		require.NoError(t, err)
		require.Equal(t, report.Balance{Billed: st.Billed, Balance: st.Balance, House: st.House}, b, "shop %d", shop)
		march, err := reports.Statement(t.Context(), shop, "2026-03")
		require.NoError(t, err)
		april, err := reports.Statement(t.Context(), shop, "2026-04")
		require.NoError(t, err)
		require.Len(t, march, 1)
		require.Len(t, april, 1)
		require.Equal(t, march[0].Closing, april[0].Opening)
		require.Equal(t, st.Balance.String(), trim(april[0].Closing))
	}
	require.LessOrEqual(t, want.ledger.Shop(2).Billed, want.ledger.Shop(2).Deposited, "never more than was paid in")
}

func trim(s string) string {
	n, err := money.ParseNano(s)
	if err != nil {
		return err.Error()
	}
	return n.String()
}

func (e *env) password() string {
	raw, err := os.ReadFile(filepath.Join(e.dir, "warehouse.key"))
	require.NoError(e.t, err)
	return string(raw[:len(raw)-countEnd(raw)])
}

func countEnd(b []byte) (n int) {
	for n < len(b) && b[len(b)-1-n] == '\n' {
		n++
	}
	return n
}
