package bidder

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/plan"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/wanted"
)

// SampleConfig of a Sampler.
type SampleConfig struct {
	// Size is how many decisions are kept; 0 means 256, negative none. The
	// oldest makes room.
	Size int
	// OneIn takes one request in so many, drawn from the seed; 0 means 1,000.
	OneIn int
	// MayLog tells whether the exchange's terms allow keeping a request. nil
	// means that none do.
	MayLog func(*Exchange) bool
}

// Bounds of one sample, so that the ring is bounded in bytes: at most about
// Size × 128 KiB.
const (
	sampleMaxBody      = 64 << 10
	sampleMaxCampaigns = 1024
	sampleLifeMS       = 24 * 60 * 60 * 1000
	sampleSnapshots    = 2 // configurations kept for replaying, the live one among them
)

// Sample is a live decision with every input outside of the request. It is
// kept only where the exchange allows it and the person's legal basis is
// there, for a day at most, in memory.
type Sample struct {
	Exchange string
	Request  []byte
	TimeMS   int64
	Version  int64 // of the configuration
	Seed     [32]byte
	// Answer that was sent, nil for none; then Reason says why.
	Answer []byte
	Reason NoBidReason
	// Profiles of the person, as they were.
	Profiles []segments.ShopProfile
	Counts   []SampledCount
	// Model is the version of the model that values came from, 0: of none.
	Model int64

	wanted   []wanted.Signal // what partners told of the person
	recalled *recalled
	exchange *Exchange
	rates    *money.Rates
	user     segments.UserKey
	snapshot atomic.Pointer[campaigns.Snapshot] // nil when the configuration has gone
}

// SampledCount is what was used of a matching campaign's limits when the
// request came, in the shop's currency.
type SampledCount struct {
	Campaign uint32     `json:"campaign"`
	Seen     int        `json:"seen"` // by the person, within the cap's hours
	Used     money.Nano `json:"used"`
	DayUsed  money.Nano `json:"day_used"`
	// Leases that the node had for it, and whether none was to be had for
	// the shop's balance.
	Leases []pacing.Lent `json:"leases,omitempty"`
	Poor   bool          `json:"poor,omitempty"`
	// Costly: the platform had lost on its billed clicks what it may lose.
	Costly bool `json:"costly,omitempty"`
	// Pace is what its bids were multiplied by; absent where its day is not
	// paced.
	Pace *float64 `json:"pace,omitempty"`
}

// Sampler keeps a bounded sample of live decisions. Hot: a request that is
// not taken costs one random number and no allocation. Safe for many
// goroutines. A nil Sampler takes nothing.
type Sampler struct {
	b   *Bidder
	cfg SampleConfig

	mu        sync.Mutex
	ring      []*Sample
	next      int
	snapshots [sampleSnapshots]*campaigns.Snapshot // newest first

	taken, left atomic.Uint64
}

// NewSampler returns an empty Sampler for the bidder; nil if it is to keep
// none.
func (b *Bidder) NewSampler(cfg SampleConfig) (*Sampler, error) {
	if cfg.Size == 0 {
		cfg.Size = 256
	}
	if cfg.OneIn == 0 {
		cfg.OneIn = 1000
	}
	if cfg.OneIn < 0 || cfg.Size > 1<<16 {
		return nil, fmt.Errorf("bidder: one sample in %d requests, at most %d kept: OneIn must be positive, Size at most 65,536", cfg.OneIn, cfg.Size)
	}
	if cfg.Size < 0 || cfg.MayLog == nil {
		return nil, nil
	}
	return &Sampler{b: b, cfg: cfg}, nil
}

// bid is b.bid, which it may take a sample of. body is the request as it was
// parsed.
func (s *Sampler) bid(b *Bidder, c *bidContext, body []byte) NoBidReason {
	if s == nil || !s.cfg.MayLog(c.exchange) || c.draw()%uint64(s.cfg.OneIn) != 0 {
		return b.bid(c)
	}
	// From here on the request is its own seed's.
	seed, inputs := b.nextSeed(), s.beforehand(c)
	c.rng.Seed(seed)
	r := b.bid(c)
	if !s.take(c, body, seed, r, &inputs) {
		s.left.Add(1)
	}
	return r
}

