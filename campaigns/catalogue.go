package campaigns

import (
	"cmp"
	"slices"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

// Catalogue is one shop's products, immutable: every list holds pointers to
// the same products. Safe for many goroutines; no method allocates.
type Catalogue struct {
	products []Product
	byHash   map[uint64]uint32
	category map[string][]*Product
	byCat    map[uint32][]*Product
	popular  []*Product
	intent   *intent.Index
	language string     // as the shop says it, for intent
	behind   bool       // intent is of an older catalogue, some products are not in it
	mean     money.Nano // price of the available ones
}

// popularMost bounds Popular.
const popularMost = 1024

// NewCatalogue builds a catalogue; of products with the same id the last one
// stays. The products must not change afterwards.
func NewCatalogue(products []Product) *Catalogue { return NewCatalogueIn(products, "") }

// NewCatalogueIn is NewCatalogue for a shop whose language is known (ISO
// 639-1); the language decides how words are matched.
func NewCatalogueIn(products []Product, language string) *Catalogue {
	c := newShelves(products, language)
	c.intent = c.readIntent()
	return c
}

// newShelves is a catalogue without what is found by intent.
func newShelves(products []Product, language string) *Catalogue {
	c := &Catalogue{
		byHash: make(map[uint64]uint32, len(products)), category: map[string][]*Product{}, byCat: map[uint32][]*Product{}, language: language,
	}
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
	order := c.order()
	available := make([]*Product, len(order))
	for i, x := range order {
		p := &c.products[x.pos]
		available[i] = p
		c.category[p.Category] = append(c.category[p.Category], p)
	}
	for path, list := range c.category {
		if h := segments.CategoryHash(path); h != 0 {
			c.byCat[h] = append(c.byCat[h], list...)
		}
	}
	c.mean = meanPrice(available)
	c.popular = available[:min(len(order), popularMost):min(len(order), popularMost)]
	return c
}

// placed is an available product by its hash.
type placed struct {
	hash uint64
	pos  uint32
}

// order sorts the available products. Until sales are counted, a shuffle that
// is the same everywhere stands in for popularity.
func (c *Catalogue) order() []placed {
	order := make([]placed, 0, len(c.products))
	for i := range c.products {
		if c.products[i].Available {
			order = append(order, placed{segments.ProductHash(c.products[i].ID), uint32(i)})
		}
	}
	slices.SortFunc(order, func(a, b placed) int { return cmp.Compare(a.hash, b.hash) })
	return order
}

// readIntent indexes the available products by their words. It is slow, seven
// microseconds a product or so, and may be run beside everything else.
func (c *Catalogue) readIntent() *intent.Index {
	order := c.order()
	docs := make([]intent.Doc, len(order))
	for i, x := range order {
		p := &c.products[x.pos]
		docs[i] = intent.Doc{Title: p.Title, Brand: p.Brand, Category: p.Category, Pos: x.pos}
	}
	return intent.New(docs, c.language)
}

// MeanPrice is that of the available products, 0 where there are none.
func (c *Catalogue) MeanPrice() money.Nano { return c.mean }

func meanPrice(list []*Product) money.Nano {
	mean := 0.0
	for i, p := range list {
		mean += (float64(p.Price) - mean) / float64(i+1)
	}
	return money.Nano(mean)
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

// Intent finds the available products by what people look for.
func (c *Catalogue) Intent() *intent.Index { return c.intent }

// Position returns the place of a product (see At) by its
// segments.ProductHash, if it is available.
func (c *Catalogue) Position(hash uint64) (uint32, bool) {
	i, ok := c.byHash[hash]
	return i, ok && c.products[i].Available
}
