package segments

// Erase removes all profiles of a person, at every shop, that hold something
// from untilMS or before, and returns how many. Opt-outs stay: they are the
// person's wish. Whoever calls Apply calls it, between two events; lookups go
// on meanwhile. Calling it again changes nothing.
func (s *Store) Erase(u UserKey, untilMS int64) (n int) {
	if u.IsZero() {
		return 0
	}
	sh := s.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := sh.users[u]; i != 0; {
		r := sh.records.at(i)
		next := r.next
		if int64(r.First)*1000 <= untilMS {
			sh.remove(i)
			n++
		}
		i = next
	}
	return n
}

// EraseWhere is Erase for everybody of whom until says so: it returns up to
// when what is held of a person is to go, -1 for not at all. It looks at every
// profile once, a shard at a time: for a store that was restored.
func (s *Store) EraseWhere(until func(u UserKey) (untilMS int64)) (n int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for at := uint32(1); at < sh.records.len(); at++ {
			r := sh.records.at(at)
			if r.used && int64(r.First)*1000 <= until(r.key) {
				sh.remove(at)
				n++
			}
		}
		sh.mu.Unlock()
	}
	return n
}

// UserFromEID is the key of an extended id (OpenRTB 2.6 § 3.2.27): the same
// person at the same source has the same on every exchange.
func UserFromEID(source, id string) UserKey {
	if source == "" || id == "" || len(source) > maxID || len(id) > maxID {
		return UserKey{}
	}
	return hashed("eid", source, id, false)
}
