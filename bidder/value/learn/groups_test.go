package learn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// groups are the impressions that share a shop, a campaign or one feature: how
// many positives were learned of each, and what is predicted of it against its
// true chances, which no draw of clicks blurs.
type groups map[groupKey]*group

type groupKey struct {
	kind string
	of   uint64
}

type group struct{ positives, due, predicted, truth float64 }

func (g groups) each(e *Example, fn func(*group)) {
	of := func(kind string, n uint64) {
		k := groupKey{kind, n}
		if g[k] == nil {
			g[k] = &group{}
		}
		fn(g[k])
	}
	of("shop", uint64(e.Shop))
	of("campaign", uint64(e.Campaign))
	for i, kind := range []string{1: "domain", 2: "device", 3: "hour", 4: "size"} {
		if kind != "" {
			of(kind, uint64(e.Placement[i]))
		}
	}
	for i, kind := range []string{1: "recency", 2: "price"} {
		if kind != "" {
			of(kind, uint64(e.Own[i]))
		}
	}
}

// learned notes an example that is learned, and its true chance.
func (g groups) learned(e *Example, y bool, q float64) {
	g.each(e, func(x *group) {
		if x.due += q; y {
			x.positives++
		}
	})
}

func (g groups) predicted(e *Example, p, q float64) {
	g.each(e, func(x *group) { x.predicted, x.truth = x.predicted+p, x.truth+q })
}

// check looks at every group of 5,000 learned positives or more. Σp is held
// against the clicks that were learned, drawn as they were, and against the
// true chances. The drawn clicks are off the truth by chance themselves, by
// up to 3 % in one of some ninety groups: nobody who has seen only them can be
// nearer to the truth in each. See docs/models.md.
func (g groups) check(t *testing.T) {
	t.Helper()
	type kind struct{ n, drawn, mean, worst, chance float64 }
	kinds := map[string]*kind{}
	for k, x := range g {
		if x.positives < 5_000 {
			continue
		}
		if kinds[k.kind] == nil {
			kinds[k.kind] = &kind{}
		}
		by, share := kinds[k.kind], x.predicted/x.truth
		drawn, off, luck := math.Abs(share/(x.positives/x.due)-1), math.Abs(share-1), math.Abs(x.positives/x.due-1)
		by.n, by.mean = by.n+1, by.mean+off
		by.drawn, by.worst, by.chance = max(by.drawn, drawn), max(by.worst, off), max(by.chance, luck)
	}
	for name, k := range kinds {
		t.Logf("%2.0f groups of a %s: Σp at worst %.4f off the drawn clicks; %.4f off the truth, %.4f on the mean, where the drawn clicks are %.4f",
			k.n, name, k.drawn, k.worst, k.mean/k.n, k.chance)
		assert.Less(t, k.drawn, 0.03, "%s, against what was drawn", name)
		assert.Less(t, k.worst, 0.045, "%s, against the truth", name)
		assert.Less(t, k.mean/k.n, 0.025, "%s, on the mean", name)
	}
	for _, name := range []string{"shop", "campaign", "device", "size", "recency", "price"} {
		assert.NotNil(t, kinds[name], "no %s had that many", name)
	}
}
