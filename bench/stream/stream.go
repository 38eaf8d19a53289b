package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/bench/load"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
)

// Config of a Run.
type Config struct {
	// Kafka to ship to; the topics are made if they are missing.
	Kafka kafka.Cluster
	// Dir of the spool, which must be empty.
	Dir string
	// Events to send, at least 1.
	Events int
	// Senders append at the same time, each waiting for its fsync, as notices
	// of so many connections do; 0 is 256.
	Senders int
	// PerAppend is how many events one append has: 1 is a notice, more a batch
	// of a shop's server; 0 is 1.
	PerAppend int
	// Shops whose keys the events have; 0 is 1000.
	Shops int
	// Backlog ships only when all are durable, as after an outage of Kafka:
	// Shipped is then the time of that alone.
	Backlog bool
	// Lanes to Kafka; 0 is kafka.Lanes, as a bidder has.
	Lanes int
	// Partitions of topics that are made; 0 is 4.
	Partitions int
	// Tag marks the run's events, so that they are told from an older run's in
	// the same log.
	Tag uint64
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Senders == 0 {
		c.Senders = 256
	}
	if c.Lanes == 0 {
		c.Lanes = kafka.Lanes
	}
	if c.PerAppend == 0 {
		c.PerAppend = 1
	}
	if c.Shops == 0 {
		c.Shops = 1000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if len(c.Kafka.Brokers) == 0 || c.Dir == "" {
		errs = append(errs, errors.New("stream: brokers and a directory are needed"))
	}
	if c.Events < 1 || c.Senders < 0 || c.PerAppend < 0 || c.Shops < 0 || c.Partitions < 0 || c.Lanes < 0 {
		errs = append(errs, errors.New("stream: at least one event, and no negative numbers"))
	}
	return errors.Join(append(errs, c.Kafka.Validate())...)
}

// Result of a Run.
type Result struct {
	Events  int
	Bytes   int64         // of their lines
	Durable time.Duration // from the first append until the last was fsynced
	Shipped time.Duration // from the first append, or of a backlog from its first record, until Kafka had acknowledged all
	CPU     time.Duration // of this process until then, user and system
	Commits uint64        // fsyncs that the appends shared
	Missing int           // events that the log does not have when read back
	Doubled int           // lines of events that it has more than once
}

// Rate is events a second from the first append until all were in Kafka.
func (r Result) Rate() float64 { return float64(r.Events) / r.Shipped.Seconds() }

// Run sends the events, waits until Kafka has them, and reads them back.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	cfg = cfg.withDefaults()
	specs := kafka.Topics(cfg.Partitions)
	if err := cfg.Kafka.EnsureTopics(ctx, specs, cfg.Log); err != nil {
		return Result{}, err
	}
	s, err := spool.Open(spool.Config{Dir: cfg.Dir, MaxBytes: 64 << 30}, cfg.Log)
	if err != nil {
		return Result{}, err
	}
	ship := cfg.Kafka.NewWriters(cfg.Lanes, cfg.Log)
	res, err := send(ctx, cfg, s, kafka.Sink(ship...))
	err = errors.Join(err, kafka.CloseWriters(ship), s.Close())
	if err != nil {
		return res, fmt.Errorf("stream: %w", err)
	}
	return res, count(ctx, cfg, &res)
}

// send is the measured part.
func send(ctx context.Context, cfg Config, s *spool.Spool, sink spool.Sink) (Result, error) {
	res := Result{Events: cfg.Events}
	var bytes atomic.Int64
	life, end := context.WithCancel(ctx)
	defer end()
	shipping, life := errgroup.WithContext(life)
	ship := func() { shipping.Go(func() error { return s.Ship(life, sink) }) }
	if !cfg.Backlog {
		ship()
	}
	var next atomic.Int64
	before, err := load.ReadUsage(os.Getpid())
	if err != nil {
		return res, err
	}
	began := time.Now()
	senders, sctx := errgroup.WithContext(life)
	for range cfg.Senders {
		senders.Go(func() error {
			n, err := appendSome(sctx, cfg, s, &next)
			bytes.Add(n)
			return err
		})
	}
	if err := senders.Wait(); err != nil {
		end()
		return res, errors.Join(err, shipping.Wait())
	}
	res.Durable, res.Bytes = time.Since(began), bytes.Load()
	if cfg.Backlog {
		began = time.Now()
		ship()
	}
	for !s.Drained() {
		select {
		case <-life.Done():
			return res, errors.Join(life.Err(), shipping.Wait())
		case <-time.After(time.Millisecond):
		}
	}
	res.Shipped, res.Commits = time.Since(began), s.Stats().Commits
	after, err := load.ReadUsage(os.Getpid())
	res.CPU = after.CPU - before.CPU
	end()
	return res, errors.Join(err, shipping.Wait())
}

