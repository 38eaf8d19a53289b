package bidder

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// A price in a large feed is live at once, and a new name is found a moment
// later, by the publisher's own doing.
func TestALargeFeedIsReadAgainBesideThePublisher(t *testing.T) {
	w := newWorld(t)
	p := &publisher{b: w.b, docs: campaigns.NewDocs(), compiler: campaigns.NewCompiler(), changed: make(chan struct{}, 1)}
	version := int64(0)
	apply := func(r campaigns.Record) {
		version++
		r.Version = version
		p.mu.Lock()
		changed, err := p.docs.Apply(&r)
		p.mu.Unlock()
		require.NoError(t, err)
		require.True(t, changed)
		p.poke()
	}
	feed := &campaigns.ProductBucket{ShopID: 7, Feed: 1, Buckets: 1}
	for i := range 3000 {
		feed.Items = append(feed.Items, campaigns.Product{ID: fmt.Sprint("p", i), Title: fmt.Sprint("Sofa ", i), Category: "Meble > Sofy", Price: 1, Currency: pln, Available: true})
	}
	apply(campaigns.Record{Key: "shop/7", Shop: testShop()})
	apply(campaigns.Record{Key: "products/7/0", Products: feed})
	ctx, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.run(ctx) })
	defer wg.Wait()
	defer end()
	await := func(what string, holds func(*campaigns.Catalogue) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			shop := w.b.state.Load().Snapshot.Shop(7)
			return shop != nil && shop.Catalogue.Len() == 3000 && holds(shop.Catalogue)
		}, 3*time.Minute, 5*time.Millisecond, what)
	}
	finds := func(text string) bool {
		var f campaigns.Facts
		f.NowMS = noon
		f.Intent.Add(text, 1)
		return w.b.state.Load().Snapshot.Intent(&f, 7).N > 0
	}
	await("the first reading", func(*campaigns.Catalogue) bool { return finds("sofa") && !finds("wazon") })
	next := *feed
	next.Items = slices.Clone(feed.Items)
	next.Items[7].Title, next.Items[7].Category, next.Items[8].Price = "Wazon", "Dekoracje > Wazony", 2
	apply(campaigns.Record{Key: "products/7/0", Products: &next})
	await("the price", func(c *campaigns.Catalogue) bool { return c.At(8).Price == 2 })
	await("the new name", func(*campaigns.Catalogue) bool { return finds("wazon") })
	require.True(t, finds("sofa"))
}
