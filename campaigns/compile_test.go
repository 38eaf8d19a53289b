package campaigns

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

func TestCompileLeavesOutWhatIsBroken(t *testing.T) {
	broken := func(id uint32, f func(c *Campaign)) *Campaign {
		c := campaign(id, 1, "known")
		f(c)
		return c
	}
	noZone, noCurrency, off := testShop(2), testShop(3), testShop(4)
	noZone.TimeZone, noCurrency.Currency, off.Active = "Mars/Olympus", money.Currency{}, false
	s, problems := Compile(Input{
		Shops: []*Shop{testShop(1), noZone, noCurrency, off},
		Campaigns: []*Campaign{
			campaign(10, 1, "known"),
			campaign(11, 1, "knwon"),
			campaign(12, 1, "cart_value > 5 EUR"),
			campaign(13, 2, "known"), // its shop is broken
			campaign(14, 99, "known"),
			campaign(15, 4, "known"), // its shop is switched off: no problem
			broken(16, func(c *Campaign) { c.Status = StatusPaused; c.Targeting = "(" }),
			broken(17, func(c *Campaign) { c.Bid.CPM = 0 }),
			broken(18, func(c *Campaign) { c.Creatives = nil }),
			broken(19, func(c *Campaign) { c.Creatives[0] = Creative{Media: MediaVideo} }),
			broken(20, func(c *Campaign) { c.Bid.Boosts = []Boost{{When: "orders >", BPS: 20_000}} }),
			broken(21, func(c *Campaign) { c.EndMS = 5; c.StartMS = 5 }),
			broken(22, func(c *Campaign) { c.Frequency.Hours = 5 }),
		},
	})
	got := map[string]string{}
	for _, p := range problems {
		got[p.Key] = p.Err.Error()
	}
	for key, part := range map[string]string{
		"shop/2": `time zone "Mars/Olympus"`, "shop/3": "no currency",
		"campaign/11": `did you mean "known"?`, "campaign/12": "currency is PLN", "campaign/13": "shop 2",
		"campaign/14": "shop 99", "campaign/17": "bid.cpm", "campaign/18": "no creative", "campaign/19": "a video needs",
		"campaign/20": "boost 1: line 1, column 9", "campaign/21": "end must be after start", "campaign/22": "frequency needs both",
	} {
		assert.Contains(t, got[key], part, key)
		delete(got, key)
	}
	assert.Empty(t, got)
	require.Len(t, s.Campaigns, 1)
	c, i := s.Campaign(10)
	require.NotNil(t, c)
	assert.Equal(t, s.Campaigns[i], c)
	c, _ = s.Campaign(11)
	assert.Nil(t, c)
	var se *SyntaxError
	for _, p := range problems {
		if p.Key == "campaign/11" {
			assert.True(t, errors.As(p, &se))
		}
	}
	assert.Error(t, campaign(1, 1, "knwon").Check(testShop(1)))
	assert.NoError(t, campaign(1, 1, "known").Check(testShop(1)))
}

// A change is seen, what did not change is not compiled again, and the older
// Snapshot still answers as before.
func TestCompilerReuses(t *testing.T) {
	c := NewCompiler()
	in := Input{Shops: []*Shop{testShop(1), testShop(2)}, Buckets: feed(1, 100, 1)}
	for id := range uint32(20) {
		in.Campaigns = append(in.Campaigns, campaign(id+1, id%2+1, fmt.Sprintf(`domain = "d%d.pl" and known`, id)))
	}
	before, problems := c.Compile(in)
	require.Empty(t, problems)
	doc := *in.Campaigns[4]
	doc.Targeting = `domain = "new.pl"`
	in.Campaigns[4] = &doc
	price := *in.Campaigns[6]
	price.Bid.CPM *= 2
	in.Campaigns[6] = &price
	in.Campaigns = append(in.Campaigns[:10:10], in.Campaigns[11:]...)
	after, problems := c.Compile(in)
	require.Empty(t, problems)

	assert.Same(t, before.Campaigns[3], after.Campaigns[3])
	assert.NotSame(t, before.Campaigns[4], after.Campaigns[4])
	assert.NotSame(t, before.Campaigns[6], after.Campaigns[6])
	assert.Same(t, before.Campaigns[6].expr, after.Campaigns[6].expr)
	assert.Same(t, before.Shop(1).Catalogue, after.Shop(1).Catalogue)
	m := NewMatcher()
	f := &Facts{Domain: "new.pl"}
	assert.Empty(t, matched(before, f, m))
	assert.Equal(t, []uint32{5}, matched(after, f, m))
	f = &Facts{Domain: "d10.pl", Profiles: []segments.ShopProfile{{Shop: 1}}}
	assert.Equal(t, []uint32{11}, matched(before, f, m))
	assert.Empty(t, matched(after, f, m), "campaign 11 is gone")

	shop := *in.Shops[0]
	shop.Currency = money.MustCurrency("EUR")
	in.Shops[0] = &shop
	in.Campaigns[0].Targeting = ""
	in.Buckets = feed(1, 101, 2)
	changed, problems := c.Compile(in)
	require.Empty(t, problems)
	assert.Equal(t, 101, changed.Shop(1).Catalogue.Len())
	assert.Equal(t, "EUR", changed.Campaigns[0].Shop.Currency.String())
	assert.Equal(t, 0, changed.Shop(2).Catalogue.Len())
}

