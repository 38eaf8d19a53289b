package bidder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/segments"
)

// eraseBatch bounds the pseudonyms that are looked for at once.
const eraseBatch = 1 << 16

// maxPending bounds the receipts owed for what happened while this node was
// away.
const maxPending = 10_000

// frequencyKeptMS is how long counts are kept; see housekeeping.
const frequencyKeptMS = 31 * 24 * 60 * 60 * 1000

// apply folds an erase event into everything this node holds in memory, and
// its tables. It may be applied any number of times. For one that is news a
// receipt is written. Receipts of others pass.
func (p *people) apply(e *events.Erasure) error {
	if e.Type != events.TypeErase || e.UID.IsZero() {
		return nil
	}
	p.eraseMu.Lock()
	defer p.eraseMu.Unlock()
	news := true
	var err error
	if p.cfg.Suppress != nil {
		// First: what is folded from here on is passed over.
		if news, err = p.cfg.Suppress.Add(e.Subject(), e.TimeMS, e.OptOut); err != nil {
			p.eraseErrs.Add(1)
			return fmt.Errorf("erase %s: %w", e.EventID, err)
		}
	}
	if !p.ready.Load() { // settled does it for all of them in one go
		if news && len(p.pending) < maxPending {
			p.pending = append(p.pending, *e)
		}
		if e.ShopID != 0 && len(p.atShops) < maxPending {
			p.atShops = append(p.atShops, *e)
		}
		return nil
	}
	if e.ShopID != 0 {
		receipt := p.eraseAtShop(e)
		p.erasures.Add(1)
		if !news {
			return nil
		}
		return p.cfg.Emit(&receipt)
	}
	if news {
		if err := p.eraseAliases(e); err != nil {
			p.eraseErrs.Add(1)
			return fmt.Errorf("erase %s: %w", e.EventID, err)
		}
	}
	until := untilOf(e.TimeMS, e.OptOut)
	receipt := e.Receipt(p.b.cfg.Node, p.b.clock.NowMS())
	p.b.profilesMu.Lock()
	receipt.Profiles = int64(p.b.profiles.Load().Erase(e.UID, until))
	p.b.segments.forget(e.UID)
	p.b.profilesMu.Unlock()
	p.b.wanted.Erase(e.UID, until)
	p.b.samples.Forget(e.UID)
	p.b.kept.forget(e.UID)
	names := p.pseudonyms([]segments.UserKey{e.UID})
	receipt.Frequency = int64(p.b.frequency.Erase(names))
	p.b.hidden.Erase(names)
	p.b.shown.Erase(names)
	if p.cfg.Matches != nil {
		n, ferr := p.cfg.Matches.Forget(e.UID, until)
		receipt.Matches, err = int64(n), errors.Join(err, ferr)
	}
	if err != nil {
		p.eraseErrs.Add(1)
		return fmt.Errorf("erase %s: %w", e.EventID, err)
	}
	p.erasures.Add(1)
	if !news {
		return nil
	}
	return p.cfg.Emit(&receipt)
}

// eraseAliases has what shops told of the person under other keys erased, too.
// Every node that knows of one asks for it; the first counts. It is no opt-out:
// that was said for one browser.
func (p *people) eraseAliases(e *events.Erasure) error {
	if p.cfg.Emit == nil {
		return nil
	}
	for _, alias := range p.b.profiles.Load().Aliases(e.UID) {
		of := events.Erasure{
			EventID: events.EraseID(alias, e.TimeMS), Type: events.TypeErase, TimeMS: e.TimeMS, UID: alias,
			Reason: e.Reason, Node: p.b.cfg.Node,
		}
		if p.suppressedKey(alias, e.TimeMS) {
			continue
		}
		if err := p.cfg.Emit(&of); err != nil {
			return err
		}
	}
	return nil
}

func (p *people) suppressedKey(u segments.UserKey, receivedMS int64) bool {
	return p.cfg.Suppress != nil && p.cfg.Suppress.Suppressed(u, receivedMS)
}

// eraseAtShop takes out what one shop knows of a person up to the erasure, and
// returns the receipt for it. The match table is everybody's and stays.
func (p *people) eraseAtShop(e *events.Erasure) events.Erasure {
	receipt := e.Receipt(p.b.cfg.Node, p.b.clock.NowMS())
	p.b.profilesMu.Lock()
	if p.b.profiles.Load().EraseShop(e.UID, e.ShopID, untilOf(e.TimeMS, e.OptOut)) {
		receipt.Profiles = 1
	}
	p.b.profilesMu.Unlock()
	p.b.kept.forget(e.UID)
	if shop := p.b.state.Load().Snapshot.Shop(e.ShopID); shop != nil {
		receipt.Frequency = int64(p.b.frequency.Erase(map[uint64]struct{}{segments.Pseudonym(shop.Salt, e.UID): {}}))
	}
	return receipt
}

// untilOf is up to when what is held of a person goes.
func untilOf(atMS int64, optOut bool) int64 {
	if optOut {
		return math.MaxInt64
	}
	return atMS
}

// pseudonyms are what shops call these people.
func (p *people) pseudonyms(who []segments.UserKey) map[uint64]struct{} {
	out := make(map[uint64]struct{})
	s := p.b.state.Load()
	if s == nil {
		return out
	}
	s.Snapshot.EachShop(func(shop *campaigns.CompiledShop) {
		for _, u := range who {
			out[segments.Pseudonym(shop.Salt, u)] = struct{}{}
		}
	})
	return out
}

