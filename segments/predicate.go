package segments

import (
	"math/bits"
)

// Op is what a Predicate asks of a profile.
type Op uint8

// The operations. Within bounds the age of what is asked for; Hash names a
// product (ProductHash), a category (CategoryHash) or a word (TermHash);
// Value with Cmp is a bound.
const (
	OpKnown            Op = iota // the shop knows the user
	OpVisited                    // latest event within
	OpViewed                     // latest product view within
	OpViewedProduct              // Hash viewed within
	OpViewedCategory             // Hash viewed within
	OpSearched                   // any search within
	OpSearchedTerm               // Hash searched within
	OpInCart                     // the cart is not empty
	OpInCartProduct              // Hash is in the cart
	OpAbandoned                  // the cart rests: see AbandonedAfterS
	OpCheckout                   // checkout begun within
	OpPurchased                  // bought within
	OpPurchasedProduct           // Hash among the latest bought
	OpBuyer                      // ever bought
	OpCartValue                  // nano-units
	OpAvgBasket                  // revenue ÷ orders, nano-units; no orders: never holds
	OpRevenue                    // nano-units
	OpOrders                     // count
	OpViews                      // count
	OpVisits                     // count
	OpSincePurchase              // whole days since the latest purchase; never bought: never holds
	OpSameProduct                // views of the one of the latest products that was viewed most, its latest view within
	OpConverted                  // any named conversion within, or with Hash (NameHash) that one, among the latest
	OpViewedMargin               // a latest viewed product within, of the margin class Hash (NameHash), or of a margin by Value in basis points
	OpInCartMargin               // the same of what is in the cart
	OpPurchasedMargin            // the same of the latest bought, something bought within
	OpMargin                     // of all orders, nano-units
)

// AbandonedAfterS is how long a cart must rest before it counts as abandoned,
// in seconds: those still shopping are left alone.
const AbandonedAfterS = 30 * 60

// Cmp compares a number of the profile with a Predicate's Value.
type Cmp uint8

// The comparisons.
const (
	Equal Cmp = iota
	NotEqual
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
)

func (c Cmp) holds(sign int) bool {
	switch c {
	case Equal:
		return sign == 0
	case NotEqual:
		return sign != 0
	case Less:
		return sign < 0
	case LessOrEqual:
		return sign <= 0
	case Greater:
		return sign > 0
	default:
		return sign >= 0
	}
}

// Predicate is one question to a profile. It is comparable: equal predicates
// are the same question.
type Predicate struct {
	Op     Op
	Cmp    Cmp
	Within uint32 // seconds; 0: however long ago
	Hash   uint64
	Value  int64
}

// Holds answers for a profile at nowMS (ms UTC). For nobody (nil) no
// predicate holds, not even `orders < 3`: only people whom the shop knows are
// asked about. What asks for margins of products holds by HoldsWith only.
func (q *Predicate) Holds(p *Profile, nowMS int64) bool {
	if p == nil {
		return false
	}
	now := nowMS / 1000
	switch q.Op {
	case OpKnown:
		return true
	case OpVisited:
		return q.recent(p.Last, now)
	case OpViewed:
		return q.recent(p.LastView, now)
	case OpViewedProduct:
		for i, h := range p.Products {
			if h == q.Hash {
				return q.recent(p.ProductAt[i], now)
			}
		}
	case OpViewedCategory:
		for i, h := range p.Categories {
			if uint64(h) == q.Hash {
				return q.recent(p.CategoryAt[i], now)
			}
		}
	case OpConverted:
		for i, h := range p.Conversions {
			if h != 0 && (q.Hash == 0 || uint64(h) == q.Hash) && q.recent(p.ConversionAt[i], now) {
				return true
			}
		}
	case OpSearched:
		return q.recent(p.LastSearch, now)
	case OpSearchedTerm:
		for i, h := range p.Terms {
			if uint64(h) == q.Hash {
				return q.recent(p.TermAt[i], now)
			}
		}
	default:
		return q.shopping(&p.Shopping, p, now)
	}
	return false
}

// shopping answers what concerns carts, orders and counts.
func (q *Predicate) shopping(s *Shopping, p *Profile, now int64) bool {
	switch q.Op {
	case OpInCart:
		return s.Cart[0] != 0
	case OpInCartProduct:
		return contains(s.Cart[:], q.Hash)
	case OpAbandoned:
		return s.Cart[0] != 0 && q.recent(s.LastCart, now) && now-int64(s.LastCart) >= AbandonedAfterS &&
			s.LastPurchase < s.LastCart
	case OpCheckout:
		return q.recent(s.LastCheckout, now)
	case OpPurchased:
		return q.recent(s.LastPurchase, now)
	case OpPurchasedProduct:
		return contains(s.Purchased[:], q.Hash)
	case OpBuyer:
		return s.Orders > 0
	case OpCartValue:
		return q.compare(int64(s.CartValue))
	case OpAvgBasket:
		return s.Orders > 0 && q.Cmp.holds(compareAverage(int64(s.Revenue), s.Orders, q.Value))
	case OpRevenue:
		return q.compare(int64(s.Revenue))
	case OpMargin:
		return q.compare(int64(s.Margin))
	case OpOrders:
		return q.compare(int64(s.Orders))
	case OpViews:
		return q.compare(int64(p.Views))
	case OpVisits:
		return q.compare(int64(p.Visits))
	case OpSincePurchase:
		return s.LastPurchase != 0 && q.compare(wholeDays(s.LastPurchase, now))
	case OpSameProduct:
		return q.compare(q.mostViews(p, now))
	}
	return false
}

// mostViews is how often the one of the latest products was viewed that was
// viewed most, of those whose latest view is recent.
func (q *Predicate) mostViews(p *Profile, now int64) int64 {
	var most uint16
	for i := range p.Products {
		if p.Products[i] != 0 && q.recent(p.ProductAt[i], now) {
			most = max(most, p.ProductCount[i])
		}
	}
	return int64(most)
}

func (q *Predicate) recent(at uint32, now int64) bool {
	return at != 0 && (q.Within == 0 || now-int64(at) <= int64(q.Within))
}

func (q *Predicate) compare(v int64) bool {
	switch {
	case v < q.Value:
		return q.Cmp.holds(-1)
	case v > q.Value:
		return q.Cmp.holds(1)
	}
	return q.Cmp.holds(0)
}

// compareAverage compares sum/n with v exactly; none is negative.
func compareAverage(sum int64, n uint32, v int64) int {
	hi, lo := bits.Mul64(uint64(max(v, 0)), uint64(n))
	switch {
	case hi > 0 || lo > uint64(sum):
		return -1
	case lo < uint64(sum):
		return 1
	}
	return 0
}

func contains(hashes []uint64, h uint64) bool {
	for _, v := range hashes {
		if v == h {
			return true
		}
	}
	return false
}
