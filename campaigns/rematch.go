package campaigns

// Rematch is Match for facts that differ from those of m's latest Match or
// Rematch by nothing but Media, Position and Deals: another impression of the
// same request. It is much cheaper.
func (s *Snapshot) Rematch(f *Facts, m *Matcher) []int32 {
	if !m.mayRematch(s, f) {
		return s.Match(f, m)
	}
	m.beginImp()
	return m.ofImpression()
}

// mayRematch tells whether m's latest Match was for these facts, and nothing
// was asked since but about its impressions.
func (m *Matcher) mayRematch(s *Snapshot, f *Facts) bool { return m.ready && m.s == s && m.f == f }

// ofImpression adds to what matches in any case what matches for this
// impression.
func (m *Matcher) ofImpression() []int32 {
	x := &m.s.index
	m.out = m.out[:m.base]
	m.low.campaigns = m.low.campaigns[:m.low.base]
	for _, c := range m.later {
		m.settle(c)
	}
	if p := &x.values[kindDeal]; len(p.from) > 0 && len(m.values[kindDeal]) > 0 {
		m.walkDeals(p)
	}
	return m.out
}

// walkDeals tries the campaigns that one of the impression's deals leads to,
// and nothing else has.
func (m *Matcher) walkDeals(p *postings) {
	x := &m.s.index
	known := len(m.found)
	try := func(c uint32) {
		if m.find(c) {
			m.mark(1)
			m.settle(c)
		}
	}
	for _, v := range m.values[kindDeal] {
		if int(v)+1 >= len(p.from) {
			continue
		}
		for _, e := range p.entries[p.from[v]:p.from[v+1]] {
			if e.to&isGroup == 0 {
				try(e.to)
			}
			for _, c := range x.membersOf(e) {
				try(c)
			}
		}
	}
	for _, c := range m.found[known:] { // another impression may have none of these deals
		m.seen[c>>6] &^= 1 << (c & 63)
	}
	m.found = m.found[:known]
}
