package campaigns

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

var shelfWords = []string{"Sofa", "Lampa", "Fotel", "Dywan", "Stół"}

// bigFeed is a feed of n products in 8 buckets.
func bigFeed(n int) []*ProductBucket {
	out := make([]*ProductBucket, 8)
	for i := range out {
		out[i] = &ProductBucket{ShopID: 1, Feed: 1, Bucket: i, Buckets: 8}
	}
	for i := range n {
		w := shelfWords[i%len(shelfWords)]
		b := out[i%8]
		b.Items = append(b.Items, Product{
			ID: fmt.Sprint("p", i), Title: fmt.Sprintf("%s model%c%c", w, 'a'+i/26%26, 'a'+i%26), Category: "Meble > " + w, Brand: "Marka",
			URL: "https://shop1.example/p", Price: money.Nano(i), Available: true,
		})
	}
	return out
}

// looked is what a search finds, by product id.
func looked(s *Snapshot, text string) []string {
	f := Facts{NowMS: 1}
	f.Intent.Add(text, 1)
	m := s.Intent(&f, 1)
	var out []string
	for i := range m.N {
		p := s.Shop(1).Catalogue.At(int(m.Hits[i].Pos))
		out = append(out, fmt.Sprintf("%s %.3f", p.ID, m.Hits[i].Strength))
	}
	return out
}

// Whatever happens to a feed, an index that was made later finds what one
// that is made from scratch finds; and before it is made, nothing is found
// that is gone or is called otherwise.
func TestReindexEqualsFromScratch(t *testing.T) {
	full := bigFeed(80)
	rapid.Check(t, func(t *rapid.T) {
		feed := slices.Clone(full)
		c := NewCompiler()
		c.deferFrom = 20
		shop := testShop(1)
		shop.Language = "pl"
		in := func() Input { return Input{Shops: []*Shop{shop}, Buckets: feed} }
		snap, _ := c.Compile(in())
		require.Nil(t, c.Behind(), "the first is made at once")
		var made *Reindex
		for i := range rapid.IntRange(1, 5).Draw(t, "changes") {
			at := rapid.IntRange(0, 7).Draw(t, "bucket")
			b := *feed[at]
			b.Items = slices.Clone(b.Items)
			p := &b.Items[rapid.IntRange(0, len(b.Items)-1).Draw(t, "product")]
			words := true
			switch rapid.IntRange(0, 4).Draw(t, "change") {
			case 0:
				p.Price++
				words = false
			case 1:
				p.Available = !p.Available
			case 2:
				p.Title = "Wazon " + p.Title
				p.Category = "Dekoracje > Wazony"
			case 3:
				b.Items = append(b.Items, Product{ID: fmt.Sprint("new", i), Title: "Wazon", Category: "Dekoracje > Wazony", Available: true})
			case 4:
				b.Items = b.Items[1:]
			}
			feed[at] = &b
			before := c.Behind() != nil
			snap, _ = c.Compile(in())
			require.Equal(t, before || words, c.Behind() != nil, "a price is no word")
			for _, text := range append([]string{"wazon"}, shelfWords...) {
				for _, hit := range looked(snap, text) {
					id, _, _ := strings.Cut(hit, " ")
					for _, b := range feed {
						for _, p := range b.Items {
							if p.ID == id {
								require.True(t, p.Available)
								require.Contains(t, strings.ToLower(p.Title), strings.ToLower(text))
							}
						}
					}
				}
			}
			if made != nil && rapid.Bool().Draw(t, "adopt late") {
				c.Adopt(made)
				made = nil
				snap, _ = c.Compile(in())
			}
			if made == nil && rapid.Bool().Draw(t, "begin") {
				if made = c.Behind(); made != nil {
					made.Run()
				}
			}
		}
		for r := c.Behind(); r != nil; r = c.Behind() {
			r.Run()
			c.Adopt(r)
			snap, _ = c.Compile(in())
		}
		scratch, _ := Compile(in())
		for _, text := range append([]string{"wazon", "wazon sofa modelab", "sofa modelac", "fotel marka"}, shelfWords...) {
			require.Equal(t, looked(scratch, text), looked(snap, text), text)
		}
	})
}

// BenchmarkFeedChange is what one changed bucket of a shop's feed costs where
// campaigns are compiled: a price, and a title.
func BenchmarkFeedChange(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, what := range []string{"price", "title", "index"} {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				feed := bigFeed(n)
				c := NewCompiler()
				c.DeferIndexes()
				shop := testShop(1)
				c.Compile(Input{Shops: []*Shop{shop}, Buckets: feed})
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					x := *feed[0]
					x.Items = slices.Clone(x.Items)
					x.Items[i%len(x.Items)].Price++
					if what != "price" {
						x.Items[i%len(x.Items)].Title += "x"
					}
					feed[0] = &x
					snap, _ := c.Compile(Input{Shops: []*Shop{shop}, Buckets: feed})
					if snap.Shop(1).Catalogue.Len() != n {
						b.Fatal("products were lost")
					}
					if r := c.Behind(); what == "index" && r != nil {
						r.Run()
						c.Adopt(r)
					}
				}
			})
		}
	}
}
