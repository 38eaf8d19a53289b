package segments

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Config bounds a Store. Zero values take the defaults.
type Config struct {
	// MaxProfiles bounds the (shop, user) profiles; default 1,000,000. A
	// profile takes about 370 bytes, 590 with a cart or an order.
	MaxProfiles int
	// ShopShareBPS is the largest share of MaxProfiles that one shop may
	// take, in basis points; default 5,000 (half).
	ShopShareBPS int
	// TTLMS is how long a profile is kept after its latest event, ms; default
	// 90 days.
	TTLMS int64
	// MaxOptOuts bounds the remembered opt-outs; default 1,000,000, 40 bytes
	// each. When it is hit the oldest is forgotten, and counted.
	MaxOptOuts int
	// OptOutTTLMS is how long an opt-out is remembered, ms; default 400 days,
	// which is longer than any log is kept.
	OptOutTTLMS int64
	// Shards, a power of two, is the number of locks; default 64.
	Shards int
}

const dayMS = 86_400_000

func (c Config) withDefaults() Config {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&c.MaxProfiles, 1_000_000)
	set(&c.ShopShareBPS, 5_000)
	set(&c.MaxOptOuts, 1_000_000)
	set(&c.Shards, 64)
	if c.TTLMS == 0 {
		c.TTLMS = 90 * dayMS
	}
	if c.OptOutTTLMS == 0 {
		c.OptOutTTLMS = 400 * dayMS
	}
	return c
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Shards > 0 && c.Shards <= 4096 && c.Shards&(c.Shards-1) == 0, "shards %d is not a power of two up to 4096", c.Shards)
	check(c.MaxProfiles >= c.Shards && c.MaxProfiles <= 1<<31, "max profiles %d must be at least the number of shards (%d) and at most 2^31", c.MaxProfiles, c.Shards)
	check(c.ShopShareBPS > 0 && c.ShopShareBPS <= 10_000, "shop share %d must be 1 to 10000 basis points", c.ShopShareBPS)
	check(c.TTLMS >= 1000, "profile TTL of %d ms is below a second", c.TTLMS)
	check(c.MaxOptOuts >= c.Shards, "max opt-outs %d must be at least the number of shards (%d)", c.MaxOptOuts, c.Shards)
	check(c.OptOutTTLMS >= c.TTLMS, "the opt-out TTL must not be shorter than the profile TTL")
	return errors.Join(errs...)
}

// Store holds the profiles. One goroutine calls Apply, Sweep and Snapshot;
// any number call Lookup, LookupShop and Stats meanwhile.
//
// When a bound is hit profiles leave so: a shop over its own share loses one
// of its own. A full shard takes one from the shop that holds the most in it,
// unless the shop that wants room holds no less than its fair share (capacity
// ÷ shops), which then loses one of its own; so a shop within its fair share
// of a shard never loses a profile to another shop. Which of the shop's: the least
// useful of the evictSample that were active least recently: first those
// without cart and orders, then those with fewer views, then the oldest.
// Nothing about it is random: the same history gives the same store.
type Store struct {
	cfg    Config
	shards []shard
	cursor cursor // of Sweep
}

// NewStore returns an empty store; the error is Config.Validate's.
func NewStore(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("segments: %w", err)
	}
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, shards: make([]shard, cfg.Shards), cursor: cursor{slot: 1}}
	ceil := func(n int) int { return (n + cfg.Shards - 1) / cfg.Shards }
	for i := range s.shards {
		sh := &s.shards[i]
		sh.capacity = ceil(cfg.MaxProfiles)
		sh.quota = max(sh.capacity*cfg.ShopShareBPS/10_000, 1)
		sh.maxOptOuts = ceil(cfg.MaxOptOuts)
		sh.users = map[UserKey]uint32{}
		sh.shops = map[uint32]*shopList{}
		sh.optOuts = map[optOutKey]uint32{}
	}
	return s, nil
}

func (s *Store) shard(u UserKey) *shard {
	h := (binary.LittleEndian.Uint64(u[:8]) ^ binary.LittleEndian.Uint64(u[8:])) * 0x9e3779b97f4a7c15
	return &s.shards[h>>32&uint64(len(s.shards)-1)]
}

// Lookup appends the user's profiles to dst, sorted by shop, and returns it.
// They are copies: each as it was at one moment between two events. It
// allocates only to grow dst. Nobody has none.
func (s *Store) Lookup(u UserKey, dst []ShopProfile) []ShopProfile {
	if u.IsZero() {
		return dst
	}
	sh := s.shard(u)
	sh.mu.RLock()
	for i := sh.users[u]; i != 0; {
		r := sh.records.at(i)
		dst = append(dst, ShopProfile{Shop: r.shop})
		sh.read(r, &dst[len(dst)-1].Profile)
		i = r.next
	}
	sh.mu.RUnlock()
	return dst
}

// LookupShop copies the user's profile at one shop into p, and tells whether
// there is one.
func (s *Store) LookupShop(u UserKey, shop uint32, p *Profile) bool {
	sh := s.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	i := sh.find(u, shop)
	if i == 0 {
		return false
	}
	sh.read(sh.records.at(i), p)
	return true
}

