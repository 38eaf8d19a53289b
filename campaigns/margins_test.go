package campaigns

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

func feedOf(shop uint32, version int64, items ...Product) *ProductBucket {
	return &ProductBucket{ShopID: shop, Feed: version, Bucket: 0, Buckets: 1, Items: items}
}

func margined(id string, bps int64, class string) Product {
	return Product{ID: id, Title: id, Price: 10 * money.NanoUnit, Available: true, MarginBPS: bps, MarginClass: class}
}

// A person who looked at a, has b in the cart and bought c.
func marginShopper() segments.Profile {
	p := segments.Profile{Activity: segments.Activity{Last: testNow / 1000, LastView: testNow/1000 - 3600}}
	p.Products[0], p.ProductAt[0] = segments.ProductHash("a"), testNow/1000-3600
	p.Cart[0], p.CartQty[0] = segments.ProductHash("b"), 1
	p.Purchased[0], p.LastPurchase, p.Orders, p.Margin = segments.ProductHash("c"), testNow/1000-7200, 1, 50*money.NanoUnit
	return p
}

func TestMarginPredicates(t *testing.T) {
	shops := []*Shop{testShop(7), testShop(8)}
	feed := []*ProductBucket{
		feedOf(7, 1, margined("a", 2000, "High"), margined("b", 1250, ""), margined("c", 0, "low"), margined("d", 0, "")),
		feedOf(8, 1, margined("a", 9000, "top")),
	}
	for _, c := range []struct {
		expr string
		want bool
	}{
		{`viewed margin_class "high"`, true},
		{`viewed margin_class "HIGH" within 2h`, true},
		{`viewed margin_class "high" within 30m`, false},
		{`viewed margin_class in ("top", "low")`, false},
		{"viewed margin >= 20%", true},
		{"viewed margin > 20%", false},
		{"in_cart margin = 12.5%", true},
		{`in_cart margin_class "high"`, false},
		{`bought margin_class "low" within 3h`, true},
		{`bought margin_class "low" within 1h`, false},
		{"bought margin < 100%", false}, // not known is no number
		{"not bought margin >= 0%", true},
		{"margin >= 50 PLN", true},
		{"margin > 50 PLN", false},
	} {
		t.Run(c.expr, func(t *testing.T) {
			in := Input{Shops: shops, Buckets: feed, Segments: []*Segment{ruleSegment(1, "S", c.expr)}, Campaigns: []*Campaign{
				targeted(1, c.expr+" and known"), targeted(2, `segment "S"`), targeted(3, "not ("+c.expr+")"),
			}}
			s, problems := Compile(in)
			require.Empty(t, problems)
			want := []uint32{3}
			if c.want {
				want = []uint32{1, 2}
			}
			f := &Facts{NowMS: testNow, User: testUser(1), Profiles: []segments.ShopProfile{{Shop: 7, Profile: marginShopper()}, {Shop: 8, Profile: marginShopper()}}}
			m := NewMatcher()
			assert.ElementsMatch(t, want, matchedIDs(s, f, m))
			assert.Zero(t, testing.AllocsPerRun(20, func() { s.Match(f, m) }))
			only, err := s.OnlyShop(7)
			require.NoError(t, err)
			assert.ElementsMatch(t, want, matchedIDs(only, f, NewMatcher()))
		})
	}
}

// What a segment about margins says follows the feed's margins, and nothing
// else of it; of shops that do not ask, no table is made. Another shop's feed
// changes nothing here.
func TestMarginSegmentsFollowTheFeedIsolation(t *testing.T) {
	c, m := NewCompiler(), NewMatcher()
	store, err := segments.NewStore(segments.Config{})
	require.NoError(t, err)
	engine, err := rules.New(rules.Config{}, store, nil)
	require.NoError(t, err)
	engine.SetNow(testNow)
	p := marginShopper()
	store.Put(testUser(1), 7, &p)
	in := Input{
		Shops:     []*Shop{testShop(7), testShop(8)},
		Segments:  []*Segment{ruleSegment(1, "High", `viewed margin_class "high"`), ruleSegment(2, "All", "known")},
		Campaigns: []*Campaign{targeted(1, `segment "High"`), targeted(2, "viewed margin >= 30%")},
	}
	step := func(seven, eight *ProductBucket) *rules.Set {
		in.Buckets = []*ProductBucket{seven, eight}
		s, problems := c.Compile(in)
		require.Empty(t, problems)
		require.NotContains(t, s.margins, uint32(8), "shop 8 asks for no margin")
		engine.Install(7, s.Shop(7).Segments.Set)
		for !engine.Backfill(testNow, 100) {
		}
		f := &Facts{NowMS: testNow, User: testUser(1), Profiles: []segments.ShopProfile{{Shop: 7, Profile: p}}}
		scratch := matchedIDs(s, f, m)
		f.Members = engine.Lookup(testUser(1), nil)
		require.ElementsMatch(t, scratch, matchedIDs(s, f, m), "by bits as from scratch")
		return s.Shop(7).Segments.Set
	}
	member := func() int64 { return engine.Sizes(7)[0].Members }
	other := feedOf(8, 1, margined("a", 100, "high"))

	low := feedOf(7, 1, margined("a", 3500, "low"))
	first := step(low, other)
	assert.EqualValues(t, 0, member())

	dearer := margined("a", 3500, "low")
	dearer.Price *= 2
	assert.Same(t, first, step(feedOf(7, 2, dearer), other), "a price is no margin: nobody is worked out again")
	assert.Same(t, first, step(feedOf(7, 2, dearer), feedOf(8, 2, margined("a", 9000, "low"))))

	second := step(feedOf(7, 3, margined("a", 1000, "high")), other)
	assert.NotSame(t, first, second)
	assert.NotSame(t, first.Rule(0), second.Rule(0))
	assert.Same(t, first.Rule(1), second.Rule(1), "only the segment about margins is worked out again")
	assert.EqualValues(t, 1, member())

	in.Segments, in.Campaigns = in.Segments[1:], nil
	s, _ := c.Compile(in)
	assert.Empty(t, s.margins)
	assert.Empty(t, c.margins.byShop, "nobody asks any more: the table is gone")
}

func TestMarginsAreLookedUpInLargeFeeds(t *testing.T) {
	products := make([]Product, 5000)
	for i := range products {
		products[i] = margined(string(bytes.Repeat([]byte{byte('a' + i%26)}, 1+i/26)), int64(i%7)*100, []string{"", "high", "low"}[i%3])
	}
	c := newShelves(products, "")
	table := segments.NewMargins(nil, c.margins())
	assert.Same(t, table, segments.NewMargins(table, c.margins()))
	for i := range products {
		var p segments.Profile
		p.Cart[0] = segments.ProductHash(products[i].ID)
		q := segments.Predicate{Op: segments.OpInCartMargin, Value: products[i].MarginBPS}
		require.Equal(t, products[i].MarginBPS != 0, q.HoldsWith(&p, table, testNow), i)
		q = segments.Predicate{Op: segments.OpInCartMargin, Hash: uint64(segments.NameHash("high"))}
		require.Equal(t, products[i].MarginClass == "high", q.HoldsWith(&p, table, testNow), i)
	}
	products[4999].MarginClass = "other"
	assert.NotSame(t, table, segments.NewMargins(table, newShelves(products, "").margins()))
}
