package campaigns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

func TestExplainBoostsSaysWhatBidCPMMultiplies(t *testing.T) {
	s, problems := Compile(Input{
		Shops: []*Shop{{ID: 1, Currency: money.MustCurrency("PLN"), TimeZone: "UTC", Active: true}},
		Campaigns: []*Campaign{{
			ID: 5, ShopID: 1, Kind: KindInterest, Status: StatusActive, Targeting: `country in ("PL")`,
			Bid: Bid{CPM: 1_000_000, Boosts: []Boost{
				{When: `domain in ("a.example")`, BPS: 15_000}, {When: `domain in ("b.example")`, BPS: 20_000}, {When: `device in ("mobile")`, BPS: 5_000},
			}},
			Creatives: []Creative{{ID: 1, Media: MediaBanner}},
		}},
	})
	require.Empty(t, problems)
	m := NewMatcher()
	f := &Facts{Domain: "a.example", Device: "mobile", Country: "DE"}
	require.Len(t, s.Explain(f, m, 0), 1, "a campaign that is not for the request is explained as well")
	got := s.ExplainBoosts(0, m)
	require.Len(t, got, 3)
	product := money.CPM(1_000_000)
	for i, want := range []bool{true, false, true} {
		require.Equal(t, want, got[i].Holds, got[i].When)
		if got[i].Holds {
			product = product.Scale(got[i].BPS)
		}
	}
	require.Equal(t, s.BidCPM(0, m), product)
}
