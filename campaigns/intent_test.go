package campaigns

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

func intentShop(id uint32, products ...Product) (*Shop, *ProductBucket) {
	for i := range products {
		products[i].ID, products[i].Available = fmt.Sprint("p", i), true
	}
	return &Shop{ID: id, Currency: money.MustCurrency("PLN"), TimeZone: "UTC", Language: "pl", Active: true},
		&ProductBucket{ShopID: id, Buckets: 1, Items: products}
}

func intentCampaign(id, shop uint32, targeting string) *Campaign {
	return &Campaign{
		ID: id, ShopID: shop, Kind: KindIntent, Status: StatusActive, Targeting: targeting, Bid: Bid{CPM: 1_000_000},
		Creatives: []Creative{{ID: id, Media: MediaBanner}},
	}
}

// twoShops sell shoes and insoles.
func twoShops(t *testing.T, all ...*Campaign) *Snapshot {
	t.Helper()
	shoes, shoesFeed := intentShop(1, Product{Title: "Szpilki czarne na obcasie", Category: "Buty > Szpilki"}, Product{Title: "Kozaki skórzane", Category: "Buty > Kozaki"})
	insoles, insolesFeed := intentShop(2, Product{Title: "Wkładki do obcasów", Category: "Akcesoria > Wkładki"})
	s, problems := Compile(Input{Shops: []*Shop{shoes, insoles}, Campaigns: all, Buckets: []*ProductBucket{shoesFeed, insolesFeed}})
	require.Empty(t, problems)
	return s
}

func looking(s *Snapshot, f *Facts) (ids []uint32) {
	for _, i := range s.Match(f, NewMatcher()) {
		ids = append(ids, s.Campaigns[i].ID)
	}
	return ids
}

func TestIntentPredicate(t *testing.T) {
	s := twoShops(t,
		intentCampaign(1, 1, ""), intentCampaign(2, 2, ""), // what an intent campaign is without an expression
		intentCampaign(3, 1, `intent >= 0.95`), intentCampaign(4, 1, `not intent and country in ("PL")`),
		intentCampaign(5, 1, `intent or country in ("DE")`), intentCampaign(6, 1, `intent < 0.5 and country in ("PL")`),
		intentCampaign(7, 1, `intent "szpilki"`))
	for _, c := range []struct {
		search string
		want   []uint32
	}{
		{"buty na obcasie", []uint32{1, 5}},
		{"czarne szpilki", []uint32{1, 3, 5, 7}},
		{"wkładki do obcasów", []uint32{2, 4, 6}},
		{"pogoda", []uint32{4, 6}},
		{"", []uint32{4, 6}},
	} {
		f := &Facts{Country: "PL", NowMS: 1000}
		f.Intent.Add(c.search, intent.FromSearch)
		f.AddText(c.search)
		assert.ElementsMatch(t, c.want, looking(s, f), c.search)
	}
}

func TestIntentIsChecked(t *testing.T) {
	for src, at := range map[string]string{
		"intent >= 2": "2", "intent = 0.5": "=", "intent >= sofa": "sofa", "intent >= 0": "0", `intent >`: "",
	} {
		_, err := parse(src)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, src)
		assert.Equal(t, at, syntax.Token, src)
	}
}

func TestIntentOfTheShopsOwnProfile(t *testing.T) {
	s := twoShops(t, intentCampaign(1, 1, ""), intentCampaign(2, 2, ""))
	const now = 1_800_000_000
	word := func(w string) uint32 { h, _ := segments.NextWord(w); return segments.TermHash(h) }
	profile := func(at uint32, words ...string) (p segments.Profile) {
		for i, w := range words { // newest first, as a profile has them
			p.Terms[len(words)-1-i], p.TermAt[len(words)-1-i] = word(w), at
		}
		return p
	}
	for _, c := range []struct {
		name string
		shop uint32
		p    segments.Profile
		want []uint32
	}{
		{"searched", 1, profile(now-60, "szpilek"), []uint32{1}},
		{"searched with a purpose", 1, profile(now-60, "buty", "na", "obcasie"), []uint32{1}},
		{"searched long ago", 1, profile(now-30*86400, "szpilki"), nil},
		{"another thing", 1, profile(now-60, "wkładki", "do", "obcasów"), nil},
		{"bought since", 1, func() segments.Profile {
			p := profile(now-60, "szpilki")
			p.LastPurchase = now - 30
			return p
		}(), nil},
		{"looked at", 2, segments.Profile{Activity: segments.Activity{
			Products: [8]uint64{segments.ProductHash("p0")}, ProductAt: [8]uint32{now - 3600},
		}}, []uint32{2}},
		{"searched in another shop", 2, profile(now-60, "szpilki"), nil},
	} {
		f := &Facts{NowMS: now * 1000, Profiles: []segments.ShopProfile{{Shop: c.shop, Profile: c.p}}}
		assert.Equal(t, c.want, looking(s, f), c.name)
	}
}

