package pacing

// eraseStep is how many pairs are looked at under a lock at once: bids wait
// no longer than that.
const eraseStep = 512

// Erase forgets the counts of people, by their shops' pseudonyms, and returns
// how many pairs of person and campaign there were. It looks at every pair,
// so bring many people at once; counting goes on meanwhile. 0 is nobody.
func (f *Frequency) Erase(users map[uint64]struct{}) (n int) {
	var here [holdShards]bool
	for u := range users {
		here[u%holdShards] = u != 0 || here[u%holdShards]
	}
	for i := range f.shards {
		if !here[i] {
			continue
		}
		s := &f.shards[i]
		s.mu.Lock()
		for u := range users {
			if _, ok := s.open[u]; ok {
				s.forget(u)
				f.opens.Add(-1)
			}
		}
		looked := 0
		// The lock is given up between two steps of the loop: each step of a
		// range over a map runs under it, and a map may change between them.
		for k := range s.m {
			if _, gone := users[k.user]; gone && k.user != 0 {
				f.remove(s, k)
				n++
			}
			if looked++; looked%eraseStep == 0 {
				s.mu.Unlock()
				s.mu.Lock()
			}
		}
		s.mu.Unlock()
	}
	return n
}
