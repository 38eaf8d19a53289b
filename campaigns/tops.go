package campaigns

import (
	"math"

	"github.com/grosz/grosz/internal/money"
)

// Tops are what the campaigns of a Snapshot never bid more than, in one
// currency: four bytes each, beside each other, so that who cannot reach a
// floor is passed over before anything else of the campaign is read. A group
// of the index has its dearest member's. Immutable.
type Tops struct {
	campaigns []float32 // by dense index: TopCPM, rounded up
	groups    []float32 // by group of the index
}

// Tops works them out; rate leads from a shop's currency to the one that bids
// are made in. Whose currency has no rate is never passed over.
func (s *Snapshot) Tops(rate func(shop money.Currency) (money.Rate, bool)) *Tops {
	x := &s.index
	t := &Tops{campaigns: make([]float32, len(x.bounds)), groups: make([]float32, len(x.groups))}
	for i := range x.bounds {
		b := &x.bounds[i]
		t.campaigns[i] = float32(math.Inf(1))
		if r, ok := rate(b.currency); ok {
			t.campaigns[i] = roundedUp(b.top.ConvertDown(r))
		}
	}
	for g := range x.groups {
		t.groups[g] = float32(math.Inf(1))
		if x.groups[g].bitmap >= 0 {
			continue // attributes leave few of its members, which are passed over one by one
		}
		top := float32(math.Inf(-1))
		for _, c := range x.groups[g].members {
			top = max(top, t.campaigns[c])
		}
		t.groups[g] = top
	}
	return t
}

// roundedUp is the least float32 that is not below p.
func roundedUp(p money.CPM) float32 {
	f := float32(p)
	if float64(f) < float64(p) {
		f = math.Nextafter32(f, float32(math.Inf(1)))
	}
	return f
}

// roundedDown is the greatest float32 that is not above p.
func roundedDown(p money.CPM) float32 {
	f := float32(p)
	if float64(f) > float64(p) {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// lowOnes is what a Match passes over because it cannot reach a floor.
type lowOnes struct {
	tops      *Tops // nil: nothing is passed over
	floor     float32
	campaigns []uint32 // that were found, some of them more than once
	base      int      // of campaigns: those whatever the impression
	groups    []uint32 // likewise; nobody has asked whether they hold
}

func (l *lowOnes) reset() {
	l.tops, l.campaigns, l.base, l.groups = nil, l.campaigns[:0], 0, l.groups[:0]
}

// pass notes a campaign that cannot reach the floor.
func (l *lowOnes) pass(c uint32) bool {
	if l.tops == nil || !(l.tops.campaigns[c] < l.floor) {
		return false
	}
	l.campaigns = append(l.campaigns, c)
	return true
}

// passGroup notes a group of which nobody can.
func (l *lowOnes) passGroup(g uint32) bool {
	if l.tops == nil || !(l.tops.groups[g] < l.floor) {
		return false
	}
	l.groups = append(l.groups, g)
	return true
}

// MatchAbove is Match of the campaigns whose TopCPM, in the currency of tops,
// is at least floor, in the same order, with some of the others: it need not
// ask what those want that it passes over.
func (s *Snapshot) MatchAbove(f *Facts, m *Matcher, tops *Tops, floor money.CPM) []int32 {
	m.open(s, f)
	m.low.tops, m.low.floor = tops, roundedDown(floor)
	return s.match(f, m)
}

// RematchAbove is Rematch after a MatchAbove with the same tops and floor.
func (s *Snapshot) RematchAbove(f *Facts, m *Matcher, tops *Tops, floor money.CPM) []int32 {
	if !m.mayRematch(s, f) || m.low.tops != tops || m.low.floor != roundedDown(floor) {
		return s.MatchAbove(f, m, tops, floor)
	}
	m.beginImp()
	return m.ofImpression()
}

// MatchBelow tells whether a campaign that the latest MatchAbove or RematchAbove
// passed over matches. It asks them one by one until one does.
func (m *Matcher) MatchBelow() bool {
	l := &m.low
	if len(l.campaigns)+len(l.groups) == 0 {
		return false
	}
	x, n := &m.s.index, 0
	for _, c := range l.campaigns {
		if n++; m.acceptsNth(c, n) {
			return true
		}
	}
	for _, g := range l.groups {
		for _, c := range x.groups[g].members {
			if n++; m.acceptsNth(c, n) {
				return true
			}
		}
	}
	return false
}

// acceptsNth is accepts for the nth campaign in a row.
func (m *Matcher) acceptsNth(c uint32, n int) bool {
	m.mark(n)
	return m.accepts(c)
}
