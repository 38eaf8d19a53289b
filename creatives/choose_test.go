package creatives

import (
	"fmt"
	"slices"
	"testing"

	"github.com/grosz/grosz/campaigns"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The catalogue of campaigns is what the choice reads in production.
var _ Catalogue = (*campaigns.Catalogue)(nil)

// shelf is a catalogue for tests: product i has the hash i+1.
type shelf struct {
	all        []*campaigns.Product
	byCategory map[string][]*campaigns.Product
}

func newShelf(n int, category func(int) string) *shelf {
	s := &shelf{byCategory: map[string][]*campaigns.Product{}}
	for i := range n {
		p := &campaigns.Product{ID: fmt.Sprint(i + 1), Category: category(i), Available: true}
		s.all = append(s.all, p)
		s.byCategory[p.Category] = append(s.byCategory[p.Category], p)
	}
	return s
}

func (s *shelf) ByHash(h uint64) *campaigns.Product {
	if h == 0 || h > uint64(len(s.all)) {
		return nil
	}
	return s.all[h-1]
}
func (s *shelf) Category(path string) []*campaigns.Product { return s.byCategory[path] }
func (s *shelf) Popular() []*campaigns.Product             { return s.all }

func ids(cs []Choice) (out []string) {
	for _, c := range cs {
		out = append(out, c.Product.ID+" "+c.Source.String())
	}
	return out
}

func TestChoose(t *testing.T) {
	s := newShelf(12, func(i int) string { return []string{"sofas", "lamps", "rugs"}[i%3] })
	s.all[8].Available = false
	tests := map[string]struct {
		in   ChooseInput
		want []string
	}{
		"cart before what was viewed later": {ChooseInput{Cart: []Ref{{5, 10}}, Viewed: []Ref{{2, 99}}, Slots: 2}, []string{"5 cart", "2 viewed"}},
		"latest first, in any order":        {ChooseInput{Viewed: []Ref{{1, 10}, {3, 30}, {2, 20}}, Slots: 3}, []string{"3 viewed", "2 viewed", "1 viewed"}},
		"in cart and viewed: once":          {ChooseInput{Cart: []Ref{{5, 10}}, Viewed: []Ref{{5, 99}, {6, 1}}, Slots: 2}, []string{"5 cart", "6 viewed"}},
		"viewed twice: once":                {ChooseInput{Viewed: []Ref{{5, 10}, {5, 99}, {6, 1}}, Slots: 2}, []string{"5 viewed", "6 viewed"}},
		"bought: never":                     {ChooseInput{Cart: []Ref{{5, 10}}, Viewed: []Ref{{6, 1}}, Purchased: []Ref{{5, 11}}, Slots: 1}, []string{"6 viewed"}},
		"gone: never":                       {ChooseInput{Viewed: []Ref{{9, 10}, {99, 20}, {4, 1}}, Slots: 1}, []string{"4 viewed"}},
		"no slots":                          {ChooseInput{Viewed: []Ref{{1, 1}}}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.in.Catalogue = s
			require.Equal(t, tc.want, ids(Choose(nil, &tc.in)))
		})
	}
	require.Empty(t, Choose(make([]Choice, 3), &ChooseInput{Slots: 3}), "no catalogue, nothing")
}

func TestChooseFillsWithSimilarThenPopular(t *testing.T) {
	s := newShelf(30, func(i int) string {
		if i < 3 {
			return "sofas"
		}
		return fmt.Sprint("c", i)
	})
	got := Choose(nil, &ChooseInput{Catalogue: s, Viewed: []Ref{{1, 5}}, Purchased: []Ref{{2, 4}}, Slots: 4, Seed: 7})
	require.Len(t, got, 4)
	require.Equal(t, []Source{FromViewed, FromSimilar, FromPopular, FromPopular}, []Source{got[0].Source, got[1].Source, got[2].Source, got[3].Source})
	require.Equal(t, "3", got[1].Product.ID, "the other sofa was bought")
}

