package segments

import (
	"math"

	"github.com/grosz/grosz/internal/money"
)

// Bounds of what a profile remembers.
const (
	RecentProducts   = 8
	RecentTerms      = 8
	RecentCategories = 6
	RecentPurchases  = 4
	CartLines        = 8
	RecentNames      = 4 // named conversions
	RecentOrders     = 8 // orders whose status may still change
)

// Profile is what one shop knows of one user. Times are seconds since the
// epoch, UTC, 0 for never; they only move forward, whatever the order in
// which events arrive. Amounts are nano-units of the shop's currency. The
// type holds no pointer: copying it is reading it.
type Profile struct {
	Activity
	Shopping
}

// Activity is what every visitor has. The recent lists are sorted by time,
// newest first; a zero hash ends them.
type Activity struct {
	First, Last          uint32 // first and latest event
	LastView, LastSearch uint32 // latest product view; latest search
	Visits, Views        uint32 // visits; product views

	Products     [RecentProducts]uint64 // ProductHash of viewed products
	ProductAt    [RecentProducts]uint32
	ProductCount [RecentProducts]uint16

	Terms  [RecentTerms]uint32 // TermHash of searched words
	TermAt [RecentTerms]uint32

	Categories    [RecentCategories]uint32 // CategoryHash of viewed categories
	CategoryAt    [RecentCategories]uint32
	CategoryCount [RecentCategories]uint16

	Conversions     [RecentNames]uint32 // NameHash of named conversions
	ConversionAt    [RecentNames]uint32
	ConversionCount [RecentNames]uint16

	seen  seenEvents
	links [linkKinds]link
}

// Shopping is what only those have who filled a cart or bought.
type Shopping struct {
	LastCart, LastCheckout uint32
	LastPurchase           uint32     // of the orders that count
	Orders                 uint32     // those that were not cancelled or returned
	Revenue                money.Nano // of the Orders, less what was given back
	Margin                 money.Nano // of the Orders, as far as the feed told it when they were placed
	CartValue              money.Nano // sum of the lines

	// Cart holds ProductHash of the lines, packed; a zero ends it. Of more
	// than CartLines lines the least valuable are forgotten.
	Cart      [CartLines]uint64
	CartPrice [CartLines]money.Nano // of one piece
	CartQty   [CartLines]uint16

	Purchased [RecentPurchases]uint64 // ProductHash, newest first

	emptied uint32 // latest purchase on the site: it emptied the cart
	orders  orderList
}

// ShopProfile is one user's profile at one shop.
type ShopProfile struct {
	Shop uint32
	// Linked tells that the profile was joined from several keys of one
	// person; see Store.Lookup.
	Linked bool
	Profile
}

// NameHash is the form in which a profile keeps the name of a conversion,
// whatever its case and accents; 0 for a name without letters or digits.
func NameHash(name string) uint32 { return CategoryHash(name) }

// TermHash is the form in which a profile keeps a searched word (a hash of
// NextWord); never 0.
func TermHash(word uint64) uint32 { return max(uint32(word>>32), 1) }

// CategoryHash is the form in which a profile keeps a category by its name or
// path; 0 for a name without letters or digits.
func CategoryHash(category string) uint32 {
	h := PhraseHash(category)
	if h == 0 {
		return 0
	}
	return max(uint32(h>>32), 1)
}

// CartLen is the number of lines in the cart.
func (s *Shopping) CartLen() int {
	for i, h := range s.Cart {
		if h == 0 {
			return i
		}
	}
	return CartLines
}

// touch moves the span of activity.
func (a *Activity) touch(at uint32) {
	if a.First == 0 || at < a.First {
		a.First = at
	}
	a.Last = max(a.Last, at)
}

func (a *Activity) sawProduct(h uint64, at uint32, n uint16) {
	sawRecent(a.Products[:], a.ProductAt[:], a.ProductCount[:], h, at, n)
}

func (a *Activity) sawCategory(h, at uint32, n uint16) {
	sawRecent(a.Categories[:], a.CategoryAt[:], a.CategoryCount[:], h, at, n)
}

func (a *Activity) searched(h, at uint32) { sawRecent(a.Terms[:], a.TermAt[:], nil, h, at, 0) }

