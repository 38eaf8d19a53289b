package bidder

import (
	"math"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
)

// leaseSchedule knows which campaigns are to be looked at, and when: a list of
// those that are due, and a heap of the others by their time. Both are bounded
// by the campaigns. The desk's lock is held.
type leaseSchedule struct {
	state *State // whose campaigns are known
	shops map[uint32]*leaseShop
	due   []*want
	heap  []*want
	turns uint64

	stirred []*pacing.Account    // scratch
	closed  []pacing.LeaseReturn // scratch
	spare   []*want
}

// leaseShop are a shop's campaigns that need leases.
type leaseShop struct {
	wants   []*want
	dearest money.Nano // bid of any of them
}

func newLeaseSchedule() leaseSchedule { return leaseSchedule{shops: map[uint32]*leaseShop{}} }

// adopt takes over the campaigns of a new State: each is looked at.
func (d *leaseDesk) adopt(s *State) {
	if s == d.sched.state {
		return
	}
	d.sched.state = s
	for _, w := range d.wants {
		w.c = nil
	}
	clear(d.sched.shops)
	for i, c := range s.Snapshot.Campaigns {
		if !limited(c) {
			continue
		}
		w := d.wants[c.ID]
		if w == nil {
			w = &want{account: s.accounts[i], place: -1}
			d.wants[c.ID] = w
		}
		w.c, w.shop, w.dearest = c, c.ShopID, dearestBid(c)
		shop := d.sched.shops[c.ShopID]
		if shop == nil {
			shop = &leaseShop{}
			d.sched.shops[c.ShopID] = shop
		}
		shop.wants, shop.dearest = append(shop.wants, w), max(shop.dearest, w.dearest)
	}
	for _, w := range d.wants {
		d.sched.soon(w) // those that are gone may have something to give back
	}
}

// of are the campaigns of a shop.
func (s *leaseSchedule) of(shop uint32) []*want {
	if known := s.shops[shop]; known != nil {
		return known.wants
	}
	return nil
}

// freeMoved has a shop's campaigns looked at where what it may still spend
// decides what they may do.
func (s *leaseSchedule) freeMoved(shop uint32, before, after money.Nano) {
	known := s.shops[shop]
	if known == nil || before == after || min(before, after) > known.dearest {
		return
	}
	for _, w := range known.wants {
		s.soon(w)
	}
}

// soon has a campaign looked at in the next turn.
func (s *leaseSchedule) soon(w *want) {
	if w != nil && !w.now {
		w.now = true
		s.due = append(s.due, w)
	}
}

// at has a campaign looked at from a moment on.
func (s *leaseSchedule) at(w *want, ms int64) {
	s.remove(w)
	if ms == math.MaxInt64 {
		return
	}
	w.dueMS, w.place = ms, len(s.heap)
	s.heap = append(s.heap, w)
	s.up(w.place)
}

// take returns who is to be looked at now; the list is valid until the next
// call.
func (s *leaseSchedule) take(now int64) []*want {
	for len(s.heap) > 0 && s.heap[0].dueMS <= now {
		w := s.heap[0]
		s.remove(w)
		s.soon(w)
	}
	out := s.due
	s.due, s.spare = s.spare[:0], out
	for _, w := range out {
		w.now = false
	}
	return out
}

func (s *leaseSchedule) remove(w *want) {
	i := w.place
	if i < 0 {
		return
	}
	last := len(s.heap) - 1
	s.swap(i, last)
	s.heap[last] = nil
	s.heap, w.place = s.heap[:last], -1
	if i < last {
		s.up(i)
		s.down(i)
	}
}

func (s *leaseSchedule) swap(i, j int) {
	s.heap[i], s.heap[j] = s.heap[j], s.heap[i]
	s.heap[i].place, s.heap[j].place = i, j
}

func (s *leaseSchedule) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s.heap[parent].dueMS <= s.heap[i].dueMS {
			return
		}
		s.swap(i, parent)
		i = parent
	}
}

func (s *leaseSchedule) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(s.heap) {
			return
		}
		if right := least + 1; right < len(s.heap) && s.heap[right].dueMS < s.heap[least].dueMS {
			least = right
		}
		if s.heap[i].dueMS <= s.heap[least].dueMS {
			return
		}
		s.swap(i, least)
		i = least
	}
}
