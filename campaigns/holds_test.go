package campaigns

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

// TestHoldsAgreesWithMatch asks about each campaign alone what Match says of
// all, and does so without allocating.
func TestHoldsAgreesWithMatch(t *testing.T) {
	in := Input{Version: 1, Shops: []*Shop{{ID: 1, Version: 1, Name: "S", Domain: "s.example", URL: "https://s.example/",
		Currency: money.MustCurrency("PLN"), TimeZone: "UTC", Active: true, Salt: "00112233445566778899aabbccddeeff"}}}
	for i, text := range []string{
		"", `deal in ("a")`, `not deal in ("a")`, `deal in ("a", "b") and domain in ("x.example")`, `deal in ("b") or domain in ("x.example")`,
	} {
		in.Campaigns = append(in.Campaigns, &Campaign{ID: uint32(i + 1), ShopID: 1, Version: 1, Name: "c", Kind: KindInterest, Status: StatusActive,
			Targeting: text, Bid: Bid{CPM: 1_000_000}, Creatives: []Creative{{ID: 1, Media: MediaBanner, Title: "t", CTA: "c"}}})
	}
	s, problems := Compile(in)
	require.Empty(t, problems)
	require.Len(t, s.Campaigns, len(in.Campaigns))
	m := NewMatcher()
	for _, deals := range [][]string{nil, {"a"}, {"b"}, {"a", "b"}, {"c"}} {
		for _, domain := range []string{"x.example", "y.example"} {
			f := &Facts{NowMS: 1, Media: MediaBanner, Inventory: "site", Domain: domain}
			for _, d := range deals {
				f.AddDeal(d)
			}
			matched := slices.Clone(s.Match(f, m))
			for i := range s.Campaigns {
				require.Equal(t, slices.Contains(matched, int32(i)), s.Holds(f, m, int32(i)), "%s with %v on %s", s.Campaigns[i].Targeting, deals, domain)
			}
			require.Zero(t, testing.AllocsPerRun(10, func() { s.Holds(f, m, 1) }))
		}
	}
}
