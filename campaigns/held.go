package campaigns

import (
	"cmp"
	"slices"
)

// At the begin of a request the predicates that hold are marked, a bit each,
// so that a campaign's code is tests of bits in a few kilobytes. The place of
// a predicate's bit is its slot:
//
//   - those on attributes first, an attribute's in words of their own: what
//     holds for a value of it is a row of bits, copied;
//   - then lists: the values of the request lead to the lists that have them,
//     but for a value that very many have: then lists are searched;
//   - then those that are asked only when a campaign wants to know, and have
//     no bit: of people and of texts.
//
// A campaign is told apart that asks about the impression (media, position,
// deal): the others are matched once for all impressions of a request.

// maxPosted bounds the lists that one value marks.
const maxPosted = 2048

// slots says where the truth of every predicate is found.
type slots struct {
	of      []uint32 // by predicate; noSlot for those that no campaign has
	words   int      // of bits
	regions []region
	posted  [kindHost + 1]posted
	from    uint32   // the first slot of a list
	lists   []uint32 // predicates of the slots from there
	lazy    uint32   // the first slot that has no bit
	asked   []uint32 // predicates of the slots from lazy
}

const noSlot = ^uint32(0)

// region is the bits of the predicates on one attribute.
type region struct {
	attr        attrID
	from, words int
	rowOf       []uint16 // by value; row 0 is for values that no predicate names
	rows        []uint64
}

// posted lists the slots that a value of a list kind marks:
// slots[from[v]:from[v+1]].
type posted struct {
	from  []uint32
	slots []uint32
	hot   []uint32 // values that are not posted: too many lists have them; rising
}

// onImp tells whether a predicate may answer otherwise for another impression
// of the same request.
func (p *pred) onImp() bool {
	return p.kind == kindMedia || p.kind == kindPosition || p.kind == kindDeal
}

// newSlots gives every predicate in use its slot.
func newSlots(preds []pred, used []bool) *slots {
	s := &slots{of: make([]uint32, len(preds))}
	byAttr := map[attrID][]uint32{}
	var lists, others []uint32
	for pid := range preds {
		s.of[pid] = noSlot
		if !used[pid] {
			continue
		}
		switch p := &preds[pid]; {
		case p.kind.isDense():
			byAttr[p.attr] = append(byAttr[p.attr], uint32(pid))
		case p.kind.isList():
			lists = append(lists, uint32(pid))
		default:
			others = append(others, uint32(pid))
		}
	}
	attrs := make([]attrID, 0, len(byAttr))
	for a := range byAttr {
		attrs = append(attrs, a)
	}
	slices.Sort(attrs)
	for _, a := range attrs {
		s.addRegion(preds, a, byAttr[a])
	}
	s.addLists(preds, lists, others)
	return s
}

func (s *slots) addRegion(preds []pred, attr attrID, pids []uint32) {
	g := region{attr: attr, from: s.words, words: (len(pids) + 63) / 64}
	s.words += g.words
	var values bitset
	for i, pid := range pids {
		s.of[pid] = uint32(g.from*64 + i)
		preds[pid].more.bits.each(func(v uint32) { values = values.with(v) })
	}
	g.rowOf = make([]uint16, 64*len(values))
	rows := 1
	values.each(func(v uint32) {
		g.rowOf[v] = uint16(rows)
		rows++
	})
	g.rows = make([]uint64, rows*g.words)
	for i, pid := range pids {
		preds[pid].more.bits.each(func(v uint32) { g.rows[int(g.rowOf[v])*g.words+i>>6] |= 1 << (i & 63) })
	}
	s.regions = append(s.regions, g)
}

// addLists posts lists under their values, and gives the others places behind
// them.
func (s *slots) addLists(preds []pred, lists, others []uint32) {
	s.from = uint32(s.words * 64)
	for _, deals := range []bool{false, true} { // the words of deals are cleared between impressions
		for _, pid := range lists {
			if (preds[pid].kind == kindDeal) == deals {
				s.of[pid] = s.from + uint32(len(s.lists))
				s.lists = append(s.lists, pid)
			}
		}
		for len(s.lists)%64 != 0 {
			s.lists = append(s.lists, noSlot)
		}
	}
	s.words += len(s.lists) / 64
	slices.SortStableFunc(others, func(a, b uint32) int { // those of a shop beside each other
		return cmp.Or(cmp.Compare(preds[a].kind, preds[b].kind), cmp.Compare(preds[a].shop, preds[b].shop))
	})
	s.lazy, s.asked = uint32(s.words*64), others
	for i, pid := range others {
		s.of[pid] = s.lazy + uint32(i)
	}
	s.post(preds, lists)
}

func (s *slots) post(preds []pred, lists []uint32) {
	var count [kindHost + 1][]uint32
	each := func(f func(kind predKind, v, pid uint32)) {
		for _, pid := range lists {
			for _, v := range preds[pid].found() {
				f(preds[pid].kind, v, pid)
			}
		}
	}
	each(func(kind predKind, v, _ uint32) {
		for int(v) >= len(count[kind]) {
			count[kind] = append(count[kind], make([]uint32, max(64, len(count[kind])))...)
		}
		count[kind][v]++
	})
	hot := func(kind predKind, v uint32) bool { return kind != kindDeal && count[kind][v] > maxPosted }
	for kind := range count {
		for v := range count[kind] {
			if hot(predKind(kind), uint32(v)) {
				s.posted[kind].hot = append(s.posted[kind].hot, uint32(v))
			}
		}
	}
	for kind := range count {
		if n := len(count[kind]); n > 0 {
			s.posted[kind].from = make([]uint32, n+1)
		}
	}
	each(func(kind predKind, v, _ uint32) {
		if !hot(kind, v) {
			s.posted[kind].from[v+1]++
		}
	})
	var next [kindHost + 1][]uint32
	for kind := range s.posted {
		p := &s.posted[kind]
		for i := 1; i < len(p.from); i++ {
			p.from[i] += p.from[i-1]
		}
		if n := len(p.from); n > 0 {
			p.slots = make([]uint32, p.from[n-1])
		}
		next[kind] = slices.Clone(p.from)
	}
	each(func(kind predKind, v, pid uint32) {
		if hot(kind, v) {
			return
		}
		s.posted[kind].slots[next[kind][v]] = s.of[pid]
		next[kind][v]++
	})
}

