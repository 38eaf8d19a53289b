package segments

// evictSample is among how many of the least recent the least useful is sought.
const evictSample = 8

// insert makes an empty profile, after making room for it.
func (sh *shard) insert(u UserKey, shop uint32) uint32 {
	l := sh.shops[shop]
	if l == nil {
		l = &shopList{}
		sh.shops[shop] = l
	}
	switch {
	case l.count >= sh.quota:
		sh.evict(l)
	case sh.count >= sh.capacity:
		sh.evict(sh.whoGives(l))
	}
	sh.shops[shop] = l // the eviction may have taken the shop's last profile
	i := sh.records.take()
	r := sh.records.at(i)
	r.key, r.shop, r.used = u, shop, true
	sh.chain(i, r)
	sh.pushNewest(l, i, r)
	l.count++
	sh.count++
	return i
}

// whoGives chooses the shop that loses a profile when the shard is full.
func (sh *shard) whoGives(wants *shopList) *shopList {
	shops := 0
	var most *shopList
	var mostID uint32
	for id, l := range sh.shops {
		if l.count > 0 || l == wants {
			shops++
		}
		if most == nil || l.count > most.count || l.count == most.count && id < mostID {
			most, mostID = l, id
		}
	}
	if wants.count > 0 && wants.count*shops >= sh.capacity {
		return wants
	}
	return most
}

func (sh *shard) evict(l *shopList) {
	victim := l.oldest
	for i, n := l.oldest, 0; i != 0 && n < evictSample; n++ {
		if r := sh.records.at(i); sh.lessUseful(r, sh.records.at(victim)) {
			victim = i
		}
		i = sh.records.at(i).newer
	}
	if victim != 0 {
		sh.remove(victim)
		sh.evicted++
	}
}

func (sh *shard) lessUseful(a, b *record) bool {
	if (a.shopping == 0) != (b.shopping == 0) {
		return a.shopping == 0
	}
	if a.Views != b.Views {
		return a.Views < b.Views
	}
	return a.Last < b.Last
}

// remove takes a profile out of everything.
func (sh *shard) remove(i uint32) {
	r := sh.records.at(i)
	at := sh.users[r.key]
	switch {
	case at == i && r.next == 0:
		delete(sh.users, r.key)
	case at == i:
		sh.users[r.key] = r.next
	default:
		for sh.records.at(at).next != i {
			at = sh.records.at(at).next
		}
		sh.records.at(at).next = r.next
	}
	l := sh.shops[r.shop]
	sh.unlink(l, r)
	l.count--
	if l.count == 0 {
		delete(sh.shops, r.shop)
	}
	if r.shopping != 0 {
		sh.shoppings.give(r.shopping)
	}
	key, shop := r.key, r.shop
	sh.records.give(i)
	sh.count--
	if sh.watcher != nil {
		sh.watcher.Gone(key, shop, false)
	}
}

// chain puts a profile among the user's others, by shop.
func (sh *shard) chain(i uint32, r *record) {
	head := sh.users[r.key]
	if head == 0 || sh.records.at(head).shop > r.shop {
		r.next = head
		sh.users[r.key] = i
		return
	}
	before := sh.records.at(head)
	for before.next != 0 && sh.records.at(before.next).shop < r.shop {
		before = sh.records.at(before.next)
	}
	r.next, before.next = before.next, i
}

func (sh *shard) pushNewest(l *shopList, i uint32, r *record) {
	r.older, r.newer = l.newest, 0
	if l.newest != 0 {
		sh.records.at(l.newest).newer = i
	} else {
		l.oldest = i
	}
	l.newest = i
}

func (sh *shard) unlink(l *shopList, r *record) {
	if r.newer != 0 {
		sh.records.at(r.newer).older = r.older
	} else {
		l.newest = r.older
	}
	if r.older != 0 {
		sh.records.at(r.older).newer = r.newer
	} else {
		l.oldest = r.newer
	}
}

// shopping returns the second part of a profile, made if need be.
func (sh *shard) shopping(r *record) *Shopping {
	if r.shopping == 0 {
		r.shopping = sh.shoppings.take()
	}
	return sh.shoppings.at(r.shopping)
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
