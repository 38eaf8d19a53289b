package campaigns

import (
	"math/bits"
	"slices"
	"time"

	"github.com/grosz/grosz/segments"
)

// Matcher is one goroutine's scratch for Match. Its zero value is not ready:
// NewMatcher. It grows to the size of the Snapshot on first use, 4 bytes per
// distinct predicate, group and campaign, and keeps that.
type Matcher struct {
	s *Snapshot
	f *Facts
	// epoch stamps what is known of this request, so that nothing need be
	// cleared between two.
	epoch  uint32
	memo   []uint32 // by predicate that is asked: epoch<<1 | holds
	walked []uint32 // by group: epoch
	seen   []uint64 // campaigns that were found, a bit each
	found  []uint32 // the same, as they were found
	out    []int32

	slots     *slots
	held      []uint64 // what holds, a bit per predicate
	marked    []uint32 // slots of lists in held
	markedImp []uint32 // those of deals
	unsure    uint32   // from this slot on, a bit that is not set says nothing
	marks     uint8    // how much of held is of this request; who asks for truth marks before
	base      int      // of out: matches whatever the impression
	tried     []uint32
	later     []uint32 // campaigns that ask about the impression
	ready     bool     // a Match is done: Rematch may go on from it
	low       lowOnes

	shops  []uint32               // of f.Profiles
	values [kindHost + 1][]uint32 // numbers of the request's values
	toFind []toFind               // before they are numbers
	ofText []byte                 // their texts
	attrs  [fixedAttrs]uint32
	sig    uint64 // of the request's attributes
	sigImp uint64 // and of the impression's
	zones  []zoneTime
	rows   [][]uint64
	effect shopEffect
	looked []uint32 // shops, of walkIntents
	buf    []byte
	search []byte // the folded search, when asked for
	url    []byte // the URL in lower case, when asked for
}

// zoneTime is a zone's hour and weekday, valid for a clock hour.
type zoneTime struct {
	zone          *time.Location
	fromMS, toMS  int64
	hour, weekday uint32 // from 1; Monday is 1
}

// NewMatcher returns a Matcher; it may serve any Snapshots, one after another.
func NewMatcher() *Matcher { return &Matcher{buf: make([]byte, 0, 2*maxValue)} }

// Match returns the dense indices of the campaigns in flight whose targeting
// holds for the facts, each once, in no particular order but always the same
// for the same input. The slice belongs to m and is valid until its next
// Match. Nothing is allocated once m has grown to the Snapshot. f must not
// change while m answers questions about it (BidCPM, Explain).
func (s *Snapshot) Match(f *Facts, m *Matcher) []int32 {
	m.begin(s, f)
	return s.match(f, m)
}

// match finds and tries the campaigns for the request that m has taken over.
func (s *Snapshot) match(f *Facts, m *Matcher) []int32 {
	x := &s.index
	for i := range f.Profiles {
		if sp, ok := x.shops[m.shops[i]]; ok {
			m.walkUser(sp, &f.Profiles[i].Profile, s.margins[m.shops[i]])
		}
	}
	if len(x.named) > 0 {
		m.walkNamed()
	}
	if x.hasLists {
		for kind := range x.values {
			if p := &x.values[kind]; len(p.from) > 0 && predKind(kind) != kindDeal {
				m.walkValues(p, predKind(kind))
			}
		}
	}
	if x.looking != nil {
		m.walkIntents(x)
	}
	m.walkBits(&x.open)
	m.tryAll()
	m.base, m.ready = len(m.out), true
	m.low.base = len(m.low.campaigns)
	return m.ofImpression()
}

// begin takes over a request, to be asked anything about it.
func (m *Matcher) begin(s *Snapshot, f *Facts) {
	m.open(s, f)
	m.mark(fewTried + 1)
}

// open takes over a request. What holds is marked by the first that wants to
// know.
func (m *Matcher) open(s *Snapshot, f *Facts) {
	x := &s.index
	m.low.reset()
	m.memo, m.walked = grown(m.memo, len(x.slots.asked)), grown(m.walked, len(x.groups))
	for _, c := range m.found {
		m.seen[c>>6] = 0
	}
	m.found, m.seen = m.found[:0], grown(m.seen, len(s.Campaigns)/64+1)
	if m.zones == nil || len(m.zones) < len(x.zones) {
		m.zones = make([]zoneTime, len(x.zones))
	}
	m.s, m.f, m.out, m.search = s, f, m.out[:0], m.search[:0]
	m.url, m.later, m.ready = m.url[:0], m.later[:0], false
	if m.epoch++; m.epoch == 1<<31 {
		clear(m.memo)
		clear(m.walked)
		m.epoch = 1
	}
	m.shops = m.shops[:0]
	for i := range f.Profiles {
		m.shops = append(m.shops, f.Profiles[i].Shop)
	}
	m.take(x.slots)
	m.readAttrs(x.dict)
	m.readValues(x.dict)
	m.beginImp()
}

// beginImp takes over an impression of the request.
func (m *Matcher) beginImp() {
	d := m.s.index.dict
	m.sigImp = m.readAttr(d, kindMedia, m.f.Media) | m.readAttr(d, kindPosition, m.f.Position)
	m.values[kindDeal] = m.values[kindDeal][:0]
	for _, id := range m.f.Deals {
		m.add(d, kindDeal, id)
	}
	if m.marks > heldNothing {
		m.markImp()
	}
}

