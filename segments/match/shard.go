package match

import (
	"sync"

	"github.com/grosz/grosz/events"
)

// slot is one match; a zero uid is an empty slot.
type slot struct {
	key  key
	uid  events.ID
	seen uint32 // seconds since the epoch of the latest sync
}

// shard is a part of the table: open addressing with linear probing in one
// flat slice without pointers, which the collector does not walk.
type shard struct {
	mu    sync.RWMutex
	slots []slot
	n     int
	max   int
	_     [64]byte // shards do not share a cache line
}

const (
	minSlots    = 16
	evictSample = 8
)

// find returns the slot's place and whether k is there; otherwise the place is
// where it would go.
func (sh *shard) find(k key) (int, bool) {
	mask := len(sh.slots) - 1
	for i := int(k.b) & mask; ; i = (i + 1) & mask {
		if s := &sh.slots[i]; s.uid.IsZero() || s.key == k {
			return i, !s.uid.IsZero()
		}
	}
}

// put stores s and tells whether another had to give way.
func (sh *shard) put(s slot) (evicted bool) {
	if len(sh.slots) == 0 {
		sh.slots = make([]slot, minSlots)
	}
	i, there := sh.find(s.key)
	if !there && sh.n >= sh.max {
		sh.evict(int(s.key.b))
		evicted = true
		i, _ = sh.find(s.key)
	}
	if !there && (sh.n+1)*4 > len(sh.slots)*3 {
		sh.grow(2 * len(sh.slots))
		i, _ = sh.find(s.key)
	}
	if !there {
		sh.n++
	}
	sh.slots[i] = s
	return evicted
}

func (sh *shard) grow(n int) {
	old := sh.slots
	sh.slots = make([]slot, n)
	for i := range old {
		if !old[i].uid.IsZero() {
			at, _ := sh.find(old[i].key)
			sh.slots[at] = old[i]
		}
	}
}

// evict removes the one unseen for longest among a few that lie near the
// place: where that is, is as good as random.
func (sh *shard) evict(near int) {
	mask, victim, looked := len(sh.slots)-1, -1, 0
	for i := range len(sh.slots) {
		at := (near + i) & mask
		if sh.slots[at].uid.IsZero() {
			continue
		}
		if victim < 0 || sh.slots[at].seen < sh.slots[victim].seen {
			victim = at
		}
		if looked++; looked == evictSample {
			break
		}
	}
	if victim >= 0 {
		sh.remove(victim)
	}
}

// remove empties a slot and moves up those behind it that had been pushed on
// (Knuth, TAOCP 3, 6.4, algorithm R), so that no tombstones are left.
func (sh *shard) remove(i int) {
	mask := len(sh.slots) - 1
	for j := i; ; {
		j = (j + 1) & mask
		s := &sh.slots[j]
		if s.uid.IsZero() {
			break
		}
		home := int(s.key.b) & mask
		if (j-home)&mask >= (j-i)&mask { // its home is at or before the hole
			sh.slots[i] = *s
			i = j
		}
	}
	sh.slots[i] = slot{}
	sh.n--
}

// removeWhere removes all that drop says, and calls it once for each.
func (sh *shard) removeWhere(drop func(*slot) bool) (n int) {
	if len(sh.slots) == 0 {
		return 0
	}
	// Removing moves others: begin behind an empty slot, so that none that
	// wraps around is missed.
	mask, start := len(sh.slots)-1, 0
	for !sh.slots[start].uid.IsZero() {
		start++
	}
	for i := range len(sh.slots) {
		at := (start + i) & mask
		for !sh.slots[at].uid.IsZero() && drop(&sh.slots[at]) {
			sh.remove(at)
			n++
		}
	}
	return n
}
