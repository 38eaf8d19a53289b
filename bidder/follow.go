package bidder

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/clock"
)

// compileEvery gathers changes of campaigns that come close together into one
// compilation; a change is live within a second.
const compileEvery = 100 * time.Millisecond

// Follow folds the log into memory until ctx ends: campaigns into the State,
// shop events into profiles, settlements into the book.
func (b *Bidder) Follow(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	compiler := &publisher{b: b, docs: campaigns.NewDocs(), compiler: campaigns.NewCompiler(), changed: make(chan struct{}, 1)}
	g.Go(func() error { compiler.run(ctx); return nil })
	g.Go(func() error {
		return b.follower(events.TopicCampaigns, nil, compiler.record, compiler.caughtUp).Run(ctx)
	})
	// Who asked to be forgotten is known before anything of theirs is read.
	erased := make(chan struct{})
	g.Go(func() error { return b.people.follow(ctx, sync.OnceFunc(func() { close(erased) })) })
	after := func(run func(context.Context) error) func() error {
		return func() error {
			select {
			case <-erased:
				return run(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	}
	g.Go(after(b.followShopEvents))
	g.Go(after(b.followEvents))
	if len(b.partners) > 0 {
		g.Go(after(b.followIntent))
	}
	g.Go(func() error { return b.followModels(ctx) })
	if b.requests != nil {
		g.Go(after(b.followRequests))
	}
	g.Go(func() error { b.housekeeping(ctx); return nil })
	g.Go(func() error { return b.gate.probe.Run(ctx) })
	if b.leases == nil {
		b.ready[3].Store(true)
	} else {
		g.Go(func() error { b.leases.run(ctx); return nil })
	}
	return g.Wait()
}

// followShopEvents keeps the profiles: they are a fold of the log and of
// nothing else, so that every node and every replay has the same.
func (b *Bidder) followShopEvents(ctx context.Context) error {
	c := b.profilePoint
	var dec events.Decoder
	handle := func(m kafka.Message) error {
		b.profilesMu.Lock()
		b.segments.engine.SetNow(b.clock.NowMS())
		err := dec.ShopEvents(m.Value, func(_ int, e *events.ShopEvent) error {
			b.foldShopEvent(e, m.Partition, m.Offset)
			return nil
		})
		c.next[m.Partition] = m.Offset + 1
		b.profilesMu.Unlock()
		b.skipBad(m, events.TopicShopEvents, err)
		return nil
	}
	saving, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.saveOften(saving) })
	f := b.follower(events.TopicShopEvents, c.next, handle, func() { b.ready[1].Store(true) })
	return c.follow(ctx, f, func() { stop(); wg.Wait() })
}

// foldShopEvent applies one event from its place in the log to all that is
// kept of a shop's visitors; profilesMu is held.
func (b *Bidder) foldShopEvent(e *events.ShopEvent, partition int, offset int64) {
	if b.people.suppressed(e) {
		return
	}
	b.sawTogether(e)
	b.profiles.Load().ApplyFrom(e, partition, offset)
	b.sawPrice(e)
}

// followEvents keeps the budget book and the frequency counts.
func (b *Bidder) followEvents(ctx context.Context) error {
	// A budget's day is the shop's: its time zone must be known first.
	if !b.waitReady(ctx, 0) {
		return nil
	}
	if err := b.recallSpool(); err != nil {
		return err
	}
	b.recallHolds()
	c := b.bookPoint
	var dec events.Decoder
	handle := func(m kafka.Message) error {
		b.skipBad(m, events.TopicEvents, dec.Events(m.Value, func(_ int, e *events.Event) error {
			b.fold(e)
			return nil
		}))
		return c.folded(m)
	}
	return c.follow(ctx, b.follower(events.TopicEvents, c.next, handle, func() { b.ready[2].Store(true) }), func() {})
}

// waitReady waits until a part has caught up; false when ctx ended first.
func (b *Bidder) waitReady(ctx context.Context, part int) bool {
	for !b.ready[part].Load() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

func (b *Bidder) follower(topic string, from map[int]int64, handle func(kafka.Message) error, caughtUp func()) *kafka.Follower {
	return &kafka.Follower{
		Brokers: b.cfg.Brokers, Security: b.cfg.Security, Topic: topic, From: maps.Clone(from), Handle: handle, CaughtUp: caughtUp, Log: b.log,
	}
}

// skipBad passes over a message that cannot be read: it must not stop the rest.
func (b *Bidder) skipBad(m kafka.Message, topic string, err error) {
	if err != nil {
		b.log.Error("message skipped", "topic", topic, "partition", m.Partition, "offset", m.Offset, "err", err)
	}
}

// fold applies a settlement or an adjustment from the log, of whichever node,
// to the book and to the frequency counts.
func (b *Bidder) fold(e *events.Event) {
	mine := b.heard(e)
	b.foldProof(e)
	switch {
	case e.Type == events.TypeNotices:
		return
	case e.Type == events.TypeHide:
		b.foldHide(e)
		return
	case e.Type == events.TypeTraffic:
		b.foldTraffic(e)
		return
	case e.Test:
		return
	case e.Settles:
		if !b.foldSettlement(e) {
			return
		}
		if b.refusals.pacerOf(e.CampaignID) != nil {
			b.settledHere.count(mine)
		}
	case e.Type == events.TypeAdjustment:
		if !b.foldAdjustment(e) {
			return
		}
	}
	if b.leases != nil {
		b.leases.apply(e)
	}
}

// publisher turns campaign records into States.
type publisher struct {
	b        *Bidder
	docs     *campaigns.Docs
	compiler *campaigns.Compiler
	changed  chan struct{}
	mu       sync.Mutex // of docs
	live     bool       // everything that was in the topic has been read
}

func (p *publisher) record(m kafka.Message) error {
	if head, ok := campaigns.ReadHead(m.Value); ok && p.has(head) {
		return nil // the console sends all again when it starts
	}
	var rec campaigns.Record
	err := json.Unmarshal(m.Value, &rec)
	changed := false
	if err == nil {
		p.mu.Lock()
		changed, err = p.docs.Apply(&rec)
		p.mu.Unlock()
	}
	p.b.skipBad(m, events.TopicCampaigns, err)
	if changed && p.live {
		p.poke()
	}
	return nil
}

func (p *publisher) has(head campaigns.Head) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.docs.Has(head)
}

// caughtUp compiles for the first time: before, half a world would be live.
func (p *publisher) caughtUp() {
	p.live = true
	p.poke()
}

func (p *publisher) poke() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *publisher) run(ctx context.Context) {
	p.compiler.DeferIndexes()
	ix := reindexer{made: make(chan *campaigns.Reindex, 1)}
	defer ix.wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
		case r := <-ix.made:
			ix.done()
			p.compiler.Adopt(r)
		case <-ix.due:
			ix.start(p.compiler.Behind())
			continue
		}
		p.mu.Lock()
		in := p.docs.Input()
		p.mu.Unlock()
		snap, problems := p.compiler.Compile(in)
		for _, pr := range problems {
			p.b.log.Warn("left out of the campaigns", "key", pr.Key, "err", pr.Err)
		}
		p.b.publish(snap)
		p.b.ready[0].Store(true)
		ix.plan(p.compiler.Behind() != nil)
		select {
		case <-ctx.Done():
			return
		case <-time.After(compileEvery):
		}
	}
}

