package volume

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/loader"
	"github.com/grosz/grosz/reporting/rollup"
	"github.com/grosz/grosz/reporting/schema"
)

// FreshConfig of a Fresh.
type FreshConfig struct {
	ClickHouse schema.Server
	Kafka      kafka.Cluster
	// Dir of the spool, which must be empty.
	Dir string
	// Rate is events a second, at least 1, sent for For.
	Rate int
	For  time.Duration
	// Tag marks the run's events; it must be new.
	Tag uint64
	Log *slog.Logger
}

// Validate lists all that is wrong.
func (c FreshConfig) Validate() error {
	var errs []error
	if c.Rate < 1 || c.Rate > 1_000_000 {
		errs = append(errs, fmt.Errorf("volume: %d events a second; 1 to 1,000,000", c.Rate))
	}
	if c.For < time.Second || c.For > time.Hour {
		errs = append(errs, fmt.Errorf("volume: events for %v; a second to an hour", c.For))
	}
	if c.Dir == "" || len(c.Kafka.Brokers) == 0 {
		errs = append(errs, errors.New("volume: brokers and a directory are needed"))
	}
	return errors.Join(append(errs, c.ClickHouse.Validate(), c.Kafka.Validate())...)
}

// Freshness is how long after it was due an event could be read in ClickHouse:
// in the spool and fsynced, in Kafka, loaded, and answered by a query. What
// the sender was late counts, so that a stall cannot hide what it delays.
type Freshness struct {
	Events        int
	Took          time.Duration // from the first event until the last could be read
	Durable       time.Duration // 99th percentile until the event was fsynced
	Loaded        time.Duration // 99th percentile from then on
	P50, P99, Max time.Duration
}

// Print writes it as a person reads it.
func (f *Freshness) Print(out io.Writer) {
	fmt.Fprintf(out, "\n%d events sent and read in %s, %.0f/s; an event could be read after p50 %.2f s, p99 %.2f s, at most %.2f s; it was durable after p99 %.2f s, and from then on took p99 %.2f s\n",
		f.Events, f.Took.Round(time.Second), float64(f.Events)/f.Took.Seconds(), f.P50.Seconds(), f.P99.Seconds(), f.Max.Seconds(), f.Durable.Seconds(), f.Loaded.Seconds())
}

const (
	freshLanes   = 128                    // senders, each waiting for its fsync
	freshPoll    = 50 * time.Millisecond  // between two looks at the table
	freshPatient = 2 * time.Minute        // for what was sent to come
	freshNode    = "fresh"                // the events' node
	freshWarm    = 500 * time.Millisecond // between tries of the first event
)

// freshKinds are the events of a bid, in turn.
var freshKinds = []events.Type{events.TypeWin, events.TypeBilling, events.TypeImpression, events.TypeViewable}

// fresh is one run.
type fresh struct {
	cfg   FreshConfig
	conn  driver.Conn
	spool *spool.Spool
	start time.Time
	sent  []int64 // when it was durable, ns since start, by event; each by its sender
	seen  []int64 // when it was first read; 0: not yet
	left  int
}