// grown makes room for n; stamps of other snapshots are of older epochs.
func grown[T any](s []T, n int) []T {
	if len(s) >= n {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

// walkUser tries the campaigns of a shop that want such a profile.
func (m *Matcher) walkUser(sp span, p *segments.Profile, margins *segments.Margins) {
	x := &m.s.index
	for g := sp.from; g < sp.to; g++ {
		if m.low.passGroup(g) {
			continue
		}
		t := x.users[g].HoldsWith(p, margins, m.f.NowMS)
		v := m.epoch << 1
		if t {
			v |= 1
		}
		m.memo[x.memos[g]] = v
		if t {
			m.walk(g)
		}
	}
}

// walkValues tries the campaigns that want one of the request's values.
func (m *Matcher) walkValues(p *postings, kind predKind) {
	x := &m.s.index
	for _, v := range m.values[kind] {
		if int(v)+1 >= len(p.from) {
			continue
		}
		for _, e := range p.entries[p.from[v]:p.from[v+1]] {
			if e.to&isGroup == 0 {
				m.find(e.to)
			} else if e.to&isMerged != 0 {
				m.walkBits(&x.merged[e.to&^(isGroup|isMerged)])
				break
			} else if g := e.to &^ isGroup; !m.low.passGroup(g) && (kind != kindHost || m.asked(e.slot-m.slots.lazy)) {
				m.walk(g)
			}
		}
	}
}

// walk tries the members of a group whose predicate holds.
func (m *Matcher) walk(i uint32) {
	x := &m.s.index
	if m.walked[i] == m.epoch || m.low.passGroup(i) {
		return
	}
	m.walked[i] = m.epoch
	g := &x.groups[i]
	if g.bitmap >= 0 {
		m.walkBits(&x.bitmaps[g.bitmap])
		return
	}
	for _, c := range g.members {
		m.find(c)
	}
}

// walkBits tries the members of a large group that accept all attributes of
// the request; those of the impression come later.
func (m *Matcher) walkBits(b *bitGroup) {
	rows := m.rows[:0]
	for i := range b.attrs {
		if a := &b.attrs[i]; !ofImpression(a.attr) {
			rows = append(rows, a.row(m.attr(a.attr), b.words))
		}
	}
	m.rows = rows
	for w := range b.words {
		word := ^uint64(0)
		for _, r := range rows {
			if word &= r[w]; word == 0 {
				break
			}
		}
		if w == b.words-1 && len(b.members)&63 != 0 {
			word &= 1<<(len(b.members)&63) - 1
		}
		for ; word != 0; word &= word - 1 {
			m.find(b.members[w<<6+bits.TrailingZeros64(word)])
		}
	}
}

// find notes a campaign to be tried, once per request, and tells whether it is
// new.
func (m *Matcher) find(c uint32) bool {
	if m.low.pass(c) {
		return false
	}
	w, bit := &m.seen[c>>6], uint64(1)<<(c&63)
	if *w&bit != 0 {
		return false
	}
	*w |= bit
	m.found = append(m.found, c)
	return true
}

// tryAll runs the code of the campaigns that were found, and leaves those for
// later that ask about the impression. First it passes over all without a
// branch, so that their cache lines come together rather than one by one.
func (m *Matcher) tryAll() {
	x, sig, n := &m.s.index, m.sig, 0
	m.tried = slices.Grow(m.tried[:0], len(m.found))[:len(m.found)]
	for _, c := range m.found {
		m.tried[n] = c
		k := 0
		if x.hot[c].sig&sig == sig {
			k = 1
		}
		n += k
	}
	if n > 0 {
		m.mark(n)
	}
	for _, c := range m.tried[:n] {
		h := &x.hot[c]
		if h.from&onImp != 0 {
			m.later = append(m.later, c)
		} else if m.run(h) && (h.from&isTimed == 0 || m.flies(c)) {
			m.out = append(m.out, int32(c))
		}
	}
}

// settle runs the code of a campaign that asks about the impression.
func (m *Matcher) settle(c uint32) {
	if m.accepts(c) {
		m.out = append(m.out, int32(c))
	}
}

// accepts tells whether a campaign matches the impression.
func (m *Matcher) accepts(c uint32) bool {
	h, sig := &m.s.index.hot[c], m.sig|m.sigImp
	return h.sig&sig == sig && m.run(h) && (h.from&isTimed == 0 || m.flies(c))
}

func (m *Matcher) flies(c uint32) bool {
	t := &m.s.index.times[c]
	return m.f.NowMS >= t.startMS && (t.endMS == 0 || m.f.NowMS < t.endMS)
}

// run tells whether a campaign's code accepts.
func (m *Matcher) run(h *hot) bool {
	line := h.line[:min(h.n, inHot)]
	if from := h.from & fromMask; h.from&isLine == 0 {
		return m.jump(m.s.index.code[from : from+h.n])
	} else if h.n > inHot {
		line = m.s.index.line[from : from+h.n]
	}
	held, unsure := m.held, m.unsure
	for _, in := range line {
		slot := in >> 1
		if slot >= unsure {
			if m.truth(slot) == (in&notInLine != 0) {
				return false
			}
		} else if uint32(held[slot>>6]>>(slot&63))&1 == in&notInLine {
			return false
		}
	}
	return true
}

// jump runs code that has branches.
func (m *Matcher) jump(code []instr) bool {
	for i := 0; i < len(code); {
		in := &code[i]
		if m.truth(in.pid) {
			i = int(in.t)
		} else {
			i = int(in.f)
		}
		if i < 0 {
			return false
		}
	}
	return true
}

// holds evaluates an expression for the request of the latest Match; not hot.
func (m *Matcher) holds(e *compiledExpr) bool {
	for i := 0; i < len(e.code); {
		in := &e.code[i]
		if m.truth(m.slots.of[in.pid]) {
			i = int(in.t)
		} else {
			i = int(in.f)
		}
		if i < 0 {
			return false
		}
	}
	return true
}
