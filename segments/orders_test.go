package segments

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

func bought(id string, value money.Nano) events.ShopEvent {
	return events.ShopEvent{Type: events.ShopPurchase, OrderID: id, Value: value, EventID: events.NamedID(1, "order", id)}
}

func became(id, status string, value money.Nano) events.ShopEvent {
	return events.ShopEvent{Type: events.ShopOrderStatus, OrderID: id, Status: status, Value: value}
}

func TestWhatBecomesOfAnOrder(t *testing.T) {
	at := func(minute uint32) uint32 { return startMS/1000 + minute*60 }
	for _, c := range []struct {
		name    string
		do      func(s *shopper)
		orders  uint32
		revenue money.Nano
		last    uint32
	}{
		{"paid", func(s *shopper) { s.does(0, bought("1", 90*zl)).does(1, became("1", "paid", 0)) }, 1, 90 * zl, at(0)},
		{"cancelled", func(s *shopper) { s.does(0, bought("1", 90*zl)).does(1, became("1", "cancelled", 0)) }, 0, 0, 0},
		{"one of two cancelled", func(s *shopper) {
			s.does(0, bought("1", 90*zl)).does(5, bought("2", 10*zl)).does(9, became("2", "cancelled", 0))
		}, 1, 90 * zl, at(0)},
		{"returned", func(s *shopper) { s.does(0, bought("1", 90*zl)).does(1, became("1", "returned", 0)) }, 0, 0, 0},
		{"partly returned, twice", func(s *shopper) {
			s.does(0, bought("1", 90*zl)).does(1, became("1", "returned", 20*zl)).does(2, became("1", "returned", 30*zl))
		}, 1, 40 * zl, at(0)},
		{"more came back than was bought", func(s *shopper) {
			s.does(0, bought("1", 90*zl)).does(1, became("1", "returned", 100*zl))
		}, 1, 0, at(0)},
		{"cancelled before it was bought", func(s *shopper) { s.does(5, became("1", "cancelled", 0)).does(4, bought("1", 90*zl)) }, 0, 0, 0},
		{"cancelled, then paid after all", func(s *shopper) {
			s.does(0, bought("1", 90*zl)).does(1, became("1", "cancelled", 0)).does(2, became("1", "paid", 0))
		}, 1, 90 * zl, at(0)},
		{"news in the wrong order", func(s *shopper) {
			s.does(0, bought("1", 90*zl)).does(2, became("1", "cancelled", 0)).does(1, became("1", "paid", 0))
		}, 0, 0, 0},
		{"of an order that nobody knows", func(s *shopper) { s.does(0, became("1", "paid", 0)) }, 0, 0, 0},
		{"an order that was sent again after its return", func(s *shopper) {
			s.does(0, bought("1", 90*zl)).does(1, became("1", "returned", 0)).does(2, bought("1", 90*zl))
		}, 0, 0, 0},
		{"the oldest of ten can no longer change, the newest can", func(s *shopper) {
			for i := range int64(10) {
				s.does(i, bought(fmt.Sprint(i), 10*zl))
			}
			s.does(20, became("0", "cancelled", 0)).does(21, became("9", "cancelled", 0))
		}, 9, 90 * zl, at(8)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &shopper{t: t, s: newStore(t, Config{})}
			c.do(s)
			p := s.profile()
			assert.Equal(t, c.orders, p.Orders)
			assert.Equal(t, c.revenue, p.Revenue)
			assert.Equal(t, c.last, p.LastPurchase)
		})
	}
}

func TestAnOfflinePurchaseTakesOnlyWhatWasBoughtFromTheCart(t *testing.T) {
	s := &shopper{t: t, s: newStore(t, Config{})}
	o := bought("1", 100*zl)
	o.Offline, o.Items = true, []events.Item{{Product: "a", Quantity: 1}}
	s.does(0, add("a", 1, 100*zl)).does(0, add("b", 1, 50*zl)).does(9, o)
	p := s.profile()
	require.EqualValues(t, 50*zl, p.CartValue)
	require.EqualValues(t, 1, p.Orders)
}

func TestNewsOfAnOrderIsNoVisit(t *testing.T) {
	s := &shopper{t: t, s: newStore(t, Config{})}
	s.does(0, bought("1", 90*zl)).does(9, became("1", "paid", 0))
	require.EqualValues(t, startMS/1000, s.profile().Last)
}