// Fresh sends events at a steady rate by the way that a bidder's notices take,
// with a loader and a roller of its own beside, and sees when each can be read.
func Fresh(ctx context.Context, cfg FreshConfig) (_ *Freshness, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Kafka.EnsureTopics(ctx, kafka.Topics(4), cfg.Log); err != nil {
		return nil, err
	}
	f := &fresh{cfg: cfg}
	if f.conn, err = cfg.ClickHouse.Open(); err != nil {
		return nil, err
	}
	defer f.conn.Close()
	if err := cfg.ClickHouse.Migrate(ctx, f.conn, cfg.Log); err != nil {
		return nil, err
	}
	if f.spool, err = spool.Open(spool.Config{Dir: cfg.Dir, MaxBytes: 8 << 30}, cfg.Log); err != nil {
		return nil, err
	}
	ship := cfg.Kafka.NewWriters(kafka.Lanes, cfg.Log)
	defer func() { err = errors.Join(err, kafka.CloseWriters(ship), f.spool.Close()) }()

	load, err := loader.New(loader.Config{Brokers: cfg.Kafka.Brokers, Security: cfg.Kafka.Security, ClickHouse: cfg.ClickHouse, Group: fmt.Sprintf("grosz-fresh-%d", cfg.Tag)}, metrics.NewSet(), cfg.Log)
	if err != nil {
		return nil, err
	}
	roll, err := rollup.New(rollup.Config{ClickHouse: cfg.ClickHouse}, metrics.NewSet(), cfg.Log)
	if err != nil {
		return nil, err
	}
	beside, end := context.WithCancel(ctx)
	work, beside := errgroup.WithContext(beside)
	work.Go(func() error { return load.Run(beside) })
	work.Go(func() error { return roll.Run(beside) })
	work.Go(func() error { return f.spool.Ship(beside, kafka.Sink(ship...)) })
	res, err := f.run(beside)
	end()
	if stopped := work.Wait(); err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(stopped, err)
	}
	return res, err
}

// run is the measured part. The first event is sent alone: until it is there
// the loader's consumer group is still meeting.
func (f *fresh) run(ctx context.Context) (*Freshness, error) {
	if err := f.meet(ctx); err != nil {
		return nil, err
	}
	n := f.cfg.Rate * int(f.cfg.For/time.Second)
	f.sent, f.seen, f.left = make([]int64, n), make([]int64, n), n
	f.start = time.Now()
	sending, sctx := errgroup.WithContext(ctx)
	for lane := range freshLanes {
		sending.Go(func() error { return f.send(sctx, lane) })
	}
	err := errors.Join(f.watch(sctx), sending.Wait())
	return f.result(), err
}

// due is when an event should be sent.
func (f *fresh) due(i int) time.Duration {
	return time.Duration(float64(i) / float64(f.cfg.Rate) * float64(time.Second))
}

// meet sends an event until one can be read.
func (f *fresh) meet(ctx context.Context) error {
	f.start = time.Now()
	var buf []byte
	for i := 0; time.Since(f.start) < freshPatient; i++ {
		e := f.event(1<<40 + i)
		buf = e.AppendJSON(buf[:0])
		if err := f.spool.Append(spool.Record{Topic: kafka.SpoolEvents, Key: events.ShopKey(e.ShopID), Value: buf}); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(freshWarm):
		}
		var n uint64
		err := f.conn.QueryRow(ctx, "SELECT count() FROM grosz.events WHERE node = ? AND loaded_at >= ?", freshNode, f.start.UTC().Add(-time.Second)).Scan(&n)
		if err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("volume: no event came through in %v", freshPatient)
}

// send sends every freshLanes-th event when it is due.
func (f *fresh) send(ctx context.Context, lane int) error {
	var buf []byte
	for i := lane; i < len(f.seen); i += freshLanes {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.due(i) - time.Since(f.start)):
		}
		e := f.event(i)
		buf = e.AppendJSON(buf[:0])
		if err := f.spool.Append(spool.Record{Topic: kafka.SpoolEvents, Key: events.ShopKey(e.ShopID), Value: buf}); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
		f.sent[i] = int64(time.Since(f.start))
	}
	return nil
}

// watch looks at what was loaded since its last look until all was read.
func (f *fresh) watch(ctx context.Context) error {
	since := f.start.UTC().Add(-time.Second)
	last := time.Now()
	for f.left > 0 {
		n, newest, err := f.look(ctx, since)
		if err != nil {
			return err
		}
		if n > 0 {
			last, since = time.Now(), newest
		}
		if time.Since(last) > freshPatient {
			return fmt.Errorf("volume: %d events did not come in %v", f.left, freshPatient)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(freshPoll):
		}
	}
	return nil
}

