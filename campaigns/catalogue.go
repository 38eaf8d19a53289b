package campaigns

import (
	"cmp"
	"slices"
	"sort"

	"github.com/grosz/grosz/segments"
)

// Catalogue is one shop's products, immutable: every list holds pointers to
// the same products. Safe for many goroutines; no method but Search's growth
// of dst allocates.
type Catalogue struct {
	products []Product
	byHash   map[uint64]uint32
	category map[string][]*Product
	byCat    map[uint32][]*Product
	popular  []*Product
	words    wordIndex
}

// popularMost bounds Popular.
const popularMost = 1024

// NewCatalogue builds a catalogue; of products with the same id the last one
// stays. The products must not change afterwards.
func NewCatalogue(products []Product) *Catalogue {
	c := &Catalogue{byHash: make(map[uint64]uint32, len(products)), category: map[string][]*Product{}, byCat: map[uint32][]*Product{}}
	c.products = make([]Product, 0, len(products))
	for _, p := range products {
		h := segments.ProductHash(p.ID)
		if i, ok := c.byHash[h]; ok {
			c.products[i] = p
			continue
		}
		c.byHash[h] = uint32(len(c.products))
		c.products = append(c.products, p)
	}
	order := make([]*Product, 0, len(c.products))
	for i := range c.products {
		if c.products[i].Available {
			order = append(order, &c.products[i])
		}
	}
	// Until sales are counted, a shuffle that is the same everywhere stands
	// in for popularity.
	hashes := make(map[*Product]uint64, len(order))
	for _, p := range order {
		hashes[p] = segments.ProductHash(p.ID)
	}
	slices.SortFunc(order, func(a, b *Product) int { return cmp.Compare(hashes[a], hashes[b]) })
	for _, p := range order {
		c.category[p.Category] = append(c.category[p.Category], p)
	}
	for path, list := range c.category {
		if h := segments.CategoryHash(path); h != 0 {
			c.byCat[h] = append(c.byCat[h], list...)
		}
	}
	c.popular = order[:min(len(order), popularMost):min(len(order), popularMost)]
	c.words = newWordIndex(c.products)
	return c
}

// Len is the number of products, available or not.
func (c *Catalogue) Len() int { return len(c.products) }

// At returns the i-th product.
func (c *Catalogue) At(i int) *Product { return &c.products[i] }

// ByHash returns the product of a segments.ProductHash, or nil.
func (c *Catalogue) ByHash(hash uint64) *Product {
	i, ok := c.byHash[hash]
	if !ok {
		return nil
	}
	return &c.products[i]
}

// Category returns the available products of exactly this category path.
func (c *Catalogue) Category(path string) []*Product { return c.category[path] }

// CategoryByHash returns the available products of a segments.CategoryHash,
// which is how profiles name categories.
func (c *Catalogue) CategoryByHash(hash uint32) []*Product { return c.byCat[hash] }

// Popular returns available products of the whole shop, best first.
func (c *Catalogue) Popular() []*Product { return c.popular }

// Search appends up to limit available products whose title, brand or
// category has the most of the words (hashes of segments.NextWord, such as
// Facts.Words); a product needs at least least of them.
func (c *Catalogue) Search(dst []*Product, words []uint64, least, limit int) []*Product {
	const most = 16 // words looked at; the rarest of a text carry its meaning
	var lists [most][]uint32
	n := 0
	for _, w := range words {
		if l := c.words.find(w); len(l) > 0 {
			i := n
			if n < most {
				n++
			} else if i--; len(l) >= len(lists[i]) {
				continue
			}
			for ; i > 0 && len(lists[i-1]) > len(l); i-- {
				lists[i] = lists[i-1]
			}
			lists[i] = l
		}
	}
	start := len(dst)
	for want := n; want >= max(least, 1); want-- {
		// A product that has want of n words is in one of the n-want+1 rarest lists.
		for first := 0; first <= n-want; first++ {
			for _, i := range lists[first][:min(len(lists[first]), searchScan)] {
				p := &c.products[i]
				if len(dst)-start >= limit {
					return dst
				}
				if p.Available && countIn(lists[:n], i) == want && !slices.Contains(dst[start:], p) {
					dst = append(dst, p)
				}
			}
		}
	}
	return dst
}

// searchScan bounds how many products of one word are tried.
const searchScan = 256

func countIn(lists [][]uint32, i uint32) int {
	n := 0
	for _, l := range lists {
		if _, ok := slices.BinarySearch(l, i); ok {
			n++
		}
	}
	return n
}

// wordIndex tells which products have a word: hashes sorted, the products of
// hashes[i] are ids[from[i]:from[i+1]], rising.
type wordIndex struct {
	hashes []uint64
	from   []uint32
	ids    []uint32
}

func (x *wordIndex) find(word uint64) []uint32 {
	i := sort.Search(len(x.hashes), func(i int) bool { return x.hashes[i] >= word })
	if i == len(x.hashes) || x.hashes[i] != word {
		return nil
	}
	return x.ids[x.from[i]:x.from[i+1]]
}

func newWordIndex(products []Product) wordIndex {
	type posting struct {
		word uint64
		id   uint32
	}
	var all []posting
	for i := range products {
		p := &products[i]
		for _, text := range [...]string{p.Title, p.Brand, p.Category} {
			for h, rest := segments.NextWord(text); h != 0; h, rest = segments.NextWord(rest) {
				all = append(all, posting{h, uint32(i)})
			}
		}
	}
	slices.SortFunc(all, func(a, b posting) int {
		return cmp.Or(cmp.Compare(a.word, b.word), cmp.Compare(a.id, b.id))
	})
	all = slices.Compact(all)
	x := wordIndex{ids: make([]uint32, len(all))}
	for i, p := range all {
		if i == 0 || p.word != all[i-1].word {
			x.hashes = append(x.hashes, p.word)
			x.from = append(x.from, uint32(i))
		}
		x.ids[i] = p.id
	}
	x.from = append(x.from, uint32(len(all)))
	return x
}
