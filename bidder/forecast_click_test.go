package bidder

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A campaign that is billed by clicks is replayed with what its clicks bring:
// the forecast is told what each is billed, and what the platform would pay.
func TestReplayOfACampaignBilledByClicks(t *testing.T) {
	live := clickCampaign(1)
	w := newClickWorld(t, live)
	shared(w, 1)
	for i := range 12 {
		w.post("burl", fmt.Sprintf(sampledRequest, 0.5, "a.example", person(i)))
	}
	w.collect()
	got, err := w.b.ForecastBids(live)
	require.NoError(t, err)
	require.Len(t, got.Bid, 12)
	assert.EqualValues(t, 1_100_000_000, got.PerClick, "1 PLN and its fee")
	assert.InDelta(t, 0.01, got.Click[0], 1e-4)
	assert.InDelta(t, 9.0/4, float64(got.Bid[0])/1e6, 0.01, "what the click brings, less the margin, in USD")
	assert.InDelta(t, 0.009, float64(got.Gross[0])/1e9, 1e-4, "in PLN, without a fee")
	again, err := w.b.ForecastBids(openCampaign(2))
	require.NoError(t, err)
	assert.Zero(t, again.PerClick)
}
