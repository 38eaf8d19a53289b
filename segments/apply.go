package segments

import (
	"encoding/binary"
	"math"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Apply takes one shop event into the user's profile. Events may come late
// and twice: times only move forward, and an event whose id was among the
// profile's latest changes nothing (an order is known for longer than other
// events). An opt-out removes the profile and refuses what comes after, also
// on replay. It returns false for an event that changed nothing.
func (s *Store) Apply(e *events.ShopEvent) bool {
	at := eventSeconds(e)
	if e.UID.IsZero() || e.ShopID == 0 || at == 0 {
		return false
	}
	sh := s.shard(e.UID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	k := optOutKey{e.UID, e.ShopID}
	if e.Type == events.ShopOptOut {
		sh.optOut(k, at)
		i := sh.find(e.UID, e.ShopID)
		if i != 0 {
			sh.remove(i)
			sh.optedOut++
		}
		if sh.watcher != nil {
			sh.watcher.Gone(e.UID, e.ShopID, true)
		}
		return i != 0
	}
	if _, out := sh.optOuts[k]; out {
		sh.refused++
		return false
	}
	return sh.apply(e, at)
}

// eventSeconds is when an event happened, not later than it was received;
// 0 for none.
func eventSeconds(e *events.ShopEvent) uint32 {
	ms := e.TimeMS
	if e.ReceivedMS > 0 && (ms > e.ReceivedMS || ms <= 0) {
		ms = e.ReceivedMS
	}
	if ms < 1000 || ms/1000 > math.MaxUint32 {
		return 0
	}
	return uint32(ms / 1000)
}

func (sh *shard) apply(e *events.ShopEvent, at uint32) bool {
	i := sh.find(e.UID, e.ShopID)
	fresh := i == 0
	if fresh {
		i = sh.insert(e.UID, e.ShopID)
	}
	r := sh.records.at(i)
	if h := binary.LittleEndian.Uint32(e.EventID[:]); !e.EventID.IsZero() {
		h = max(h, 1)
		if !r.isNew(h) || e.Type == events.ShopPurchase && !sh.shopping(r).isNewOrder(h) {
			sh.duplicates++
			return false
		}
	}
	if l := sh.shops[e.ShopID]; !fresh && l.newest != i {
		sh.unlink(l, r)
		sh.pushNewest(l, i, r)
	}
	r.touch(at)
	switch e.Type {
	case events.ShopVisit:
		r.Visits++
	case events.ShopCategoryView:
		r.category(e.Category, at)
	case events.ShopProductView:
		r.Views++
		r.LastView = max(r.LastView, at)
		if e.Product != "" {
			r.sawProduct(ProductHash(e.Product), at)
		}
		r.category(e.Category, at)
	case events.ShopSearch:
		r.LastSearch = max(r.LastSearch, at)
		r.query(e.Query, at)
	case events.ShopCartAdd, events.ShopCartRemove:
		sh.shopping(r).changeCart(e, at)
	case events.ShopCheckout:
		sp := sh.shopping(r)
		sp.LastCheckout = max(sp.LastCheckout, at)
	case events.ShopPurchase:
		sh.shopping(r).purchase(e, at)
	}
	sh.changed(i)
	return true
}

// category notes a viewed category: the whole path and each of its levels, so
// that "Shoes > Women" is also "Shoes" and "Women".
func (a *Activity) category(path string, at uint32) {
	h := CategoryHash(path)
	if h == 0 {
		return
	}
	a.sawCategory(h, at)
	const most = 3 // levels beside the whole path
	start, n := 0, 0
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '>' {
			continue
		}
		if level := CategoryHash(path[start:i]); level != 0 && level != h && n < most {
			a.sawCategory(level, at)
			n++
		}
		start = i + 1
	}
}

func (a *Activity) query(text string, at uint32) {
	for n := 0; n < RecentTerms; n++ {
		var h uint64
		if h, text = NextWord(text); h == 0 {
			return
		}
		a.searched(TermHash(h), at)
	}
}

// changeCart applies an addition or removal, unless a purchase came after it.
func (s *Shopping) changeCart(e *events.ShopEvent, at uint32) {
	if at < s.LastPurchase {
		return
	}
	s.LastCart = max(s.LastCart, at)
	one := func(product string, pieces int64, price money.Nano) {
		if product == "" {
			return
		}
		if e.Type == events.ShopCartRemove {
			s.takeFromCart(ProductHash(product), max(pieces, 0))
			return
		}
		s.addToCart(ProductHash(product), max(pieces, 1), max(price, 0))
	}
	if len(e.Items) == 0 {
		one(e.Product, e.Quantity, e.Price)
	}
	for i := range e.Items {
		one(e.Items[i].Product, e.Items[i].Quantity, e.Items[i].Price)
	}
}

// purchase books an order and empties the cart. If the cart changed after the
// purchase, which then came late, only what was bought leaves it.
func (s *Shopping) purchase(e *events.ShopEvent, at uint32) {
	s.Orders++
	value := e.Value
	if value <= 0 {
		value = 0
		for i := range e.Items {
			value = money.Add(value, lineValue(max(e.Items[i].Price, 0), clampQty(e.Items[i].Quantity)))
		}
	}
	s.Revenue = money.Add(s.Revenue, value)
	s.LastPurchase = max(s.LastPurchase, at)
	late := at < s.LastCart
	one := func(product string) {
		if product == "" {
			return
		}
		h := ProductHash(product)
		s.bought(h)
		if late {
			s.takeFromCart(h, 0)
		}
	}
	if len(e.Items) == 0 {
		one(e.Product)
	}
	for i := range e.Items {
		one(e.Items[i].Product)
	}
	if !late {
		s.emptyCart()
	}
}
