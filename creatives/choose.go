package creatives

import "github.com/grosz/grosz/campaigns"

// Source says why a product was chosen; the least is the strongest.
type Source uint8

// Sources of a product.
const (
	FromCart     Source = iota // in the user's cart
	FromViewed                 // looked at by the user
	FromTogether               // looked at by others who looked at the same
	FromSimilar                // of a category that the user looked at
	FromTrending               // looked at most in the shop now
	FromPopular                // of the shop's catalogue
	FromWanted                 // what the user looks for, wherever
)

// String is the source's name in events and explanations.
func (s Source) String() string {
	return [...]string{"cart", "viewed", "together", "similar", "trending", "popular", "wanted", ""}[s&7]
}

// Choice is a chosen product. The product belongs to the catalogue and must
// not be changed.
type Choice struct {
	Product *campaigns.Product
	Source  Source
}

// Ref is a product that a profile remembers.
type Ref struct {
	Hash uint64 // the product's hash, as the catalogue and profiles know it
	AtMS int64  // last time, ms UTC
}

// Catalogue is one shop's products, immutable. Products are the same pointer
// wherever they come from.
type Catalogue interface {
	// ByHash returns the product, or nil when the shop has it no more.
	ByHash(hash uint64) *campaigns.Product
	// Category returns the products of exactly this category, best first.
	Category(path string) []*campaigns.Product
	// Popular returns products of the whole shop, best first.
	Popular() []*campaigns.Product
}

// Refuser tells whether a product must not be shown now, such as one whose
// price is not what its page says.
type Refuser interface {
	Refuses(p *campaigns.Product) bool
}

// ChooseInput is what is known when products are chosen. All of it is of one
// shop.
type ChooseInput struct {
	Catalogue Catalogue
	// Cart and Viewed come in any order: the latest is taken first.
	Cart, Viewed []Ref
	// Purchased are never shown; past maxPurchased, the first ones count.
	Purchased []Ref
	// Wanted are the products that the user looks for, best first. They come
	// after cart and viewed, or before all else if WantedFirst is set.
	Wanted      []*campaigns.Product
	WantedFirst bool
	// Together and Trending are products of the same shop that others looked
	// at, best first; see Together.
	Together, Trending []uint64
	// Refuse, if set, tells of products that must not be shown now.
	Refuse Refuser
	// Slots is how many to choose; see Slots.
	Slots int
	// Seed decides between equals, so that the same bid always shows the same.
	Seed uint64
}

const (
	maxPurchased = 64 // bounds the work; profiles hold fewer
	window       = 16 // best of a list among which the seed picks
	maxScan      = 64 // entries of one list that are tried
)

// Choose appends up to in.Slots distinct, available products to dst[:0] and
// returns it: first from the cart, then viewed, latest first, then similar by
// category, then popular; in between what others looked at. It allocates only
// to grow dst.
func Choose(dst []Choice, in *ChooseInput) []Choice {
	dst = dst[:0]
	if in.Catalogue == nil || in.Slots <= 0 {
		return dst
	}
	c := chooser{in: in, slots: min(in.Slots, MaxProducts)}
	for i := range min(len(in.Purchased), maxPurchased) {
		if p := in.Catalogue.ByHash(in.Purchased[i].Hash); p != nil {
			c.bought[c.nBought] = p
			c.nBought++
		}
	}
	if in.WantedFirst {
		dst = c.wanted(dst)
	}
	dst = c.remembered(dst, in.Cart, FromCart)
	dst = c.remembered(dst, in.Viewed, FromViewed)
	dst = c.wanted(dst)
	dst = c.hashes(dst, in.Together, FromTogether)
	if len(dst) < c.slots {
		dst = c.similar(dst)
	}
	dst = c.hashes(dst, in.Trending, FromTrending)
	return c.list(dst, in.Catalogue.Popular(), FromPopular, in.Seed)
}

// wanted takes what the user looks for, in its order.
func (c *chooser) wanted(dst []Choice) []Choice {
	for _, p := range c.in.Wanted {
		dst = c.add(dst, p, FromWanted)
	}
	return dst
}

type chooser struct {
	in      *ChooseInput
	slots   int
	nBought int
	bought  [maxPurchased]*campaigns.Product
}