// look notes what can be read that was loaded at since or later. Batches are
// loaded one after the other, so what comes later is never older than newest.
func (f *fresh) look(ctx context.Context, since time.Time) (news int, newest time.Time, err error) {
	rows, err := f.conn.Query(ctx, "SELECT bid_id, type, loaded_at FROM grosz.events WHERE node = ? AND loaded_at >= ?", freshNode, since)
	if err != nil {
		return 0, since, fmt.Errorf("volume: looking for events: %w", err)
	}
	defer rows.Close()
	newest = since
	for rows.Next() {
		var bid uuid.UUID
		var kind string
		var at time.Time
		if err := rows.Scan(&bid, &kind, &at); err != nil {
			return 0, since, fmt.Errorf("volume: reading an event: %w", err)
		}
		if at.After(newest) {
			newest = at
		}
		i := f.number(bid, kind)
		if i < 0 || f.seen[i] != 0 {
			continue
		}
		f.seen[i] = -1
		news++
	}
	if err := rows.Err(); err != nil {
		return 0, since, fmt.Errorf("volume: reading events: %w", err)
	}
	if news > 0 { // what the answer's last byte said, none before it
		now := int64(time.Since(f.start))
		for i, at := range f.seen {
			if at == -1 {
				f.seen[i] = now
			}
		}
		f.left -= news
	}
	return news, newest, nil
}

func (f *fresh) result() *Freshness {
	r := &Freshness{Events: len(f.seen)}
	var delays, durable, loaded []time.Duration
	for i, at := range f.seen {
		if at == 0 {
			continue
		}
		delays = append(delays, time.Duration(at)-f.due(i))
		durable = append(durable, time.Duration(f.sent[i])-f.due(i))
		loaded = append(loaded, time.Duration(max(0, at-f.sent[i]))) // a row may be read before its sender runs again
		r.Took = max(r.Took, time.Duration(at))
	}
	slices.Sort(delays)
	slices.Sort(durable)
	slices.Sort(loaded)
	r.P50, r.P99, r.Max = quantile(delays, 0.5), quantile(delays, 0.99), quantile(delays, 1)
	r.Durable, r.Loaded = quantile(durable, 0.99), quantile(loaded, 0.99)
	return r
}

// quantile of sorted durations; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// event is number i of the run.
func (f *fresh) event(i int) *events.Event {
	now := time.Now().UTC()
	bidNumber, kind := i/len(freshKinds), freshKinds[i%len(freshKinds)]
	var bid events.ID
	binary.LittleEndian.PutUint64(bid[:8], f.cfg.Tag)
	binary.LittleEndian.PutUint64(bid[8:], uint64(bidNumber))
	shop := uint32(1 + bidNumber%20)
	e := &events.Event{
		EventID: events.EventID(bid, kind, 0), Type: kind, TimeMS: now.UnixMilli(), Day: now.Format(time.DateOnly), BidMS: now.UnixMilli(),
		BidID: bid, ShopID: shop, CampaignID: shop*10 + uint32(bidNumber%3), CreativeID: shop * 100, Exchange: "alpha", Media: "banner", Browser: "chrome",
		User: uint64(bidNumber)*0x9e3779b97f4a7c15 | 1, BidPrice: 2_345_678, Currency: money.Currency{'E', 'U', 'R'}, ShopCurrency: money.Currency{'P', 'L', 'N'}, Rate: 4 * money.RateOne, Node: freshNode,
	}
	if kind == events.TypeBilling {
		e.Settles, e.Price, e.PriceStatus, e.Amount, e.ShopAmount, e.ShopFee = true, e.BidPrice, "ok", 2_345_678, 4*2_345_678, 938_271
	}
	return e
}

// number is which event of the run a row is; -1: none.
func (f *fresh) number(bid uuid.UUID, kind string) int {
	k := slices.Index(freshKinds, events.Type(kind))
	if k < 0 || binary.LittleEndian.Uint64(bid[:8]) != f.cfg.Tag {
		return -1
	}
	n := binary.LittleEndian.Uint64(bid[8:])
	if n > uint64(len(f.seen)) {
		return -1
	}
	if i := int(n)*len(freshKinds) + k; i < len(f.seen) {
		return i
	}
	return -1
}