// Publish compiles in and makes it live, for tests and tools that have no
// Kafka.
func (b *Bidder) Publish(in campaigns.Input) []campaigns.Problem {
	snap, problems := campaigns.Compile(in)
	b.publish(snap)
	return problems
}

func (b *Bidder) publish(snap *campaigns.Snapshot) {
	b.publishMu.Lock()
	defer b.publishMu.Unlock()
	b.state.Store(newState(snap, b.exchanges, len(b.exchanges), b.rates, b.book, &b.refusals))
	b.prepare()
	b.segments.install(snap)
	if b.leases != nil {
		b.leases.poke()
	}
}

// maxCapDays is the longest window of a frequency cap, and a day.
const maxCapDays = 91

// housekeeping lets expired holds, profiles and counts go, and records drops.
func (b *Bidder) housekeeping(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	watch := clock.NewWatch(b.clock)
	for n := uint32(0); ; n++ {
		select {
		case <-ctx.Done():
			b.recordDrops()
			b.recordTallies()
			b.saveHolds()
			b.savePlans()
			return
		case <-tick.C:
		}
		now, by := watch.Look()
		if by != 0 {
			b.clockSet(now, by)
		}
		b.book.Sweep(now)
		if n%20 == 0 {
			b.saveHolds()
			b.book.Learn(time.Second.Milliseconds())
		}
		b.samples.Expire(now)
		b.wanted.Sweep(n, now)
		b.profilesMu.Lock()
		b.profiles.Load().Sweep(now, 256)
		b.profilesMu.Unlock()
		b.segments.work()
		if n%20 == 0 {
			b.frequency.Expire(n/20, now-maxCapDays*24*60*60*1000, now)
			b.hidden.Expire(n/20, now-hiddenDays*24*60*60*1000)
			b.shown.Expire(n/20, now-maxCapDays*24*60*60*1000)
		}
		if n%200 == 0 {
			b.recordDrops()
		}
		b.sweepOutcomes(now)
		if n%20 == 0 {
			b.countTraffic()
			b.pricesRound(n / 20)
			b.judgeProofs(now)
		}
		b.plan(int(n%planRounds), planRounds)
		if n%plansEvery == plansEvery-1 {
			b.savePlans()
		}
		if n%tallyRounds == tallyRounds-1 {
			b.recordTallies()
		}
		if n%goalFadeEvery == 0 {
			b.state.Load().fadeGoals()
		}
		if n%72_000 == 0 { // hourly
			b.people.lateCounts()
		}
	}
}

// recordDrops makes the counts of dropped bids durable, so that bids =
// recorded + dropped.
func (b *Bidder) recordDrops() {
	now := b.clock.NowMS()
	for _, d := range b.bidLog.TakeDrops() {
		e := events.Event{
			EventID: b.randomID(), Type: events.TypeDropped, TimeMS: now, BidMS: now,
			Day: b.days.at(b.location(d.ShopID), now).text, ShopID: d.ShopID, CampaignID: d.CampaignID,
			Count: d.Count, Reason: "bid_log_full", Node: b.cfg.Node,
		}
		rec := spool.Record{Topic: kafka.SpoolBids, Value: e.AppendJSON(nil)}
		if err := b.spool.Append(rec); err != nil {
			b.bidLog.ReturnDrop(d)
			b.log.Error("count of dropped bids not recorded yet", "campaign", d.CampaignID, "count", d.Count, "err", err)
		}
	}
}
