package pacing

import (
	"math"

	"github.com/grosz/grosz/events"
)

// What is something that a person is not to see too often at one shop: a
// campaign, a creative, or all of the shop.
type What uint64

const whatShift = 60

// The kinds of What.
const (
	whatCampaign What = iota << whatShift
	whatShop
	whatCreative
	whatProduct // in Shown alone
)

// WhatCampaign is a campaign.
func WhatCampaign(id uint32) What { return whatCampaign | What(id) }

// WhatShop is everything of the shop: its pseudonyms are its own.
func WhatShop() What { return whatShop }

// WhatCreative is a creative.
func WhatCreative(id uint32) What { return whatCreative | What(id) }

// Exposure is a bid that may become an impression.
type Exposure struct {
	Bid                events.ID
	Campaign, Creative uint32
	ExpireMS           int64
	// P is the expected number of impressions, from 0 to 1.
	P float32
}

// Cap allows Most impressions of What since SinceMS.
type Cap struct {
	What    What
	Most    int
	SinceMS int64
}

// maxOpen bounds the open bids that are known of one person at one shop. Past
// it a bid that asks to be counted is refused: nobody sees so many at once.
const maxOpen = 16

type openBid struct {
	bid      uint64
	campaign uint32
	creative uint32
	expireMS int64
	p        float32
}

func (o *openBid) shows(w What) bool {
	switch w >> whatShift << whatShift {
	case whatCampaign:
		return w == WhatCampaign(o.campaign)
	case whatShop:
		return true
	default:
		return w == WhatCreative(o.creative)
	}
}

// Open counts a bid as under way if every cap leaves room for it: impressions
// seen, and of the open bids all (strict) or what is likely of them. Asking
// and counting is one step, so that bids made at once cannot all take the last
// place. The same bid must later be Settled, Closed, or expires.
func (f *Frequency) Open(user uint64, x Exposure, caps []Cap, strict bool, nowMS int64) bool {
	if user == 0 {
		return len(caps) == 0
	}
	s := f.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.live(user, nowMS)
	if !s.fits(user, list, caps, strict) {
		return false
	}
	if len(list) >= maxOpen {
		return len(caps) == 0
	}
	if _, placed := s.open[user]; !placed {
		if f.opens.Add(1) > f.max {
			f.opens.Add(-1)
			f.openFull.Add(1)
			return len(caps) == 0 // what cannot be counted cannot be capped
		}
		list = s.room()
	}
	s.open[user] = append(list, openBid{bid: key(x.Bid), campaign: x.Campaign, creative: x.Creative, expireMS: x.ExpireMS, p: x.P})
	return true
}

// MayOpen tells what Open would answer, and counts nothing.
func (f *Frequency) MayOpen(user uint64, caps []Cap, strict bool, nowMS int64) bool {
	if user == 0 {
		return len(caps) == 0
	}
	s := f.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fits(user, s.live(user, nowMS), caps, strict)
}

// fits tells whether every cap leaves room for one more bid beside the open
// ones; s is locked.
func (s *freqShard) fits(user uint64, list []openBid, caps []Cap, strict bool) bool {
	for i := range caps {
		c := &caps[i]
		most := Allowed(user, c.What, c.Most, strict)
		room := most - s.seen(freqKey{user, c.What}, c.SinceMS)
		if room < 1 {
			return false
		}
		if len(list) == 0 {
			continue
		}
		var under odds
		for k := range list {
			if o := &list[k]; o.shows(c.What) {
				under.add(o.p)
			}
		}
		if !under.mayJoin(room, most, strict) {
			return false
		}
	}
	return true
}

// room is memory for the bids of one more person; s is locked.
func (s *freqShard) room() []openBid {
	if s.open == nil {
		s.open = make(map[uint64][]openBid)
	}
	if n := len(s.spare) - 1; n >= 0 {
		list := s.spare[n]
		s.spare = s.spare[:n]
		return list
	}
	return make([]openBid, 0, 4)
}

