package segments

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

const zl = money.NanoUnit

// shopper drives one user's profile in tests; minutes are since a fixed time.
type shopper struct {
	t  testing.TB
	s  *Store
	id uint64
}

const startMS = 1_700_000_000_000

func (s *shopper) does(minute int64, e events.ShopEvent) *shopper {
	s.id++
	e.ShopID, e.UID, e.TimeMS = 1, user(1), startMS+minute*60_000
	if e.EventID.IsZero() {
		e.EventID = events.NamedID(1, "event", fmt.Sprint(s.id))
	}
	s.s.Apply(&e)
	return s
}

func (s *shopper) profile() *Profile {
	var p Profile
	if !s.s.LookupShop(user(1), 1, &p) {
		s.t.Fatal("no profile")
	}
	return &p
}

func add(product string, qty int64, price money.Nano) events.ShopEvent {
	return events.ShopEvent{Type: events.ShopCartAdd, Product: product, Quantity: qty, Price: price}
}

func remove(product string, qty int64) events.ShopEvent {
	return events.ShopEvent{Type: events.ShopCartRemove, Product: product, Quantity: qty}
}

func TestCart(t *testing.T) {
	order := func(value money.Nano, products ...string) events.ShopEvent {
		e := events.ShopEvent{Type: events.ShopPurchase, Value: value}
		for _, p := range products {
			e.Items = append(e.Items, events.Item{Product: p, Quantity: 2, Price: 10 * zl})
		}
		return e
	}
	for _, c := range []struct {
		name    string
		do      func(s *shopper)
		value   money.Nano
		lines   int
		orders  uint32
		revenue money.Nano
	}{
		{"added twice", func(s *shopper) { s.does(0, add("a", 1, 100*zl)).does(1, add("a", 2, 100*zl)) }, 300 * zl, 1, 0, 0},
		{"the latest price counts", func(s *shopper) { s.does(0, add("a", 1, 100*zl)).does(1, add("a", 1, 80*zl)) }, 160 * zl, 1, 0, 0},
		{"no quantity is one", func(s *shopper) { s.does(0, add("a", 0, 100*zl)) }, 100 * zl, 1, 0, 0},
		{"one of two removed", func(s *shopper) { s.does(0, add("a", 2, 100*zl)).does(1, remove("a", 1)) }, 100 * zl, 1, 0, 0},
		{"all removed", func(s *shopper) {
			s.does(0, add("a", 2, 100*zl)).does(0, add("b", 1, 50*zl)).does(1, remove("a", 0))
		}, 50 * zl, 1, 0, 0},
		{"removing what is not there", func(s *shopper) { s.does(0, add("a", 1, 5*zl)).does(1, remove("b", 1)) }, 5 * zl, 1, 0, 0},
		{"a purchase empties", func(s *shopper) { s.does(0, add("a", 1, 100*zl)).does(1, order(90*zl, "a")) }, 0, 0, 1, 90 * zl},
		{"a purchase without value sums its items", func(s *shopper) { s.does(0, order(0, "a", "b")) }, 0, 0, 1, 40 * zl},
		{"an addition from before the purchase comes late", func(s *shopper) {
			s.does(10, order(90*zl, "a")).does(5, add("a", 1, 100*zl))
		}, 0, 0, 1, 90 * zl},
		{"a purchase from before the addition comes late", func(s *shopper) {
			s.does(0, add("a", 1, 100*zl)).does(9, add("b", 1, 50*zl)).does(5, order(90*zl, "a"))
		}, 50 * zl, 1, 1, 90 * zl},
		{"an order sent again after many events", func(s *shopper) {
			o := order(90*zl, "a")
			o.EventID = events.NamedID(1, "order", "17")
			s.does(0, o)
			for i := range int64(20) {
				s.does(i+1, events.ShopEvent{Type: events.ShopVisit})
			}
			s.does(30, o)
		}, 0, 0, 1, 90 * zl},
		{"nine products keep the dearest eight", func(s *shopper) {
			for i := range int64(9) {
				s.does(i, add(fmt.Sprint(i), 1, money.Nano(i+1)*zl))
			}
		}, 44 * zl, 8, 0, 0},
		{"a huge price saturates", func(s *shopper) { s.does(0, add("a", 9, 1<<62)) }, 1<<63 - 1, 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &shopper{t: t, s: newStore(t, Config{})}
			c.do(s)
			p := s.profile()
			assert.Equal(t, c.value, p.CartValue)
			assert.Equal(t, c.lines, p.CartLen())
			assert.Equal(t, c.orders, p.Orders)
			assert.Equal(t, c.revenue, p.Revenue)
		})
	}
}

