package bidder

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

func TestOrderMargin(t *testing.T) {
	const zl = money.NanoUnit
	feed := campaigns.NewCatalogue([]campaigns.Product{
		{ID: "a", Price: 100 * zl, MarginBPS: 2000}, {ID: "b", Price: 50 * zl, MarginBPS: -1000}, {ID: "c", Price: 10 * zl},
		{ID: "max", Price: math.MaxInt64, MarginBPS: 9000},
	})
	for _, c := range []struct {
		name string
		e    events.ShopEvent
		want money.Nano
	}{
		{"by what was paid", events.ShopEvent{Items: []events.Item{{Product: "a", Quantity: 2, Price: 90 * zl}}}, 36 * zl},
		{"by the feed's price", events.ShopEvent{Items: []events.Item{{Product: "a"}}}, 20 * zl},
		{"a loss, and what is not known", events.ShopEvent{Items: []events.Item{{Product: "a"}, {Product: "b", Quantity: 4}, {Product: "c"}, {Product: "gone", Price: zl}}}, 0},
		{"one product", events.ShopEvent{Product: "a", Quantity: 2, Value: 180 * zl}, 36 * zl},
		{"only a value", events.ShopEvent{Value: 180 * zl}, 0},
		{"more than fits", events.ShopEvent{Items: []events.Item{{Product: "max", Quantity: math.MaxInt64}}}, money.Nano(math.MaxInt64 / 10_000 * 9000)},
	} {
		got := orderMargin(feed, &c.e)
		if c.name == "more than fits" {
			require.Positive(t, got, c.name)
			continue
		}
		require.Equal(t, c.want, got, c.name)
	}
}

// A purchase carries its margin into the log, and a profile holds it.
func TestAPurchaseCarriesItsMargin(t *testing.T) {
	w := shopWorld(t, openCampaign(1))
	p := testProducts().Items[0]
	p.MarginBPS = 2500
	w.in.Buckets = []*campaigns.ProductBucket{{ShopID: 7, Buckets: 1, Items: []campaigns.Product{p}}}
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	status, a := w.send(7, shopKey, `{"events":[{"type":"purchase","order_id":"1","value":"80","user":{"uid":"`+uid+`"},"items":[{"product":"`+p.ID+`","quantity":2,"price":"40"}]},
		{"type":"cart_add","product":"`+p.ID+`","user":{"uid":"`+uid+`"}}]}`)
	require.Equal(t, 200, status, a)
	got := w.shopSpooled()
	require.Len(t, got, 2)
	require.EqualValues(t, 20*money.NanoUnit, got[0].Margin)
	require.Zero(t, got[1].Margin)
	profiles := w.b.profiles.Load().Lookup(got[0].UID, nil)
	require.Len(t, profiles, 1)
	require.EqualValues(t, 20*money.NanoUnit, profiles[0].Margin)
}
