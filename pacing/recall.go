package pacing

import (
	"slices"

	"github.com/grosz/grosz/events"
)

// Person is a copy of all that is counted of one person at one shop: by it a
// decision that was made then can be made again. The zero value is nobody.
type Person struct {
	User   uint64 // the shop's pseudonym
	pairs  []personPair
	open   []openBid
	shown  *shownCell
	hidden *hiddenCell
}

type personPair struct {
	what What
	cell freqCell
}

// Remember copies what is counted of a person: of the given pairs, and what is
// under way but for the bids in without. shown and hidden may be nil. Slow.
func Remember(f *Frequency, shown *Shown, hidden *Hidden, user uint64, whats []What, without []events.ID) Person {
	p := Person{User: user}
	if user == 0 {
		return p
	}
	own := make([]uint64, len(without))
	for i := range without {
		own[i] = key(without[i])
	}
	s := f.shard(user)
	s.mu.Lock()
	for _, w := range whats {
		if c, ok := s.m[freqKey{user, w}]; ok {
			p.pairs = append(p.pairs, personPair{w, c})
		}
	}
	for _, o := range s.open[user] {
		if !slices.Contains(own, o.bid) {
			p.open = append(p.open, o)
		}
	}
	s.mu.Unlock()
	if shown != nil {
		sh := shown.shard(user)
		sh.mu.Lock()
		if c := sh.m[user]; c != nil {
			copied := *c
			for _, k := range own {
				copied.take(k)
			}
			p.shown = &copied
		}
		sh.mu.Unlock()
	}
	if hidden != nil {
		h := hidden.shard(user)
		h.mu.RLock()
		if c, ok := h.m[user]; ok {
			p.hidden = &c
		}
		h.mu.RUnlock()
	}
	return p
}

// Seen is how many impressions of a pair the person had since sinceMS.
func (p *Person) Seen(w What, sinceMS int64) int {
	for i := range p.pairs {
		if p.pairs[i].what == w {
			return p.pairs[i].cell.since(sinceMS)
		}
	}
	return 0
}

// Recall puts a person into stores that know nobody of that name. They are for
// one goroutine then.
func (p *Person) Recall(f *Frequency, shown *Shown, hidden *Hidden) {
	if p.User == 0 {
		return
	}
	s := f.shard(p.User)
	s.mu.Lock()
	for i := range p.pairs {
		s.m[freqKey{p.User, p.pairs[i].what}] = p.pairs[i].cell
		f.n.Add(1)
	}
	if len(p.open) > 0 {
		if s.open == nil {
			s.open = make(map[uint64][]openBid)
		}
		s.open[p.User] = slices.Clone(p.open)
		f.opens.Add(1)
	}
	s.mu.Unlock()
	if p.shown != nil {
		sh, copied := shown.shard(p.User), *p.shown
		sh.mu.Lock()
		sh.m[p.User] = &copied
		shown.n.Add(1)
		sh.mu.Unlock()
	}
	if p.hidden != nil {
		h := hidden.shard(p.User)
		h.mu.Lock()
		h.m[p.User] = *p.hidden
		hidden.n.Add(1)
		h.mu.Unlock()
	}
}
