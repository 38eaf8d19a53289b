package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	mathbits "math/bits"
	"sync/atomic"

	"github.com/grosz/grosz/segments"
)

// Config bounds an Engine. Zero values take the defaults.
type Config struct {
	// MaxEntries bounds the (shop, user) pairs whose bits are kept; default
	// 2,000,000, about 80 bytes each. Who does not fit is evaluated from
	// scratch by each bid, and not in the sizes; counted. A shop that has less
	// than its fair share, the bound ÷ shops, takes the place of one of the
	// shop that has most.
	MaxEntries int
	// Shards, a power of two, is the number of locks; default 64.
	Shards int
}

func (c Config) withDefaults() Config {
	if c.MaxEntries == 0 {
		c.MaxEntries = 2_000_000
	}
	if c.Shards == 0 {
		c.Shards = 64
	}
	return c
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Shards < 0 || c.Shards > 4096 || c.Shards&(c.Shards-1) != 0 {
		errs = append(errs, fmt.Errorf("shards %d is not a power of two up to 4096", c.Shards))
	}
	if c.MaxEntries < c.Shards {
		errs = append(errs, fmt.Errorf("max entries %d must be at least the number of shards (%d)", c.MaxEntries, c.Shards))
	}
	return errors.Join(errs...)
}

// Barred tells whether what was known of a user at that second must not be
// used any more, at any shop: the person asked to be forgotten.
type Barred func(u segments.UserKey, atS uint32) bool

// Engine keeps the bits. One goroutine at a time calls what changes it, and
// the same that changes the store: it is the store's Watcher. Any number call
// Lookup and Sizes.
type Engine struct {
	cfg    Config
	store  *segments.Store
	barred Barred
	shops  atomic.Pointer[map[uint32]*shopState] // copied on write
	shards []shard
	nowS   int64 // of the latest change
	eval   evaluator
	fill   backfill
	stats  counters
}

// counters are read by any goroutine.
type counters struct{ evaluated, expired, passes atomic.Int64 }

// shopState is what is in force at a shop, immutable but for the sizes.
type shopState struct {
	set *Set
	gen uint32
	// stale are the slots that entries of an older gen have not seen; nil
	// once everybody has been worked out.
	stale *bits
	sizes []*atomic.Int64 // by slot
}

// New returns an engine over a store and becomes its watcher. barred may be
// nil.
func New(cfg Config, store *segments.Store, barred Barred) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("segments: %w", err)
	}
	cfg = cfg.withDefaults()
	e := &Engine{cfg: cfg, store: store, barred: barred, shards: make([]shard, cfg.Shards)}
	for i := range e.shards {
		e.shards[i].users = map[segments.UserKey]uint32{}
		e.shards[i].shops = map[uint32]*shopCount{}
	}
	e.shops.Store(&map[uint32]*shopState{})
	store.Watch(e)
	return e, nil
}

func (e *Engine) shard(u segments.UserKey) *shard {
	h := (binary.LittleEndian.Uint64(u[:8]) ^ binary.LittleEndian.Uint64(u[8:])) * 0x9e3779b97f4a7c15
	return &e.shards[h>>32&uint64(len(e.shards)-1)]
}

func (e *Engine) shop(id uint32) *shopState { return (*e.shops.Load())[id] }

// Install puts a shop's rules in force; nil takes them away. Who is in a new
// or changed segment is worked out by Backfill, and by what happens meanwhile.
func (e *Engine) Install(shop uint32, set *Set) {
	old := e.shop(shop)
	if old == nil && set == nil || old != nil && old.set == set {
		return
	}
	next := maps.Clone(*e.shops.Load())
	if set == nil {
		delete(next, shop)
	} else {
		next[shop] = nextState(old, set, e.fill.nextGen())
	}
	e.shops.Store(&next)
	e.fill.want()
}

// nextState keeps what is known of slots that did not change.
func nextState(old *shopState, set *Set, gen uint32) *shopState {
	st := &shopState{set: set, gen: gen, stale: &bits{}}
	if old == nil {
		// Entries of a set that was taken away may still be there.
		for w := range st.stale {
			st.stale[w] = ^uint64(0)
		}
	} else {
		*st.stale = set.changed(old.set)
		for w := range st.stale {
			if old.stale != nil {
				st.stale[w] |= old.stale[w]
			}
		}
	}
	st.sizes = make([]*atomic.Int64, set.Slots())
	for slot := range st.sizes {
		if old != nil && slot < len(old.sizes) && !st.stale.has(slot) {
			st.sizes[slot] = old.sizes[slot]
		} else {
			st.sizes[slot] = new(atomic.Int64)
		}
	}
	return st
}

// Changed is told by the store of a profile that is new or different.
func (e *Engine) Changed(u segments.UserKey, shop uint32, p *segments.Profile) {
	e.update(u, shop, p, false)
}

