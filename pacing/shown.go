package pacing

import (
	"io"
	"slices"
	"sync"

	"github.com/grosz/grosz/events"
)

// Bounds of what is remembered of one person at one shop.
const (
	maxShown      = 48 // showings of products; the oldest falls off
	maxShownOpen  = 8  // bids under way; past it products count as shown
	maxShownSpare = 1024
)

// Shown counts how often a person saw each product of a shop, by the shop's
// own pseudonym of the person: impressions from settled events, so that every
// node that folds the log counts alike, and the products of this node's own
// open bids. Bounded, in memory, safe for many goroutines; nothing allocates
// at steady state.
type Shown struct {
	room
	shards [holdShards]shownShard
}

type shownShard struct {
	mu    sync.Mutex
	m     map[uint64]*shownCell
	spare []*shownCell
}

// shownCell is one person at one shop.
type shownCell struct {
	shop   uint32
	at     uint32 // seconds since the epoch, of the latest showing or bid
	nSeen  uint8
	nOpen  uint8
	seen   [maxShown]showing // oldest first
	opened [maxShownOpen]shownBid
}

func (c *shownCell) placed() (shop, at uint32) { return c.shop, c.at }

type showing struct{ product, at uint32 }

type shownBid struct {
	bid      uint64
	expireMS int64
	p        float32
	products events.Products
}

// NewShown remembers about max people (0: 100,000, some 90 MB when full). When
// full, one who has been quiet makes room, by the rule of fair shares.
func NewShown(max int) *Shown {
	if max == 0 {
		max = 100_000
	}
	s := &Shown{room: room{max: int64(max)}}
	for i := range s.shards {
		s.shards[i].m = make(map[uint64]*shownCell)
	}
	return s
}

func (s *Shown) shard(user uint64) *shownShard { return &s.shards[user%holdShards] }

// ProductCap allows Most impressions of each product since SinceMS.
type ProductCap struct {
	Most    int
	SinceMS int64
}

// Capped appends the products that the person has seen, or is about to see, as
// often as one of the caps allows: they are not to be shown now.
func (s *Shown) Capped(dst []uint32, user uint64, caps []ProductCap, strict bool, nowMS int64) []uint32 {
	if user == 0 || len(caps) == 0 {
		return dst
	}
	sh := s.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.m[user]
	if c == nil {
		return dst
	}
	c.expire(nowMS)
	from := len(dst)
	try := func(p uint32) []uint32 {
		if p != 0 && !slices.Contains(dst[from:], p) && !c.fits(user, p, caps, strict) {
			dst = append(dst, p)
		}
		return dst
	}
	for i := range c.seen[:c.nSeen] {
		dst = try(c.seen[i].product)
	}
	for i := range c.opened[:c.nOpen] {
		for _, p := range c.opened[i].products {
			dst = try(p)
		}
	}
	return dst
}

// fits tells whether every cap leaves room for the product once more.
func (c *shownCell) fits(user uint64, product uint32, caps []ProductCap, strict bool) bool {
	var under odds
	for i := range c.opened[:c.nOpen] {
		if o := &c.opened[i]; slices.Contains(o.products[:], product) {
			under.add(o.p)
		}
	}
	for _, cp := range caps {
		since, seen := uint32(max(cp.SinceMS, 0)/1000), 0
		for _, x := range c.seen[:c.nSeen] {
			if x.product == product && x.at >= since {
				seen++
			}
		}
		most := Allowed(user, What(product)|whatProduct, cp.Most, strict)
		if !under.mayJoin(most-seen, most, strict) {
			return false
		}
	}
	return true
}

// Open counts the products of a bid as under way if the caps still leave room
// for each of them: another bid for the person may have come between Capped
// and this. P is the expected number of impressions.
func (s *Shown) Open(user uint64, shop uint32, bid events.ID, products events.Products, p float32, caps []ProductCap, strict bool, nowMS, expireMS int64) bool {
	if user == 0 {
		return true
	}
	sh := s.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.m[user]
	if c != nil {
		c.expire(nowMS)
	}
	for _, x := range products {
		if c != nil && x != 0 && !c.fits(user, x, caps, strict) {
			return false
		}
	}
	if c != nil && c.nOpen == maxShownOpen {
		return false // so much at once nobody sees
	}
	if c == nil {
		if c = s.place(sh, user, shop); c == nil {
			return false // what cannot be counted cannot be capped
		}
	}
	c.at = max(c.at, uint32(nowMS/1000))
	c.opened[c.nOpen] = shownBid{bid: key(bid), expireMS: expireMS, p: p, products: products}
	c.nOpen++
	return true
}

// Close takes a bid that was lost out of the open ones.
func (s *Shown) Close(user uint64, bid events.ID) {
	if user == 0 || s.n.Load() == 0 {
		return
	}
	sh := s.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c := sh.m[user]; c != nil {
		c.take(key(bid))
	}
}

