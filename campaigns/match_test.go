package campaigns

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

const nowMS = 1_700_000_000_000 // a Tuesday evening in Warsaw

func pick(t *rapid.T, list ...string) string { return rapid.SampledFrom(list).Draw(t, "pick") }

// drawLeaf writes a random predicate over small vocabularies, so that facts
// meet it often.
func drawLeaf(t *rapid.T) string {
	within := pick(t, "", " within 1h", " within 3d", " within 30d")
	cmp := pick(t, "=", "!=", "<", "<=", ">", ">=")
	n := rapid.IntRange(0, 5).Draw(t, "n")
	list := func(name string, values ...string) string {
		k := rapid.IntRange(1, min(3, len(values))).Draw(t, "k")
		quoted := make([]string, k)
		for i := range quoted {
			quoted[i] = `"` + pick(t, values...) + `"`
		}
		return name + pick(t, " in (", " in (", " not in (") + strings.Join(quoted, ", ") + ")"
	}
	switch rapid.IntRange(0, 33).Draw(t, "form") {
	case 0, 1:
		return pick(t, "known", "is_buyer", "in_cart", "visited", "viewed", "searched", "abandoned", "checkout", "purchased")
	case 2, 3:
		return pick(t, "visited", "viewed", "searched", "abandoned", "checkout", "purchased") + within
	case 4:
		return fmt.Sprintf("%s %s %d", pick(t, "orders", "views", "visits"), cmp, n)
	case 5:
		return fmt.Sprintf("%s %s %d PLN", pick(t, "cart_value", "avg_basket", "revenue"), cmp, n*100)
	case 6:
		return fmt.Sprintf(`viewed product "p%d"%s`, n, within)
	case 7:
		return fmt.Sprintf(`viewed category "c%d"%s`, n, within)
	case 8:
		return fmt.Sprintf(`searched "%s"%s`, pick(t, "sofa", "grey sofa", "bed"), within)
	case 9:
		return fmt.Sprintf(`%s "p%d"`, pick(t, "in_cart", "purchased product"), n)
	case 10, 11, 12, 13:
		return list("domain", "a.pl", "www.a.pl", "news.a.pl", "b.pl", "c.example", "pl")
	case 14:
		return `url prefix "` + pick(t, "https://a.pl", "http://www.a.pl/sport/", "b.pl/x?y", "B.pl") + `"`
	case 15:
		return `url contains "` + pick(t, "sport", "SALE", "a.pl/") + `"`
	case 16:
		return pick(t, `path prefix "/sport"`, `subpage "/x"`, `path contains "RT"`, `path prefix "/"`)
	case 17:
		return list("bundle", "com.x", "COM.Y", "123")
	case 18, 19:
		return list("category", "IAB1", "IAB17", "iab17-2", "IAB17-3", "483")
	case 20:
		return list("keyword", "sofa", "Living  Room", "łóżko")
	case 21:
		return list("search", "corner sofa", "LOZKO")
	case 22:
		return `search contains "` + pick(t, "sofa", "Łóż", "er s") + `"`
	case 23, 24:
		return "looking_for " + pick(t, `"sofa"`, `"living room"`, `in ("bed", "corner sofa")`)
	case 25:
		return list("language", "pl", "en", "DE-de")
	case 26, 27:
		return list("country", "PL", "POL", "DE", "FRA")
	case 28:
		return list("city", "Łódź", "Warszawa", "new york") + " or " + list("region", "MZ", "14")
	case 29:
		return list("device", "mobile", "desktop", "tv") + " and " + list("os", "android", "ios", "macos", "other")
	case 30:
		return list("exchange", "demo", "Alpha", "beta")
	case 31:
		return list("media", "banner", "video", "native") + " or " + list("inventory", "site", "app")
	case 32:
		return list("deal", "D-1", "d-1", "D2") + " or " + list("position", "above_fold", "header")
	default:
		return fmt.Sprintf("hour in (%d..%d) and weekday in (%s..%s)", n*4, (n*7)%24, pick(t, "mon", "wed"), pick(t, "tue", "sun", "fri"))
	}
}

