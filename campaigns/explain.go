package campaigns

// ClauseResult is a predicate that kept a campaign from a request.
type ClauseResult struct {
	Text string // as the marketer wrote it, with "not" in front where that is what failed
	Pos  int    // its byte offset in Campaign.Targeting
}

// Explain returns the predicates because of which the campaign's targeting
// does not hold for the facts: of an and those parts that fail, of an or all
// of its parts. It is empty when the targeting holds; start, end and status
// are not part of it. It speaks of this one campaign and of the user's profile
// at its shop only. Not hot.
func (s *Snapshot) Explain(f *Facts, m *Matcher, campaign int32) []ClauseResult {
	m.begin(s, f)
	e := s.Campaigns[campaign].expr
	var out []ClauseResult
	m.explain(e, e.root, false, &out)
	return out
}

// explain appends what keeps n (or its negation) from holding and tells
// whether it holds.
func (m *Matcher) explain(e *compiledExpr, n *node, neg bool, out *[]ClauseResult) bool {
	switch n.op {
	case opTrue:
		return !neg
	case opNot:
		return m.explain(e, n.kids[0], !neg, out)
	case opLeaf:
		if m.truth(m.slots.of[n.pid]) != neg {
			return true
		}
		r := ClauseResult{Text: e.src[n.pos:n.end], Pos: n.pos}
		if neg {
			r.Text = "not " + r.Text
		}
		if k := len(*out); k == 0 || (*out)[k-1] != r {
			*out = append(*out, r)
		}
		return false
	}
	all := (n.op == opAnd) != neg
	start, holds := len(*out), all
	for _, k := range n.kids {
		if m.explain(e, k, neg, out) != all {
			holds = !all
		}
	}
	if holds {
		*out = (*out)[:start]
	}
	return holds
}