// Settled counts an impression's products from the log, of whichever node.
func (s *Shown) Settled(user uint64, shop uint32, bid events.ID, products events.Products, ms int64) {
	if user == 0 || products == (events.Products{}) {
		return
	}
	sh := s.shard(user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.m[user]
	if c == nil {
		if c = s.place(sh, user, shop); c == nil {
			return
		}
	}
	c.take(key(bid))
	at := uint32(max(ms, 0) / 1000)
	c.at = max(c.at, at)
	for _, p := range products {
		if p != 0 {
			c.add(showing{p, at})
		}
	}
}

// add keeps the showings in order of time; the oldest falls off.
func (c *shownCell) add(x showing) {
	n := int(c.nSeen)
	if n == maxShown {
		if x.at < c.seen[0].at {
			return
		}
		copy(c.seen[:], c.seen[1:])
		n--
	}
	i := n
	for ; i > 0 && c.seen[i-1].at > x.at; i-- { // events of several nodes may be out of order
		c.seen[i] = c.seen[i-1]
	}
	c.seen[i] = x
	c.nSeen = uint8(n + 1)
}

func (c *shownCell) take(bid uint64) {
	for i := range c.opened[:c.nOpen] {
		if c.opened[i].bid == bid {
			c.nOpen--
			c.opened[i] = c.opened[c.nOpen]
			return
		}
	}
}

func (c *shownCell) expire(nowMS int64) {
	for i := 0; i < int(c.nOpen); {
		if c.opened[i].expireMS > nowMS {
			i++
			continue
		}
		c.nOpen--
		c.opened[i] = c.opened[c.nOpen]
	}
}

// place makes a cell for a person, nil when there is no room; sh is locked.
func (s *Shown) place(sh *shownShard, user uint64, shop uint32) *shownCell {
	if !place(&s.room, sh.m, shop, (*shownCell).placed, func(k uint64) { s.remove(sh, k) }) {
		return nil
	}
	var c *shownCell
	if n := len(sh.spare); n > 0 {
		c, sh.spare = sh.spare[n-1], sh.spare[:n-1]
		*c = shownCell{}
	} else {
		c = new(shownCell)
	}
	c.shop = shop
	sh.m[user] = c
	s.add(shop, 1)
	return c
}

// remove takes a person away; sh is locked.
func (s *Shown) remove(sh *shownShard, user uint64) {
	c := sh.m[user]
	s.add(c.shop, -1)
	delete(sh.m, user)
	if len(sh.spare) < maxShownSpare {
		sh.spare = append(sh.spare, c)
	}
}

// Erase forgets people, by their shops' pseudonyms.
func (s *Shown) Erase(users map[uint64]struct{}) (n int) {
	for u := range users {
		sh := s.shard(u)
		sh.mu.Lock()
		if _, ok := sh.m[u]; ok {
			s.remove(sh, u)
			n++
		}
		sh.mu.Unlock()
	}
	return n
}

// Expire forgets people who were quiet since sinceMS, in one shard a call.
func (s *Shown) Expire(shard uint32, sinceMS int64) {
	sh := &s.shards[shard%holdShards]
	since := uint32(max(sinceMS, 0) / 1000)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, c := range sh.m {
		if c.at < since || s.tooMany(c.shop) {
			s.remove(sh, k)
		}
	}
}

var shownHead = [8]byte{'g', 'r', 's', 'z', 's', 'h', 'o', 1}

// Snapshot writes what was seen; open bids are this run's own.
func (s *Shown) Snapshot(w io.Writer) error {
	out := newSectionWriter(w, shownHead)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for k, c := range sh.m {
			if c.nSeen == 0 {
				continue
			}
			out.int(1)
			out.fixed64(k)
			out.int(int64(c.shop))
			out.int(int64(c.nSeen))
			for _, x := range c.seen[:c.nSeen] {
				out.int(int64(x.product))
				out.int(int64(x.at))
			}
		}
		sh.mu.Unlock()
	}
	out.int(0)
	return out.end()
}

// Restore reads a snapshot in place of what is held. Where it is damaged,
// what is held stays.
func (s *Shown) Restore(r io.Reader) error {
	in := newSectionReader(r, shownHead)
	fresh := NewShown(int(s.max))
	for in.within("a mark", 0, 1) == 1 {
		k := in.fixed64()
		shop := uint32(in.within("a shop", 0, 1<<32-1))
		n := int(in.within("showings", 0, maxShown))
		var list [maxShown]showing
		for i := range n {
			list[i] = showing{uint32(in.within("a product", 0, 1<<32-1)), uint32(in.within("a time", 0, 1<<32-1))}
		}
		if in.err != nil {
			break
		}
		sh := fresh.shard(k)
		if sh.m[k] != nil || k == 0 {
			continue
		}
		if c := fresh.place(sh, k, shop); c != nil {
			for _, x := range list[:n] {
				c.add(x)
				c.at = max(c.at, x.at)
			}
		}
	}
	if err := in.end(); err != nil {
		return err
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for k := range sh.m {
			s.remove(sh, k)
		}
		sh.m = fresh.shards[i].m
		for _, c := range sh.m {
			s.add(c.shop, 1)
		}
		sh.mu.Unlock()
	}
	return nil
}
