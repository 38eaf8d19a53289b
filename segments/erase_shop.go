package segments

// EraseShop is Erase for what one shop holds of a person, under all of the
// keys that it joined; it tells whether there was anything.
func (s *Store) EraseShop(u UserKey, shop uint32, untilMS int64) (erased bool) {
	if u.IsZero() {
		return false
	}
	for _, k := range append(s.Aliases(u), u) {
		if s.eraseAt(k, shop, untilMS) {
			erased = true
		}
	}
	return erased
}

func (s *Store) eraseAt(u UserKey, shop uint32, untilMS int64) bool {
	sh := s.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.find(u, shop)
	if i == 0 || sh.began(sh.records.at(i)) > untilMS {
		return false
	}
	sh.remove(i)
	return true
}