func drawExpr(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return "(" + drawLeaf(t) + ")"
	}
	switch rapid.IntRange(0, 4).Draw(t, "op") {
	case 0:
		return "not " + drawExpr(t, depth-1)
	case 1, 2:
		return "(" + drawExpr(t, depth-1) + " and " + drawExpr(t, depth-1) + " and " + drawExpr(t, depth-1) + ")"
	case 3: // one attribute on both sides
		name, values := "device", []string{"mobile", "desktop", "tv"}
		if rapid.Bool().Draw(t, "country") {
			name, values = "country", []string{"PL", "DE", "FRA"}
		}
		return fmt.Sprintf("(%s %s %q %s %s %s %q)", name, pick(t, "=", "!="), pick(t, values...), pick(t, "or", "and"),
			name, pick(t, "=", "!="), pick(t, values...))
	default:
		return "(" + drawExpr(t, depth-1) + " or " + drawExpr(t, depth-1) + ")"
	}
}

func drawProfile(t *rapid.T) segments.Profile {
	var p segments.Profile
	at := func() uint32 {
		age := rapid.SampledFrom([]int64{-1, 60, 1700, 3600, 3601, 86400, 5 * 86400, 40 * 86400}).Draw(t, "age")
		if age < 0 {
			return 0
		}
		return uint32(nowMS/1000 - age)
	}
	small := func() uint32 { return uint32(rapid.IntRange(0, 5).Draw(t, "small")) }
	p.Last, p.LastView, p.LastSearch = at(), at(), at()
	p.Visits, p.Views, p.Orders = small(), small(), small()
	p.LastCart, p.LastCheckout, p.LastPurchase = at(), at(), at()
	p.Revenue, p.CartValue = money.Nano(small())*100*money.NanoUnit, money.Nano(small())*100*money.NanoUnit
	p.Products[0], p.ProductAt[0] = segments.ProductHash(fmt.Sprint("p", small())), at()
	p.Categories[0], p.CategoryAt[0] = segments.CategoryHash(fmt.Sprint("c", small())), at()
	for i, w := range []string{"sofa", "grey", "bed"} {
		if small() > 2 {
			h, _ := segments.NextWord(w)
			p.Terms[i], p.TermAt[i] = segments.TermHash(h), at()
		}
	}
	if small() > 2 {
		p.Cart[0] = segments.ProductHash(fmt.Sprint("p", small()))
	}
	p.Purchased[0] = segments.ProductHash(fmt.Sprint("p", small()))
	return p
}