// Sweep looks at the next n places of the store and removes what has expired
// at nowMS; it returns how many it removed. The owner calls it steadily: with
// MaxProfiles/3600 a second, everything is seen within the hour.
func (s *Store) Sweep(nowMS int64, n int) (expired int) {
	limit := nowMS/1000 - s.cfg.TTLMS/1000
	for n > 0 {
		sh := &s.shards[s.cursor.shard]
		sh.mu.Lock()
		for ; n > 0 && s.cursor.slot < sh.records.len(); n-- {
			r := sh.records.at(s.cursor.slot)
			if r.used && int64(r.Last) < limit {
				sh.remove(s.cursor.slot)
				sh.expired++
				expired++
			}
			s.cursor.slot++
		}
		done := s.cursor.slot >= sh.records.len()
		if done {
			sh.forgetOptOuts(nowMS/1000 - s.cfg.OptOutTTLMS/1000)
		}
		sh.mu.Unlock()
		if done {
			n-- // so that empty shards end the loop, too
			s.cursor = cursor{shard: (s.cursor.shard + 1) % len(s.shards), slot: 1}
		}
	}
	return expired
}

type cursor struct {
	shard int
	slot  uint32
}

// Stats is the state of a Store.
type Stats struct {
	Profiles int            // now held
	Users    int            // who have one
	Shops    map[uint32]int // profiles by shop
	OptOuts  int            // remembered
	Bytes    int64          // of slabs and maps, estimated
	Fullness float64        // Profiles ÷ MaxProfiles

	Evicted, Expired, OptedOut int64 // profiles removed: by a bound, by age, by opt-out
	Duplicates, Refused        int64 // events: delivered again; of people who opted out
	ForgottenOptOuts           int64 // by their bound
}

// Stats counts over all shards.
func (s *Store) Stats() Stats {
	st := Stats{Shops: map[uint32]int{}}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		st.Profiles += sh.count
		st.Users += len(sh.users)
		st.OptOuts += len(sh.optOuts)
		for id, l := range sh.shops {
			if l.count > 0 {
				st.Shops[id] += l.count
			}
		}
		st.Bytes += sh.bytes()
		st.Evicted += sh.evicted
		st.Expired += sh.expired
		st.OptedOut += sh.optedOut
		st.Duplicates += sh.duplicates
		st.Refused += sh.refused
		st.ForgottenOptOuts += sh.forgotten
		sh.mu.RUnlock()
	}
	st.Fullness = float64(st.Profiles) / float64(s.cfg.MaxProfiles)
	return st
}

// record is one place of a slab.
type record struct {
	key      UserKey
	shop     uint32
	next     uint32 // the user's next profile, by shop
	newer    uint32 // of the same shop and shard, by activity
	older    uint32
	shopping uint32 // in shard.shoppings; 0 if none
	used     bool
	Activity // what every visitor has
}

// shard is a part of the store under one lock.
type shard struct {
	mu         sync.RWMutex
	users      map[UserKey]uint32 // the user's first profile
	records    slab[record]
	shoppings  slab[Shopping]
	shops      map[uint32]*shopList
	optOuts    map[optOutKey]uint32 // when, in seconds
	optOrder   []optOutKey          // oldest first, from optFirst on
	optFirst   int
	count      int
	capacity   int
	quota      int
	maxOptOuts int
	watcher    Watcher
	lent       Profile // scratch of changed

	evicted, expired, optedOut, duplicates, refused, forgotten int64
	_                                                          [64]byte // shards do not share a cache line
}

// shopList is a shop's profiles in a shard by activity.
type shopList struct {
	count          int
	newest, oldest uint32
}

type optOutKey struct {
	user UserKey
	shop uint32
}

// slab holds values in chunks that never move; numbers start at 1.
type slab[T any] struct {
	chunks [][]T
	n      uint32 // places ever used
	free   []uint32
}

const chunkSize = 256

func (s *slab[T]) at(i uint32) *T { return &s.chunks[i/chunkSize][i%chunkSize] }

// len is one more than the highest number in use.
func (s *slab[T]) len() uint32 { return s.n + 1 }

func (s *slab[T]) take() uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.n++
	if int(s.n/chunkSize) >= len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, chunkSize))
	}
	return s.n
}

func (s *slab[T]) give(i uint32) {
	var zero T
	*s.at(i) = zero
	s.free = append(s.free, i)
}

func (s *slab[T]) bytes() int64 {
	var zero T
	return int64(len(s.chunks))*chunkSize*int64(unsafe.Sizeof(zero)) + 4*int64(cap(s.free))
}

func (sh *shard) bytes() int64 {
	const userEntry, optOutEntry = 28, 60 // key, value and the map's spare room
	return sh.records.bytes() + sh.shoppings.bytes() + int64(len(sh.users))*userEntry + int64(len(sh.optOuts))*optOutEntry
}

// read copies a profile out of its parts.
func (sh *shard) read(r *record, p *Profile) {
	p.Activity = r.Activity
	if r.shopping != 0 {
		p.Shopping = *sh.shoppings.at(r.shopping)
	} else {
		p.Shopping = Shopping{}
	}
}

func (sh *shard) find(u UserKey, shop uint32) uint32 {
	for i := sh.users[u]; i != 0; {
		r := sh.records.at(i)
		if r.shop == shop {
			return i
		}
		i = r.next
	}
	return 0
}