// Matching goes on while the next Snapshots are made, over many changes, and
// the compiler does not keep what is gone for ever.
func TestCompilerWhileMatching(t *testing.T) {
	c := NewCompiler()
	in := Input{Shops: []*Shop{testShop(1)}}
	for id := range uint32(50) {
		in.Campaigns = append(in.Campaigns, campaign(id+1, 1, fmt.Sprintf(`domain = "d%d.pl"`, id)))
	}
	s, _ := c.Compile(in)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	snapshots := make(chan *Snapshot, 1)
	wg.Go(func() {
		m, s := NewMatcher(), s
		for {
			select {
			case <-stop:
				return
			case s = <-snapshots:
			default:
			}
			if got := matched(s, &Facts{Domain: "www.d7.pl"}, m); len(got) != 1 || got[0] != 8 {
				t.Errorf("got %v", got)
				return
			}
		}
	})
	for i := range 3000 {
		k := i % 50
		if k == 7 {
			continue
		}
		in.Campaigns[k] = campaign(uint32(k+1), 1, fmt.Sprintf(`domain = "x%d.pl" and orders > %d`, i, i))
		s, _ := c.Compile(in)
		select {
		case snapshots <- s:
		default:
		}
	}
	close(stop)
	wg.Wait()
	assert.Less(t, len(c.preds), 2*(1000+50+50)+100)
}

func TestDocs(t *testing.T) {
	d := NewDocs()
	apply := func(want bool, r Record) {
		t.Helper()
		changed, err := d.Apply(&r)
		require.NoError(t, err)
		assert.Equal(t, want, changed)
	}
	apply(true, Record{Key: "shop/1", Version: 2, Shop: testShop(1)})
	apply(false, Record{Key: "shop/1", Version: 2, Shop: testShop(1)})
	apply(false, Record{Key: "shop/1", Version: 1, Deleted: true})
	apply(true, Record{Key: "campaign/5", Version: 1, Campaign: campaign(5, 1, "")})
	apply(true, Record{Key: "campaign/6", Version: 1, Campaign: campaign(6, 1, "")})
	apply(true, Record{Key: "campaign/6", Version: 2, Deleted: true})
	apply(false, Record{Key: "campaign/6", Version: 1, Campaign: campaign(6, 1, "")})
	for _, b := range feed(1, 600, 1) {
		apply(true, Record{Key: fmt.Sprintf("products/1/%d", b.Bucket), Version: 1, Products: b})
	}
	s := compiled(t, d.Input())
	assert.Len(t, s.Campaigns, 1)
	assert.Equal(t, 600, s.Shop(1).Catalogue.Len())

	// A newer feed in another number of buckets voids those left of the older.
	small := feed(1, 100, 2)
	require.Len(t, small, 1)
	apply(true, Record{Key: "products/1/0", Version: 2, Products: small[0]})
	assert.Equal(t, 100, compiled(t, d.Input()).Shop(1).Catalogue.Len())
	apply(true, Record{Key: "products/1/0", Version: 3, Deleted: true})
	apply(true, Record{Key: "products/1/1", Version: 3, Deleted: true})
	apply(true, Record{Key: "products/1/2", Version: 3, Deleted: true})
	assert.Equal(t, 0, compiled(t, d.Input()).Shop(1).Catalogue.Len())

	for _, bad := range []Record{
		{Key: "shop/x"}, {Key: "shop"}, {Key: "campaign/1/2"}, {Key: "thing/1"}, {Key: ""},
		{Key: "shop/9", Version: 1}, {Key: "shop/9", Version: 1, Shop: testShop(8)},
		{Key: "campaign/9", Version: 1, Campaign: campaign(8, 1, "")},
		{Key: "products/1/7", Version: 9, Products: &ProductBucket{ShopID: 1, Bucket: 7, Buckets: 7}},
		{Key: "products/2/0", Version: 9, Products: &ProductBucket{ShopID: 1, Buckets: 1}},
	} {
		changed, err := d.Apply(&bad)
		assert.ErrorIs(t, err, ErrRecord, bad.Key)
		assert.False(t, changed)
	}
}