func drawFacts(t *rapid.T) *Facts {
	f := &Facts{
		NowMS:     nowMS + rapid.Int64Range(0, 7*24*4).Draw(t, "quarter")*900_000,
		Exchange:  pick(t, "", "demo", "alpha", "ALPHA", "other"),
		Media:     pick(t, "banner", "video", "native"),
		Inventory: pick(t, "site", "app", ""),
		Domain:    pick(t, "", "", "a.pl", "A.pl", "x.news.a.pl", "b.pl", "ba.pl", "c.example", "xyz"),
		URL:       pick(t, "", "https://a.pl", "https://a.pl/sport/1?q=sale", "http://www.A.pl/sport/", "https://b.pl/x?y=1", "https://b.pl?x", "https://ab.pl/Sport"),
		Bundle:    pick(t, "", "com.x", "com.y", "COM.X", "999"),
		Language:  pick(t, "", "pl", "PL", "pl-PL", "en", "de", "fr"),
		Country:   pick(t, "", "PL", "POL", "pl", "DE", "DEU", "FRA", "US", "X"),
		Region:    pick(t, "", "MZ", "mz", "14"),
		City:      pick(t, "", "lodz", "ŁÓDŹ", "Warszawa", "New  York", "Kraków"),
		Device:    pick(t, "", "mobile", "desktop", "tv", "tablet"),
		OS:        pick(t, "", "Android", "iPhone OS", "iOS", "OS X", "BeOS"),
		Position:  pick(t, "", "above_fold", "footer"),
		Search:    pick(t, "", "Corner SOFA", "łóżko", "sofa"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "categories") {
		f.AddCategory(pick(t, "IAB1", "IAB1-1", "iab17-2", "IAB17", "IAB17-20", "483"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "keywords") {
		f.AddKeywords(pick(t, "sofa", "living room, bed", " LOZKO ,,corner"))
	}
	f.AddText(f.Search)
	for range rapid.IntRange(0, 2).Draw(t, "deals") {
		f.AddDeal(pick(t, "D-1", "d-1", "D2", "D3"))
	}
	for shop := range uint32(3) {
		if rapid.Bool().Draw(t, "known") {
			f.Profiles = append(f.Profiles, segments.ShopProfile{Shop: shop + 1, Profile: drawProfile(t)})
		}
	}
	return f
}

func campaign(id, shop uint32, targeting string) *Campaign {
	return &Campaign{
		ID: id, ShopID: shop, Name: fmt.Sprint(id), Status: StatusActive, Targeting: targeting,
		Bid: Bid{CPM: money.CPMUnit}, Creatives: []Creative{{ID: id, Media: MediaBanner}},
	}
}

func compiled(t testing.TB, in Input) *Snapshot {
	t.Helper()
	s, problems := Compile(in)
	for _, p := range problems {
		t.Fatal(p)
	}
	return s
}

func matched(s *Snapshot, f *Facts, m *Matcher) []uint32 {
	ids := []uint32{}
	for _, i := range s.Match(f, m) {
		ids = append(ids, s.Campaigns[i].ID)
	}
	slices.Sort(ids)
	return ids
}

// Match finds exactly the campaigns whose expression holds. Every expression
// is used by so many campaigns that groups get bitmaps in some runs.
func TestMatchEqualsBruteForce(t *testing.T) {
	shops := []*Shop{testShop(1), testShop(2), testShop(3)}
	shops[2].TimeZone = "Asia/Kolkata"
	m := NewMatcher() // one for all: epochs must keep requests apart
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Shops: shops}
		copies := rapid.SampledFrom([]int{1, 1, 1, 1, 1, 9, 9, 140}).Draw(t, "copies")
		exprs := rapid.IntRange(1, 1+200/copies%12).Draw(t, "exprs")
		trees := map[uint32]*node{}
		for range exprs {
			src := drawExpr(t, rapid.IntRange(0, 3).Draw(t, "depth"))
			for range copies {
				id := uint32(len(in.Campaigns) + 1)
				in.Campaigns = append(in.Campaigns, campaign(id, uint32(rapid.IntRange(1, 3).Draw(t, "shop")), src))
				root, err := parse(src)
				require.NoError(t, err, src)
				trees[id] = root
			}
		}
		s, problems := Compile(in)
		require.Empty(t, problems)
		for range 12 {
			f := drawFacts(t)
			want := []uint32{}
			for _, c := range in.Campaigns {
				if reference(trees[c.ID], shops[c.ShopID-1], f) {
					want = append(want, c.ID)
				}
			}
			got := matched(s, f, m)
			if !slices.Equal(want, got) {
				t.Fatalf("want %v got %v\nfacts %+v\n%s", want, got, f, in.Campaigns[first(want, got)-1].Targeting)
			}
			explains(t, s, f, want)
		}
	})
}

// explains checks that exactly the campaigns that do not match have failing
// predicates.
func explains(t *rapid.T, s *Snapshot, f *Facts, want []uint32) {
	m := NewMatcher()
	for i := 0; i < len(s.Campaigns); i += 1 + len(s.Campaigns)/12 {
		c := s.Campaigns[i]
		failing := s.Explain(f, m, int32(i))
		if (len(failing) == 0) != slices.Contains(want, c.ID) {
			t.Fatalf("%s: explained by %v", c.Targeting, failing)
		}
		for _, r := range failing {
			if !strings.HasPrefix(c.Targeting[r.Pos:], strings.TrimPrefix(r.Text, "not ")) {
				t.Fatalf("%q is not at %d of %q", r.Text, r.Pos, c.Targeting)
			}
		}
	}
}

