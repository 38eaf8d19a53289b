package bidder

import (
	"maps"
	"slices"
	"sync"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

const (
	// maxPagePrices bounds the products of one shop of which another price was
	// seen, so that no shop's visitors push another's out.
	maxPagePrices = 20_000
	// pagePriceWitnesses is how many visitors have to report a price, one
	// after the other, before it is believed: one browser may say anything.
	pagePriceWitnesses = 3
	// pagePriceKeptMS is how long it is believed without being seen again.
	pagePriceKeptMS = 48 * 60 * 60 * 1000
)

// pagePrices remembers, of products whose page shows another price than their
// feed, what visitors saw. It is a fold of the shop events; safe for many
// goroutines, and asking does not allocate.
type pagePrices struct {
	mu    sync.RWMutex
	shops map[uint32]map[uint64]pagePrice // by shop and product
	n     int
}

type pagePrice struct {
	price money.Nano
	atMS  int64
	by    [pagePriceWitnesses]segments.UserKey
}

func newPagePrices() *pagePrices { return &pagePrices{shops: make(map[uint32]map[uint64]pagePrice)} }

func (s *pagePrices) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.n
}

// saw notes the price on a product's page; one that is the feed's clears what
// was noted.
func (s *pagePrices) saw(shop uint32, product uint64, price, feed money.Nano, who segments.UserKey, ms int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.shops[shop]
	p, known := m[product]
	switch {
	case price == feed && known:
		delete(m, product)
		s.n--
		return
	case price == feed:
		return
	case m == nil:
		m = make(map[uint64]pagePrice)
		s.shops[shop] = m
	}
	if !known {
		s.n++
		if len(m) >= maxPagePrices {
			for victim := range m { // any one: a map's order is random
				delete(m, victim)
				s.n--
				break
			}
		}
	}
	if p.price != price {
		p = pagePrice{price: price}
	}
	p.atMS = max(p.atMS, ms)
	for i := range p.by {
		if p.by[i] == who {
			break
		}
		if p.by[i].IsZero() {
			p.by[i] = who
			break
		}
	}
	m[product] = p
}

// of returns the price that enough visitors saw lately, 0 if none.
func (s *pagePrices) of(shop uint32, product uint64, nowMS int64) money.Nano {
	s.mu.RLock()
	p, ok := s.shops[shop][product]
	s.mu.RUnlock()
	if !ok || p.by[pagePriceWitnesses-1].IsZero() || nowMS-p.atMS > pagePriceKeptMS {
		return 0
	}
	return p.price
}

// copyShop copies what is known of a shop's products into dst.
func (s *pagePrices) copyShop(dst *pagePrices, shop uint32) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m := s.shops[shop]; len(m) > 0 {
		dst.shops[shop] = maps.Clone(m)
		dst.n += len(m)
	}
}

// empty tells that there is nothing to ask for.
func (s *pagePrices) empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.n == 0
}

// sawPrice takes what a visitor's page says of a product's price.
func (b *Bidder) sawPrice(e *events.ShopEvent) {
	if e.Price <= 0 || e.Product == "" || (e.Type != events.ShopProductView && e.Type != events.ShopCartAdd) {
		return
	}
	s := b.state.Load()
	if s == nil {
		return
	}
	shop := s.Snapshot.Shop(e.ShopID)
	if shop == nil || shop.PriceMoveBPS <= 0 {
		return
	}
	h := segments.ProductHash(e.Product)
	if p := shop.Catalogue.ByHash(h); p != nil {
		b.pagePrices.saw(e.ShopID, h, e.Price, p.Price, e.UID, e.TimeMS)
	}
}

// sawTogether joins a product view with what the person looked at before,
// within the shop. It is called before the view is applied to the profile.
func (b *Bidder) sawTogether(e *events.ShopEvent) {
	if e.Type != events.ShopProductView || e.Product == "" {
		return
	}
	h := segments.ProductHash(e.Product)
	var before []uint64
	for _, sp := range b.profiles.Load().Lookup(e.UID, nil) {
		if sp.Shop != e.ShopID {
			continue
		}
		if sp.Products[0] == h {
			return // the page again
		}
		for _, p := range sp.Products {
			if p != 0 {
				before = append(before, p)
			}
		}
	}
	b.together.Viewed(e.ShopID, h, before, e.TimeMS)
}

// movedPrices refuses the products of one shop whose page's price is further
// from the feed's than the shop allows, and those that the person saw too often.
type movedPrices struct {
	shop  *campaigns.CompiledShop
	seen  *pagePrices
	nowMS int64

	capped []uint32
}

// Refuses is creatives.Refuser's.
func (m *movedPrices) Refuses(p *campaigns.Product) bool {
	if len(m.capped) > 0 && slices.Contains(m.capped, events.ShortProduct(segments.ProductHash(p.ID))) {
		return true
	}
	if m.seen == nil || m.shop.PriceMoveBPS <= 0 || m.seen.empty() {
		return false
	}
	page := m.seen.of(m.shop.ID, segments.ProductHash(p.ID), m.nowMS)
	if page == 0 {
		return false
	}
	off := page - p.Price
	if off < 0 {
		off = -off
	}
	return float64(off) > float64(p.Price)*float64(m.shop.PriceMoveBPS)/10_000
}