// settled holds what was restored from checkpoints, and the match table,
// against the whole suppression list: once, when the erasures in the log have
// been read. A backup does not bring anybody back.
func (p *people) settled() error {
	p.eraseMu.Lock()
	defer p.eraseMu.Unlock()
	defer p.ready.Store(true)
	if p.cfg.Suppress == nil {
		return nil
	}
	for i := range p.atShops { // checkpoints may be older than these
		p.eraseAtShop(&p.atShops[i])
	}
	p.atShops = nil
	until := make(map[segments.UserKey]int64)
	p.cfg.Suppress.Each(0, func(u segments.UserKey, atMS int64, optOut bool) { until[u] = untilOf(atMS, optOut) })
	if len(until) == 0 {
		return nil
	}
	p.b.profilesMu.Lock()
	n := p.b.profiles.Load().EraseWhere(func(u segments.UserKey) int64 {
		if ms, ok := until[u]; ok {
			return ms
		}
		return -1
	})
	for u := range until {
		p.b.segments.forget(u)
	}
	p.b.profilesMu.Unlock()
	p.b.wanted.EraseWhere(func(u segments.UserKey) int64 {
		if ms, ok := until[u]; ok {
			return ms
		}
		return -1
	})
	pairs := p.eraseFrequency(p.b.clock.NowMS()-frequencyKeptMS, false)
	matches := 0
	var err error
	if p.cfg.Matches != nil {
		matches, err = p.cfg.Matches.ForgetWhere(func(u segments.UserKey, seenMS int64) bool {
			ms, ok := until[u]
			return ok && seenMS <= ms
		})
	}
	p.b.log.Info("suppression list applied to what was restored", "people", len(until), "profiles", n, "frequency", pairs, "matches", matches)
	return errors.Join(err, p.oweReceipts())
}

// oweReceipts writes the receipts of what was applied in one go: they count
// nothing one by one.
func (p *people) oweReceipts() error {
	for i := range p.pending {
		r := p.pending[i].Receipt(p.b.cfg.Node, p.b.clock.NowMS())
		if err := p.cfg.Emit(&r); err != nil {
			return fmt.Errorf("receipts of erasures: %w", err)
		}
		p.erasures.Add(1)
	}
	p.pending = nil
	return nil
}

// eraseFrequency forgets the counts of people on the list since sinceMS, or of
// those who opted out only, in batches.
func (p *people) eraseFrequency(sinceMS int64, optOutOnly bool) (n int) {
	var who []segments.UserKey
	p.cfg.Suppress.Each(sinceMS, func(u segments.UserKey, _ int64, optOut bool) {
		if optOut || !optOutOnly {
			who = append(who, u)
		}
	})
	shops := 1
	if s := p.b.state.Load(); s != nil {
		shops = max(s.Snapshot.Shops(), 1)
	}
	step := max(eraseBatch/shops, 1)
	for len(who) > 0 {
		k := min(step, len(who))
		names := p.pseudonyms(who[:k])
		n += p.b.frequency.Erase(names)
		p.b.hidden.Erase(names)
		p.b.shown.Erase(names)
		who = who[k:]
	}
	return n
}

// lateCounts forgets what notices that came after an opt-out have counted of
// that person: billing tokens live a week. Hourly.
func (p *people) lateCounts() int {
	if p.cfg.Suppress == nil {
		return 0
	}
	p.eraseMu.Lock()
	defer p.eraseMu.Unlock()
	return p.eraseFrequency(p.b.clock.NowMS()-events.BillingLifetime.Milliseconds(), true)
}

// suppressed tells whether a shop event is of one who was erased after it was
// received, or opted out: the fold passes it over.
func (p *people) suppressed(e *events.ShopEvent) bool {
	if p.cfg.Suppress == nil {
		return false
	}
	at := max(e.ReceivedMS, 0)
	return p.cfg.Suppress.Suppressed(e.UID, at) || p.cfg.Suppress.Suppressed(events.ErasedAt(e.UID, e.ShopID), at)
}

// follow folds the erasures of the log until ctx ends; all of them at each
// start, for they are few. caughtUp is called when those that were there have
// been read: only then may profiles be folded.
func (p *people) follow(ctx context.Context, caughtUp func()) error {
	// Pseudonyms need the shops' salts.
	if !p.b.waitReady(ctx, 0) {
		return nil
	}
	var dec events.Decoder
	handle := func(m kafka.Message) error {
		p.b.skipBad(m, events.TopicErasures, dec.Erasures(m.Value, func(_ int, e *events.Erasure) error { return p.apply(e) }))
		return nil
	}
	return p.b.follower(events.TopicErasures, nil, handle, func() {
		if err := p.settled(); err != nil {
			p.b.log.Error("erasures", "err", err)
		}
		caughtUp()
	}).Run(ctx)
}

// writeMetrics writes the counters in Prometheus' text format.
func (p *people) writeMetrics(w io.Writer) {
	for _, m := range []struct {
		name string
		v    uint64
	}{
		{"grosz_syncs_total", p.synced.Load()},
		{"grosz_syncs_refused_total", p.refused.Load()},
		{"grosz_syncs_limited_total", p.limited.Load()},
		{"grosz_erasures_total", p.erasures.Load()},
		{"grosz_erasure_errors_total", p.eraseErrs.Load()},
	} {
		fmt.Fprintf(w, "%s %d\n", m.name, m.v)
	}
}
