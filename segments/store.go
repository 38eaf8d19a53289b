package segments

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/grosz/grosz/events"
)

// Config bounds a Store. Zero values take the defaults.
type Config struct {
	// MaxProfiles bounds the (shop, user) profiles; default 1,000,000.
	MaxProfiles int
	// MaxBytes bounds the memory of the profiles, opt-outs aside; default 400
	// for each of MaxProfiles. A passing visit takes about 120 bytes, a person
	// of whom everything that is remembered is full about 1,000.
	MaxBytes int64
	// ShopShareBPS is the largest share of MaxProfiles and of MaxBytes that
	// one shop may take, in basis points; default 5,000 (half).
	ShopShareBPS int
	// TTLMS is how long a profile is kept after its latest event, ms; default
	// 90 days.
	TTLMS int64
	// BuyerTTLMS is TTLMS of those who bought: default 730 days, so that who
	// has not come back for a year can be told. Never less than TTLMS.
	BuyerTTLMS int64
	// MaxOptOuts bounds the remembered opt-outs; default 1,000,000, 40 bytes
	// each. When it is hit the oldest is forgotten, and counted.
	MaxOptOuts int
	// OptOutTTLMS is how long an opt-out is remembered, ms; default 800 days,
	// which is longer than any log is kept, and than a backfill reaches back.
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
	if c.MaxBytes == 0 {
		c.MaxBytes = 400 * int64(c.MaxProfiles)
	}
	if c.TTLMS == 0 {
		c.TTLMS = 90 * dayMS
	}
	if c.OptOutTTLMS == 0 {
		c.OptOutTTLMS = 800 * dayMS
	}
	if c.BuyerTTLMS == 0 {
		c.BuyerTTLMS = 730 * dayMS
	}
	c.BuyerTTLMS = max(c.BuyerTTLMS, c.TTLMS)
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
	check(c.MaxBytes >= 1, "max bytes %d must be positive", c.MaxBytes)
	check(c.ShopShareBPS > 0 && c.ShopShareBPS <= 10_000, "shop share %d must be 1 to 10000 basis points", c.ShopShareBPS)
	check(c.TTLMS >= 1000, "profile TTL of %d ms is below a second", c.TTLMS)
	check(c.MaxOptOuts >= c.Shards, "max opt-outs %d must be at least the number of shards (%d)", c.MaxOptOuts, c.Shards)
	check(c.OptOutTTLMS >= c.TTLMS, "the opt-out TTL must not be shorter than the profile TTL")
	return errors.Join(errs...)
}

// Store holds the profiles. One goroutine calls Apply, Sweep and Snapshot;
// any number call Lookup, LookupShop and Stats meanwhile.
//
// When a bound is hit, in profiles or in bytes, profiles leave so: a shop over
// its own share loses one of its own. A full shard takes one from the shop
// that holds the most in it, unless the shop that wants room holds no less
// than its fair share (the bound ÷ shops), which then loses one of its own; so
// a shop within its fair share of a shard never loses a profile to another
// shop. Which of the shop's: the one whose age counts for the most, where the
// age of a cart or a buyer counts for a thirty-second of a passing visitor's.
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
		sh.bounds = bounds{profiles: ceil(cfg.MaxProfiles), bytes: cfg.MaxBytes / int64(cfg.Shards)}
		sh.bounds.shopProfiles = max(sh.bounds.profiles*cfg.ShopShareBPS/10_000, 1)
		share := int64(cfg.ShopShareBPS)
		sh.bounds.shopBytes = sh.bounds.bytes/10_000*share + sh.bounds.bytes%10_000*share/10_000
		sh.maxOptOuts = ceil(cfg.MaxOptOuts)
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
// They are copies, each as it was at one moment between two events, joined
// with what the shop knows of the person under other keys (identify events).
// It allocates only to grow dst. Nobody has none.
func (s *Store) Lookup(u UserKey, dst []ShopProfile) []ShopProfile {
	if u.IsZero() {
		return dst
	}
	start := len(dst)
	dst = s.lookup(u, dst)
	n := start
	for i := start; i < len(dst); i++ {
		if dst[i].links != [linkKinds]link{} && !s.join(u, &dst[i]) {
			continue
		}
		if n != i {
			dst[n] = dst[i]
		}
		n++
	}
	return dst[:n]
}

