package campaigns

import "fmt"

// BoostResult is a boost of a campaign and whether it holds.
type BoostResult struct {
	Boost
	Holds bool
}

// ExplainBoosts tells which of the campaign's boosts hold for the facts of
// m's latest Match or Explain, and which segments of the shop multiply its
// price for this user: what BidCPM multiplies. Not hot.
func (s *Snapshot) ExplainBoosts(campaign int32, m *Matcher) []BoostResult {
	c := s.Campaigns[campaign]
	out := make([]BoostResult, len(c.boosts), len(c.boosts)+4)
	for i := range c.boosts {
		out[i] = BoostResult{c.Bid.Boosts[i], m.holds(c.boosts[i].expr)}
	}
	if c.Shop.Segments != nil {
		for _, i := range m.effects(c.Shop) {
			e := &c.Shop.Segments.effects[i]
			out = append(out, BoostResult{Boost{When: fmt.Sprintf("segment %q", e.name), BPS: e.value}, true})
		}
	}
	return out
}
