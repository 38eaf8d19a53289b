package segments

// Put makes p what the store knows of the user at a shop. It is for stores
// that play a recorded decision again: a live store is a fold of the log and
// of nothing else. The caller's goroutine is the store's only writer, as for
// Apply.
func (s *Store) Put(u UserKey, shop uint32, p *Profile) {
	if u.IsZero() || shop == 0 {
		return
	}
	sh := s.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.find(u, shop)
	if i == 0 {
		i = sh.insert(u, shop)
	}
	r := sh.records.at(i)
	r.Activity = p.Activity
	if p.Shopping != (Shopping{}) || r.shopping != 0 {
		*sh.shopping(r) = p.Shopping
	}
	sh.changed(i)
}
