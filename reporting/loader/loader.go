package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"
	"github.com/segmentio/kafka-go"
)

// Loader carries Kafka's topics into ClickHouse.
type Loader struct {
	cfg     Config
	set     *metrics.Set
	log     *slog.Logger
	targets []*target
	lag     *lagWatch
	ready   atomic.Bool
	metrics map[string]*topicMetrics
	// beforeCommit, for tests, runs between insert and commit.
	beforeCommit func() error
}

// New checks the configuration and returns a Loader; its metrics go to set,
// which belongs to it alone.
func New(cfg Config, set *metrics.Set, log *slog.Logger) (*Loader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Loader{cfg: cfg.withDefaults(), set: set, log: log, targets: newTargets(), metrics: make(map[string]*topicMetrics)}
	var topics []string
	for _, t := range l.targets {
		topics = append(topics, t.topic)
		l.metrics[t.topic] = newTopicMetrics(set, t.topic)
	}
	l.lag = newLagWatch(l.cfg, topics, set)
	return l, nil
}

// Ready tells whether ClickHouse has answered and its schema is applied.
func (l *Loader) Ready() bool { return l.ready.Load() }

// Lag returns the last known backlog of every partition.
func (l *Loader) Lag() []Lag { return l.lag.all() }

// Run applies the schema and loads until ctx ends; then it inserts and commits
// what it holds and returns nil. While ClickHouse or Kafka is away it waits.
func (l *Loader) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wg.Go(func() { l.lag.run(ctx) })

	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	if conn == nil {
		return nil // asked to stop while ClickHouse was away
	}
	defer conn.Close()
	l.ready.Store(true)

	quiet := kafka.LoggerFunc(func(format string, args ...any) {
		// kafka-go complains at the end of every partition; what matters comes
		// back as an error.
		l.log.Debug("kafka", "msg", fmt.Sprintf(format, args...))
	})
	var followers sync.WaitGroup
	for _, t := range l.targets {
		log := l.log.With("topic", t.topic)
		f := &follower{
			cfg: l.cfg, reader: newReader(l.cfg, t.topic, quiet), in: &inserter{conn: conn, target: t},
			metrics: l.metrics[t.topic], log: log, owed: make(map[int]kafka.Message), beforeCommit: l.beforeCommit,
		}
		followers.Go(func() {
			if err := f.run(ctx); err != nil {
				cancel(fmt.Errorf("loading %s: %w", t.topic, err))
			}
		})
	}
	followers.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// connect opens ClickHouse and applies the schema, trying until ctx ends.
// nil and no error means that ctx ended first.
func (l *Loader) connect(ctx context.Context) (driver.Conn, error) {
	var lastSaid time.Time
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		conn, err := l.cfg.ClickHouse.Open()
		if err == nil {
			if err = l.cfg.ClickHouse.Migrate(ctx, conn, l.log); err == nil {
				return conn, nil
			}
			conn.Close()
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if time.Since(lastSaid) > time.Minute {
			l.log.Warn("ClickHouse does not answer yet; trying until it does", "addr", l.cfg.ClickHouse.Addr, "err", err)
			lastSaid = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause):
		}
	}
}