// first returns the first id that is in one list only.
func first(a, b []uint32) uint32 {
	for _, id := range append(slices.Clone(a), b...) {
		if slices.Contains(a, id) != slices.Contains(b, id) {
			return id
		}
	}
	return 1
}

// Whether a campaign of shop 2 matches does not depend on the other shops'
// profiles of the user, nor on their campaigns.
func TestMatchIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Shops: []*Shop{testShop(1), testShop(2), testShop(3)}}
		alone := Input{Shops: in.Shops[1:2]}
		for id := range uint32(12) {
			c := campaign(id+1, id%3+1, drawExpr(t, 2))
			in.Campaigns = append(in.Campaigns, c)
			if c.ShopID == 2 {
				alone.Campaigns = append(alone.Campaigns, c)
			}
		}
		all, _ := Compile(in)
		own, _ := Compile(alone)
		f := drawFacts(t)
		got := slices.DeleteFunc(matched(all, f, NewMatcher()), func(id uint32) bool { return in.Campaigns[id-1].ShopID != 2 })
		f.Profiles = slices.DeleteFunc(f.Profiles, func(p segments.ShopProfile) bool { return p.Shop != 2 })
		require.Equal(t, matched(own, f, NewMatcher()), got)
	})
}

// A value that hundreds of campaigns name has one merged group.
func TestMatchHotValue(t *testing.T) {
	in := Input{Shops: []*Shop{testShop(1)}}
	for i := range 600 {
		country := []string{"PL", "DE", "FR"}[i%3]
		in.Campaigns = append(in.Campaigns, campaign(uint32(i+1), 1,
			fmt.Sprintf(`domain in ("hot.example", "site%d.example") and country = %q and not device = "tv"`, i, country)))
	}
	s := compiled(t, in)
	require.NotEmpty(t, s.index.merged)
	m := NewMatcher()
	assert.Len(t, s.Match(&Facts{Domain: "www.hot.example", Country: "DEU", Device: "mobile"}, m), 200)
	assert.Empty(t, s.Match(&Facts{Domain: "www.hot.example", Country: "DEU", Device: "tv"}, m))
	assert.Equal(t, []uint32{5}, matched(s, &Facts{URL: "https://site4.example/x", Country: "de"}, m))
}

// A list of 100,000 domains, shared by many campaigns, is held once.
func TestMatchLongLists(t *testing.T) {
	domains := make([]string, 100_000)
	for i := range domains {
		domains[i] = fmt.Sprintf(`"s%d.example"`, i)
	}
	list := strings.Join(domains, ",")
	in := Input{Shops: []*Shop{testShop(1)}}
	for i := range 20 {
		in.Campaigns = append(in.Campaigns, campaign(uint32(i+1), 1, []string{"domain in (", "domain not in ("}[i%2]+list+")"))
	}
	s := compiled(t, in)
	require.Len(t, s.index.preds, 1)
	m := NewMatcher()
	assert.Len(t, s.Match(&Facts{Domain: "x.s99999.example"}, m), 10)
	assert.Len(t, s.Match(&Facts{Domain: "s100000.example"}, m), 10)
	assert.EqualValues(t, 1, s.Campaigns[s.Match(&Facts{Domain: "s1.example"}, m)[0]].ID)
	assert.EqualValues(t, 2, s.Campaigns[s.Match(&Facts{}, m)[0]].ID)
}

func TestMatchFlight(t *testing.T) {
	c := campaign(1, 1, "")
	c.StartMS, c.EndMS = 1000, 2000
	s := compiled(t, Input{Shops: []*Shop{testShop(1)}, Campaigns: []*Campaign{c}})
	m := NewMatcher()
	for at, want := range map[int64]int{999: 0, 1000: 1, 1999: 1, 2000: 0} {
		assert.Len(t, s.Match(&Facts{NowMS: at}, m), want, at)
	}
}

