package segments

import (
	"cmp"
	"math/bits"
	"slices"
)

// Margins is what a shop's feed says of its products' margins, immutable:
// what predicates about margins ask, so that a profile need not hold them and
// a feed that changes them changes the answers. 16 bytes a product. Nil knows
// no margin. Safe for many goroutines; a lookup allocates nothing.
type Margins struct {
	list []productMargin // sorted by hash
	sum  uint64
}

// ProductMargin is one product's, as a feed gives it.
type ProductMargin struct {
	Product uint64 // ProductHash
	// BPS of the price; 0 is not known.
	BPS int64
	// Class is the shop's own word, empty for none.
	Class string
}

type productMargin struct {
	hash  uint64
	class uint32 // NameHash
	bps   int32
}

// NewMargins makes a table of the products of all, which is called twice; of
// a product that comes twice, any may stay. old is returned where it says the
// same.
func NewMargins(old *Margins, all func(yield func(ProductMargin) bool)) *Margins {
	n, sum := 0, uint64(0)
	for p := range all {
		if m, ok := marginOf(p); ok {
			n++
			sum += m.mix()
		}
	}
	if old != nil && old.sum == sum && len(old.list) == n {
		return old
	}
	t := &Margins{list: make([]productMargin, 0, n), sum: sum}
	for p := range all {
		if m, ok := marginOf(p); ok {
			t.list = append(t.list, m)
		}
	}
	slices.SortFunc(t.list, func(a, b productMargin) int { return cmp.Compare(a.hash, b.hash) })
	return t
}

const maxMarginBPS = 1 << 30

func marginOf(p ProductMargin) (productMargin, bool) {
	m := productMargin{hash: p.Product, bps: int32(min(max(p.BPS, -maxMarginBPS), maxMarginBPS))}
	if p.Class != "" {
		m.class = NameHash(p.Class)
	}
	return m, m.hash != 0 && (m.bps != 0 || m.class != 0)
}

// mix is a hash of one product's margin; sums of them tell tables apart.
func (m *productMargin) mix() uint64 {
	hi, lo := bits.Mul64(m.hash^0x9e3779b97f4a7c15, uint64(m.class)<<32|uint64(uint32(m.bps))^0xd6e8feb86659fd93)
	return (hi ^ lo) * 0x9e3779b97f4a7c15
}

// Len is how many products have a margin or a class.
func (m *Margins) Len() int {
	if m == nil {
		return 0
	}
	return len(m.list)
}

func (m *Margins) find(hash uint64) *productMargin {
	lo, hi := 0, len(m.list)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if m.list[mid].hash < hash {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(m.list) && m.list[lo].hash == hash {
		return &m.list[lo]
	}
	return nil
}

// OfMargin tells whether the predicate asks for the margins of products:
// whether HoldsWith answers otherwise than Holds.
func (q *Predicate) OfMargin() bool {
	return q.Op == OpViewedMargin || q.Op == OpInCartMargin || q.Op == OpPurchasedMargin
}

// HoldsWith is Holds for a shop whose feed tells margins.
func (q *Predicate) HoldsWith(p *Profile, m *Margins, nowMS int64) bool {
	if !q.OfMargin() {
		return q.Holds(p, nowMS)
	}
	if p == nil || m == nil {
		return false
	}
	now := nowMS / 1000
	switch q.Op {
	case OpViewedMargin:
		for i, h := range p.Products {
			if h != 0 && q.recent(p.ProductAt[i], now) && q.fits(m, h) {
				return true
			}
		}
	case OpInCartMargin:
		return q.anyFits(m, p.Cart[:])
	case OpPurchasedMargin:
		return q.recent(p.LastPurchase, now) && q.anyFits(m, p.Purchased[:])
	}
	return false
}

func (q *Predicate) anyFits(m *Margins, products []uint64) bool {
	for _, h := range products {
		if h != 0 && q.fits(m, h) {
			return true
		}
	}
	return false
}

// fits asks for the class where there is a Hash, else for the share; a margin
// that is not known fits nothing.
func (q *Predicate) fits(m *Margins, product uint64) bool {
	x := m.find(product)
	switch {
	case x == nil:
		return false
	case q.Hash != 0:
		return uint64(x.class) == q.Hash
	}
	return x.bps != 0 && q.compare(int64(x.bps))
}
