package pacing

import (
	"io"
	"sync"
)

// Bounds of what one person hides at one shop; the oldest wish makes room.
const (
	maxHiddenProducts  = 8
	maxHiddenCampaigns = 4
)

// Hidden remembers what people do not want to see again: campaigns and single
// products, by the shop's own pseudonym of the person. It is a fold of the
// log; adding the same wish again changes nothing. Bounded, in memory, safe
// for many goroutines; asking does not allocate.
type Hidden struct {
	room
	shards [holdShards]hiddenShard
}

type hiddenShard struct {
	mu sync.RWMutex
	m  map[uint64]hiddenCell
}

// hiddenCell keeps wishes newest first; 0 ends a list.
type hiddenCell struct {
	at        uint32 // seconds since the epoch, of the newest wish
	shop      uint32 // whose it is, for fair shares
	products  [maxHiddenProducts]uint64
	campaigns [maxHiddenCampaigns]uint32
}

func (c hiddenCell) placed() (shop, at uint32) { return c.shop, c.at }

// NewHidden remembers the wishes of about max people (0: 500,000). When full,
// an old wish makes room, of a shop with its fair share or more; where none is
// found, a shop within its share goes beyond max until Expire has found one. It
// never holds twice as many.
func NewHidden(max int) *Hidden {
	if max == 0 {
		max = 500_000
	}
	h := &Hidden{room: room{max: int64(max)}}
	for i := range h.shards {
		h.shards[i].m = make(map[uint64]hiddenCell)
	}
	return h
}

func (h *Hidden) shard(user uint64) *hiddenShard { return &h.shards[user%holdShards] }

// Add notes that the person wants no more of a product, by its hash, or, with
// product 0, no more of a campaign of the shop. User 0 is nobody.
func (h *Hidden) Add(shop uint32, user uint64, campaign uint32, product uint64, ms int64) {
	if user == 0 || (product == 0 && campaign == 0) {
		return
	}
	s := h.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.m[user]
	if !ok {
		if !place(&h.room, s.m, shop, hiddenCell.placed, func(k uint64) { h.remove(s, k) }) {
			return
		}
		h.add(shop, 1)
		c.shop = shop
	}
	c.at = max(c.at, uint32(max(ms, 0)/1000))
	if product != 0 {
		toFront(c.products[:], product)
	} else {
		toFront(c.campaigns[:], campaign)
	}
	s.m[user] = c
}

// toFront puts v first, and keeps the order of the others; the last falls off.
func toFront[T uint32 | uint64](list []T, v T) {
	at := len(list) - 1
	for i, x := range list {
		if x == v {
			at = i
			break
		}
	}
	copy(list[1:at+1], list[:at])
	list[0] = v
}

// remove takes a person away; s is locked.
func (h *Hidden) remove(s *hiddenShard, user uint64) {
	h.add(s.m[user].shop, -1)
	delete(s.m, user)
}

// Campaign tells whether the person hid the campaign.
func (h *Hidden) Campaign(user uint64, campaign uint32) bool {
	if user == 0 || h.n.Load() == 0 {
		return false
	}
	s := h.shard(user)
	s.mu.RLock()
	c, ok := s.m[user]
	s.mu.RUnlock()
	if !ok {
		return false
	}
	for _, x := range c.campaigns {
		if x == campaign {
			return campaign != 0
		}
	}
	return false
}

// Products appends the hashes of the products that the person hid; none for a
// nil Hidden.
func (h *Hidden) Products(dst []uint64, user uint64) []uint64 {
	if h == nil || user == 0 || h.n.Load() == 0 {
		return dst
	}
	s := h.shard(user)
	s.mu.RLock()
	c := s.m[user]
	s.mu.RUnlock()
	for _, p := range c.products {
		if p == 0 {
			break
		}
		dst = append(dst, p)
	}
	return dst
}

// Erase forgets the wishes of people, by their shops' pseudonyms.
func (h *Hidden) Erase(users map[uint64]struct{}) (n int) {
	for u := range users {
		s := h.shard(u)
		s.mu.Lock()
		if _, ok := s.m[u]; ok {
			h.remove(s, u)
			n++
		}
		s.mu.Unlock()
	}
	return n
}

// Expire forgets people whose newest wish is older than sinceMS, in one shard
// a call.
func (h *Hidden) Expire(shard uint32, sinceMS int64) {
	s := &h.shards[shard%holdShards]
	since := uint32(max(sinceMS, 0) / 1000)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, c := range s.m {
		if c.at < since || h.tooMany(c.shop) {
			h.remove(s, k)
		}
	}
}

var hiddenHead = [8]byte{'g', 'r', 's', 'z', 'h', 'i', 'd', 2} // 1 had no shops

// Snapshot writes all wishes; they may change meanwhile.
func (h *Hidden) Snapshot(w io.Writer) error {
	out := newSectionWriter(w, hiddenHead)
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.RLock()
		cells := make(map[uint64]hiddenCell, len(s.m))
		for k, c := range s.m {
			cells[k] = c
		}
		s.mu.RUnlock()
		for k, c := range cells {
			out.int(1)
			out.fixed64(k)
			out.int(int64(c.at))
			out.int(int64(c.shop))
			for _, p := range c.products {
				out.fixed64(p)
			}
			for _, x := range c.campaigns {
				out.int(int64(x))
			}
		}
	}
	out.int(0)
	return out.end()
}

// Restore reads a snapshot in place of what is held. Where it is damaged,
// nothing is.
func (h *Hidden) Restore(r io.Reader) error {
	in := newSectionReaderFrom(r, hiddenHead, 1)
	fresh := NewHidden(int(h.max))
	for in.within("a mark", 0, 1) == 1 {
		k := in.fixed64()
		c := hiddenCell{at: uint32(in.within("a time", 0, 1<<32-1))}
		if in.version > 1 {
			c.shop = uint32(in.within("a shop", 0, 1<<32-1))
		}
		for i := range c.products {
			c.products[i] = in.fixed64()
		}
		for i := range c.campaigns {
			c.campaigns[i] = uint32(in.within("a campaign", 0, 1<<32-1))
		}
		if in.err != nil {
			break
		}
		if _, ok := fresh.shard(k).m[k]; !ok && k != 0 && fresh.n.Load() < fresh.max {
			fresh.shard(k).m[k] = c
			fresh.n.Add(1)
		}
	}
	if err := in.end(); err != nil {
		return err
	}
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for k := range s.m {
			h.remove(s, k)
		}
		s.m = fresh.shards[i].m
		for _, c := range s.m {
			h.add(c.shop, 1)
		}
		s.mu.Unlock()
	}
	return nil
}