func TestBidCPM(t *testing.T) {
	c := campaign(1, 1, "")
	c.Bid = Bid{CPM: 2 * money.CPMUnit, MaxCPM: 5 * money.CPMUnit, Boosts: []Boost{
		{When: "cart_value >= 500 PLN", BPS: 20_000}, {When: `device = "mobile"`, BPS: 5_000}, {When: "is_buyer", BPS: 20_000},
	}}
	s := compiled(t, Input{Shops: []*Shop{testShop(1)}, Campaigns: []*Campaign{c}})
	m := NewMatcher()
	price := func(f *Facts) money.CPM {
		require.Len(t, s.Match(f, m), 1)
		return s.BidCPM(0, m)
	}
	f := &Facts{NowMS: nowMS}
	assert.Equal(t, money.CPM(2_000_000), price(f))
	f.Device = "mobile"
	assert.Equal(t, money.CPM(1_000_000), price(f))
	p := segments.ShopProfile{Shop: 1}
	p.CartValue = 500 * money.NanoUnit
	f.Profiles = append(f.Profiles, p)
	assert.Equal(t, money.CPM(2_000_000), price(f))
	f.Device, f.Profiles[0].Orders = "desktop", 1
	assert.Equal(t, money.CPM(5_000_000), price(f), "the bound")
}

func TestExplain(t *testing.T) {
	s := compiled(t, Input{Shops: []*Shop{testShop(1)}, Campaigns: []*Campaign{
		campaign(1, 1, `country = "PL" and (device = "mobile" or known) and not domain = "a.pl" and looking_for "big sofa"`),
	}})
	f := &Facts{NowMS: nowMS, Country: "DEU", Domain: "www.a.pl"}
	assert.Equal(t, []ClauseResult{
		{`country = "PL"`, 0}, {`device = "mobile"`, 20}, {`known`, 41}, {`not domain = "a.pl"`, 56}, {`looking_for "big sofa"`, 76},
	}, s.Explain(f, NewMatcher(), 0))
	f = &Facts{NowMS: nowMS, Country: "pl", Device: "mobile"}
	f.AddText("a big grey Sofa")
	assert.Empty(t, s.Explain(f, NewMatcher(), 0))
}

// A value that thousands of lists have marks none of them: they are searched.
func TestMatchCommonValue(t *testing.T) {
	in := Input{Shops: []*Shop{testShop(1)}}
	for i := range maxPosted + 10 {
		in.Campaigns = append(in.Campaigns, campaign(uint32(i+1), 1,
			fmt.Sprintf(`city in ("Town %d", "Hill") and domain not in ("bad.example", "bad%d.example") and bundle not in ("com.a", "com.b%d")`, i%7, i, i)))
	}
	s := compiled(t, in)
	require.NotEmpty(t, s.index.slots.posted[kindDomain].hot)
	m := NewMatcher()
	assert.Empty(t, s.Match(&Facts{City: "Hill", Domain: "www.bad.example"}, m))
	assert.Len(t, s.Match(&Facts{City: "Hill", Domain: "good.example"}, m), maxPosted+10)
	assert.Len(t, s.Match(&Facts{City: "hill", Domain: "bad3.example"}, m), maxPosted+9)
	assert.Empty(t, s.Match(&Facts{City: "hill", Bundle: "com.a"}, m))
}

// Another impression of a request is matched as if it came alone, whatever
// was asked between.
func TestRematchEqualsMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Shops: []*Shop{testShop(1), testShop(2)}}
		n := rapid.IntRange(1, 40).Draw(t, "n")
		for i := range n {
			in.Campaigns = append(in.Campaigns, campaign(uint32(i+1), uint32(i%2+1), drawExpr(t, 2)))
		}
		s, problems := Compile(in)
		require.Empty(t, problems)
		f, m := drawFacts(t), NewMatcher()
		s.Match(f, m)
		for range 4 {
			other := drawFacts(t)
			f.Media, f.Position, f.Deals = other.Media, other.Position, other.Deals
			if rapid.IntRange(0, 3).Draw(t, "between") == 0 {
				s.Holds(f, m, 0)
			}
			var got []uint32
			for _, c := range s.Rematch(f, m) {
				got = append(got, s.Campaigns[c].ID)
			}
			slices.Sort(got)
			if want := matched(s, f, NewMatcher()); !slices.Equal(want, got) {
				t.Fatalf("a rematch finds %v, a match %v", got, want)
			}
		}
	})
}
