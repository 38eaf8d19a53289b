package bookkeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
)

// Keeper keeps the ledger.
type Keeper struct {
	cfg Config
	log *slog.Logger

	mu    sync.Mutex // of all below: the follower's goroutine and the flusher's
	fold  *fold
	rows  []row
	since time.Time // when the first of rows came
	saved time.Time
	dirty bool // something was folded after the last checkpoint
	conn  driver.Conn
	// put inserts rows; tests replace it.
	put func(ctx context.Context, rows []row) error

	// shown is what metrics read: they must not wait for ClickHouse.
	shown atomic.Pointer[shown]

	inserted, insertErrors, checkpoints, checkpointErrors *metrics.Counter
}

type shown struct {
	counts
	settled int64
	waiting int
}

// show publishes the counters; k.mu is held.
func (k *Keeper) show() {
	k.shown.Store(&shown{k.fold.counts, k.fold.book.Stats().Settled, len(k.rows)})
}

// New checks the configuration and returns a Keeper; its metrics go to set.
func New(cfg Config, set *metrics.Set, log *slog.Logger) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg.withDefaults(), log: log}
	k.fold = newFold(k.cfg.MaxSettled)
	k.put = func(ctx context.Context, rows []row) error { return insert(ctx, k.conn, rows) }
	k.show()
	k.declare(set)
	return k, nil
}

func (k *Keeper) declare(set *metrics.Set) {
	k.inserted = set.NewCounter(`grosz_ledger_entries_inserted_total`)
	k.insertErrors = set.NewCounter(`grosz_ledger_insert_errors_total`)
	k.checkpoints = set.NewCounter(`grosz_ledger_checkpoints_total`)
	k.checkpointErrors = set.NewCounter(`grosz_ledger_checkpoint_errors_total`)
	count := func(name string, of func(c *counts) int64) {
		set.NewGauge(name, func() float64 { return float64(of(&k.shown.Load().counts)) })
	}
	count(`grosz_ledger_events_total`, func(c *counts) int64 { return c.events })
	count(`grosz_ledger_settlements_total`, func(c *counts) int64 { return c.settlements })
	count(`grosz_ledger_repeated_total`, func(c *counts) int64 { return c.repeated })
	count(`grosz_ledger_house_wins_total`, func(c *counts) int64 { return c.houseWins })
	count(`grosz_ledger_late_house_wins_total`, func(c *counts) int64 { return c.lateHouseWins })
	count(`grosz_ledger_disputes_total`, func(c *counts) int64 { return c.disputes })
	count(`grosz_ledger_bad_messages_total`, func(c *counts) int64 { return c.bad })
	set.NewGauge(`grosz_ledger_settled_remembered`, func() float64 { return float64(k.shown.Load().settled) })
	set.NewGauge(`grosz_ledger_entries_waiting`, func() float64 { return float64(k.shown.Load().waiting) })
}

// Run keeps the ledger until ctx ends; then it inserts what waits and writes a
// checkpoint. While ClickHouse or Kafka is away it waits.
func (k *Keeper) Run(ctx context.Context) error {
	held, err := lock(k.cfg.Dir)
	if err != nil {
		return err
	}
	defer held.Close()
	before, err := load(k.cfg.Dir, k.cfg.MaxSettled)
	if err != nil {
		return err
	}
	if before != nil {
		k.mu.Lock()
		k.fold = before
		k.mu.Unlock()
	}
	if k.conn, err = k.connect(ctx); err != nil || k.conn == nil {
		return err
	}
	defer k.conn.Close()
	return k.follow(ctx)
}

// follow folds the log until ctx ends.
func (k *Keeper) follow(ctx context.Context) error {
	k.saved = time.Now()
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	wg.Go(func() { k.flushOften(inner) })
	f := &kafka.Follower{
		Brokers: k.cfg.Brokers, Security: k.cfg.Security, Topic: events.TopicEvents, From: maps.Clone(k.fold.next), Whole: !k.cfg.Fresh, Log: k.log,
		Handle: func(m kafka.Message) error { return k.handle(inner, m) },
	}
	err := f.Run(inner)
	stop(nil)
	wg.Wait()
	if errors.Is(err, kafka.ErrCut) {
		err = fmt.Errorf("%w: the ledger's checkpoint in %s is missing or too old; put a copy back, or start with --ledger-fresh to begin with what is left", err, k.cfg.Dir)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	if flushErr := k.attempt(last); flushErr != nil {
		k.log.Warn("entries not inserted before the end; they will be folded again", "entries", len(k.rows), "err", flushErr)
		return err
	}
	if k.dirty {
		err = errors.Join(err, k.checkpoint())
	}
	return err
}

// connect opens ClickHouse and applies the schema, trying until ctx ends.
func (k *Keeper) connect(ctx context.Context) (driver.Conn, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		conn, err := k.cfg.ClickHouse.Open()
		if err == nil {
			if err = k.cfg.ClickHouse.Migrate(ctx, conn, k.log); err == nil {
				return conn, nil
			}
			_ = conn.Close()
		}
		k.log.Debug("ClickHouse does not answer yet", "err", err)
		if !wait(ctx, pause) {
			return nil, nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// handle folds a message. A full batch is inserted before the next is read, so
// that what waits is bounded.
func (k *Keeper) handle(ctx context.Context, m kafka.Message) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.rows) == 0 {
		k.since = time.Now()
	}
	k.rows, k.dirty = k.fold.message(m, k.rows), true
	k.show()
	if len(k.rows) < k.cfg.BatchEntries {
		return nil
	}
	return k.flush(ctx)
}

// flushOften inserts what has waited long enough and writes checkpoints.
func (k *Keeper) flushOften(ctx context.Context) {
	for wait(ctx, k.cfg.BatchWait/4+time.Millisecond) {
		k.mu.Lock()
		due := time.Since(k.saved) >= k.cfg.CheckpointEvery && k.dirty
		if (len(k.rows) > 0 && time.Since(k.since) >= k.cfg.BatchWait) || due {
			_ = k.flush(ctx) // its error is the end of ctx
		}
		if due && len(k.rows) == 0 {
			if err := k.checkpoint(); err != nil { // a full disk: the log is still there
				k.log.Error("checkpoint of the ledger not written, will be tried again", "err", err)
			}
		}
		k.mu.Unlock()
	}
}

// flush inserts what waits, trying until it works or ctx ends; k.mu is held.
func (k *Keeper) flush(ctx context.Context) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := k.attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return nil // what is not inserted is folded again by the next start
		}
		k.log.Warn("cannot insert into the ledger; trying until it works", "entries", len(k.rows), "err", err)
		wait(ctx, pause)
	}
}

func (k *Keeper) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := k.put(ctx, k.rows); err != nil {
		k.insertErrors.Inc()
		return err
	}
	k.inserted.Add(len(k.rows))
	clear(k.rows)
	k.rows = k.rows[:0]
	k.show()
	return nil
}

// checkpoint writes the fold down; all its entries are inserted, k.mu is held.
func (k *Keeper) checkpoint() error {
	k.saved = time.Now()
	if err := k.fold.save(k.cfg.Dir); err != nil {
		k.checkpointErrors.Inc()
		return err
	}
	k.dirty = false
	k.checkpoints.Inc()
	return nil
}
