package rules

import (
	"maps"
	"math"
	"sync/atomic"

	"github.com/grosz/grosz/segments"
)

// backfill is the pass that works out everybody after segments were made or
// changed: imported lists first, then the store, then the engine's own
// entries, which may hold what nobody else does. One pass serves all shops
// that changed before it began.
type backfill struct {
	gen     uint32 // the latest given
	upTo    uint32 // gen of the sets that the pass under way serves
	wanted  bool
	running bool
	phase   int
	lists   []list
	member  int
	scan    segments.ScanPos
	shard   int
	slot    uint32
	seen    int64 // places of this phase
	share   atomic.Uint64
}

// list is a bucket of an imported list whose members are to be worked out.
type list struct {
	shop   uint32
	rule   *Rule
	bucket int
}

const (
	phaseLists = iota
	phaseStore
	phaseEntries
	numPhases
)

func (f *backfill) nextGen() uint32 {
	f.gen++
	return f.gen
}

func (f *backfill) want() {
	f.wanted = true
	if !f.running {
		f.share.Store(1) // a pass is wanted: not idle
	}
}

// status is the share that is done; idle is a share of 1.
func (f *backfill) status() (share float64, running bool) {
	b := f.share.Load()
	if b == 0 {
		return 1, false
	}
	return math.Float64frombits(b), true
}

// Backfill looks at up to n more places and tells whether there is nothing
// left to do. The owner calls it steadily.
func (e *Engine) Backfill(nowMS int64, n int) (idle bool) {
	f := &e.fill
	e.SetNow(nowMS)
	if !f.running {
		if !f.wanted {
			return true
		}
		e.startPass()
	}
	for n > 0 && f.phase < numPhases {
		did := 0
		switch f.phase {
		case phaseLists:
			did = e.fillLists(n)
		case phaseStore:
			did = e.fillStore(n)
		case phaseEntries:
			did = e.fillEntries(n)
		}
		n -= max(did, 1)
		f.seen += int64(did)
		if did == 0 {
			f.phase++
			f.seen = 0
		}
	}
	if f.phase == numPhases {
		e.endPass()
		return !f.wanted
	}
	e.noteProgress()
	return false
}

func (e *Engine) startPass() {
	f := &e.fill
	f.wanted, f.running, f.upTo, f.phase, f.seen = false, true, f.gen, 0, 0
	f.lists, f.member, f.scan, f.shard, f.slot = f.lists[:0], 0, segments.ScanPos{}, 0, 1
	for shop, st := range *e.shops.Load() {
		if st.stale == nil {
			continue
		}
		for _, slot := range st.set.imports {
			if st.stale.has(slot) {
				for b := range AudienceBuckets {
					f.lists = append(f.lists, list{shop, st.set.rules[slot], b})
				}
			}
		}
	}
}

// endPass: who is of an older set than those that it served, is so no more.
func (e *Engine) endPass() {
	f := &e.fill
	next := maps.Clone(*e.shops.Load())
	for shop, st := range next {
		if st.stale != nil && st.gen <= f.upTo {
			done := *st
			done.stale = nil
			next[shop] = &done
		}
	}
	e.shops.Store(&next)
	f.running = false
	f.lists = nil
	e.stats.passes.Add(1)
	if f.wanted {
		f.want()
		return
	}
	f.share.Store(0)
}

// behind tells whether a user's bits are of an older set, or not there.
func (e *Engine) behind(u segments.UserKey, shop uint32) bool {
	st := e.shop(shop)
	if st == nil || st.stale == nil {
		return false
	}
	sh := e.shard(u)
	i := sh.find(u, shop)
	return i == 0 || sh.at(i).gen != st.gen
}

func (e *Engine) fillLists(n int) (did int) {
	f := &e.fill
	for did < n && len(f.lists) > 0 {
		l := f.lists[0]
		u, ok := l.rule.audience.at(l.bucket, f.member)
		if !ok {
			f.lists, f.member = f.lists[1:], 0
			did++ // so that empty buckets end the call, too
			continue
		}
		if e.behind(u, l.shop) {
			e.again(u, l.shop)
		}
		f.member++
		did++
	}
	return did
}

func (e *Engine) fillStore(n int) int {
	before := e.fill.scan
	e.store.Scan(&e.fill.scan, n, func(u segments.UserKey, shop uint32, p *segments.Profile) {
		if e.behind(u, shop) {
			e.update(u, shop, p, false)
		}
	})
	if e.fill.scan == before {
		return 0
	}
	return n
}

func (e *Engine) fillEntries(n int) (did int) {
	f := &e.fill
	for ; did < n && f.shard < len(e.shards); did++ {
		sh := &e.shards[f.shard]
		if f.slot > sh.n {
			f.shard, f.slot = f.shard+1, 1
			continue
		}
		x := sh.at(f.slot)
		f.slot++
		if x.key.IsZero() {
			continue
		}
		if st := e.shop(x.shop); st == nil || st.stale != nil && x.gen != st.gen {
			e.again(x.key, x.shop)
		}
	}
	return did
}

// noteProgress estimates the share that is done.
func (e *Engine) noteProgress() {
	f := &e.fill
	total := float64(e.store.Places())
	if f.phase == phaseEntries {
		total = 0
		for i := range e.shards {
			total += float64(e.shards[i].n)
		}
	}
	part := 0.0
	if f.phase != phaseLists && total > 0 {
		part = min(float64(f.seen)/total, 1)
	}
	share := (float64(f.phase) + part) / numPhases
	f.share.Store(max(math.Float64bits(share), 1))
}