// TestChooseProperties holds what must be true of every choice.
func TestChooseProperties(t *testing.T) {
	refs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Ref {
		return Ref{rapid.Uint64Range(0, 25).Draw(t, "hash"), rapid.Int64Range(0, 5).Draw(t, "at")}
	}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		s := newShelf(rapid.IntRange(0, 20).Draw(t, "products"), func(i int) string { return fmt.Sprint(i % 4) })
		for _, p := range s.all {
			p.Available = rapid.Bool().Draw(t, "available")
		}
		in := ChooseInput{Catalogue: s, Cart: refs.Draw(t, "cart"), Viewed: refs.Draw(t, "viewed"), Purchased: refs.Draw(t, "purchased"),
			Slots: rapid.IntRange(0, 10).Draw(t, "slots"), Seed: rapid.Uint64().Draw(t, "seed")}
		got := Choose(nil, &in)
		if !slices.Equal(got, Choose(nil, &in)) {
			t.Fatal("the same input chose otherwise")
		}
		may := 0
		bought := map[*campaigns.Product]bool{nil: true}
		for _, r := range in.Purchased {
			bought[s.ByHash(r.Hash)] = true
		}
		for _, p := range s.all {
			if p.Available && !bought[p] {
				may++
			}
		}
		if len(got) != min(may, in.Slots, MaxProducts) {
			t.Fatalf("%d chosen of %d that may be shown, %d slots", len(got), may, in.Slots)
		}
		for i, c := range got {
			if bought[c.Product] || !c.Product.Available {
				t.Fatalf("%s was bought or is gone", c.Product.ID)
			}
			if i > 0 && got[i-1].Source > c.Source {
				t.Fatal("a weaker source came first")
			}
			for _, d := range got[:i] {
				if d.Product == c.Product {
					t.Fatal("twice the same product")
				}
			}
		}
		// A cart that may be shown is shown before all else.
		wanted := 0
		seen := map[*campaigns.Product]bool{}
		for _, r := range in.Cart {
			if p := s.ByHash(r.Hash); p != nil && p.Available && !bought[p] && !seen[p] {
				seen[p] = true
				wanted++
			}
		}
		for i := range min(wanted, len(got)) {
			if got[i].Source != FromCart {
				t.Fatalf("place %d is from %s, %d are in the cart", i, got[i].Source, wanted)
			}
		}
	})
}

func TestChooseSeedVariesThePopular(t *testing.T) {
	s := newShelf(40, func(int) string { return "" })
	first := map[string]bool{}
	for seed := range uint64(64) {
		got := Choose(nil, &ChooseInput{Catalogue: s, Slots: 1, Seed: seed})
		first[got[0].Product.ID] = true
	}
	require.Greater(t, len(first), 8, "people are to see different products")
	require.LessOrEqual(t, len(first), window, "and only the best ones")
}

func TestChooseAllocs(t *testing.T) {
	s := newShelf(200, func(i int) string { return []string{"a", "b", "c"}[i%3] })
	in := ChooseInput{Catalogue: s, Cart: []Ref{{1, 1}, {2, 2}}, Viewed: []Ref{{3, 3}, {4, 4}, {1, 9}}, Purchased: []Ref{{2, 5}}, Slots: 8, Seed: 3}
	dst := Choose(nil, &in)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst = Choose(dst, &in) }))
}

func BenchmarkChoose(b *testing.B) {
	s := newShelf(2000, func(i int) string { return fmt.Sprint(i % 40) })
	in := ChooseInput{Catalogue: s, Cart: []Ref{{1, 1}}, Viewed: []Ref{{3, 3}, {44, 4}, {100, 9}, {7, 2}}, Purchased: []Ref{{2, 5}}, Slots: 4}
	dst := Choose(nil, &in)
	b.ReportAllocs()
	for b.Loop() {
		in.Seed++
		dst = Choose(dst, &in)
	}
	if len(dst) != 4 {
		b.Fatal("nothing was chosen")
	}
}
