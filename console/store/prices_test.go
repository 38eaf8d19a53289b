package store

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// TestLowest30IsTheLawsDefinition holds the function against the definition,
// day by day, over random histories.
func TestLowest30IsTheLawsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.SliceOfN(rapid.Int64Range(1, 6), 1, 120).Draw(t, "price by day")
		var points []PricePoint
		for d, p := range days {
			points = notePrice(points, money.Nano(p), int64(d)*daySeconds)
		}
		last := len(days) - 1
		cut := last // the day on which the price of today began
		for cut > 0 && days[cut-1] == days[last] {
			cut--
		}
		want := money.Nano(0)
		if cut >= priceDays && days[cut] < days[cut-1] && last-cut <= priceDays {
			want = money.Nano(days[cut-1])
			for d := cut - priceDays; d < cut; d++ {
				want = min(want, money.Nano(days[d]))
			}
		}
		if got := Lowest30(points, int64(last)*daySeconds); got != want {
			t.Fatalf("%v: %d, by the definition %d (%v)", days, got, want, points)
		}
	})
}

func TestPricesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var raw []byte
		want := rapid.MapOf(rapid.String(), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) PricePoint {
			return PricePoint{rapid.Int64().Draw(t, "since"), money.Nano(rapid.Int64().Draw(t, "price"))}
		}), 0, 5)).Draw(t, "prices")
		for id, points := range want {
			raw = appendPrices(raw, id, points)
		}
		got, order, err := decodePrices(raw)
		require.NoError(t, err)
		require.Len(t, order, len(want))
		for id, points := range want {
			require.ElementsMatch(t, points, got[id])
		}
	})
}

func FuzzDecodePrices(f *testing.F) {
	f.Add(appendPrices(appendPrices(nil, "p1", []PricePoint{{1, 2}, {3, 4}}), "p2", nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if known, order, err := decodePrices(raw); err == nil && len(known) > len(order) {
			t.Fatal("more products than were read")
		}
	})
}

// TestStagingEqualsBuckets: what is staged on disk is what was spread in
// memory, and the last of a repeated id counts.
func TestStagingEqualsBuckets(t *testing.T) {
	products := make([]campaigns.Product, 5000)
	for i := range products {
		products[i] = campaigns.Product{ID: string(rune('a'+i%26)) + string(rune('A'+i/26%26)) + string(rune('0'+i/676)), Title: "T", Price: money.Nano(i + 1)}
	}
	s, err := NewStaging(t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	wrong := products[3]
	wrong.Title = "overtaken"
	require.NoError(t, s.Add(&wrong))
	for i := range products {
		require.NoError(t, s.Add(&products[i]))
	}
	require.Equal(t, 1, s.Repeated())
	st, _ := open(t, Config{})
	require.NoError(t, s.Seal(t.Context(), st.View(), 1, 0, 1000))
	want, err := Buckets(products, 0)
	require.NoError(t, err)
	require.Equal(t, len(want), s.Buckets())
	for i := range want {
		got, err := s.bucket(i)
		require.NoError(t, err)
		require.Equal(t, string(want[i].Items), string(got.Items))
		require.Equal(t, want[i].Hash, s.hash(i))
	}
}
