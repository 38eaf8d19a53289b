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

	recentEvents = 8 // window in which a redelivered event is known
	recentOrders = 4 // window in which an order sent twice is known
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

	events [recentEvents]uint32 // ring of event id hashes
	next   uint8
}

// Shopping is what only those have who filled a cart or bought.
type Shopping struct {
	LastCart, LastCheckout, LastPurchase uint32
	Orders                               uint32
	Revenue                              money.Nano
	CartValue                            money.Nano // sum of the lines

	// Cart holds ProductHash of the lines, packed; a zero ends it. Of more
	// than CartLines lines the least valuable are forgotten.
	Cart      [CartLines]uint64
	CartPrice [CartLines]money.Nano // of one piece
	CartQty   [CartLines]uint16

	Purchased [RecentPurchases]uint64 // ProductHash, newest first
	orders    [recentOrders]uint32
}

// ShopProfile is one user's profile at one shop.
type ShopProfile struct {
	Shop uint32
	Profile
}

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

// isNew tells whether an event id was not among the latest, and notes it.
func (a *Activity) isNew(h uint32) bool {
	for _, e := range a.events {
		if e == h {
			return false
		}
	}
	a.events[a.next] = h
	a.next = (a.next + 1) % recentEvents
	return true
}

// isNewOrder is isNew for purchases, which a shop may send again much later.
func (s *Shopping) isNewOrder(h uint32) bool {
	for _, e := range s.orders {
		if e == h {
			return false
		}
	}
	copy(s.orders[1:], s.orders[:])
	s.orders[0] = h
	return true
}

// touch moves the span of activity.
func (a *Activity) touch(at uint32) {
	if a.First == 0 || at < a.First {
		a.First = at
	}
	a.Last = max(a.Last, at)
}

func (a *Activity) sawProduct(h uint64, at uint32) {
	i := 0
	for i < RecentProducts-1 && a.Products[i] != 0 && a.Products[i] != h {
		i++
	}
	if a.Products[i] != h {
		if a.ProductAt[i] > at {
			return // the list is full of newer ones
		}
		a.Products[i], a.ProductAt[i], a.ProductCount[i] = h, 0, 0
	}
	a.ProductAt[i] = max(a.ProductAt[i], at)
	a.ProductCount[i] = increment(a.ProductCount[i])
	for ; i > 0 && a.ProductAt[i-1] <= a.ProductAt[i]; i-- {
		a.Products[i-1], a.Products[i] = a.Products[i], a.Products[i-1]
		a.ProductAt[i-1], a.ProductAt[i] = a.ProductAt[i], a.ProductAt[i-1]
		a.ProductCount[i-1], a.ProductCount[i] = a.ProductCount[i], a.ProductCount[i-1]
	}
}

func (a *Activity) sawCategory(h uint32, at uint32) {
	i := 0
	for i < RecentCategories-1 && a.Categories[i] != 0 && a.Categories[i] != h {
		i++
	}
	if a.Categories[i] != h {
		if a.CategoryAt[i] > at {
			return
		}
		a.Categories[i], a.CategoryAt[i], a.CategoryCount[i] = h, 0, 0
	}
	a.CategoryAt[i] = max(a.CategoryAt[i], at)
	a.CategoryCount[i] = increment(a.CategoryCount[i])
	for ; i > 0 && a.CategoryAt[i-1] <= a.CategoryAt[i]; i-- {
		a.Categories[i-1], a.Categories[i] = a.Categories[i], a.Categories[i-1]
		a.CategoryAt[i-1], a.CategoryAt[i] = a.CategoryAt[i], a.CategoryAt[i-1]
		a.CategoryCount[i-1], a.CategoryCount[i] = a.CategoryCount[i], a.CategoryCount[i-1]
	}
}

func (a *Activity) searched(h uint32, at uint32) {
	i := 0
	for i < RecentTerms-1 && a.Terms[i] != 0 && a.Terms[i] != h {
		i++
	}
	if a.Terms[i] != h {
		if a.TermAt[i] > at {
			return
		}
		a.Terms[i], a.TermAt[i] = h, 0
	}
	a.TermAt[i] = max(a.TermAt[i], at)
	for ; i > 0 && a.TermAt[i-1] <= a.TermAt[i]; i-- {
		a.Terms[i-1], a.Terms[i] = a.Terms[i], a.Terms[i-1]
		a.TermAt[i-1], a.TermAt[i] = a.TermAt[i], a.TermAt[i-1]
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

func increment(n uint16) uint16 {
	if n == math.MaxUint16 {
		return n
	}
	return n + 1
}
