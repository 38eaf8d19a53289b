package campaigns

// BoostResult is a boost of a campaign and whether it holds.
type BoostResult struct {
	Boost
	Holds bool
}

// ExplainBoosts tells which of the campaign's boosts hold for the facts of
// m's latest Match or Explain: what BidCPM multiplies. Not hot.
func (s *Snapshot) ExplainBoosts(campaign int32, m *Matcher) []BoostResult {
	c := s.Campaigns[campaign]
	out := make([]BoostResult, len(c.boosts))
	for i := range c.boosts {
		out[i] = BoostResult{c.Bid.Boosts[i], m.holds(c.boosts[i].expr)}
	}
	return out
}
