package pacing

// What a bid sets aside ends at a moment of this node's clock. When that clock
// is set, the ends move along: else a step forth would let go what bids that
// are still out may cost, and a step back would keep it for as long.

// ClockSet moves the ends of holds. The clock now stands at nowMS and was set
// by byMS since it was looked at last, a moment ago. Holds of this moment were
// made by the new time.
func (b *Book) ClockSet(nowMS, byMS int64) {
	const moment = 1000
	for i := range b.holds {
		s := &b.holds[i]
		s.mu.Lock()
		for k, h := range s.byID {
			made := h.madeMS != 0
			if made && max(nowMS-h.madeMS, h.madeMS-nowMS) <= moment {
				continue
			}
			h.expires += byMS
			if made {
				h.madeMS += byMS
			}
			s.byID[k] = h
		}
		s.mu.Unlock()
	}
}

// ClockSet moves the ends of the leases.
func (w *Wallet) ClockSet(byMS int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.leases {
		w.leases[i].untilMS += byMS
	}
}

// ClockSet moves the ends of open bids.
func (f *Frequency) ClockSet(byMS int64) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, list := range s.open {
			for k := range list {
				list[k].expireMS += byMS
			}
		}
		s.mu.Unlock()
	}
}

// ClockSet moves the ends of open bids.
func (s *Shown) ClockSet(byMS int64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for _, c := range sh.m {
			for k := range c.opened[:c.nOpen] {
				c.opened[k].expireMS += byMS
			}
		}
		sh.mu.Unlock()
	}
}
