package campaigns

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

// Of those who can reach the floor a MatchAbove finds what a Match does, in its
// order, and MatchBelow says whether one of the others matches: for the first
// impression of a request and for further ones.
func TestMatchAboveIsMatchOfThoseWhoReachTheFloor(t *testing.T) {
	eur, xxx := money.MustCurrency("EUR"), money.MustCurrency("XXX")
	rates := &money.Rates{Base: testShop(1).Currency, PerBase: map[money.Currency]money.Rate{eur: 234_567_891}}
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Shops: []*Shop{testShop(1), testShop(2), testShop(3)}}
		in.Shops[1].Currency, in.Shops[2].Currency = eur, xxx // for one there is no rate
		n := rapid.SampledFrom([]int{1, 3, 40, 300}).Draw(t, "n")
		some := make([]string, 8)
		for i := range some {
			some[i] = drawExpr(t, 2)
		}
		for i := range n {
			c := campaign(uint32(i+1), uint32(i%3+1), some[rapid.IntRange(0, len(some)-1).Draw(t, "expr")])
			c.Bid.CPM = money.CPM(1 + i%7)
			if rapid.Bool().Draw(t, "dear") {
				c.Bid.CPM = money.CPM(rapid.Int64Range(1, 40_000_000).Draw(t, "cpm"))
			}
			in.Campaigns = append(in.Campaigns, c)
		}
		s, _ := Compile(in) // without those that ask for amounts of another currency
		if len(s.Campaigns) == 0 {
			return
		}
		bids := testShop(1).Currency
		tops := s.Tops(func(shop money.Currency) (money.Rate, bool) { return rates.Rate(shop, bids) })
		floor := money.CPM(rapid.SampledFrom([]int64{1, 2, 5, 100, 1_000_000, 20_000_000, 40_000_000, math.MaxInt64}).Draw(t, "floor"))
		reaches := func(c int32) bool {
			top, currency := s.TopCPM(c)
			rate, ok := rates.Rate(currency, bids)
			return !ok || top.ConvertDown(rate) >= floor
		}
		f, whole, above := drawFacts(t), NewMatcher(), NewMatcher()
		for i := range 4 {
			if i > 0 {
				other := drawFacts(t)
				f.Media, f.Position, f.Deals = other.Media, other.Position, other.Deals
			}
			want := []int32{}
			below := false
			for _, c := range s.Rematch(f, whole) {
				if reaches(c) {
					want = append(want, c)
				} else {
					below = true
				}
			}
			got := slices.DeleteFunc(append([]int32{}, s.RematchAbove(f, above, tops, floor)...), func(c int32) bool { return !reaches(c) })
			require.Equal(t, want, got, "impression %d", i)
			if len(got) == len(s.Campaigns) || rapid.Bool().Draw(t, "ask") {
				require.Equal(t, below, above.MatchBelow(), "impression %d", i)
			}
			for _, c := range got { // whatever was marked, prices are the same
				require.Equal(t, s.BidCPM(c, whole), s.BidCPM(c, above))
			}
			if rapid.IntRange(0, 3).Draw(t, "between") == 0 {
				require.Equal(t, s.Holds(f, whole, 0), s.Holds(f, above, 0))
			}
		}
	})
}

func TestTopsAreRoundedUpAndFloorsDown(t *testing.T) {
	for _, p := range []money.CPM{0, 1, 1<<24 - 1, 1<<24 + 1, 1<<53 - 1, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64} {
		require.GreaterOrEqual(t, float64(roundedUp(p)), float64(p), "%d", p)
		require.LessOrEqual(t, float64(roundedDown(p)), float64(p), "%d", p)
		require.LessOrEqual(t, roundedDown(p), roundedUp(p))
	}
}

// Nothing is allocated once the Matcher has grown.
func TestMatchAboveDoesNotAllocate(t *testing.T) {
	in := Input{Shops: []*Shop{testShop(1)}}
	for i := range 50 {
		in.Campaigns = append(in.Campaigns, campaign(uint32(i+1), 1, `domain in ("a.pl") and not deal in ("x")`))
	}
	s := compiled(t, in)
	tops := s.Tops(func(money.Currency) (money.Rate, bool) { return money.RateOne, true })
	f, m := &Facts{NowMS: nowMS, Domain: "a.pl", Media: MediaBanner}, NewMatcher()
	for _, floor := range []money.CPM{money.CPMUnit, money.CPMUnit + 1} {
		ask := func() {
			n := len(s.MatchAbove(f, m, tops, floor))
			require.True(t, (n == 50) == (floor == money.CPMUnit) && m.MatchBelow() == (n == 0))
		}
		ask()
		require.Zero(t, testing.AllocsPerRun(20, ask))
	}
}
