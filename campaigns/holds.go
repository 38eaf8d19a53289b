package campaigns

// Holds tells whether one campaign's targeting holds for the facts; start, end
// and status are not part of it. It takes m over from the latest Match, so
// that whatever is to be asked about that one (BidCPM) must be asked before.
// It costs a fraction of a Match and allocates nothing.
func (s *Snapshot) Holds(f *Facts, m *Matcher, campaign int32) bool {
	m.begin(s, f)
	h := &s.index.hot[campaign]
	return m.run(s.index.code[h.from:h.from+uint32(h.end)], int(h.end))
}
