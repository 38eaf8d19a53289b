package campaigns

import (
	"math/bits"
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
	memo   []uint32 // by predicate: epoch<<1 | holds
	walked []uint32 // by group: epoch
	seen   []uint32 // by campaign: epoch
	out    []int32

	shops  []uint32               // of f.Profiles
	values [kindHost + 1][]uint32 // numbers of the request's values
	attrs  [fixedAttrs]uint32
	sig    uint64
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
	x := &s.index
	m.begin(s, f)
	for i := range f.Profiles {
		if sp, ok := x.shops[m.shops[i]]; ok {
			m.walkUser(sp, &f.Profiles[i].Profile)
		}
	}
	if len(x.named) > 0 {
		m.walkNamed()
	}
	if x.hasLists {
		for kind := range x.values {
			if p := &x.values[kind]; len(p.from) > 0 {
				m.walkValues(p, predKind(kind))
			}
		}
	}
	if x.looking != nil {
		m.walkIntents(x)
	}
	m.walkBits(&x.open)
	return m.out
}

// begin takes over a request.
func (m *Matcher) begin(s *Snapshot, f *Facts) {
	x := &s.index
	m.memo, m.walked, m.seen = grown(m.memo, len(x.preds)), grown(m.walked, len(x.groups)), grown(m.seen, len(s.Campaigns))
	if m.zones == nil || len(m.zones) < len(x.zones) {
		m.zones = make([]zoneTime, len(x.zones))
	}
	m.s, m.f, m.out, m.search = s, f, m.out[:0], m.search[:0]
	m.url = m.url[:0]
	if m.epoch++; m.epoch == 1<<31 {
		clear(m.memo)
		clear(m.walked)
		clear(m.seen)
		m.epoch = 1
	}
	m.shops = m.shops[:0]
	for i := range f.Profiles {
		m.shops = append(m.shops, f.Profiles[i].Shop)
	}
	m.readAttrs(x.dict)
	m.readValues(x.dict)
}

// grown makes room for n; stamps of other snapshots are of older epochs.
func grown(s []uint32, n int) []uint32 {
	if len(s) >= n {
		return s
	}
	return append(s, make([]uint32, n-len(s))...)
}

// walkUser tries the campaigns of a shop that want such a profile.
func (m *Matcher) walkUser(sp span, p *segments.Profile) {
	x := &m.s.index
	for g := sp.from; g < sp.to; g++ {
		if x.users[g].Holds(p, m.f.NowMS) {
			m.memo[x.groups[g].pid] = m.epoch<<1 | 1
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
		if p.merge != nil {
			if i := p.merge[v]; i > 0 {
				m.walkBits(&x.merged[i-1])
				continue
			}
		}
		for _, e := range p.entries[p.from[v]:p.from[v+1]] {
			if e.to&isGroup == 0 {
				if h := &x.hot[e.to]; h.sig&m.sig == m.sig && m.seen[e.to] != m.epoch {
					if kind != kindHost {
						m.memo[e.pid] = m.epoch<<1 | 1
					}
					m.try(e.to, h, int(h.end))
				}
				continue
			}
			if kind != kindHost {
				m.memo[e.pid] = m.epoch<<1 | 1
			} else if !m.truth(e.pid) {
				continue
			}
			m.walk(e.to &^ isGroup)
		}
	}
}

// walk tries the members of a group whose predicate holds.
func (m *Matcher) walk(i uint32) {
	if m.walked[i] == m.epoch {
		return
	}
	m.walked[i] = m.epoch
	x := &m.s.index
	g := &x.groups[i]
	if g.bitmap >= 0 {
		m.walkBits(&x.bitmaps[g.bitmap])
		return
	}
	for _, c := range g.members {
		if h := &x.hot[c]; h.sig&m.sig == m.sig && m.seen[c] != m.epoch {
			m.try(c, h, int(h.end))
		}
	}
}

// walkBits tries the members of a large group that accept all attributes.
func (m *Matcher) walkBits(b *bitGroup) {
	x := &m.s.index
	rows := m.rows[:0]
	for i := range b.attrs {
		a := &b.attrs[i]
		rows = append(rows, a.row(m.attr(a.attr), b.words))
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
			c := b.members[w<<6+bits.TrailingZeros64(word)]
			if m.seen[c] != m.epoch {
				h := &x.hot[c]
				m.try(c, h, int(h.dense))
			}
		}
	}
}

// try runs a campaign's code up to stop, once per request.
func (m *Matcher) try(c uint32, h *hot, stop int) {
	m.seen[c] = m.epoch
	if m.run(m.s.index.code[h.from:h.from+uint32(h.end)], stop) && m.f.NowMS >= h.startMS && (h.endMS == 0 || m.f.NowMS < h.endMS) {
		m.out = append(m.out, int32(c))
	}
}

func (m *Matcher) run(code []instr, stop int) bool {
	for i := 0; i < stop; {
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

// holds evaluates an expression for the request of the latest Match.
func (m *Matcher) holds(e *compiledExpr) bool { return m.run(e.code, len(e.code)) }

// truth answers a predicate, at most once per request.
func (m *Matcher) truth(pid uint32) bool {
	if v := m.memo[pid]; v>>1 == m.epoch {
		return v&1 != 0
	}
	t := m.ask(&m.s.index.preds[pid])
	v := m.epoch << 1
	if t {
		v |= 1
	}
	m.memo[pid] = v
	return t
}
