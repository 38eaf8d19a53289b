package forecast

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The cost of a campaign that is billed by clicks is what its clicks are
// billed, whatever its impressions cost; a budget bounds it.
func TestClicksAreBilled(t *testing.T) {
	bids := &Bids{ToMS: 10 * 86_400_000, Ads: 1, Markets: []string{"a"}, PerClick: 500_000_000}
	for i := range 4_000 {
		bids.Person, bids.AtMS, bids.Weight, bids.Market = append(bids.Person, int32(i/4)), append(bids.AtMS, int64(i)*200_000), append(bids.Weight, 10), append(bids.Market, 0)
		bids.First, bids.Bid, bids.Floor, bids.Gross = append(bids.First, false), append(bids.Bid, 5_000_000), append(bids.Floor, 0), append(bids.Gross, 200_000_000)
		bids.Click, bids.Order = append(bids.Click, 0.02), append(bids.Order, 0.05)
	}
	require.True(t, bids.Whole())
	in := Input{Bids: bids, Landscape: []Price{{"a", 5, 1e6, 6e5}, {"a", 2, 1e6, 3e5}}, Days: 10, Seed: 1, Clicks: Level{1000, 1000}, Orders: Level{1000, 1000}}
	free := Replay(in)
	assert.InEpsilon(t, free.Clicks.Mid*0.5, free.Cost.Mid, 0.02)
	assert.Greater(t, free.Cost.High, free.Cost.Low)
	in.Budget = free.Cost.Mid / 2
	half := Replay(in)
	assert.LessOrEqual(t, half.Cost.High, in.Budget)
	assert.InEpsilon(t, in.Budget, half.Cost.Mid, 0.05)
	assert.InEpsilon(t, free.Clicks.Mid/2, half.Clicks.Mid, 0.08)
	assert.Contains(t, half.Limits, LimitBudget)
	bids.PerClick = 0
	assert.Greater(t, Replay(Input{Bids: bids, Landscape: in.Landscape, Days: 10, Seed: 1}).Cost.Mid, 2*free.Cost.Mid, "impressions cost more here")
	bids.PerClick = -1
	assert.False(t, bids.Whole())
}
