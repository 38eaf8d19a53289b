package segments

import "github.com/grosz/grosz/internal/money"

// maxKeys bounds the keys of one person at one shop that are joined.
const maxKeys = 4

// join adds what the person's other keys at this shop know, following links
// from key to key; false when the person opted out under one of them.
//
// Each stored profile stays a fold of its own key's events alone, whatever the
// order in which partitions are read; only reading joins them.
func (s *Store) join(u UserKey, sp *ShopProfile) bool {
	keys := [maxKeys]UserKey{u}
	n := 1
	follow := func(links *[linkKinds]link) {
		for i := range links {
			k := links[i].key
			if k.IsZero() || n == maxKeys {
				continue
			}
			known := false
			for j := range n {
				known = known || keys[j] == k
			}
			if !known {
				keys[n] = k
				n++
			}
		}
	}
	follow(&sp.links)
	var other Profile
	for i := 1; i < n; i++ {
		found, out := s.peek(keys[i], sp.Shop, &other)
		if out {
			return false
		}
		if found {
			follow(&other.links)
			sp.merge(&other)
			sp.Linked = true
		}
	}
	return true
}

// OtherKeys are the keys that identify events have joined with the profile's
// own, directly; zero for none.
func (p *Profile) OtherKeys() (keys [linkKinds]UserKey) {
	for i := range p.links {
		keys[i] = p.links[i].key
	}
	return keys
}

// peek copies the profile of one key, and tells whether it is there, and
// whether the key opted out.
func (s *Store) peek(u UserKey, shop uint32, p *Profile) (found, out bool) {
	sh := s.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if _, out = sh.optOuts[optOutKey{u, shop}]; out {
		return false, true
	}
	i := sh.find(u, shop)
	if i != 0 {
		sh.decode(sh.records.at(i), p)
	}
	return i != 0, false
}

// merge makes p what both know together. An order that both have counts once.
func (p *Profile) merge(o *Profile) {
	if p.First == 0 || o.First != 0 && o.First < p.First {
		p.First = o.First
	}
	p.Last, p.LastView, p.LastSearch = max(p.Last, o.Last), max(p.LastView, o.LastView), max(p.LastSearch, o.LastSearch)
	p.Visits, p.Views = add32(p.Visits, o.Visits), add32(p.Views, o.Views)
	for i, h := range o.Products {
		if h != 0 {
			p.sawProduct(h, o.ProductAt[i], o.ProductCount[i])
		}
	}
	for i, h := range o.Terms {
		if h != 0 {
			p.searched(h, o.TermAt[i])
		}
	}
	for i, h := range o.Categories {
		if h != 0 {
			p.sawCategory(h, o.CategoryAt[i], o.CategoryCount[i])
		}
	}
	for i, h := range o.Conversions {
		if h != 0 {
			p.converted(h, o.ConversionAt[i], o.ConversionCount[i])
		}
	}
	p.Shopping.merge(&o.Shopping)
}

// merge joins carts and orders. A cart is forgotten if the other key bought
// after it was last touched; of a line that both have, the later cart's stays.
func (s *Shopping) merge(o *Shopping) {
	emptied := max(s.emptied, o.emptied)
	mine, theirs := s.LastCart >= emptied, o.LastCart >= emptied
	if !mine {
		s.emptyCart()
	}
	for i := range o.CartLen() {
		line := s.cartLine(o.Cart[i], s.CartLen())
		if !theirs || line < s.CartLen() && s.LastCart >= o.LastCart {
			continue
		}
		s.takeFromCart(o.Cart[i], 0)
		s.addToCart(o.Cart[i], int64(o.CartQty[i]), o.CartPrice[i])
	}
	s.emptied = emptied
	s.LastCart, s.LastCheckout = max(s.LastCart, o.LastCart), max(s.LastCheckout, o.LastCheckout)
	l, m := &s.orders, &o.orders
	l.oldCount, l.oldRevenue = add32(l.oldCount, m.oldCount), money.Add(l.oldRevenue, m.oldRevenue)
	l.oldMargin = money.Add(l.oldMargin, m.oldMargin)
	l.oldLast, l.horizon = max(l.oldLast, m.oldLast), 0
	for i := range m.n {
		theirs := m.list[i]
		if known := l.find(theirs.id); known != nil {
			if theirs.statusAt > known.statusAt {
				known.status, known.statusAt = theirs.status, theirs.statusAt
			}
			known.back = max(known.back, theirs.back)
			if !known.placed && theirs.placed {
				known.at, known.value, known.margin, known.placed = theirs.at, theirs.value, theirs.margin, true
			}
			continue
		}
		l.insert(theirs)
		l.horizon = 0
	}
	s.sum()
	for i := RecentPurchases - 1; i >= 0; i-- {
		h := o.Purchased[i]
		if h == 0 || contains(s.Purchased[:], h) {
			continue
		}
		s.bought(h)
	}
}

func add32(a, b uint32) uint32 {
	if a > ^uint32(0)-b {
		return ^uint32(0)
	}
	return a + b
}