// TestIntentIsolation: what another shop knows of a person changes nothing of
// what this shop has for the person.
func TestIntentIsolation(t *testing.T) {
	s := twoShops(t, intentCampaign(1, 1, ""), intentCampaign(2, 2, "intent >= 0.4"))
	rapid.Check(t, func(t *rapid.T) {
		word := func(w string) uint32 { h, _ := segments.NextWord(w); return segments.TermHash(h) }
		words := []string{"szpilki", "wkładki", "do", "obcasów", "buty", "na", "kozaki", "sofa"}
		draw := func(shop uint32) segments.ShopProfile {
			p := segments.ShopProfile{Shop: shop}
			for i := range rapid.IntRange(0, segments.RecentTerms).Draw(t, "terms") {
				p.Terms[i], p.TermAt[i] = word(rapid.SampledFrom(words).Draw(t, "word")), uint32(1_800_000_000-10*i)
			}
			return p
		}
		search := rapid.SampledFrom([]string{"", "szpilki", "wkładki do obcasów"}).Draw(t, "search")
		own, other := draw(1), draw(2)
		of := func(profiles ...segments.ShopProfile) intent.Match {
			f := &Facts{NowMS: 1_800_000_100_000, Profiles: profiles}
			f.Intent.Add(search, intent.FromSearch)
			looking(s, f)
			return *s.Intent(f, 1)
		}
		if a, b := of(own), of(own, other); a != b {
			t.Fatalf("alone %v, beside another shop's %v", a, b)
		}
	})
}

func TestMatchingIntentAllocatesNothing(t *testing.T) {
	s := twoShops(t, intentCampaign(1, 1, ""), intentCampaign(2, 2, ""))
	m, f := NewMatcher(), &Facts{NowMS: 1000}
	run := func() {
		f.Reset()
		f.NowMS = 1000
		f.Intent.Add("czarne szpilki na obcasie", intent.FromSearch)
		f.Intent.AddURL("https://moda.example/buty/szpilki-2027.html")
		if n := len(s.Match(f, m)); n != 1 {
			t.Fatal(n)
		}
	}
	run()
	assert.Zero(t, testing.AllocsPerRun(100, run))
}

// BenchmarkIntentOfManyShops is a request with a search that every one of the
// shops sells something for.
func BenchmarkIntentOfManyShops(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var in Input
			for i := range n {
				shop, feed := intentShop(uint32(i+1), Product{Title: "Szpilki czarne na obcasie", Category: "Buty > Szpilki"}, Product{Title: "Kozaki", Category: "Buty > Kozaki"})
				in.Shops, in.Buckets = append(in.Shops, shop), append(in.Buckets, feed)
				in.Campaigns = append(in.Campaigns, intentCampaign(uint32(i+1), uint32(i+1), ""))
			}
			s, problems := Compile(in)
			require.Empty(b, problems)
			m, f := NewMatcher(), &Facts{NowMS: 1000}
			b.ReportAllocs()
			for b.Loop() {
				f.Reset()
				f.Intent.Add("czarne szpilki na obcasie", intent.FromSearch)
				if len(s.Match(f, m)) != n {
					b.Fatal("not all shops match")
				}
			}
		})
	}
}

func TestCategoriesOfProducts(t *testing.T) {
	s := twoShops(t, intentCampaign(1, 1, `category in ("product:Apparel & Accessories")`), intentCampaign(2, 1, `category = "product:988"`))
	assert.Equal(t, []uint32{1}, looking(s, &Facts{Categories: []string{"IAB18-3"}}))
	assert.Equal(t, []uint32{2}, looking(s, &Facts{Categories: []string{"IAB17"}}))
}
