package segments

// EraseShop is Erase for what one shop holds of a person; it tells whether
// there was anything.
func (s *Store) EraseShop(u UserKey, shop uint32, untilMS int64) bool {
	if u.IsZero() {
		return false
	}
	sh := s.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.find(u, shop)
	if i == 0 || int64(sh.records.at(i).First)*1000 > untilMS {
		return false
	}
	sh.remove(i)
	return true
}