// Gone is told by the store of a profile that was removed.
func (e *Engine) Gone(u segments.UserKey, shop uint32, optedOut bool) {
	e.update(u, shop, nil, optedOut)
}

// SetNow tells the time, ms UTC: what changes from here on is worked out for
// it. It never goes back.
func (e *Engine) SetNow(nowMS int64) { e.nowS = max(e.nowS, nowMS/1000) }

// update works out all bits of a user at a shop and books the difference.
func (e *Engine) update(u segments.UserKey, shop uint32, p *segments.Profile, optedOut bool) {
	st := e.shop(shop)
	sh := e.shard(u)
	i := sh.find(u, shop)
	if st == nil {
		if i != 0 {
			sh.mu.Lock()
			sh.remove(i)
			sh.mu.Unlock()
		}
		return
	}
	var now bits
	due := uint32(segments.Never)
	if !optedOut {
		now, due = e.eval.evaluate(st.set, u, p, e.nowS, e.barredOf(u))
		e.stats.evaluated.Add(1)
	}
	keep := p != nil || now != bits{}
	if i == 0 && !keep {
		return
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i == 0 {
		if most := e.cfg.MaxEntries / len(e.shards); sh.count >= most && !e.makeRoom(sh, shop, most) {
			sh.dropped++
			sh.shop(shop).dropped++
			return
		}
		i = sh.insert(u, shop)
		sh.at(i).gen = st.gen
	}
	x := sh.at(i)
	st.book(sh, x, &now)
	if !keep {
		sh.remove(i)
		return
	}
	sh.write(x, &now)
	x.gen = st.gen
	sh.schedule(i, due)
}

// makeRoom takes an entry of the shop that has the most of a full shard, for
// one that has less than its fair share; false for one that has not. The shard
// is locked.
func (e *Engine) makeRoom(sh *shard, shop uint32, most int) bool {
	mine, others, largest, victim := sh.shop(shop).n, 1, 0, uint32(0)
	for id, c := range sh.shops {
		if id == shop || c.n == 0 {
			continue
		}
		others++
		if c.n > largest || c.n == largest && id < victim {
			largest, victim = c.n, id
		}
	}
	if mine >= most/others || largest <= mine {
		return false
	}
	for {
		if sh.hand++; sh.hand > sh.n {
			sh.hand = 1
		}
		if x := sh.at(sh.hand); x.shop == victim && !x.key.IsZero() {
			if st := e.shop(victim); st != nil {
				st.book(sh, x, &bits{})
			}
			sh.remove(sh.hand)
			sh.dropped++
			sh.shop(victim).dropped++
			return true
		}
	}
}

// book moves the sizes by the difference between an entry's bits and new ones.
func (st *shopState) book(sh *shard, x *entry, now *bits) {
	var was bits
	sh.read(x, &was)
	st.mask(x, &was)
	for w := range was {
		for d := was[w] ^ now[w]; d != 0; d &= d - 1 {
			slot := w<<6 + mathbits.TrailingZeros64(d)
			if now.has(slot) {
				st.sizes[slot].Add(1)
			} else {
				st.sizes[slot].Add(-1)
			}
		}
	}
}

// mask clears what an entry of an older set cannot know.
func (st *shopState) mask(x *entry, b *bits) {
	if x.gen == st.gen || st.stale == nil {
		return
	}
	for w := range b {
		b[w] &^= st.stale[w]
	}
}

func (e *Engine) barredOf(u segments.UserKey) func(atS uint32) bool {
	if e.barred == nil {
		return nil
	}
	return func(atS uint32) bool { return e.barred(u, atS) }
}

// Forget works out again what imported lists say of a user: for one who asked
// to be forgotten. The profiles are the store's to remove.
func (e *Engine) Forget(u segments.UserKey) {
	sh := e.shard(u)
	var shops []uint32
	for i := sh.users[u]; i != 0; i = sh.at(i).next {
		shops = append(shops, sh.at(i).shop)
	}
	for _, shop := range shops {
		e.again(u, shop)
	}
}

// again works out a user from what the store holds.
func (e *Engine) again(u segments.UserKey, shop uint32) {
	var p segments.Profile
	if e.store.LookupShop(u, shop, &p) {
		e.update(u, shop, &p, false)
		return
	}
	e.update(u, shop, nil, e.store.OptedOut(u, shop))
}

// Tick moves the time on and works out again up to n users for whom it
// changes something; it returns how many.
func (e *Engine) Tick(nowMS int64, n int) (done int) {
	e.SetNow(nowMS)
	for i := range e.shards {
		sh := &e.shards[i]
		for done < n && len(sh.heap) > 0 {
			x := sh.at(sh.heap[0])
			if int64(x.due) > e.nowS {
				break
			}
			e.again(x.key, x.shop)
			done++
		}
	}
	e.stats.expired.Add(int64(done))
	return done
}
