// Package publish carries the console's documents to Kafka's compacted topic
// grosz.campaigns: every one at start, and each change at once. It empties
// the store's outbox, which is written in the transaction of the change, so
// that a crash anywhere between loses nothing: at worst a document is sent
// twice, and bidders ignore a version they hold.
//
// Order holds per key: a document is read when it is sent, only one request is
// under way, and a key leaves the outbox only when the version that stands
// there was acknowledged by all in-sync replicas. Kafka may be away for as
// long as it likes; the outbox holds each key once.
//
// Slow side. Run is for one goroutine, Status for any. Imports the store and
// the event names; the topic itself is made by who wires the parts.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkanet"
)

// Outbox is what the publisher needs of the store.
type Outbox interface {
	EnqueueAll(ctx context.Context) error
	Pending(ctx context.Context, limit int) ([]store.Pending, error)
	PendingCount(ctx context.Context) (int, error)
	Record(ctx context.Context, key string) (campaigns.Record, error)
	Sent(ctx context.Context, sent []store.Pending) error
	Changed() <-chan struct{}
}

// Writer is what the publisher needs of kafka.Writer: messages of one key
// stay in order, and an error says which were not acknowledged.
type Writer interface {
	WriteMessages(ctx context.Context, msgs ...kafka.Message) error
}

// Config of a Publisher.
type Config struct {
	Outbox Outbox
	Writer Writer
	// EnsureTopic makes the topic if it is missing, trying until ctx ends.
	// Nil means that the topic is there.
	EnsureTopic func(ctx context.Context) error
	Clock       clock.Clock
	Log         *slog.Logger
	// DrainTimeout bounds the last attempt to empty the outbox when Run is
	// asked to end; default 5 s.
	DrainTimeout time.Duration
}

// Bounds of one round.
const (
	roundRecords = 256
	roundBytes   = 4 << 20
	idle         = 5 * time.Second // how often to look without being told
	minBackoff   = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// Status is how the publisher fares.
type Status struct {
	// Pending documents have still to reach Kafka; -1 when unknown.
	Pending int
	// Sent documents since the start, Failed attempts of a round.
	Sent, Failed int64
	// LastSentMS is when Kafka last acknowledged, ms UTC; 0 never.
	LastSentMS int64
	// Err is why the last round failed; empty after one that worked.
	Err string
}

// Publisher empties an outbox into Kafka.
type Publisher struct {
	cfg Config
	// parked documents were refused by Kafka as such, at that version; they
	// wait for a change or a restart and hold nothing up.
	parked map[string]int64
	// careful rounds send one document each, to find the one that is refused.
	careful int

	mu     sync.Mutex
	status Status
}

// New returns a Publisher; Run makes it work.
func New(cfg Config) *Publisher {
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 5 * time.Second
	}
	return &Publisher{cfg: cfg, parked: map[string]int64{}}
}

// NewWriter returns a kafka.Writer for the publisher, with connections of its
// own, and what closes both.
func NewWriter(brokers []string, security *kafkanet.Security, log *slog.Logger) (*kafka.Writer, func() error) {
	transport := security.Transport()
	transport.DialTimeout, transport.IdleTimeout, transport.ClientID = 3*time.Second, 30*time.Second, "grosz-console"
	w := &kafka.Writer{
		Addr:         kafka.TCP(brokers...),
		Balancer:     &kafka.Hash{},
		RequiredAcks: kafka.RequireAll,
		BatchSize:    roundRecords,
		BatchBytes:   950_000,
		BatchTimeout: 5 * time.Millisecond,
		ReadTimeout:  10 * time.Second,
		WriteTimeout: 10 * time.Second,
		MaxAttempts:  1, // the publisher tries again by itself
		Compression:  kafka.Lz4,
		Transport:    transport,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			log.Debug("kafka", "msg", fmt.Sprintf(format, args...))
		}),
	}
	return w, func() error {
		err := w.Close()
		transport.CloseIdleConnections()
		return err
	}
}

// Status tells how the publisher fares.
func (p *Publisher) Status(ctx context.Context) Status {
	p.mu.Lock()
	s := p.status
	p.mu.Unlock()
	n, err := p.cfg.Outbox.PendingCount(ctx)
	if err != nil {
		n = -1
	}
	s.Pending = n
	return s
}