// A redelivered event changes nothing.
func TestApplyTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		once, _ := NewStore(Config{})
		twice, _ := NewStore(Config{})
		for _, e := range drawHistory(t, 2) {
			once.Apply(e)
			twice.Apply(e)
			if twice.Apply(e) {
				t.Fatalf("the second %s changed something", e.Type)
			}
		}
		require.Equal(t, everything(once), everything(twice))
	})
}

// The recent lists are sorted, newest first, without doubles or gaps.
func TestProfileRecentLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, _ := NewStore(Config{})
		for _, e := range drawHistory(t, 1) {
			s.Apply(e)
		}
		for _, list := range everything(s) {
			p := &list[0]
			seen := map[uint64]bool{}
			for i, h := range p.Products {
				if h == 0 {
					require.Zero(t, p.ProductAt[i])
					continue
				}
				require.False(t, seen[h])
				seen[h] = true
				if i > 0 {
					require.NotZero(t, p.Products[i-1])
					require.GreaterOrEqual(t, p.ProductAt[i-1], p.ProductAt[i])
				}
			}
			for i := 1; i < RecentTerms; i++ {
				require.GreaterOrEqual(t, p.TermAt[i-1], p.TermAt[i])
			}
			for i := 1; i < RecentCategories; i++ {
				require.GreaterOrEqual(t, p.CategoryAt[i-1], p.CategoryAt[i])
			}
			require.LessOrEqual(t, p.First, p.Last)
		}
	})
}

