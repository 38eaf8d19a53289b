package sim

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// noLeaks fails the test if goroutines outlive it and what it cleans up later.
func noLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func testConfig(t *testing.T, b *fakeBidder) Config {
	pln := money.MustCurrency("PLN")
	cfg := Config{Dir: t.TempDir(), BidderURL: b.srv.URL, Seed: 7, Shoppers: 50, Rate: 20, SessionRate: 5, ClickScale: 5, TMax: 5000,
		Duration: 60 * time.Second, Concurrency: 1, Timer: NewFast(1_800_000_000_000), Drain: 30 * time.Second,
		Log: slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))}
	for id := uint32(1); id <= 2; id++ {
		s := Shop{ID: id, Name: "s", Domain: fmt.Sprintf("shop%d.example", id), Key: fmt.Sprintf("key%d", id), Currency: pln}
		for i := range 30 {
			s.Products = append(s.Products, Product{ID: "p" + strconv.Itoa(i), Category: "A > " + strconv.Itoa(i%3), Price: money.Nano(i+1) * money.NanoUnit})
		}
		cfg.Shops = append(cfg.Shops, s)
	}
	return cfg
}

func play(t *testing.T, ctx context.Context, cfg Config) Snapshot {
	t.Helper()
	w, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, w.Run(ctx))
	return w.Snapshot()
}

