package creatives

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/campaigns"
)

func TestTogetherNeedsSeveralPeople(t *testing.T) {
	w := NewTogether()
	w.Viewed(1, 20, []uint64{10}, 0)
	w.Viewed(1, 20, []uint64{10}, 0)
	require.Empty(t, w.With(nil, 1, 10))
	w.Viewed(1, 20, []uint64{10, 30}, 0)
	require.Equal(t, []uint64{20}, w.With(nil, 1, 10))
	require.Equal(t, []uint64{10}, w.With(nil, 1, 20))
	for range 5 {
		w.Viewed(1, 30, []uint64{10}, 0)
	}
	require.Equal(t, []uint64{30, 20}, w.With(nil, 1, 10), "most often first")
	require.Empty(t, w.With(nil, 1, 99))
	require.Empty(t, (*Together)(nil).With(nil, 1, 10))
}

func TestTrendingFades(t *testing.T) {
	w := NewTogether()
	const day = trendHalfLife
	for range 40 {
		w.Viewed(1, 10, nil, 1000)
	}
	for range 10 {
		w.Viewed(1, 20, nil, 3*day)
	}
	w.Viewed(1, 30, nil, 3*day+trendEvery)
	require.Equal(t, []uint64{20, 10}, w.Trending(1), "40 views three days ago are 5 of today")
	require.Empty(t, w.Trending(2))
}

// TestTogetherIsolation: whatever happens in other shops, what one shop's
// visitors are shown does not move.
func TestTogetherIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alone, among := NewTogether(), NewTogether()
		for i := range rapid.IntRange(1, 200).Draw(t, "views") {
			shop := rapid.Uint32Range(1, 3).Draw(t, "shop")
			p, q := rapid.Uint64Range(1, 8).Draw(t, "product"), rapid.Uint64Range(1, 8).Draw(t, "before")
			among.Viewed(shop, p, []uint64{q}, int64(i)*5000)
			if shop == 1 {
				alone.Viewed(shop, p, []uint64{q}, int64(i)*5000)
			}
		}
		require.Equal(t, alone.Trending(1), among.Trending(1))
		for p := uint64(1); p <= 8; p++ {
			require.Equal(t, alone.With(nil, 1, p), among.With(nil, 1, p))
		}
	})
}

func TestTogetherIsBounded(t *testing.T) {
	w := NewTogether()
	for p := uint64(1); p < 3*togetherProducts; p++ {
		w.Viewed(1, p, nil, 0)
	}
	require.LessOrEqual(t, w.Products(), togetherProducts)
}

func TestTogetherAllocatesNothing(t *testing.T) {
	w := NewTogether()
	for range 5 {
		w.Viewed(1, 20, []uint64{10}, 20_000)
	}
	dst := make([]uint64, 0, 16)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst = w.With(dst[:0], 1, 10); _ = w.Trending(1) }))
}

// TestChooseOrder: what one knows, what goes with it, what is like it, what
// is looked at; never what was bought.
func TestChooseOrder(t *testing.T) {
	s := newShelf(40, func(i int) string { return []string{"sofas", "lamps", "beds", "rugs"}[i%4] })
	in := ChooseInput{Catalogue: s, Cart: []Ref{{1, 9}}, Viewed: []Ref{{2, 8}}, Together: []uint64{3, 4}, Trending: []uint64{7, 3, 4}, Purchased: []Ref{{Hash: 4}}, Slots: 8, Seed: 3}
	var from []Source
	for _, c := range Choose(nil, &in) {
		from = append(from, c.Source)
		require.NotEqual(t, "4", c.Product.ID)
	}
	require.Equal(t, []Source{FromCart, FromViewed, FromTogether, FromSimilar, FromSimilar, FromSimilar, FromSimilar, FromSimilar}, from)
	in.Viewed, in.Cart = nil, nil
	require.Equal(t, []Source{FromTogether, FromTrending, FromPopular}, func() (out []Source) {
		in.Slots = 3
		for _, c := range Choose(nil, &in) {
			out = append(out, c.Source)
		}
		return out
	}())
}

// TestSimilarIsNearInPriceAndBrand.
func TestSimilarIsNearInPriceAndBrand(t *testing.T) {
	s := newShelf(12, func(int) string { return "sofas" })
	for i, p := range s.all {
		p.Price, p.Brand = 5000, "other"
		if i == 3 || i == 5 {
			p.Price = 1100
		}
		if i == 5 {
			p.Brand = "mine"
		}
	}
	s.all[0].Price, s.all[0].Brand = 1000, "mine"
	for seed := range uint64(20) {
		got := Choose(nil, &ChooseInput{Catalogue: s, Viewed: []Ref{{1, 1}}, Slots: 3, Seed: seed})
		require.Equal(t, []*campaigns.Product{s.all[0], s.all[5], s.all[3]}, []*campaigns.Product{got[0].Product, got[1].Product, got[2].Product})
	}
}