func TestPredicate(t *testing.T) {
	const day = 86400
	s := &shopper{t: t, s: newStore(t, Config{})}
	s.does(0, events.ShopEvent{Type: events.ShopVisit})
	s.does(1, events.ShopEvent{Type: events.ShopProductView, Product: "sofa-1", Category: "Furniture > Sofas"})
	s.does(2, events.ShopEvent{Type: events.ShopSearch, Query: "Narożna SOFA"})
	s.does(3, events.ShopEvent{Type: events.ShopPurchase, Value: 1000 * zl, Items: []events.Item{{Product: "lamp", Quantity: 1}}})
	s.does(4, events.ShopEvent{Type: events.ShopPurchase, Value: 1 * zl})
	s.does(4, events.ShopEvent{Type: events.ShopConversion, Name: "lead"})
	s.does(5, add("sofa-1", 1, 500*zl))
	p := s.profile()
	at := func(minute int64) int64 { return startMS + minute*60_000 }
	word, _ := NextWord("narozna")
	for _, c := range []struct {
		name string
		q    Predicate
		now  int64
		want bool
	}{
		{"known", Predicate{Op: OpKnown}, at(0), true},
		{"visited just in time", Predicate{Op: OpVisited, Within: 60}, at(6), true},
		{"visited too long ago", Predicate{Op: OpVisited, Within: 60}, at(6) + 1000, false},
		{"viewed ever", Predicate{Op: OpViewed}, at(1e6), true},
		{"viewed product", Predicate{Op: OpViewedProduct, Hash: ProductHash("sofa-1"), Within: day}, at(9), true},
		{"viewed product too long ago", Predicate{Op: OpViewedProduct, Hash: ProductHash("sofa-1"), Within: day}, at(1441 + 1), false},
		{"viewed another product", Predicate{Op: OpViewedProduct, Hash: ProductHash("sofa-2")}, at(9), false},
		{"viewed category by its path", Predicate{Op: OpViewedCategory, Hash: uint64(CategoryHash("furniture sofas"))}, at(9), true},
		{"viewed category by a level", Predicate{Op: OpViewedCategory, Hash: uint64(CategoryHash("SOFAS"))}, at(9), true},
		{"viewed another category", Predicate{Op: OpViewedCategory, Hash: uint64(CategoryHash("beds"))}, at(9), false},
		{"searched", Predicate{Op: OpSearched, Within: 600}, at(9), true},
		{"searched a word without its accent", Predicate{Op: OpSearchedTerm, Hash: uint64(TermHash(word))}, at(9), true},
		{"cart value reached", Predicate{Op: OpCartValue, Cmp: GreaterOrEqual, Value: 500 * zl}, at(9), true},
		{"cart value not above", Predicate{Op: OpCartValue, Cmp: Greater, Value: 500 * zl}, at(9), false},
		{"in cart", Predicate{Op: OpInCart}, at(9), true},
		{"product in cart", Predicate{Op: OpInCartProduct, Hash: ProductHash("sofa-1")}, at(9), true},
		{"not yet abandoned", Predicate{Op: OpAbandoned, Within: day}, at(5+30) - 1000, false},
		{"abandoned", Predicate{Op: OpAbandoned, Within: day}, at(5 + 30), true},
		{"abandoned too long ago", Predicate{Op: OpAbandoned, Within: day}, at(5+1440) + 1000, false},
		{"no checkout", Predicate{Op: OpCheckout}, at(9), false},
		{"purchased", Predicate{Op: OpPurchased, Within: day}, at(9), true},
		{"purchased product", Predicate{Op: OpPurchasedProduct, Hash: ProductHash("lamp")}, at(9), true},
		{"buyer", Predicate{Op: OpBuyer}, at(9), true},
		{"converted", Predicate{Op: OpConverted, Hash: uint64(NameHash("LEAD")), Within: 60}, at(5), true},
		{"converted too long ago", Predicate{Op: OpConverted, Within: 60}, at(5) + 1000, false},
		{"never converted so", Predicate{Op: OpConverted, Hash: uint64(NameHash("sign-up"))}, at(5), false},
		{"average basket is 500.50", Predicate{Op: OpAvgBasket, Cmp: Equal, Value: 500*zl + zl/2}, at(9), true},
		{"average basket below 501", Predicate{Op: OpAvgBasket, Cmp: Less, Value: 501 * zl}, at(9), true},
		{"revenue", Predicate{Op: OpRevenue, Cmp: Equal, Value: 1001 * zl}, at(9), true},
		{"two orders", Predicate{Op: OpOrders, Cmp: NotEqual, Value: 2}, at(9), false},
		{"views", Predicate{Op: OpViews, Cmp: LessOrEqual, Value: 1}, at(9), true},
		{"visits", Predicate{Op: OpVisits, Cmp: Equal, Value: 1}, at(9), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, c.q.Holds(p, c.now))
			assert.False(t, c.q.Holds(nil, c.now), "nobody")
		})
	}
}

func TestEventTimes(t *testing.T) {
	s := &shopper{t: t, s: newStore(t, Config{})}
	e := events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(1), TimeMS: startMS + 9e9, ReceivedMS: startMS}
	s.s.Apply(&e) // a shop's clock that is ahead
	assert.EqualValues(t, startMS/1000, s.profile().Last)
	assert.False(t, s.s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(2)}), "without a time")
	assert.False(t, s.s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, TimeMS: startMS}), "without a user")
	assert.False(t, s.s.Apply(&events.ShopEvent{Type: events.ShopVisit, UID: user(1), TimeMS: startMS}), "without a shop")
}
