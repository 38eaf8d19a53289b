package bidder

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// What explain says of capped products is what the ads then lack.
func TestExplainTellsWhichProductsAreCapped(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Strict: true, Caps: []campaigns.FrequencyCap{
		{Per: campaigns.PerProduct, Impressions: 1, Hours: 24}, {Per: campaigns.PerProduct, Impressions: 3, Hours: 168},
	}})
	w.in.Campaigns[0].Creatives[0].Template = "single"
	w.in.Version++
	w.in.Campaigns[0].Version++
	require.Empty(t, w.b.Publish(w.in))
	told := func(n int) *ExplainedProducts {
		t.Helper()
		got := find(t, &explain(t, w.b, fmt.Sprintf(cappedRequest, n, slots(1))).Imps[0], 1)
		require.NotNil(t, got.Products)
		require.Equal(t, []ExplainedProductCap{{1, 24}, {3, 168}}, got.Products.Caps)
		require.Empty(t, got.Failing, "an ad goes on without them")
		return got.Products
	}
	before := told(0)
	require.Empty(t, before.Capped)
	require.Equal(t, 4, before.Of)
	var seen []string
	for n := range 3 {
		bid := w.bid("burl", fmt.Sprintf(cappedRequest, n, slots(1))).SeatBid[0].Bid[0]
		seen = append(seen, shownIn(bid.AdM)...)
		require.ElementsMatch(t, seen, told(n).Capped, "of an open bid as well")
		require.Equal(t, http.StatusNoContent, w.get(macro(bid.BURL, "1")).StatusCode)
		for _, e := range w.spooled() {
			w.b.fold(&e)
		}
		require.ElementsMatch(t, seen, told(n).Capped)
	}
	require.Len(t, seen, 3)
	w.clock.Advance(25 * 3600 * 1e9)
	require.Empty(t, told(9).Capped)
	nobody := explain(t, w.b, `{"id":"n","imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"page":"https://n.example/"}}`)
	require.Empty(t, find(t, &nobody.Imps[0], 1).Products.Capped)
}

func TestExplainSaysNothingOfProductsWithoutCaps(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Impressions: 3, Hours: 24, Caps: []campaigns.FrequencyCap{{Per: campaigns.PerShop, Impressions: 5, Hours: 24}}})
	require.Nil(t, find(t, &explain(t, w.b, fmt.Sprintf(cappedRequest, 0, slots(1))).Imps[0], 1).Products)
}
