package segments

import "slices"

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
	for i := sh.first(u); i != 0; {
		r := sh.records.at(i)
		next := r.next
		if sh.began(r) <= untilMS {
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
			if r.place == 0 {
				continue
			}
			if ms := until(r.key); ms >= 0 && sh.began(r) <= ms {
				sh.remove(at)
				n++
			}
		}
		sh.mu.Unlock()
	}
	return n
}

// began is when a profile's first event was, ms UTC.
func (sh *shard) began(r *record) int64 {
	sh.decode(r, &sh.scratch)
	return int64(sh.scratch.First) * 1000
}

// UserFromEID is the key of an extended id (OpenRTB 2.6 § 3.2.27): the same
// person at the same source has the same on every exchange.
func UserFromEID(source, id string) UserKey {
	if source == "" || id == "" || len(source) > maxID || len(id) > maxID {
		return UserKey{}
	}
	return hashed("eid", source, id, false)
}

// Aliases are the other keys that the person's profiles are joined with, at
// whichever shop; see Lookup.
func (s *Store) Aliases(u UserKey) []UserKey {
	if u.IsZero() {
		return nil
	}
	var keys []UserKey
	add := func(links *[linkKinds]link) {
		for i := range links {
			if k := links[i].key; !k.IsZero() && k != u && !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	for _, sp := range s.lookup(u, nil) {
		from := len(keys)
		add(&sp.links)
		var p Profile
		for i := from; i < len(keys) && i < from+maxKeys; i++ {
			if found, _ := s.peek(keys[i], sp.Shop, &p); found {
				add(&p.links)
			}
		}
	}
	return keys
}