// take keeps the decision that was just made, if it may be kept and can be
// made again.
func (s *Sampler) take(c *bidContext, body []byte, seed [32]byte, r NoBidReason, inputs *recalled) bool {
	switch {
	case !c.basis.Identify: // no basis: nothing of the person's request is kept
		return false
	case r == ReasonNoTime || c.expired(): // the clock on the wall decided
		return false
	case len(body) > sampleMaxBody:
		return false
	case !s.recall(c, inputs): // a plan, a model or prices came in between
		return false
	}
	p := &Sample{
		Exchange: c.exchange.Name, Request: bytes.Clone(body), TimeMS: c.nowMS, Version: c.state.Snapshot.Version, Seed: seed, Reason: r,
		Profiles: slices.Clone(c.facts.Profiles), exchange: c.exchange, rates: c.state.Rates, user: c.user,
		wanted: slices.Clone(c.wanted), recalled: inputs, Model: inputs.version,
	}
	if r == ReasonNone {
		p.Answer = bytes.Clone(c.out)
	}
	if !s.count(c, p) {
		return false
	}
	p.snapshot.Store(c.state.Snapshot)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(c.nowMS)
	s.remember(c.state.Snapshot)
	if len(s.ring) < s.cfg.Size {
		s.ring = append(s.ring, p)
	} else {
		s.ring[s.next] = p
	}
	s.next = (s.next + 1) % s.cfg.Size
	s.taken.Add(1)
	return true
}

// remember lets go of the oldest configuration when a new one comes; s.mu is
// held.
func (s *Sampler) remember(snap *campaigns.Snapshot) {
	if slices.Contains(s.snapshots[:], snap) {
		return
	}
	copy(s.snapshots[1:], s.snapshots[:])
	s.snapshots[0] = snap
	for _, p := range s.ring {
		if !slices.Contains(s.snapshots[:], p.snapshot.Load()) {
			p.snapshot.Store(nil)
		}
	}
}

// count notes what was used of the limits of all campaigns that matched. What
// this request's own bids hold is taken off again. Requests that are answered
// in the same microseconds may have moved a budget in between: a replay can
// then come out differently where that budget was at its very end.
func (s *Sampler) count(c *bidContext, p *Sample) bool {
	known, groups := make(map[int32]bool), []uint64(nil)
	for i := range c.view.Imps {
		for media := events.MediaBanner; media <= events.MediaNative; media++ {
			if !offered(&c.view.Imps[i], media) || !c.exchange.media[media] {
				continue
			}
			t := &terms{c: c, imp: &c.view.Imps[i], index: i, media: media}
			s.b.describeImp(c, i, media)
			c.learnt.ready = false
			matches := c.state.Snapshot.Match(&c.facts, c.matcher)
			groups = append(groups, t.priceGroup())
			p.recalled.noteMatches(s.b, t, matches)
			for _, k := range matches {
				if len(known) == sampleMaxCampaigns {
					return false
				}
				if !known[k] {
					known[k] = true
					p.Counts = append(p.Counts, s.used(c, k))
				}
			}
		}
	}
	p.recalled.notePeople(s.b, c, known)
	p.recalled.view = p.recalled.view.Only(groups)
	for i := range p.Counts {
		p.Counts[i].seen(c, p.recalled)
	}
	return true
}

// seen says how the person and the pace stood.
func (n *SampledCount) seen(c *bidContext, r *recalled) {
	camp, _ := c.state.Snapshot.Campaign(n.Campaign)
	if planned, ok := r.paces[n.Campaign]; ok {
		k := plan.PlannedPace(planned).K()
		n.Pace = &k
	}
	if limit := camp.Frequency; limit.Impressions > 0 && !c.user.IsZero() {
		n.Seen = r.person(segments.Pseudonym(camp.Shop.Salt, c.user)).Seen(pacing.WhatCampaign(camp.ID), c.nowMS-int64(limit.Hours)*hourMS)
	}
}

