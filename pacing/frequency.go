package pacing

import (
	"sync"
	"sync/atomic"
)

// Frequency counts how often a person saw a campaign within a window. Bounded
// and in memory; counts come from settled events, so that every node that
// folds the log counts alike. Safe for many goroutines, no allocation at
// steady state.
type Frequency struct {
	room
	shards [holdShards]freqShard

	opens    atomic.Int64 // people with a list of open bids
	openFull atomic.Uint64
}

type freqShard struct {
	mu sync.Mutex
	m  map[freqKey]freqCell
	// open are bids under way, by user; see exposure.go.
	open  map[uint64][]openBid
	spare [][]openBid
}

type freqKey struct {
	user uint64
	what What
}

// freqCell keeps the last eight sightings in seconds since the epoch, newest
// first, which answers every cap up to eight exactly; more counts the older.
type freqCell struct {
	at   [8]uint32
	more uint32
	shop uint32 // whose it is, for fair shares
}

func (c freqCell) placed() (shop, at uint32) { return c.shop, c.at[0] }

// NewFrequency counts about max pairs of person and campaign; 0 means
// 4,000,000. When full, a pair that has been quiet makes room, of a shop with
// its fair share or more; where none is found, a shop within its share goes
// beyond max until Expire has found one. It never holds twice as many.
func NewFrequency(max int) *Frequency {
	if max == 0 {
		max = 4_000_000
	}
	f := &Frequency{room: room{max: int64(max)}}
	for i := range f.shards {
		f.shards[i].m = make(map[freqKey]freqCell)
	}
	return f
}

func (f *Frequency) shard(user uint64) *freqShard { return &f.shards[user%holdShards] }

// Add counts an impression. user 0 is nobody.
func (f *Frequency) Add(user uint64, campaign uint32, ms int64) {
	if user == 0 {
		return
	}
	s := f.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.count(s, freqKey{user, WhatCampaign(campaign)}, 0, ms)
}

// count adds an impression to a pair; s is locked.
func (f *Frequency) count(s *freqShard, k freqKey, shop uint32, ms int64) {
	now := uint32(ms / 1000)
	c, ok := s.m[k]
	if !ok {
		if !place(&f.room, s.m, shop, freqCell.placed, func(k freqKey) { f.remove(s, k) }) {
			return
		}
		f.add(shop, 1)
		c.shop = shop
	}
	if last := c.at[len(c.at)-1]; last != 0 {
		c.more++
	}
	// Events of several nodes may be out of order by seconds: keep them sorted.
	for i := range c.at {
		if now >= c.at[i] {
			now, c.at[i] = c.at[i], now
		}
	}
	s.m[k] = c
}

// remove takes a pair away; s is locked.
func (f *Frequency) remove(s *freqShard, k freqKey) {
	f.add(s.m[k].shop, -1)
	delete(s.m, k)
}

// Count tells how many impressions of a campaign the person had since
// sinceMS. Above eight it may be too high by those older than the eighth: a
// cap errs on the side of the person.
func (f *Frequency) Count(user uint64, campaign uint32, sinceMS int64) int {
	n, _ := f.Seen(user, WhatCampaign(campaign), sinceMS)
	return n
}

// since counts sightings from a moment on.
func (c *freqCell) since(sinceMS int64) int {
	since, n := uint32(max(sinceMS, 0)/1000), 0
	for _, at := range c.at {
		if at == 0 || at < since {
			return n
		}
		n++
	}
	return n + int(c.more)
}

// Expire forgets pairs that were quiet since sinceMS, and people without open
// bids at nowMS, in one shard a call.
func (f *Frequency) Expire(shard uint32, sinceMS, nowMS int64) {
	s := &f.shards[shard%holdShards]
	since := uint32(max(sinceMS, 0) / 1000)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, c := range s.m {
		if c.at[0] < since || f.tooMany(c.shop) {
			f.remove(s, k)
		}
	}
	f.expireOpen(s, nowMS)
}
