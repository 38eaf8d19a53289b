package segments

// Watcher is told what becomes of profiles, in the order in which it happens,
// by the goroutine that applies, sweeps or erases. A shard is locked
// meanwhile: a Watcher calls no method of the Store.
type Watcher interface {
	// Changed is told of a profile that is new or different. p is only lent.
	Changed(u UserKey, shop uint32, p *Profile)
	// Gone is told of a profile that was removed, and of an opt-out also
	// where there was none.
	Gone(u UserKey, shop uint32, optedOut bool)
}

// Watch makes w the store's watcher. What the store held before, w learns by
// Scan.
func (s *Store) Watch(w Watcher) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.watcher = w
		sh.mu.Unlock()
	}
}

// OptedOut tells whether a user wants nothing of a shop.
func (s *Store) OptedOut(u UserKey, shop uint32) bool {
	sh := s.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	_, out := sh.optOuts[optOutKey{u, shop}]
	return out
}

// ScanPos is a place in a Scan; its zero value is the beginning.
type ScanPos struct {
	shard int
	slot  uint32
}

// Scan looks at the next n places of the store and calls f for the profiles
// there; it tells whether it came to the end. What changes between two calls
// may be seen or not: a Watcher is told of it. f must not call the Store; p is
// only lent.
func (s *Store) Scan(pos *ScanPos, n int, f func(u UserKey, shop uint32, p *Profile)) (done bool) {
	var p Profile
	for ; pos.shard < len(s.shards); *pos = (ScanPos{shard: pos.shard + 1}) {
		sh := &s.shards[pos.shard]
		sh.mu.RLock()
		for pos.slot = max(pos.slot, 1); pos.slot < sh.records.len() && n > 0; n-- {
			if r := sh.records.at(pos.slot); r.place != 0 {
				sh.decode(r, &p)
				f(r.key, r.shop, &p)
			}
			pos.slot++
		}
		more := pos.slot < sh.records.len()
		sh.mu.RUnlock()
		if more {
			return false
		}
	}
	return true
}

// Places is how many places a Scan looks at.
func (s *Store) Places() int {
	n := 0
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		n += int(sh.records.len()) - 1
		sh.mu.RUnlock()
	}
	return n
}
