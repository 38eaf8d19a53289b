package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
)

// idle is how often a quiet reader looks after a commit that has failed.
const idle = 500 * time.Millisecond

// follower carries one topic: it alone touches its batch and inserter.
type follower struct {
	cfg     Config
	reader  *kafka.Reader
	in      *inserter
	metrics *topicMetrics
	log     *slog.Logger
	batch   batch
	// owed holds the last inserted message per partition whose offset is not
	// committed yet.
	owed map[int]kafka.Message
	// beforeCommit, for tests, runs between insert and commit.
	beforeCommit func() error
}

func newReader(cfg Config, topic string, log kafka.Logger) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: cfg.Brokers, Dialer: cfg.Security.Dialer(), Topic: topic, GroupID: groupID(cfg.Group, topic),
		StartOffset: kafka.FirstOffset,
		MinBytes:    1, MaxBytes: 4 << 20, MaxWait: 250 * time.Millisecond,
		// Fetched ahead while ClickHouse is slow or away: 64 messages.
		QueueCapacity:     64,
		ReadBackoffMin:    20 * time.Millisecond,
		ReadBackoffMax:    time.Second,
		HeartbeatInterval: 2 * time.Second,
		// A loader that crashed holds its partitions this long.
		SessionTimeout:         8 * time.Second,
		RebalanceTimeout:       8 * time.Second,
		JoinGroupBackoff:       500 * time.Millisecond,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: 2 * time.Second,
		ErrorLogger:            log,
	})
}

func groupID(group, topic string) string { return group + "." + topic }

// run reads until ctx ends, then inserts and commits what it holds.
func (f *follower) run(ctx context.Context) error {
	defer func() {
		if err := f.reader.Close(); err != nil {
			f.log.Warn("closing the Kafka reader", "err", err)
		}
	}()
	for ctx.Err() == nil {
		f.collect(ctx)
		if len(f.batch.msgs) > 0 {
			if err := f.flush(ctx); err != nil {
				return err
			}
		}
		f.commit(ctx)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.cfg.StopTimeout)
	defer cancel()
	f.commit(stop)
	return nil
}

// collect fills the batch until it is full, or BatchWait after its first
// message; with no message it returns after a while.
func (f *follower) collect(ctx context.Context) {
	first, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	if !f.fetch(first) {
		return
	}
	rest, cancel := context.WithTimeout(ctx, f.cfg.BatchWait)
	defer cancel()
	for f.batch.rows < f.cfg.BatchRows && f.batch.bytes < f.cfg.BatchBytes {
		if !f.fetch(rest) {
			return
		}
	}
}

// fetch adds the next message; false means that ctx ended first.
func (f *follower) fetch(ctx context.Context) bool {
	for {
		m, err := f.reader.FetchMessage(ctx)
		if err == nil {
			f.metrics.fetched.Inc()
			f.batch.add(m)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		f.metrics.fetchErrors.Inc()
		f.log.Debug("fetching from Kafka", "err", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// flush inserts the batch, trying until it goes through. When ctx ends it has
// StopTimeout left; what is not inserted then is read again by the next start.
func (f *follower) flush(ctx context.Context) error {
	defer f.batch.reset()
	hard, cancel := withGrace(ctx, f.cfg.StopTimeout)
	defer cancel()
	began := time.Now()
	var lastSaid time.Time
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		left := len(f.batch.bad)
		err := f.attempt(hard)
		if err == nil {
			if !lastSaid.IsZero() {
				f.log.Info("ClickHouse takes rows again", "after", time.Since(began).Round(time.Second))
			}
			break
		}
		if hard.Err() != nil {
			f.log.Warn("stopped before the last batch was inserted; it will be read again", "messages", len(f.batch.msgs), "err", err)
			return nil
		}
		var refused appendError
		if errors.As(err, &refused) && len(f.batch.bad) > left {
			continue // the next attempt makes poison of that line
		}
		f.metrics.insertErrors.Inc()
		if time.Since(lastSaid) > time.Minute {
			f.log.Warn("cannot insert; trying until it works", "messages", len(f.batch.msgs), "err", err)
			lastSaid = time.Now()
		}
		select {
		case <-hard.Done():
		case <-time.After(pause):
		}
	}
	if f.beforeCommit != nil {
		if err := f.beforeCommit(); err != nil {
			return fmt.Errorf("before commit: %w", err)
		}
	}
	for _, m := range f.batch.msgs {
		if old, ok := f.owed[m.Partition]; !ok || m.Offset >= old.Offset {
			f.owed[m.Partition] = kafka.Message{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}
		}
	}
	return nil
}

func (f *follower) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.InsertTimeout)
	defer cancel()
	began := time.Now()
	res, err := f.in.insert(ctx, &f.batch, time.UnixMilli(f.cfg.Clock.NowMS()).UTC())
	if err != nil {
		return err
	}
	f.metrics.inserted(res, len(f.batch.msgs), time.Since(began))
	if res.poison > 0 {
		f.log.Warn("lines that are not events went to grosz.poison", "lines", res.poison)
	}
	return nil
}

// commit commits what is owed. A commit that fails is tried again later: the
// rows are in, so the worst is that they are read once more.
func (f *follower) commit(ctx context.Context) {
	if len(f.owed) == 0 || ctx.Err() != nil {
		return
	}
	msgs := make([]kafka.Message, 0, len(f.owed))
	for _, m := range f.owed {
		msgs = append(msgs, m)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := f.reader.CommitMessages(ctx, msgs...); err != nil {
		f.metrics.commitErrors.Inc()
		f.log.Debug("committing offsets", "err", err)
		return
	}
	clear(f.owed)
}

// withGrace returns a context that ends grace after ctx does.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, cancel)
		context.AfterFunc(hard, func() { t.Stop() })
	})
	return hard, func() { stop(); cancel() }
}
