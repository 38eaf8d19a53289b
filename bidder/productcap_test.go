package bidder

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

func shownIn(adm string) (ids []string) {
	for _, id := range []string{"a", "b", "c", "d"} {
		if strings.Contains(adm, "Sofa "+id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// A product that was seen as often as its cap allows gives way to another; an
// ad goes on without products when all were.
func TestCapsOfProducts(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Strict: true, Caps: []campaigns.FrequencyCap{{Per: campaigns.PerProduct, Impressions: 1, Hours: 24}}})
	w.in.Campaigns[0].Creatives[0].Template = "single"
	w.in.Version++
	w.in.Campaigns[0].Version++
	require.Empty(t, w.b.Publish(w.in))
	var seen []string
	for n := range 4 {
		bid := w.bid("burl", fmt.Sprintf(cappedRequest, n, slots(1))).SeatBid[0].Bid[0]
		ids := shownIn(bid.AdM)
		require.Len(t, ids, 1)
		require.NotContains(t, seen, ids[0], "bid %d", n)
		seen = append(seen, ids...)
		if n%2 == 0 { // the others are under way
			require.Equal(t, http.StatusNoContent, w.get(macro(bid.BURL, "1")).StatusCode)
			for _, e := range w.spooled() {
				require.Len(t, e.Shows, 8)
				w.b.fold(&e)
			}
		}
	}
	slices.Sort(seen)
	require.Equal(t, []string{"a", "b", "c", "d"}, seen)
	last := w.bid("burl", fmt.Sprintf(cappedRequest, 9, slots(1))).SeatBid[0].Bid[0]
	require.Empty(t, shownIn(last.AdM), "all were seen, or are about to be")
	w.clock.Advance(25 * 3600 * 1e9)
	require.NotEmpty(t, shownIn(w.bid("burl", fmt.Sprintf(cappedRequest, 10, slots(1))).SeatBid[0].Bid[0].AdM))
}

// What was lost was not seen.
func TestALostBidFreesItsProducts(t *testing.T) {
	w := cappedWorld(t, campaigns.Frequency{Strict: true, Caps: []campaigns.FrequencyCap{{Per: campaigns.PerProduct, Impressions: 1, Hours: 24}}})
	first := w.bid("burl", fmt.Sprintf(cappedRequest, 1, slots(1))).SeatBid[0].Bid[0]
	all := shownIn(first.AdM)
	require.NotEmpty(t, all)
	require.Equal(t, http.StatusNoContent, w.get(macro(first.LURL, "")).StatusCode)
	again := w.bid("burl", fmt.Sprintf(cappedRequest, 2, slots(1))).SeatBid[0].Bid[0]
	require.Len(t, shownIn(again.AdM), len(all))
	require.Less(t, len(w.bid("burl", fmt.Sprintf(cappedRequest, 3, slots(1))).SeatBid[0].Bid[0].BURL)-len(again.BURL), 100)
}