func (s *Store) lookup(u UserKey, dst []ShopProfile) []ShopProfile {
	sh := s.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for i := sh.first(u); i != 0; {
		r := sh.records.at(i)
		if len(dst) < cap(dst) {
			dst = dst[:len(dst)+1]
		} else {
			dst = append(dst, ShopProfile{})
		}
		sp := &dst[len(dst)-1]
		sp.Shop, sp.Linked = r.shop, false
		sh.decode(r, &sp.Profile)
		i = r.next
	}
	return dst
}

// LookupShop copies the user's profile at one shop into p, joined as by
// Lookup, and tells whether there is one.
func (s *Store) LookupShop(u UserKey, shop uint32, p *Profile) bool {
	sp := ShopProfile{Shop: shop}
	found, out := s.peek(u, shop, &sp.Profile)
	if !found || out || sp.links != [linkKinds]link{} && !s.join(u, &sp) {
		return false
	}
	*p = sp.Profile
	return true
}

// IsLinked tells whether an identify event has joined alias with the user's
// profile at a shop; kind is events.AliasVisitor or events.AliasCustomer.
func (s *Store) IsLinked(u UserKey, shop uint32, kind string, alias UserKey) bool {
	var p Profile
	if found, _ := s.peek(u, shop, &p); !found {
		return false
	}
	if kind == events.AliasVisitor {
		return p.links[linkVisitor].key == alias
	}
	return p.links[linkCustomer].key == alias
}

// Sweep looks at the next n places of the store and removes what has expired
// at nowMS; it returns how many it removed. The owner calls it steadily: with
// MaxProfiles/3600 a second, everything is seen within the hour.
func (s *Store) Sweep(nowMS int64, n int) (expired int) {
	limit, buyers := (nowMS-s.cfg.TTLMS)/1000, (nowMS-s.cfg.BuyerTTLMS)/1000
	for n > 0 {
		sh := &s.shards[s.cursor.shard]
		sh.mu.Lock()
		for ; n > 0 && s.cursor.slot < sh.records.len(); n-- {
			r := sh.records.at(s.cursor.slot)
			if r.place != 0 && int64(r.last) < limit && (int64(r.last) < buyers || !sh.bought(r)) {
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

// bought tells whether a profile has an order.
func (sh *shard) bought(r *record) bool {
	if r.class != classBuying {
		return false
	}
	sh.decode(r, &sh.scratch)
	return sh.scratch.orders.n > 0 || sh.scratch.orders.oldCount > 0
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
	Bytes    int64          // of memory
	Charged  int64          // what the profiles count for, of MaxBytes
	Fullness float64        // of the bound that is nearer: Profiles ÷ MaxProfiles or Charged ÷ MaxBytes

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
		st.Users += sh.users.n
		st.OptOuts += len(sh.optOuts)
		for id, l := range sh.shops {
			if l.count > 0 {
				st.Shops[id] += l.count
			}
		}
		st.Bytes += sh.bytes()
		st.Charged += sh.charged
		st.Evicted += sh.evicted
		st.Expired += sh.expired
		st.OptedOut += sh.optedOut
		st.Duplicates += sh.duplicates
		st.Refused += sh.refused
		st.ForgottenOptOuts += sh.forgotten
		sh.mu.RUnlock()
	}
	st.Fullness = max(float64(st.Profiles)/float64(s.cfg.MaxProfiles), float64(st.Charged)/float64(s.cfg.MaxBytes))
	return st
}