func (s *Sampler) used(c *bidContext, k int32) SampledCount {
	camp := c.state.Snapshot.Campaigns[k]
	account := c.state.accounts[k]
	state := account.State(s.b.days.at(camp.Shop.Location, c.nowMS).number)
	out := SampledCount{Campaign: camp.ID, Used: state.Used, DayUsed: state.DayUsed, Leases: account.Wallet().Lent(), Poor: account.Wallet().Poor(), Costly: account.Wallet().Costly()}
	for i := range c.bids {
		if o := &c.bids[i]; o.campaign == k && !c.view.Test {
			out.Used -= o.hold
			out.DayUsed -= o.hold
			for j := range out.Leases {
				if out.Leases[j].Lease == o.lease {
					out.Leases[j].Left += o.hold
				}
			}
		}
	}
	return out
}

// All returns the samples that are not too old, oldest first. They must not
// be changed.
func (s *Sampler) All(nowMS int64) []*Sample {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(nowMS)
	return slices.Clone(s.ring)
}

// Expire drops what is too old; its owner calls it now and then.
func (s *Sampler) Expire(nowMS int64) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.expire(nowMS)
	}
}

func (s *Sampler) expire(nowMS int64) {
	s.drop(func(p *Sample) bool { return p.TimeMS < nowMS-sampleLifeMS })
}

// Forget drops every sample of a person, for erasure and opt-out, and returns
// how many there were.
func (s *Sampler) Forget(user segments.UserKey) int {
	if s == nil || user.IsZero() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(func(p *Sample) bool { return p.user == user })
}

// drop leaves out what gone says and puts the rest in order, oldest first;
// s.mu is held.
func (s *Sampler) drop(gone func(*Sample) bool) int {
	before := len(s.ring)
	inOrder := s.ring
	if before == s.cfg.Size {
		inOrder = append(slices.Clone(s.ring[s.next:]), s.ring[:s.next]...)
	}
	s.ring = slices.DeleteFunc(inOrder, gone)
	s.next = len(s.ring) % s.cfg.Size
	return before - len(s.ring)
}

// Counts returns how many samples were taken, and how many of those drawn
// were left: without a legal basis, too large, or out of time.
func (s *Sampler) Counts() (taken, left uint64) {
	if s == nil {
		return 0, 0
	}
	return s.taken.Load(), s.left.Load()
}

// ErrSampleGone is for a sample whose configuration is no longer there.
var ErrSampleGone = errors.New("the sample's configuration has gone")

// Replayed is what a sample's request is answered now.
type Replayed struct {
	Answer []byte // nil for none; then Reason says why
	Reason NoBidReason
	Same   bool // byte for byte what was sent
}

// Replay makes a sampled decision again from its inputs: the same bytes, as
// long as the code is the same. It changes nothing. Slow.
func (b *Bidder) Replay(p *Sample) (Replayed, error) {
	snap := p.snapshot.Load()
	if live := b.state.Load().Snapshot; snap == nil && live.Version == p.Version {
		snap = live
	}
	if snap == nil {
		return Replayed{}, fmt.Errorf("%w: version %d", ErrSampleGone, p.Version)
	}
	store, err := segments.NewStore(segments.Config{Shards: 1, MaxProfiles: 1 << 16, MaxOptOuts: 1, ShopShareBPS: 10_000})
	if err != nil {
		return Replayed{}, fmt.Errorf("replay: %w", err)
	}
	for i := range p.Profiles {
		store.Put(p.user, p.Profiles[i].Shop, &p.Profiles[i].Profile)
	}
	s := b.shadow(outside{
		snapshot: snap, exchange: p.exchange, rates: p.rates, nowMS: p.TimeMS, seed: p.Seed,
		profiles: store, frequency: pacing.NewFrequency(0),
	})
	s.b.wanted = wanted.New(1)
	s.b.wanted.Put(p.user, p.wanted)
	for _, n := range p.Counts {
		camp, _ := snap.Campaign(n.Campaign)
		if camp == nil {
			continue
		}
		s.spend(camp, n.Used, n.DayUsed)
		s.lend(n.Campaign, n.Leases, n.Poor)
		s.b.book.Account(n.Campaign).Wallet().SetCostly(n.Costly)
	}
	p.recalled.into(s)
	c := s.context()
	if err := c.view.Parse(p.Request); err != nil {
		return Replayed{}, fmt.Errorf("replay: %w", err)
	}
	out := Replayed{Reason: s.b.bid(c)}
	if out.Reason == ReasonNone {
		out.Answer = bytes.Clone(c.out)
	}
	out.Same = out.Reason == p.Reason && bytes.Equal(out.Answer, p.Answer)
	return out, nil
}
