package rules

import "github.com/grosz/grosz/segments"

// Member is what is worked out of a user at one shop: a copy.
type Member struct {
	Shop  uint32
	due   uint32 // from this second on it may be otherwise
	set   *Set
	stale *bits // slots that it does not know; nil: none
	bits  bits
}

// Has tells whether the user is in the segment of a slot, if it knows: not
// when rule is not the one that was worked out, nor from the second on at
// which time may have changed it. It is then for the caller to evaluate the
// rule.
func (m *Member) Has(slot int, rule *Rule, nowMS int64) (in, known bool) {
	if nowMS/1000 >= int64(m.due) || m.set.Rule(slot) != rule || m.stale != nil && m.stale.has(slot) {
		return false, false
	}
	return m.bits.has(slot), true
}

// Bits lends a bit per slot of the set, if all of them are known.
func (m *Member) Bits(set *Set, nowMS int64) (*[MaxSlots / 64]uint64, bool) {
	return (*[MaxSlots / 64]uint64)(&m.bits), m.set == set && m.stale == nil && nowMS/1000 < int64(m.due)
}

// Lookup appends what is worked out of a user, one Member per shop, and
// returns it. It allocates only to grow dst. Nobody has none.
func (e *Engine) Lookup(u segments.UserKey, dst []Member) []Member {
	if u.IsZero() {
		return dst
	}
	sh := e.shard(u)
	sh.mu.RLock()
	// Under the lock: no entry is then of a newer set than those seen here.
	shops := *e.shops.Load()
	for i := sh.users[u]; i != 0; {
		x := sh.at(i)
		if st := shops[x.shop]; st != nil {
			dst = append(dst, Member{Shop: x.shop, due: x.due, set: st.set})
			m := &dst[len(dst)-1]
			sh.read(x, &m.bits)
			if x.gen != st.gen {
				m.stale = st.stale
			}
		}
		i = x.next
	}
	sh.mu.RUnlock()
	return dst
}

// Size is how many users are in a segment now.
type Size struct {
	Segment uint32 `json:"segment"`
	Members int64  `json:"members"`
	// Ready tells that everybody has been worked out since the segment was
	// made or changed; before, Members is what was found so far.
	Ready bool `json:"ready"`
}

// Sizes returns the sizes of a shop's segments, by slot.
func (e *Engine) Sizes(shop uint32) []Size {
	st := e.shop(shop)
	if st == nil {
		return nil
	}
	out := make([]Size, 0, len(st.sizes))
	for slot, n := range st.sizes {
		if r := st.set.Rule(slot); r != nil {
			out = append(out, Size{Segment: r.ID, Members: n.Load(), Ready: st.stale == nil || !st.stale.has(slot)})
		}
	}
	return out
}

// Stats is the state of an Engine.
type Stats struct {
	Shops, Segments     int
	Entries, MaxEntries int
	Waiting             int   // entries that time will change
	Bytes               int64 // estimated
	Dropped             int64 // updates that had no room
	Evaluated, Expired  int64 // evaluations; those that time asked for
	Backfilling         bool
	Progress            float64 // of the backfill under way, 0 to 1; 1 without one
	Backfills           int64   // that came to their end
}

// Stats counts over all shards.
func (e *Engine) Stats() Stats {
	s := Stats{MaxEntries: e.cfg.MaxEntries, Evaluated: e.stats.evaluated.Load(), Expired: e.stats.expired.Load(), Backfills: e.stats.passes.Load()}
	for _, st := range *e.shops.Load() {
		s.Shops++
		for _, r := range st.set.rules {
			if r != nil {
				s.Segments++
			}
		}
	}
	for i := range e.shards {
		sh := &e.shards[i]
		sh.mu.RLock()
		s.Entries += sh.count
		s.Waiting += len(sh.heap)
		s.Bytes += sh.bytes()
		s.Dropped += sh.dropped
		sh.mu.RUnlock()
	}
	s.Progress, s.Backfilling = e.fill.status()
	return s
}

// LeftOut counts the updates of one shop's users for which there was no room.
func (e *Engine) LeftOut(shop uint32) (n int64) {
	for i := range e.shards {
		sh := &e.shards[i]
		sh.mu.RLock()
		if c := sh.shops[shop]; c != nil {
			n += c.dropped
		}
		sh.mu.RUnlock()
	}
	return n
}

// Doubt makes m know nothing: whoever decides about another moment, or with
// another profile, evaluates every rule.
func (m *Member) Doubt() { m.due = 0 }

// Members calls f with the users who are in a segment of a shop now, a part
// of them at a time and in no order, until f returns false. Who comes or goes
// meanwhile may be seen or not. It tells whether the shop has the segment.
func (e *Engine) Members(shop, segment uint32, f func([]segments.UserKey) bool) bool {
	st := e.shop(shop)
	slot := -1
	for i := 0; st != nil && i < st.set.Slots(); i++ {
		if r := st.set.Rule(i); r != nil && r.ID == segment {
			slot = i
		}
	}
	if slot < 0 {
		return false
	}
	rule := st.set.Rule(slot)
	const part = 4096 // places that are looked at under one lock
	users := make([]segments.UserKey, 0, part)
	for i := range e.shards {
		sh := &e.shards[i]
		for from, more := uint32(1), true; more; from += part {
			users = users[:0]
			sh.mu.RLock()
			now := e.shop(shop)
			for at := from; now != nil && at < from+part && at <= sh.n; at++ {
				users = now.ifMember(sh, sh.at(at), shop, slot, rule, users)
			}
			more = from+part <= sh.n
			sh.mu.RUnlock()
			if len(users) > 0 && !f(users) {
				return true
			}
		}
	}
	return true
}

// ifMember appends the user of an entry that is in the slot's segment.
func (st *shopState) ifMember(sh *shard, x *entry, shop uint32, slot int, rule *Rule, users []segments.UserKey) []segments.UserKey {
	if x.shop != shop || x.key.IsZero() || st.set.Rule(slot) != rule {
		return users
	}
	var b bits
	sh.read(x, &b)
	st.mask(x, &b)
	if b.has(slot) {
		users = append(users, x.key)
	}
	return users
}