// remembered takes refs by recency. It selects rather than sorts: the slots
// are few, and the caller's order stays as it was.
func (c *chooser) remembered(dst []Choice, refs []Ref, from Source) []Choice {
	last := rank{at: 1<<63 - 1, tie: 1<<64 - 1}
	for range min(len(refs), maxScan) {
		if len(dst) >= c.slots {
			return dst
		}
		best, found := c.next(refs, last)
		if !found {
			return dst
		}
		last = best
		dst = c.add(dst, c.in.Catalogue.ByHash(best.hash), from)
	}
	return dst
}

// rank orders refs: latest first, then by a seeded hash.
type rank struct {
	at   int64
	tie  uint64
	hash uint64
}

func (a rank) before(b rank) bool {
	if a.at != b.at {
		return a.at > b.at
	}
	return a.tie > b.tie
}

// next is the first ref that comes after last.
func (c *chooser) next(refs []Ref, last rank) (best rank, found bool) {
	for _, r := range refs {
		k := rank{r.AtMS, mix(r.Hash ^ c.in.Seed), r.Hash}
		if last.before(k) && (!found || k.before(best)) {
			best, found = k, true
		}
	}
	return best, found
}

// similar takes products of the categories of what was chosen or remembered,
// the strongest signal first.
func (c *chooser) similar(dst []Choice) []Choice {
	var seen [MaxProducts]string
	n := 0
	for _, refs := range [...][]Ref{c.in.Cart, c.in.Viewed} {
		last := rank{at: 1<<63 - 1, tie: 1<<64 - 1}
		for range min(len(refs), maxScan) {
			best, found := c.next(refs, last)
			if !found || n == len(seen) || len(dst) >= c.slots {
				break
			}
			last = best
			p := c.in.Catalogue.ByHash(best.hash)
			if p == nil || p.Category == "" || contains(seen[:n], p.Category) {
				continue
			}
			seen[n] = p.Category
			n++
			dst = c.near(dst, c.in.Catalogue.Category(p.Category), p, c.in.Seed+uint64(n))
		}
	}
	return dst
}

// near takes products of one category: those of about the price and of the
// brand of one that the user knows first. It begins at a seeded place.
func (c *chooser) near(dst []Choice, ps []*campaigns.Product, to *campaigns.Product, seed uint64) []Choice {
	if len(ps) == 0 {
		return dst
	}
	start := int(mix(seed) % uint64(len(ps)))
	for want := 3; want >= 0; want-- {
		for i := range min(len(ps), maxScan) {
			if len(dst) >= c.slots {
				return dst
			}
			p := ps[(start+i)%len(ps)]
			got := 0
			if p.Price >= to.Price/4*3 && p.Price <= to.Price/3*4 {
				got += 2
			}
			if p.Brand != "" && p.Brand == to.Brand {
				got++
			}
			if got == want {
				dst = c.add(dst, p, FromSimilar)
			}
		}
	}
	return dst
}

// hashes takes products in the order in which they are given.
func (c *chooser) hashes(dst []Choice, list []uint64, from Source) []Choice {
	for _, h := range list[:min(len(list), maxScan)] {
		if len(dst) >= c.slots {
			return dst
		}
		dst = c.add(dst, c.in.Catalogue.ByHash(h), from)
	}
	return dst
}

// list takes from a list that is best first, beginning at a seeded place
// among the best so that people do not all see the same few.
func (c *chooser) list(dst []Choice, ps []*campaigns.Product, from Source, seed uint64) []Choice {
	ps = ps[:min(len(ps), maxScan)]
	top := min(len(ps), window)
	if top == 0 {
		return dst
	}
	start := int(mix(seed) % uint64(top))
	for i := range ps {
		if len(dst) >= c.slots {
			return dst
		}
		at := i
		if i < top {
			at = (start + i) % top
		}
		dst = c.add(dst, ps[at], from)
	}
	return dst
}

// add appends a product that may be shown.
func (c *chooser) add(dst []Choice, p *campaigns.Product, from Source) []Choice {
	if p == nil || !p.Available || len(dst) >= c.slots || c.in.Refuse != nil && c.in.Refuse.Refuses(p) {
		return dst
	}
	for _, b := range c.bought[:c.nBought] {
		if b == p {
			return dst
		}
	}
	for _, d := range dst {
		if d.Product == p {
			return dst
		}
	}
	return append(dst, Choice{p, from})
}

func contains(ss []string, s string) bool {
	for _, x := range ss {
		if x == s {
			return true
		}
	}
	return false
}

// mix is the finalizer of splitmix64: equal inputs, equal outputs, no pattern.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
