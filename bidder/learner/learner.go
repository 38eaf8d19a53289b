package learner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/bidder/value/learn"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkanet"
)

// Config of a learner.
type Config struct {
	Brokers []string
	// Security of the connections to Kafka; nil: plain.
	Security *kafkanet.Security
	// Path of the state file; empty keeps none.
	Path string
	// Every is how often a model is published; 0 means a minute.
	Every time.Duration
	// SaveEvery is how often the state is stored; 0 means five minutes.
	SaveEvery time.Duration
	// Trainer's sizes; its GlobalBits of 0 are 18 here, which a bidder's
	// processor keeps close.
	Trainer learn.Config
	// MaxBids bounds the bids that wait for an impression; 0: 1,000,000.
	MaxBids int
	// Publish sends the chunks of a model, in order.
	Publish func(ctx context.Context, chunks []value.Chunk) error
	Clock   clock.Clock
	Log     *slog.Logger
}

// Learner trains and publishes.
type Learner struct {
	cfg Config

	mu      sync.Mutex // of all below
	trainer *learn.Trainer
	control *learn.Control
	docs    *campaigns.Docs
	shops   map[uint32]*basket
	pending pending
	early   early
	orders  orderList
	next    map[string]map[int]int64 // offsets by topic and partition
	gate    gate
	counts  counts
	lastMS  int64 // of the newest event
	firstMS int64 // of the first bid
	nowMS   int64 // how far time has passed
	version int64 // published last
	size    int   // bytes of it
}

type counts struct {
	bids, impressions, clicks, orders, takenBack, unreadable, published, failed, saved, saveFails uint64
}

// New restores what the state file holds, or begins anew.
func New(cfg Config) (*Learner, error) {
	if cfg.Every == 0 {
		cfg.Every = time.Minute
	}
	if cfg.SaveEvery == 0 {
		cfg.SaveEvery = 5 * time.Minute
	}
	if cfg.MaxBids == 0 {
		cfg.MaxBids = 1_000_000
	}
	if cfg.Trainer.GlobalBits == 0 {
		cfg.Trainer.GlobalBits = 18
	}
	if len(cfg.Brokers) == 0 || cfg.Publish == nil || cfg.Clock == nil || cfg.Log == nil || cfg.Every < 0 || cfg.SaveEvery < 0 || cfg.MaxBids < 0 {
		return nil, errors.New("learner: brokers, a publisher, a clock and a log are needed, and bounds that are not negative")
	}
	l := &Learner{
		cfg: cfg, docs: campaigns.NewDocs(), shops: make(map[uint32]*basket), pending: newPending(cfg.MaxBids),
		early: newEarly(), orders: newOrderList(), next: make(map[string]map[int]int64),
	}
	l.gate.init()
	for _, topic := range topics {
		l.next[topic] = make(map[int]int64)
	}
	var err error
	if l.trainer, err = learn.New(cfg.Trainer); err != nil {
		return nil, err
	}
	l.restore()
	l.control = controlOf(l)
	return l, nil
}

func controlOf(l *Learner) *learn.Control {
	if l.control != nil {
		return l.control
	}
	return learn.NewControl(func(ageMS int64) float64 { return l.trainer.Matured(ageMS) })
}

// topics that are learned from; campaigns are followed beside them.
var topics = []string{events.TopicBids, events.TopicEvents, events.TopicShopEvents}

// Run follows the log, trains and publishes until ctx ends, and stores what
// was learned.
func (l *Learner) Run(ctx context.Context) error {
	// What campaigns aim at is known before the first cost.
	known := make(chan struct{})
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		f := &kafka.Follower{Brokers: l.cfg.Brokers, Security: l.cfg.Security, Topic: events.TopicCampaigns, Handle: l.document, CaughtUp: func() { close(known) }, Log: l.cfg.Log}
		return f.Run(gctx)
	})
	for _, topic := range topics {
		g.Go(func() error {
			select {
			case <-known:
			case <-gctx.Done():
				return nil
			}
			return l.follow(gctx, topic)
		})
	}
	g.Go(func() error { l.ticks(gctx); return nil })
	stop := context.AfterFunc(gctx, l.gate.open)
	defer stop()
	err := g.Wait()
	if errors.Is(err, kafka.ErrPastEnd) {
		return fmt.Errorf("%w; the learner's state %s is of another Kafka log: if that log is gone for good, remove the file, and it learns from the new log only", err, l.cfg.Path)
	}
	return errors.Join(err, l.save())
}

func (l *Learner) follow(ctx context.Context, topic string) error {
	l.mu.Lock()
	from := make(map[int]int64)
	for p, o := range l.next[topic] {
		from[p] = o
	}
	l.mu.Unlock()
	var dec events.Decoder
	f := &kafka.Follower{Brokers: l.cfg.Brokers, Security: l.cfg.Security, Topic: topic, From: from, CaughtUp: func() { l.gate.caughtUp(topic) }, Log: l.cfg.Log,
		Handle: func(m kafka.Message) error {
			l.gate.wait(topic, timeOf(topic, &dec, m.Value))
			if ctx.Err() != nil {
				return nil // not folded: it is read again
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.message(topic, &dec, m)
			return nil
		}}
	return f.Run(ctx)
}

// ticks moves time on, publishes and saves.
func (l *Learner) ticks(ctx context.Context) {
	tick := time.NewTicker(min(l.cfg.Every, time.Second))
	defer tick.Stop()
	published, saved := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !l.gate.allCaughtUp() {
			continue
		}
		l.advance(l.cfg.Clock.NowMS() - slackMS)
		if time.Since(published) >= l.cfg.Every {
			published = time.Now()
			l.publish(ctx)
		}
		if time.Since(saved) >= l.cfg.SaveEvery {
			saved = time.Now()
			if err := l.save(); err != nil {
				l.cfg.Log.Error("what was learned is not stored, will be tried again", "err", err)
			}
		}
	}
}

// slackMS is how far topics may be apart, and how late nodes' clocks.
const slackMS = 60_000

// gate keeps the topics together in time while they are read from far back:
// an order must not be met before its click. One that is ahead of another
// that has not caught up waits.
type gate struct {
	mu   sync.Mutex
	cond *sync.Cond
	at   map[string]int64 // time of the message in hand, of topics that are behind
	all  bool             // let everybody through: the end
}

func (g *gate) init() {
	g.cond, g.at = sync.NewCond(&g.mu), make(map[string]int64)
	for _, t := range topics {
		g.at[t] = 0
	}
}

// wait returns when the topic's message of a time may be handled.
func (g *gate) wait(topic string, atMS int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old, behind := g.at[topic]; behind && atMS > old {
		g.at[topic] = atMS
		g.cond.Broadcast()
	}
	for !g.all && !g.mayGo(topic, atMS) {
		g.cond.Wait()
	}
}

func (g *gate) mayGo(topic string, atMS int64) bool {
	for t, at := range g.at {
		if t != topic && atMS > at+slackMS {
			return false
		}
	}
	return true
}

func (g *gate) caughtUp(topic string) {
	g.mu.Lock()
	delete(g.at, topic)
	g.mu.Unlock()
	g.cond.Broadcast()
}

func (g *gate) allCaughtUp() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.at) == 0
}

func (g *gate) open() {
	g.mu.Lock()
	g.all = true
	g.mu.Unlock()
	g.cond.Broadcast()
}
