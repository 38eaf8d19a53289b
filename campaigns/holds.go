package campaigns

// Holds tells whether one campaign's targeting holds for the facts; start, end
// and status are not part of it. It takes m over from the latest Match, so
// that whatever is to be asked about that one (BidCPM) must be asked before.
// It costs a fraction of a Match and allocates nothing.
func (s *Snapshot) Holds(f *Facts, m *Matcher, campaign int32) bool {
	m.begin(s, f)
	return m.run(&s.index.hot[campaign])
}
