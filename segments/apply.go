package segments

import (
	"math"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Apply takes one shop event into the user's profile. Events may come late
// and twice: times only move forward, and an event that was taken before
// changes nothing, however often and however much later it is sent again. An
// opt-out removes the profile and refuses what comes after, also on replay. It
// returns false for an event that changed nothing.
func (s *Store) Apply(e *events.ShopEvent) bool { return s.apply(e, -1, 0) }

// ApplyFrom is Apply for an event of a log at (partition, offset): after
// Restore it passes over what the snapshot of the user's shard has already
// taken. All events of one message share an offset.
func (s *Store) ApplyFrom(e *events.ShopEvent, partition int, offset int64) bool {
	return s.apply(e, partition, offset)
}

func (s *Store) apply(e *events.ShopEvent, partition int, offset int64) bool {
	at := eventSeconds(e)
	if e.UID.IsZero() || e.ShopID == 0 || at == 0 {
		return false
	}
	sh := s.shard(e.UID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if partition >= 0 && offset < sh.taken[partition] {
		return false
	}
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
	p := &sh.scratch
	if i == 0 {
		*p = Profile{}
	} else {
		sh.decode(sh.records.at(i), p)
	}
	if !p.fold(e, at) {
		sh.duplicates++
		return false
	}
	sh.keep(i, e.UID, e.ShopID, p)
	return true
}

// Fold takes an event into a profile, by itself, and tells whether it changed
// anything: what Apply does to a stored one. A profile is Fold over its events
// and nothing else, opt-outs aside.
func (p *Profile) Fold(e *events.ShopEvent) bool {
	at := eventSeconds(e)
	return at != 0 && p.fold(e, at)
}

// fold leaves p as it was when it returns false.
func (p *Profile) fold(e *events.ShopEvent, at uint32) bool {
	deed := e.Type == events.ShopPurchase || e.Type == events.ShopOrderStatus || e.Type == events.ShopIdentify
	var before Profile
	if deed {
		before = *p
	}
	n := uint16(1) // how much counts grow
	if !e.EventID.IsZero() {
		switch p.seen.note(seenID(e.EventID), at) {
		case eventKnown:
			return false
		case eventLate:
			n, before = 0, *p
		}
	}
	if deed {
		if !p.foldDeed(e, at, n) {
			*p = before
			return false
		}
		return true
	}
	p.touch(at)
	p.foldActivity(e, at, n)
	return n == 1 || before != *p
}

// foldActivity takes what a visitor does on the site.
func (p *Profile) foldActivity(e *events.ShopEvent, at uint32, n uint16) {
	switch e.Type {
	case events.ShopVisit:
		p.Visits = grow(p.Visits, n)
	case events.ShopCategoryView:
		p.category(e.Category, at, n)
	case events.ShopProductView:
		p.Views = grow(p.Views, n)
		p.LastView = max(p.LastView, at)
		if e.Product != "" {
			p.sawProduct(ProductHash(e.Product), at, n)
		}
		p.category(e.Category, at, n)
	case events.ShopSearch:
		p.LastSearch = max(p.LastSearch, at)
		p.query(e.Query, at)
	case events.ShopCartAdd, events.ShopCartRemove:
		if n > 0 {
			p.changeCart(e, at)
		}
	case events.ShopCheckout:
		p.LastCheckout = max(p.LastCheckout, at)
	case events.ShopConversion:
		if h := NameHash(e.Name); h != 0 {
			p.converted(h, at, n)
		}
	}
}

// foldDeed takes what may be told by others than the visitor's browser, and
// when the visitor is not there: it is no activity, but a purchase.
func (p *Profile) foldDeed(e *events.ShopEvent, at uint32, n uint16) bool {
	switch e.Type {
	case events.ShopPurchase:
		if !p.purchase(e, at) {
			return false
		}
		p.touch(at)
	case events.ShopOrderStatus:
		status, ok := orderStatusOf(e.Status)
		if !ok || n == 0 && e.Value > 0 || !p.orders.news(orderID(e), at, status, max(e.Value, 0)) {
			return false
		}
		p.sum()
		p.begin(at)
	case events.ShopIdentify:
		kind := linkCustomer
		if e.Name == events.AliasVisitor {
			kind = linkVisitor
		}
		l := link{key: e.Alias, at: at}
		if e.Alias.IsZero() || e.Alias == e.UID || !l.newer(&p.links[kind]) {
			return false
		}
		p.links[kind] = l
		p.begin(at)
	}
	return true
}

// begin gives a profile a time if it has none.
func (a *Activity) begin(at uint32) {
	if a.Last == 0 {
		a.touch(at)
	}
}

func grow(v uint32, n uint16) uint32 {
	if v > math.MaxUint32-uint32(n) {
		return v
	}
	return v + uint32(n)
}

// category notes a viewed category: the whole path and each of its levels, so
// that "Shoes > Women" is also "Shoes" and "Women".
func (a *Activity) category(path string, at uint32, count uint16) {
	h := CategoryHash(path)
	if h == 0 {
		return
	}
	a.sawCategory(h, at, count)
	const most = 3 // levels beside the whole path
	start, n := 0, 0
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '>' {
			continue
		}
		if level := CategoryHash(path[start:i]); level != 0 && level != h && n < most {
			a.sawCategory(level, at, count)
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
	if at < s.emptied {
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

// purchase books an order and empties the cart; false when it is known. Only
// what was bought leaves the cart if it changed after the purchase, which then
// came late, and if the purchase was not made on the site.
func (s *Shopping) purchase(e *events.ShopEvent, at uint32) bool {
	value := e.Value
	if value <= 0 {
		value = 0
		for i := range e.Items {
			value = money.Add(value, lineValue(max(e.Items[i].Price, 0), clampQty(e.Items[i].Quantity)))
		}
	}
	if !s.orders.placed(orderID(e), at, value, max(e.Margin, -math.MaxInt64)) {
		return false
	}
	s.sum()
	if !e.Offline {
		s.emptied = max(s.emptied, at)
	}
	some := e.Offline || at < s.LastCart
	one := func(product string) {
		if product == "" {
			return
		}
		h := ProductHash(product)
		s.bought(h)
		if some {
			s.takeFromCart(h, 0)
		}
	}
	if len(e.Items) == 0 {
		one(e.Product)
	}
	for i := range e.Items {
		one(e.Items[i].Product)
	}
	if !some {
		s.emptyCart()
	}
	return true
}