func TestConversionsAreNamed(t *testing.T) {
	s := &shopper{t: t, s: newStore(t, Config{})}
	for i, name := range []string{"lead", "Sign-up", "LEAD"} {
		s.does(int64(i), events.ShopEvent{Type: events.ShopConversion, Name: name})
	}
	p := s.profile()
	require.Equal(t, [RecentNames]uint32{NameHash("lead"), NameHash("sign up")}, p.Conversions)
	require.Equal(t, [RecentNames]uint16{2, 1}, p.ConversionCount)
}

// The browser that is identified is one person with the shop's own id.
func TestIdentifiedKeysAreOnePerson(t *testing.T) {
	s := newStore(t, Config{})
	id := uint64(0)
	send := func(u uint64, minute int64, e events.ShopEvent) {
		id++
		e.ShopID, e.UID, e.TimeMS = 1, user(u), startMS+minute*60_000
		if e.EventID.IsZero() {
			e.EventID = events.NamedID(1, "event", fmt.Sprint(id))
		}
		s.Apply(&e)
	}
	const browser, visitor, customer = 1, 2, 3
	alias := func(u uint64, kind string) events.ShopEvent {
		return events.ShopEvent{Type: events.ShopIdentify, Alias: user(u), Name: kind}
	}
	send(browser, 0, add("a", 1, 600*zl))
	send(visitor, 1, events.ShopEvent{Type: events.ShopProductView, Product: "b"})
	send(browser, 2, alias(visitor, events.AliasVisitor))
	send(visitor, 3, alias(customer, events.AliasCustomer))
	list := s.Lookup(user(browser), nil)
	require.Len(t, list, 1)
	require.True(t, list[0].Linked)
	require.Equal(t, ProductHash("b"), list[0].Products[0])
	require.EqualValues(t, 600*zl, list[0].CartValue)

	o := bought("17", 600*zl) // the pixel and the server both tell of the order
	send(customer, 5, o)
	var p Profile
	require.True(t, s.LookupShop(user(browser), 1, &p))
	require.EqualValues(t, 1, p.Orders, "two links away")
	require.Zero(t, p.CartLen(), "bought by the server's word")
	send(browser, 5, o)
	send(customer, 6, became("17", "returned", 100*zl))
	require.True(t, s.LookupShop(user(browser), 1, &p))
	require.EqualValues(t, 1, p.Orders, "one order is one")
	require.EqualValues(t, 500*zl, p.Revenue)

	require.True(t, s.IsLinked(user(browser), 1, events.AliasVisitor, user(visitor)))
	require.False(t, s.IsLinked(user(browser), 2, events.AliasVisitor, user(visitor)))
	e := events.ShopEvent{Type: events.ShopVisit, ShopID: 2, UID: user(visitor), TimeMS: startMS}
	s.Apply(&e)
	require.Len(t, s.Lookup(user(browser), nil), 1, "a link is of one shop")

	send(customer, 7, events.ShopEvent{Type: events.ShopOptOut})
	require.Empty(t, s.Lookup(user(browser), nil), "who opted out under one key is known under none")
	require.Zero(t, testing.AllocsPerRun(100, func() { s.LookupShop(user(browser), 1, &p) }))
}

func TestTheLeastUsefulLeaveFirst(t *testing.T) {
	for _, c := range []struct {
		name        string
		buyerHours  int64 // how long ago
		passerHours int64
		stays       uint64
	}{
		{"an old buyer before a passer-by of yesterday", 24 * 30, 24, 1},
		{"but not for ever", 24 * 60, 24, 2},
		{"a new passer-by before an old one", 1, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t, Config{Shards: 1, MaxProfiles: 2, ShopShareBPS: 10_000})
			ago := func(h int64) int64 { return startMS - h*3_600_000 }
			s.Apply(&events.ShopEvent{Type: events.ShopPurchase, ShopID: 1, UID: user(1), TimeMS: ago(c.buyerHours), Value: 1})
			s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(2), TimeMS: ago(c.passerHours)})
			s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(3), TimeMS: startMS})
			require.Len(t, s.Lookup(user(c.stays), nil), 1)
			require.Len(t, s.Lookup(user(3), nil), 1)
			require.EqualValues(t, 1, s.Stats().Evicted)
		})
	}
}