func (a *Activity) converted(h, at uint32, n uint16) {
	sawRecent(a.Conversions[:], a.ConversionAt[:], a.ConversionCount[:], h, at, n)
}

// sawRecent notes n more of h at a time in lists sorted by time, newest
// first, where a zero hash ends them. counts may be nil.
func sawRecent[H uint32 | uint64](hashes []H, times []uint32, counts []uint16, h H, at uint32, n uint16) {
	last := len(hashes) - 1
	i := 0
	for i < last && hashes[i] != 0 && hashes[i] != h {
		i++
	}
	if hashes[i] != h {
		if times[i] > at {
			return // the list is full of newer ones
		}
		hashes[i], times[i] = h, 0
		if counts != nil {
			counts[i] = 0
		}
	}
	times[i] = max(times[i], at)
	if counts != nil {
		counts[i] = uint16(min(uint32(counts[i])+uint32(n), math.MaxUint16))
	}
	for ; i > 0 && times[i-1] <= times[i]; i-- {
		hashes[i-1], hashes[i] = hashes[i], hashes[i-1]
		times[i-1], times[i] = times[i], times[i-1]
		if counts != nil {
			counts[i-1], counts[i] = counts[i], counts[i-1]
		}
	}
}

// addToCart puts pieces of a product into the cart; price 0 keeps the price
// that is known.
func (s *Shopping) addToCart(h uint64, pieces int64, price money.Nano) {
	n := s.CartLen()
	i := s.cartLine(h, n)
	if i == n {
		if n == CartLines {
			i = s.leastLine()
			if price < 0 || lineValue(s.CartPrice[i], s.CartQty[i]) > lineValue(price, clampQty(pieces)) {
				return
			}
		}
		s.Cart[i], s.CartPrice[i], s.CartQty[i] = h, 0, 0
	}
	if price > 0 {
		s.CartPrice[i] = price
	}
	s.CartQty[i] = clampQty(int64(s.CartQty[i]) + pieces)
	s.sumCart()
}

// takeFromCart removes pieces of a product, all of them for 0.
func (s *Shopping) takeFromCart(h uint64, pieces int64) {
	n := s.CartLen()
	i := s.cartLine(h, n)
	if i == n {
		return
	}
	if left := int64(s.CartQty[i]) - pieces; pieces > 0 && left > 0 {
		s.CartQty[i] = clampQty(left)
	} else {
		copy(s.Cart[i:n], s.Cart[i+1:n])
		copy(s.CartPrice[i:n], s.CartPrice[i+1:n])
		copy(s.CartQty[i:n], s.CartQty[i+1:n])
		s.Cart[n-1], s.CartPrice[n-1], s.CartQty[n-1] = 0, 0, 0
	}
	s.sumCart()
}

func (s *Shopping) emptyCart() {
	s.Cart, s.CartPrice, s.CartQty = [CartLines]uint64{}, [CartLines]money.Nano{}, [CartLines]uint16{}
	s.CartValue = 0
}

func (s *Shopping) cartLine(h uint64, n int) int {
	for i := range n {
		if s.Cart[i] == h {
			return i
		}
	}
	return n
}

func (s *Shopping) leastLine() int {
	least := 0
	for i := range CartLines {
		if lineValue(s.CartPrice[i], s.CartQty[i]) < lineValue(s.CartPrice[least], s.CartQty[least]) {
			least = i
		}
	}
	return least
}

func (s *Shopping) sumCart() {
	s.CartValue = 0
	for i := range s.CartLen() {
		s.CartValue = money.Add(s.CartValue, lineValue(s.CartPrice[i], s.CartQty[i]))
	}
}

func (s *Shopping) bought(h uint64) {
	i := 0
	for i < RecentPurchases-1 && s.Purchased[i] != h {
		i++
	}
	copy(s.Purchased[1:i+1], s.Purchased[:i])
	s.Purchased[0] = h
}

// lineValue is price × pieces, saturating.
func lineValue(price money.Nano, pieces uint16) money.Nano {
	if pieces > 0 && price > math.MaxInt64/money.Nano(pieces) {
		return math.MaxInt64
	}
	return price * money.Nano(pieces)
}

func clampQty(n int64) uint16 { return uint16(min(max(n, 1), math.MaxUint16)) }