// maxSpare bounds the memory that a shard keeps for people to come.
const maxSpare = 1024

// forget takes a person's place away; s is locked.
func (s *freqShard) forget(user uint64) {
	if list := s.open[user]; len(s.spare) < maxSpare {
		s.spare = append(s.spare, list[:0])
	}
	delete(s.open, user)
}

// live drops a person's bids that have expired and returns the rest; s is
// locked. An emptied list keeps its place.
func (s *freqShard) live(user uint64, nowMS int64) []openBid {
	list := s.open[user]
	keep := list[:0]
	for i := range list {
		if list[i].expireMS > nowMS {
			keep = append(keep, list[i])
		}
	}
	if len(keep) != len(list) {
		s.open[user] = keep
	}
	return keep
}

// Close takes a bid that was lost out of the open ones.
func (f *Frequency) Close(user uint64, bid events.ID) {
	if user != 0 {
		s := f.shard(user)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.take(user, key(bid))
	}
}

// take removes an open bid; s is locked.
func (s *freqShard) take(user uint64, bid uint64) {
	list := s.open[user]
	for i := range list {
		if list[i].bid == bid {
			s.open[user] = append(list[:i], list[i+1:]...)
			return
		}
	}
}

// Settled counts an impression from the log, of whichever node: of its
// campaign, creative and shop. user 0 is nobody.
func (f *Frequency) Settled(user uint64, bid events.ID, shop, campaign, creative uint32, ms int64) {
	if user == 0 {
		return
	}
	s := f.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(user, key(bid))
	f.count(s, freqKey{user, WhatCampaign(campaign)}, shop, ms)
	f.count(s, freqKey{user, WhatShop()}, shop, ms)
	if creative != 0 {
		f.count(s, freqKey{user, WhatCreative(creative)}, shop, ms)
	}
}

// Seen tells how many impressions the person had since sinceMS, and when the
// latest was, ms (0: never known). Above eight it may be too high.
func (f *Frequency) Seen(user uint64, w What, sinceMS int64) (n int, lastMS int64) {
	if user == 0 {
		return 0, 0
	}
	s := f.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.m[freqKey{user, w}]
	if !ok {
		return 0, 0
	}
	return c.since(sinceMS), int64(c.at[0]) * 1000
}

// seen is the count of a pair; s is locked.
func (s *freqShard) seen(k freqKey, sinceMS int64) int {
	c, ok := s.m[k]
	if !ok {
		return 0
	}
	return c.since(sinceMS)
}

// expireOpen forgets the people of a shard who have no open bid; s is locked.
func (f *Frequency) expireOpen(s *freqShard, nowMS int64) {
	for user := range s.open {
		if len(s.live(user, nowMS)) == 0 {
			s.forget(user)
			f.opens.Add(-1)
		}
	}
}

// OpenStats returns how many people have open bids, and how often there was no
// room for one.
func (f *Frequency) OpenStats() (people int64, full uint64) { return f.opens.Load(), f.openFull.Load() }

// Fatigue is how the value of an impression falls with those before and comes
// back with time: lift = e^(−n/N0) · (1 − e^(−Δ/R)), with n impressions within
// WithinMS and Δ since the latest. Zero values leave their part out.
type Fatigue struct {
	N0        float64
	RecoverMS float64
	WithinMS  int64
}

// Lift of an impression for a person, from 0 to 1.
func (f *Frequency) Lift(user uint64, w What, t Fatigue, nowMS int64) float64 {
	n, last := f.Seen(user, w, nowMS-t.WithinMS)
	if last == 0 || n == 0 {
		return 1
	}
	lift := 1.0
	if t.N0 > 0 {
		lift = math.Exp(-float64(n) / t.N0)
	}
	if t.RecoverMS > 0 {
		lift *= 1 - math.Exp(-float64(max(nowMS-last, 0))/t.RecoverMS)
	}
	return lift
}
