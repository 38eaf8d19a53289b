package campaigns

import (
	"slices"

	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

// reindexLater is from how many products on the index of what people look for
// is made later; a smaller one takes less than 20 ms.
const reindexLater = 2000

// adopt takes an index that is of another catalogue of the shop and tells
// whether it is as good as a new one: whether the same products are on offer,
// by the same words. Products that are gone, or called otherwise now, are not
// found by it.
func (c *Catalogue) adopt(index *intent.Index, of *Catalogue) (whole bool) {
	found, before := 0, 0
	for i := range of.products {
		if of.products[i].Available {
			before++
		}
	}
	c.intent = index.Rebase(func(pos uint32) (uint32, bool) {
		p := &of.products[pos]
		now, ok := c.byHash[segments.ProductHash(p.ID)]
		if !ok {
			return 0, false
		}
		q := &c.products[now]
		if !q.Available || q.Title != p.Title || q.Brand != p.Brand || q.Category != p.Category {
			return 0, false
		}
		found++
		return now, true
	})
	available := 0
	for i := range c.products {
		if c.products[i].Available {
			available++
		}
	}
	return !of.behind && found == before && found == available && c.language == of.language
}

// catalogue makes a shop's catalogue from its feed. What is found by intent is
// taken over from the catalogue before where titles and stock have not
// changed; where they have, it is read anew at once, or, in a Compiler that
// defers it, for a large feed by a Reindex.
func (c *Compiler) catalogue(feed []*ProductBucket, language string, before *Catalogue) *Catalogue {
	n := 0
	for _, b := range feed {
		n += len(b.Items)
	}
	products := make([]Product, 0, n)
	for _, b := range feed {
		products = append(products, b.Items...)
	}
	cat := newShelves(products, language)
	if before != nil && before.Len() > 0 && cat.adopt(before.intent, before) {
		return cat
	}
	if c.deferFrom > 0 && before != nil && before.Len() > 0 && before.language == language && cat.Len() >= c.deferFrom {
		cat.behind = true
		return cat
	}
	cat.intent = cat.readIntent()
	return cat
}

// Reindex is an index that is to be made anew, of what the products of one
// shop are called.
type Reindex struct {
	Shop  uint32
	of    *Catalogue
	index *intent.Index
}

// DeferIndexes lets Compile go on with the old index where a large feed
// changed: what is new in it is not found by what people look for until
// Reindex and Adopt. Everything else of it is live at once.
func (c *Compiler) DeferIndexes() { c.deferFrom = reindexLater }

// Behind returns the index that is to be made next, nil if none is.
func (c *Compiler) Behind() *Reindex {
	var shops []uint32
	for id, e := range c.shops {
		if e.shop.Catalogue.behind {
			shops = append(shops, id)
		}
	}
	if len(shops) == 0 {
		return nil
	}
	// In turn, so that no shop waits for another that changes all the time.
	slices.Sort(shops)
	i, _ := slices.BinarySearch(shops, c.reindexed+1)
	id := shops[i%len(shops)]
	c.reindexed = id
	return &Reindex{Shop: id, of: c.shops[id].shop.Catalogue}
}

// Run makes the index; any goroutine may call it.
func (r *Reindex) Run() { r.index = r.of.readIntent() }

// Adopt puts an index that was made in force, with the next Compile. The
// shop's products may have changed meanwhile.
func (c *Compiler) Adopt(r *Reindex) {
	e := c.shops[r.Shop]
	if e == nil {
		return
	}
	cat := *e.shop.Catalogue
	made := *r.of
	made.behind = false
	if e.shop.Catalogue == r.of {
		cat.intent, cat.behind = r.index, false
	} else {
		cat.behind = !cat.adopt(r.index, &made)
	}
	shop := *e.shop
	shop.Catalogue = &cat
	c.shops[r.Shop] = &shopEntry{buckets: e.buckets, shop: &shop, lists: e.lists}
}