func TestCatalogue(t *testing.T) {
	c := NewCatalogue([]Product{
		{ID: "1", Title: "Narożna sofa szara", Category: "Meble > Sofy", Brand: "Ładne", Available: true},
		{ID: "2", Title: "Sofa zielona", Category: "Meble > Sofy", Available: true},
		{ID: "3", Title: "Sofa czerwona", Category: "Meble > Sofy"},
		{ID: "4", Title: "Lampa szara", Category: "Lampy", Available: true},
		{ID: "4", Title: "Lampa szara stojąca", Category: "Lampy", Available: true},
	})
	assert.Equal(t, 4, c.Len())
	assert.Equal(t, "Lampa szara stojąca", c.ByHash(segments.ProductHash("4")).Title)
	assert.Nil(t, c.ByHash(segments.ProductHash("5")))
	assert.Len(t, c.Category("Meble > Sofy"), 2, "what is not available is not offered")
	assert.Equal(t, c.Category("Lampy"), c.CategoryByHash(segments.CategoryHash("lampy")))
	assert.Len(t, c.Popular(), 3)
	assert.Same(t, c.ByHash(segments.ProductHash("4")), c.Category("Lampy")[0])

	assert.Equal(t, 3, c.Intent().Len(), "what is not available is not looked for")
	_, ok := c.Position(segments.ProductHash("3"))
	assert.False(t, ok)
	assert.Empty(t, NewCatalogue(nil).Popular())
}

func TestCountries(t *testing.T) {
	for a2, a3 := range map[string]string{"PL": "POL", "DE": "DEU", "US": "USA", "GB": "GBR", "ZW": "ZWE", "AD": "AND", "XX": ""} {
		assert.Equal(t, a3, alpha3(a2[0], a2[1]), a2)
	}
	for i := 5; i < len(countryCodes); i += 5 {
		assert.Less(t, countryCodes[i-5:i-3], countryCodes[i:i+2])
		assert.Equal(t, countryCodes[i+2:i+5], alpha3(countryCodes[i], countryCodes[i+1]))
	}
}

func TestFactsBounds(t *testing.T) {
	var f Facts
	for i := range 1000 {
		f.AddKeyword(fmt.Sprint("word", i))
		f.AddCategory(fmt.Sprint("IAB", i))
		f.AddDeal("d")
	}
	assert.Equal(t, []int{MaxFactWords, MaxFactKeywords, MaxFactList, MaxFactList},
		[]int{len(f.Words), len(f.Keywords), len(f.Categories), len(f.Deals)})
	f.Reset()
	assert.Zero(t, len(f.Words)+len(f.Keywords)+len(f.Categories)+len(f.Deals))
	assert.Empty(t, f.Keywords[:10][9], "a Reset drops the strings")
}

func TestCreativeSizes(t *testing.T) {
	c := campaign(1, 1, "")
	c.Creatives = []Creative{{ID: 1, Media: MediaBanner, Sizes: []Size{{300, 250}}}, {ID: 2, Media: MediaBanner}, {ID: 3, Media: MediaNative}}
	s := compiled(t, Input{Shops: []*Shop{testShop(1)}, Campaigns: []*Campaign{c}})
	cc := s.Campaigns[0]
	assert.EqualValues(t, 1, cc.Banner(300, 250).ID)
	for _, size := range StandardSizes() {
		assert.NotNil(t, cc.Banner(size.W, size.H), size)
	}
	assert.EqualValues(t, 2, cc.Banner(728, 90).ID)
	assert.Nil(t, cc.Banner(301, 250))
	assert.Len(t, cc.Natives, 1)
}
