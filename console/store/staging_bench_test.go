package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// BenchmarkStaging puts feeds in force that are all new, as the first one of a
// shop is; the time is of the whole feed, so it shows the growth.
func BenchmarkStaging(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				stageFeed(b, n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/product")
		})
	}
}

func stageFeed(b *testing.B, n int) {
	b.Helper()
	b.StopTimer()
	st, clk := open(b, Config{Path: b.TempDir() + "/console.db"})
	var shop Shop
	require.NoError(b, st.Write(b.Context(), Actor{Name: "bench"}, func(tx *Tx) (err error) {
		shop, err = tx.CreateShop(b.Context(), campaigns.Shop{Name: "B", Domain: "b.example", URL: "https://b.example/", Currency: money.MustCurrency("PLN"), TimeZone: "UTC"})
		return err
	}))
	b.StartTimer()
	s, err := NewStaging(b.TempDir())
	require.NoError(b, err)
	for i := range n {
		p := campaigns.Product{ID: fmt.Sprint("SKU-", i), Title: fmt.Sprint("Sofa welurowa Mora ", i), Category: "Meble > Salon > Sofy", Brand: "Nordlund",
			URL: fmt.Sprint("https://b.example/p/", i), ImageURL: fmt.Sprint("https://b.example/i/", i, ".jpg"), Price: money.Nano(i + 1), Currency: money.MustCurrency("PLN"), Available: true}
		require.NoError(b, s.Add(&p))
	}
	require.NoError(b, s.Seal(b.Context(), st.View(), shop.ID, 0, clk.NowMS()))
	require.NoError(b, st.Write(b.Context(), Actor{Name: "bench"}, func(tx *Tx) error {
		f, _, err := tx.PutStaged(b.Context(), shop.ID, s, "{}")
		require.Equal(b, n, f.Products)
		return err
	}))
	require.NoError(b, s.Close())
}