// requireEqualBooks is what the simulation is for: the bidder's books, kept
// from what it heard, equal the exchanges' and the shoppers'.
func requireEqualBooks(t *testing.T, b *fakeBidder, dir string) (Invoice, Truth) {
	t.Helper()
	inv, err := ReadInvoice(dir)
	require.NoError(t, err)
	truth, err := ReadTruth(dir)
	require.NoError(t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, count := map[string]money.Nano{}, map[string]int64{}
	for token, amount := range b.settled {
		sum[b.exchange[token]] += amount
		count[b.exchange[token]]++
	}
	for name, x := range inv.Exchanges {
		require.Zero(t, x.Undelivered, name)
		require.Equal(t, x.Amount, sum[name], name)
		require.Equal(t, x.Count, count[name], name)
		var lines money.Nano
		for _, l := range x.Lines {
			lines += l.Amount
			require.Equal(t, l.Amount, b.settled[l.BidID])
		}
		require.Equal(t, x.Amount, lines)
	}
	require.Zero(t, truth.Pending)
	require.Empty(t, truth.Refused)
	require.Len(t, b.orders, len(truth.Orders))
	for _, o := range truth.Orders {
		require.Equal(t, o.Value.String(), b.orders[fmt.Sprintf("%d/%s", o.Shop, o.ID)])
	}
	return inv, truth
}

func TestBooksAgree(t *testing.T) {
	noLeaks(t)
	b := newFakeBidder(t)
	b.fail, b.invalid = 0.1, 0.1
	cfg := testConfig(t, b)
	s := play(t, context.Background(), cfg)
	inv, truth := requireEqualBooks(t, b, cfg.Dir)
	require.Len(t, inv.Exchanges, 2)
	for name, f := range s.Exchanges {
		require.Positive(t, f.Requests, name)
		require.Positive(t, f.Billed, name)
		require.Positive(t, f.Competitors, name)
		require.Positive(t, f.Invalid, name)
		require.Zero(t, f.Failed, name)
		require.Equal(t, f.Spend, inv.Exchanges[name].Amount)
	}
	require.Equal(t, map[string]bool{"floor": true, "badv": true}, keys(s.Violations), s.LastViolation)
	require.NotEmpty(t, truth.Orders)
	require.Positive(t, s.Clicks)
	clicked := false
	for _, o := range truth.Orders {
		clicked = clicked || o.ClickBid != ""
	}
	require.True(t, clicked, "no order after a click among %d", len(truth.Orders))
	for _, kind := range []string{"visit", "category_view", "product_view", "search", "cart_add", "cart_remove", "checkout", "purchase"} {
		require.Positive(t, b.events[kind], kind)
	}
	var buf bytes.Buffer
	s.WriteMetrics(&buf)
	require.Contains(t, buf.String(), `grosz_sim_billed_total{exchange="sim-first"}`)
}

func keys(m map[string]uint64) map[string]bool {
	out := map[string]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}

// TestSameSeedSameWorld: one seed, one thread, one history.
func TestSameSeedSameWorld(t *testing.T) {
	var spend []Snapshot
	for range 2 {
		b := newFakeBidder(t)
		cfg := testConfig(t, b)
		cfg.Duration = 20 * time.Second
		spend = append(spend, play(t, context.Background(), cfg))
	}
	require.Equal(t, spend[0], spend[1])
}

// TestRestart: the bidder goes away, the world is stopped with notices and
// orders in hand; the next run delivers them.
func TestRestart(t *testing.T) {
	noLeaks(t)
	b := newFakeBidder(t)
	cfg := testConfig(t, b)
	cfg.Timer, cfg.Duration, cfg.Concurrency, cfg.Drain = Real{}, 0, 8, time.Millisecond
	cfg.Rate, cfg.SessionRate = 300, 60
	w, err := New(cfg)
	require.NoError(t, err)
	_, err = New(cfg)
	require.ErrorContains(t, err, "in use")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return w.Snapshot().Wins() > 20 }, 3*time.Minute, 10*time.Millisecond)
	b.set(func() { b.down = true })
	require.Eventually(t, func() bool { return w.Snapshot().Undelivered > 5 }, 3*time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	inv, err := ReadInvoice(cfg.Dir)
	require.NoError(t, err)
	waiting := 0
	for _, x := range inv.Exchanges {
		waiting += x.Undelivered
	}
	require.Positive(t, waiting)

	b.set(func() { b.down = false })
	cfg.Duration, cfg.Timer, cfg.Concurrency, cfg.Drain = time.Second, NewFast(time.Now().UnixMilli()), 1, 30*time.Second
	cfg.JournalBytes = 1 // rewrites the journals
	play(t, context.Background(), cfg)
	inv, err = ReadInvoice(cfg.Dir)
	require.NoError(t, err)
	b.mu.Lock()
	var sum, billed money.Nano
	for _, a := range b.settled {
		sum += a
	}
	b.mu.Unlock()
	for name, x := range inv.Exchanges {
		require.Zero(t, x.Undelivered, name)
		billed += x.Amount
	}
	require.Equal(t, billed, sum)
	truth, err := ReadTruth(cfg.Dir)
	require.NoError(t, err)
	require.Zero(t, truth.Pending)
	require.Len(t, b.orders, len(truth.Orders))
}

func TestConfigListsAllMistakes(t *testing.T) {
	_, err := New(Config{Shoppers: -1, Rate: -2, BidderURL: "nowhere", Exchanges: []Exchange{{Name: "a/b"}}, Shops: []Shop{{}}})
	for _, want := range []string{"dir", "bidder url", "shoppers", "rate", "a/b", "kind 0", "settles", "currency", "shop"} {
		require.ErrorContains(t, err, want)
	}
}

// TestJournalStaysBounded: a running world rewrites its journals, and the
// sums stay right.
func TestJournalStaysBounded(t *testing.T) {
	b := newFakeBidder(t)
	cfg := testConfig(t, b)
	cfg.JournalBytes = 50_000
	s := play(t, context.Background(), cfg)
	inv, err := ReadInvoice(cfg.Dir)
	require.NoError(t, err)
	for name, x := range inv.Exchanges {
		require.Equal(t, s.Exchanges[name].Spend, x.Amount)
		require.Equal(t, s.Exchanges[name].Billed, uint64(x.Count))
		require.Less(t, int64(len(x.Lines)), x.Count)
		info, err := os.Stat(bookPath(cfg.Dir, name))
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(200_000))
	}
}