// appendSome is one sender: it takes the next events until there are none.
func appendSome(ctx context.Context, cfg Config, s *spool.Spool, next *atomic.Int64) (int64, error) {
	var recs []spool.Record
	var buf []byte
	var bytes int64
	for ctx.Err() == nil {
		to := next.Add(int64(cfg.PerAppend))
		from := to - int64(cfg.PerAppend)
		if from >= int64(cfg.Events) {
			break
		}
		recs, buf = recs[:0], buf[:0]
		for i := from; i < min(to, int64(cfg.Events)); i++ {
			shop := uint32(i/int64(cfg.PerAppend))%uint32(cfg.Shops) + 1
			at := len(buf)
			buf = billing(cfg.Tag, uint64(i), shop).AppendJSON(buf)
			recs = append(recs, spool.Record{Topic: kafka.SpoolEvents, Key: events.ShopKey(shop), Value: buf[at:len(buf):len(buf)]})
		}
		if err := s.Append(recs...); err != nil {
			return bytes, err
		}
		bytes += int64(len(buf))
	}
	return bytes, nil
}

// billing is event i of a run.
func billing(tag, i uint64, shop uint32) *events.Event {
	r := rand.New(rand.NewPCG(tag, i))
	var bid events.ID
	putUint64(bid[:8], tag)
	putUint64(bid[8:], i)
	const price = 2_345_678
	return &events.Event{
		EventID: events.EventID(bid, events.TypeBilling, 0), Type: events.TypeBilling, TimeMS: 1_790_000_000_000 + int64(i), Day: "2026-09-21",
		BidMS: 1_790_000_000_000, BidID: bid, ShopID: shop, CampaignID: shop*10 + uint32(r.IntN(10)), CreativeID: r.Uint32N(1 << 20),
		Exchange: "demo", Media: "banner", User: r.Uint64(), Settles: true, Price: price, BidPrice: price, PriceStatus: "ok",
		Currency: money.Currency{'U', 'S', 'D'}, Amount: price, ShopCurrency: money.Currency{'P', 'L', 'N'}, Rate: 4 * money.RateOne, ShopAmount: 4 * price, ShopFee: price / 10, Node: "stream",
	}
}

func putUint64(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}

func uint64Of(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

// count reads the topic from its beginning and looks for every event.
func count(ctx context.Context, cfg Config, res *Result) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	seen := make([]uint8, cfg.Events)
	var dec events.Decoder
	var once sync.Once
	whole := false
	f := &kafka.Follower{
		Brokers: cfg.Kafka.Brokers, Security: cfg.Kafka.Security, Topic: events.TopicEvents, Log: cfg.Log,
		CaughtUp: func() { whole = true; once.Do(stop) },
		Handle: func(m kafka.Message) error {
			return dec.Events(m.Value, func(_ int, e *events.Event) error {
				if uint64Of(e.BidID[:8]) != cfg.Tag {
					return nil
				}
				i := uint64Of(e.BidID[8:])
				if i >= uint64(len(seen)) {
					return fmt.Errorf("the log has event %d of %d", i, len(seen))
				}
				if seen[i] > 0 {
					res.Doubled++
				}
				seen[i] = 1
				return nil
			})
		},
	}
	if err := f.Run(ctx); err != nil {
		return fmt.Errorf("stream: read back: %w", err)
	}
	if !whole {
		return fmt.Errorf("stream: read back: %w", ctx.Err())
	}
	for _, n := range seen {
		if n == 0 {
			res.Missing++
		}
	}
	return nil
}

// Print writes a line about a run.
func Print(w io.Writer, name string, r Result) {
	fmt.Fprintf(w, "%-40s %10.0f %10.0f %10.1f %9s %10.0f %8d %8d\n", name, r.Rate(), float64(r.Events)/r.Durable.Seconds(),
		float64(r.Events)/float64(max(r.Commits, 1)), fmt.Sprintf("%.1fµs", float64(r.CPU.Microseconds())/float64(r.Events)), float64(r.Bytes)/float64(r.Events), r.Missing, r.Doubled)
}

// Head writes the head of Print's table.
func Head(w io.Writer) {
	fmt.Fprintf(w, "%-40s %10s %10s %10s %9s %10s %8s %8s\n", "events through spool and Kafka", "in Kafka/s", "fsynced/s", "per fsync", "CPU each", "bytes each", "missing", "doubled")
}