// Run republishes everything and then each change, until ctx ends; then it
// tries once more to empty the outbox. Its only errors are the database's.
func (p *Publisher) Run(ctx context.Context) error {
	if err := p.cfg.Outbox.EnqueueAll(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	if p.cfg.EnsureTopic != nil {
		if err := p.cfg.EnsureTopic(ctx); err != nil {
			p.failed(err)
			if ctx.Err() == nil {
				return fmt.Errorf("make the topic %s: %w", events.TopicCampaigns, err)
			}
			return nil
		}
	}
	p.loop(ctx)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.DrainTimeout)
	defer cancel()
	for {
		n, err := p.round(drain)
		if err != nil {
			p.failed(err)
			p.cfg.Log.Warn("documents stay in the outbox until the next start", "err", err)
			return nil
		}
		if n == 0 {
			return nil
		}
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// loop sends rounds until ctx ends, pausing longer and longer while they fail.
func (p *Publisher) loop(ctx context.Context) {
	backoff := minBackoff
	for ctx.Err() == nil {
		n, err := p.round(ctx)
		var wait <-chan time.Time
		var changed <-chan struct{}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if p.failed(err) {
				p.cfg.Log.Warn("cannot publish, trying again", "err", err)
			}
			jitter := time.Duration(rand.Int64N(int64(backoff)))
			wait = time.After(backoff/2 + jitter)
			backoff = min(2*backoff, maxBackoff)
		case n > 0:
			backoff = minBackoff
			continue
		default:
			p.succeeded(0)
			backoff = minBackoff
			wait, changed = time.After(idle), p.cfg.Outbox.Changed()
		}
		select {
		case <-ctx.Done():
		case <-wait:
		case <-changed:
		}
	}
}

// round sends what fits into one request and returns how many documents left
// the outbox.
func (p *Publisher) round(ctx context.Context) (int, error) {
	pending, err := p.cfg.Outbox.Pending(ctx, roundRecords+len(p.parked))
	if err != nil {
		return 0, err
	}
	most := roundRecords
	if p.careful > 0 {
		p.careful--
		most = 1
	}
	batch, msgs, err := p.load(ctx, pending, most)
	if err != nil || len(msgs) == 0 {
		return 0, err
	}
	sendErr := p.cfg.Writer.WriteMessages(ctx, msgs...)
	done := p.acknowledged(batch, sendErr)
	// What Kafka has acknowledged is marked even when ctx has just ended.
	mark, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := p.cfg.Outbox.Sent(mark, done); err != nil {
		return 0, err
	}
	if len(done) > 0 {
		p.succeeded(len(done))
	}
	if sendErr != nil && len(done) == 0 {
		return 0, fmt.Errorf("send %d documents to Kafka: %w", len(batch), sendErr)
	}
	return len(done), nil
}

// load reads the documents of pending until a round is full.
func (p *Publisher) load(ctx context.Context, pending []store.Pending, most int) ([]store.Pending, []kafka.Message, error) {
	var batch []store.Pending
	var msgs []kafka.Message
	size := 0
	for _, e := range pending {
		if v, ok := p.parked[e.Key]; ok && v == e.Version {
			continue
		}
		rec, err := p.cfg.Outbox.Record(ctx, e.Key)
		if err != nil {
			return nil, nil, err
		}
		value, err := json.Marshal(rec)
		if err != nil {
			return nil, nil, fmt.Errorf("write %s: %w", e.Key, err)
		}
		batch = append(batch, e)
		msgs = append(msgs, kafka.Message{Topic: events.TopicCampaigns, Key: []byte(e.Key), Value: value})
		if size += len(value); size >= roundBytes || len(batch) >= most {
			break
		}
	}
	return batch, msgs, nil
}

// acknowledged returns what Kafka has taken, and parks what it refused for
// its size, which no repetition would change.
func (p *Publisher) acknowledged(batch []store.Pending, err error) []store.Pending {
	if err == nil {
		return batch
	}
	var tooLarge kafka.MessageTooLargeError
	if errors.As(err, &tooLarge) { // found before anything was sent
		key := string(tooLarge.Message.Key)
		for _, e := range batch {
			if e.Key == key {
				p.park(e)
			}
		}
		return nil
	}
	var each kafka.WriteErrors
	if !errors.As(err, &each) || len(each) != len(batch) {
		return nil
	}
	var done []store.Pending
	for i, err := range each {
		switch {
		case err == nil:
			done = append(done, batch[i])
		case !errors.Is(err, kafka.MessageSizeTooLarge):
		case len(batch) == 1:
			p.park(batch[i])
		default:
			p.careful = len(batch)
		}
	}
	return done
}

func (p *Publisher) park(e store.Pending) {
	p.parked[e.Key] = e.Version
	p.cfg.Log.Error("Kafka refuses a document for its size", "key", e.Key, "version", e.Version)
}

func (p *Publisher) succeeded(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Sent += int64(n)
	p.status.Err = ""
	if n > 0 {
		p.status.LastSentMS = p.cfg.Clock.NowMS()
	}
}

// failed notes an error and tells whether it is news.
func (p *Publisher) failed(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	news := p.status.Err == ""
	p.status.Failed++
	p.status.Err = err.Error()
	return news
}
