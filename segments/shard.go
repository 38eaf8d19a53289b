package segments

import (
	"sync"
	"unsafe"
)

// record is one place of a shard: who, and where the packed profile is.
type record struct {
	key   UserKey
	shop  uint32
	next  uint32 // the user's next profile, by shop
	newer uint32 // of the same shop, shard and class, by activity
	older uint32
	place uint32 // in the arena; 0: the record is free
	last  uint32 // the profile's Last
	class uint8
}

// recordCharge is what a profile counts for beside its packed bytes: its
// record and its share of the index.
const recordCharge = int64(unsafe.Sizeof(record{})) + 12

// charge is what a profile with so many bytes in the arena counts for; gaps
// are a quarter of an arena at most, which is a third of what is not gap.
func charge(blob uint32) int64 { return recordCharge + int64(blob)*4/3 }

// Classes of usefulness. Of a profile of class c a second counts for 2^-decay
// of one: a cart is worth keeping 32 times as long as a passing visit.
const (
	classPassing = iota // saw one thing
	classLooking        // saw several, or searched
	classKeen           // came back for more, began to check out, converted
	classBuying         // a cart or an order
	numClasses
)

func decay(class int) uint { return [numClasses]uint{0, 1, 3, 5}[class] }

func (p *Profile) class() uint8 {
	switch {
	case p.Cart[0] != 0 || p.orders.n > 0 || p.Orders > 0:
		return classBuying
	case p.Views >= 5 || p.LastCheckout != 0 || p.Conversions[0] != 0:
		return classKeen
	case p.Views >= 2 || p.LastSearch != 0 || p.Visits >= 3:
		return classLooking
	}
	return classPassing
}

// shard is a part of the store under one lock.
type shard struct {
	mu         sync.RWMutex
	users      userIndex // the user's first profile
	records    slab[record]
	arena      arena
	shops      map[uint32]*shopList
	optOuts    map[optOutKey]uint32 // when, in seconds
	optOrder   []optOutKey          // oldest first, from optFirst on
	optFirst   int
	count      int
	charged    int64
	bounds     bounds
	maxOptOuts int
	taken      map[int]int64 // by a snapshot: first offset that is not in it

	watcher Watcher

	scratch Profile
	buf     [maxPacked]byte

	evicted, expired, optedOut, duplicates, refused, forgotten int64
	_                                                          [64]byte // shards do not share a cache line
}

// bounds of a shard, and of one shop in it.
type bounds struct {
	profiles, shopProfiles int
	bytes, shopBytes       int64
}

// shopList is a shop's profiles in a shard, by class and activity.
type shopList struct {
	count   int
	charged int64
	classes [numClasses]struct{ newest, oldest uint32 }
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
	const optOutEntry = 60 // key, value and the map's spare room
	return sh.records.bytes() + sh.arena.bytes() + sh.users.bytes() + int64(len(sh.optOuts))*optOutEntry
}

func (sh *shard) keyOf(i uint32) *UserKey { return &sh.records.at(i).key }

func (sh *shard) first(u UserKey) uint32 {
	_, i := sh.users.find(u, sh.keyOf)
	return i
}

func (sh *shard) find(u UserKey, shop uint32) uint32 {
	for i := sh.first(u); i != 0; {
		r := sh.records.at(i)
		if r.shop == shop {
			return i
		}
		i = r.next
	}
	return 0
}

// decode copies a profile out. What the store packed itself can be unpacked.
func (sh *shard) decode(r *record, p *Profile) { _ = p.unpack(sh.arena.get(r.place), r.last) }

// keep makes p what is known of the user at a shop; i is the record, 0 if
// there is none yet.
func (sh *shard) keep(i uint32, u UserKey, shop uint32, p *Profile) {
	sh.keepPacked(i, u, shop, p.pack(sh.buf[:0]), p.Last, p.class())
	if sh.watcher != nil {
		sh.watcher.Changed(u, shop, p)
	}
}

func (sh *shard) keepPacked(i uint32, u UserKey, shop uint32, data []byte, last uint32, class uint8) {
	l := sh.shops[shop]
	if l == nil {
		l = &shopList{}
		sh.shops[shop] = l
	}
	fresh, more := i == 0, charge(blobSize(len(data)))
	if !fresh {
		r := sh.records.at(i)
		more -= charge(sh.arena.size(r.place))
		sh.unlink(l, r)
	}
	sh.makeRoom(l, fresh, more, last)
	if fresh {
		i = sh.records.take()
		*sh.records.at(i) = record{key: u, shop: shop}
		sh.chain(i, sh.records.at(i))
		l.count++
		sh.count++
		sh.charged, l.charged = sh.charged+charge(0), l.charged+charge(0)
	}
	r := sh.records.at(i)
	before := sh.arena.size(r.place)
	r.place = sh.arena.put(i, r.place, data)
	after := sh.arena.size(r.place)
	sh.charged += charge(after) - charge(before)
	l.charged += charge(after) - charge(before)
	r.last, r.class = last, class
	sh.pushNewest(l, i, r)
	sh.tidy()
}

func (sh *shard) tidy() {
	sh.arena.tidy(
		func(owner, place uint32) bool { return owner < sh.records.len() && sh.records.at(owner).place == place },
		func(owner, place uint32) { sh.records.at(owner).place = place })
}

