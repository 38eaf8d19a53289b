package privacy

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// Cache remembers what consent strings said, so that a string seen again is
// not read again. It is bounded in entries and in bytes, has no goroutines,
// and is safe for many. An answer is only given for the very same text and
// vendor: text is compared, not only its hash. A nil Cache remembers nothing.
type Cache struct {
	tcs  table[tcString]
	gpps table[gppString]
}

const (
	// ways is how many places a string may be in.
	ways = 4
	// maxCached is the longest string kept, in bytes: a longer one is rare,
	// and read anew each time.
	maxCached = 4 << 10
	// DefaultCacheEntries is NewCache's size for 0. With strings of the
	// usual 500 bytes a full cache holds about 20 MB.
	DefaultCacheEntries = 1 << 14
)

// NewCache makes a cache of up to entries TC strings and as many GPP strings,
// rounded up to a power of two; 0 means DefaultCacheEntries.
func NewCache(entries int) (*Cache, error) {
	if entries < 0 || entries > 1<<24 {
		return nil, fmt.Errorf("consent cache of %d entries: 0 to %d", entries, 1<<24)
	}
	if entries == 0 {
		entries = DefaultCacheEntries
	}
	n := ways
	for n < entries {
		n *= 2
	}
	c := new(Cache)
	c.tcs.open(n)
	c.gpps.open(n)
	return c, nil
}

// CacheStats is a count of what a cache did.
type CacheStats struct {
	Entries    int    // strings held now
	MaxEntries int    // and at most
	Misses     uint64 // strings that had to be read
	Evictions  uint64 // strings that made room
}

// Stats counts. It walks through the cache: for a page of metrics.
func (c *Cache) Stats() CacheStats {
	if c == nil {
		return CacheStats{}
	}
	s := CacheStats{
		MaxEntries: len(c.tcs.slots) + len(c.gpps.slots),
		Misses:     c.tcs.misses.Load() + c.gpps.misses.Load(),
		Evictions:  c.tcs.evictions.Load() + c.gpps.evictions.Load(),
	}
	s.Entries = c.tcs.held() + c.gpps.held()
	return s
}

func (c *Cache) tc(s string, vendor uint16) *tcString {
	if c == nil {
		return nil
	}
	return c.tcs.get(s, vendor)
}

func (c *Cache) keepTC(s string, vendor uint16, v *tcString) *tcString {
	if c == nil {
		return v
	}
	return c.tcs.put(s, vendor, v)
}

func (c *Cache) gpp(s string, vendor uint16) *gppString {
	if c == nil {
		return nil
	}
	return c.gpps.get(s, vendor)
}

func (c *Cache) keepGPP(s string, vendor uint16, v *gppString) *gppString {
	if c == nil {
		return v
	}
	return c.gpps.put(s, vendor, v)
}

// table is a set-associative table of strings.
type table[V any] struct {
	seed              maphash.Seed
	slots             []atomic.Pointer[entry[V]]
	misses, evictions atomic.Uint64
}

// entry is one string's. Beside used it never changes.
type entry[V any] struct {
	text   string
	hash   uint64
	vendor uint16
	used   atomic.Bool // since the set was last swept
	value  V
}

func (t *table[V]) open(n int) {
	t.seed = maphash.MakeSeed()
	t.slots = make([]atomic.Pointer[entry[V]], n)
}

// set gives a string's hash and its places.
func (t *table[V]) set(s string) (uint64, []atomic.Pointer[entry[V]]) {
	h := maphash.String(t.seed, s)
	at := int(h) & (len(t.slots) - 1) &^ (ways - 1)
	return h, t.slots[at : at+ways]
}

func (t *table[V]) get(s string, vendor uint16) *V {
	if len(s) > maxCached {
		return nil
	}
	h, set := t.set(s)
	for i := range set {
		if e := set[i].Load(); e != nil && e.hash == h && e.vendor == vendor && e.text == s {
			if !e.used.Load() { // a write only when it changes something
				e.used.Store(true)
			}
			return &e.value
		}
	}
	return nil
}

// put keeps a copy of s with v. An entry of its set that was not used since
// the last sweep makes room; if all were, the set is swept.
func (t *table[V]) put(s string, vendor uint16, v *V) *V {
	t.misses.Add(1)
	if len(s) > maxCached {
		return v
	}
	h, set := t.set(s)
	e := &entry[V]{text: strings.Clone(s), hash: h, vendor: vendor, value: *v}
	victim := -1
	for i := range set {
		old := set[i].Load()
		if old == nil && set[i].CompareAndSwap(nil, e) {
			return &e.value
		}
		if old != nil && !old.used.Load() {
			victim = i
		}
	}
	if victim < 0 {
		victim = int(h>>32) % ways
		for i := range set {
			set[i].Load().used.Store(false) // a place once taken stays taken
		}
	}
	if set[victim].Swap(e) != nil {
		t.evictions.Add(1)
	}
	return &e.value
}

func (t *table[V]) held() (n int) {
	for i := range t.slots {
		if t.slots[i].Load() != nil {
			n++
		}
	}
	return n
}