// of returns the slots that a value marks.
func (p *posted) of(v uint32) []uint32 {
	if int(v)+1 >= len(p.from) {
		return nil
	}
	return p.slots[p.from[v]:p.from[v+1]]
}

// take makes room for a snapshot's bits and forgets the lists of the request
// before.
func (m *Matcher) take(s *slots) {
	if m.slots != s {
		m.slots = s
		m.held = slices.Grow(m.held[:0], s.words)[:s.words]
		clear(m.held)
		m.marked, m.markedImp = m.marked[:0], m.markedImp[:0]
	}
	m.marked = m.unmark(m.marked)
	m.markedImp = m.unmark(m.markedImp)
	m.marks = heldNothing
}

// How much of what holds is marked.
const (
	heldNothing = iota
	heldAttrs   // lists are searched
	heldAll
)

// fewTried is up to how many campaigns lists are searched: to mark those that
// have one of the request's values takes as long as to ask a few about theirs.
const fewTried = 2

// mark marks what holds, once a request, for n campaigns to be tried.
func (m *Matcher) mark(n int) {
	level := uint8(heldAll)
	if n <= fewTried {
		level = heldAttrs
	}
	if m.marks >= level {
		return
	}
	if m.marks == heldNothing {
		m.markAttrs(false)
		m.unsure = m.slots.from
	}
	if m.marks = level; level == heldAll {
		m.markLists()
	}
	m.markImp()
}

// markImp marks what holds of the impression.
func (m *Matcher) markImp() {
	m.markAttrs(true)
	if m.marks < heldAll {
		return
	}
	m.markedImp = m.unmark(m.markedImp)
	if p := &m.slots.posted[kindDeal]; len(p.from) > 0 {
		m.markedImp = m.markValues(p, m.values[kindDeal], m.markedImp)
	}
}

func (m *Matcher) unmark(list []uint32) []uint32 {
	for _, slot := range list {
		m.held[slot>>6] = 0 // all of the word is of lists, which are all forgotten, or marked again
	}
	return list[:0]
}

// markAttrs copies what holds by the request's attributes: those of the
// impression, or the others.
func (m *Matcher) markAttrs(ofImp bool) {
	for i := range m.slots.regions {
		g := &m.slots.regions[i]
		if ofImpression(g.attr) != ofImp {
			continue
		}
		r, v := 0, m.attr(g.attr)
		if int(v) < len(g.rowOf) {
			r = int(g.rowOf[v])
		}
		copy(m.held[g.from:g.from+g.words], g.rows[r*g.words:])
	}
}

// ofImpression tells whether an attribute may differ between the impressions
// of a request.
func ofImpression(a attrID) bool {
	return a == fixedAttr(kindMedia) || a == fixedAttr(kindPosition)
}

// markLists marks the lists that have one of the request's values.
func (m *Matcher) markLists() {
	m.unsure = m.slots.lazy
	for kind := range m.slots.posted {
		p := &m.slots.posted[kind]
		if len(p.from) == 0 || predKind(kind) == kindDeal {
			continue
		}
		m.marked = m.markValues(p, m.values[kind], m.marked)
		if len(p.hot) == 0 {
			continue
		}
		for _, v := range m.values[kind] {
			if _, found := slices.BinarySearch(p.hot, v); found {
				m.unsure = m.slots.from // a value of the request that marks no list
			}
		}
	}
}

func (m *Matcher) markValues(p *posted, values, marked []uint32) []uint32 {
	for _, v := range values {
		of := p.of(v)
		for _, slot := range of {
			m.held[slot>>6] |= 1 << (slot & 63)
		}
		marked = append(marked, of...)
	}
	return marked
}

// truth answers a predicate by its slot. It is small, to be inlined.
func (m *Matcher) truth(slot uint32) bool {
	if w := slot >> 6; w < uint32(len(m.held)) && m.held[w]>>(slot&63)&1 != 0 {
		return true
	}
	return slot >= m.unsure && m.lookUp(slot)
}

// lookUp answers a predicate whose bit does not say no.
func (m *Matcher) lookUp(slot uint32) bool {
	if slot < m.slots.lazy {
		return m.ask(&m.s.index.preds[m.slots.lists[slot-m.slots.from]])
	}
	return m.asked(slot - m.slots.lazy)
}

// asked answers a predicate that has no bit, at most once per request.
func (m *Matcher) asked(i uint32) bool {
	if v := m.memo[i]; v>>1 == m.epoch {
		return v&1 != 0
	}
	t := m.ask(&m.s.index.preds[m.slots.asked[i]])
	v := m.epoch << 1
	if t {
		v |= 1
	}
	m.memo[i] = v
	return t
}