// makeRoom lets profiles go until one that brings more fits: of the shop
// itself while it is over its share, then of whoever has to give. The record
// that grows is not in a list meanwhile, and so stays.
func (sh *shard) makeRoom(l *shopList, fresh bool, more int64, now uint32) {
	n := 0
	if fresh {
		n = 1
	}
	if more <= 0 {
		return
	}
	b := &sh.bounds
	for l.count+n > b.shopProfiles || l.charged+more > b.shopBytes {
		if !sh.evict(l, now) {
			break
		}
	}
	for {
		byCount, byBytes := sh.count+n > b.profiles, sh.charged+more > b.bytes
		if !byCount && !byBytes || !sh.evict(sh.whoGives(l, byCount), now) {
			return
		}
	}
}

// whoGives chooses the shop that loses a profile when the shard is full: the
// largest, unless the one that wants room has its fair share or more.
func (sh *shard) whoGives(wants *shopList, byCount bool) *shopList {
	weight, whole := func(l *shopList) int64 { return l.charged }, sh.bounds.bytes
	if byCount {
		weight, whole = func(l *shopList) int64 { return int64(l.count) }, int64(sh.bounds.profiles)
	}
	shops := int64(0)
	var most *shopList
	var mostID uint32
	for id, l := range sh.shops {
		if l.count > 0 || l == wants {
			shops++
		}
		if most == nil || weight(l) > weight(most) || weight(l) == weight(most) && id < mostID {
			most, mostID = l, id
		}
	}
	if wants.count > 0 && weight(wants)*shops >= whole {
		return wants
	}
	return most
}

// evict lets the shop's least useful profile go: of each class the one that
// was active least recently is weighed by its age and class. Nothing about it
// is random.
func (sh *shard) evict(l *shopList, now uint32) bool {
	victim, worst := uint32(0), int64(-1)
	for class := range l.classes {
		i := l.classes[class].oldest
		if i == 0 {
			continue
		}
		age := max(int64(now)-int64(sh.records.at(i).last), 0) >> decay(class)
		if age > worst {
			victim, worst = i, age
		}
	}
	if victim == 0 {
		return false
	}
	sh.remove(victim)
	sh.evicted++
	return true
}

// remove takes a profile out of everything.
func (sh *shard) remove(i uint32) {
	r := sh.records.at(i)
	at := sh.first(r.key)
	switch {
	case at == i && r.next == 0:
		sh.users.remove(r.key, sh.keyOf)
	case at == i:
		sh.users.set(r.key, r.next, sh.keyOf)
	default:
		for sh.records.at(at).next != i {
			at = sh.records.at(at).next
		}
		sh.records.at(at).next = r.next
	}
	l := sh.shops[r.shop]
	sh.unlink(l, r)
	c := charge(sh.arena.size(r.place))
	l.count--
	l.charged -= c
	sh.arena.drop(r.place)
	key, shop := r.key, r.shop
	sh.records.give(i)
	sh.count--
	sh.charged -= c
	if sh.watcher != nil {
		sh.watcher.Gone(key, shop, false)
	}
}

// chain puts a profile among the user's others, by shop.
func (sh *shard) chain(i uint32, r *record) {
	head := sh.first(r.key)
	if head == 0 || sh.records.at(head).shop > r.shop {
		r.next = head
		sh.users.set(r.key, i, sh.keyOf)
		return
	}
	before := sh.records.at(head)
	for before.next != 0 && sh.records.at(before.next).shop < r.shop {
		before = sh.records.at(before.next)
	}
	r.next, before.next = before.next, i
}

func (sh *shard) pushNewest(l *shopList, i uint32, r *record) {
	c := &l.classes[r.class]
	r.older, r.newer = c.newest, 0
	if c.newest != 0 {
		sh.records.at(c.newest).newer = i
	} else {
		c.oldest = i
	}
	c.newest = i
}

func (sh *shard) unlink(l *shopList, r *record) {
	c := &l.classes[r.class]
	if r.newer != 0 {
		sh.records.at(r.newer).older = r.older
	} else {
		c.newest = r.older
	}
	if r.older != 0 {
		sh.records.at(r.older).newer = r.newer
	} else {
		c.oldest = r.newer
	}
}

// optOut remembers that a user wants nothing of a shop.
func (sh *shard) optOut(k optOutKey, at uint32) {
	if _, known := sh.optOuts[k]; !known {
		if len(sh.optOuts) >= sh.maxOptOuts {
			sh.dropOldestOptOut()
			sh.forgotten++
		}
		sh.optOrder = append(sh.optOrder, k)
	}
	sh.optOuts[k] = max(sh.optOuts[k], at)
}

func (sh *shard) dropOldestOptOut() {
	delete(sh.optOuts, sh.optOrder[sh.optFirst])
	if sh.optFirst++; sh.optFirst*2 > len(sh.optOrder) {
		sh.optOrder = append(sh.optOrder[:0], sh.optOrder[sh.optFirst:]...)
		sh.optFirst = 0
	}
}

// forgetOptOuts drops those from before limit (seconds), oldest first.
func (sh *shard) forgetOptOuts(limit int64) {
	for sh.optFirst < len(sh.optOrder) && int64(sh.optOuts[sh.optOrder[sh.optFirst]]) < limit {
		sh.dropOldestOptOut()
	}
}
