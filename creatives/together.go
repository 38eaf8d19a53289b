package creatives

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Bounds of what is learned of one shop's visitors. Each shop has its own, so
// that no shop's traffic moves what another shows.
const (
	togetherProducts = 20_000 // per shop
	togetherPeers    = 6      // per product
	togetherBefore   = 4      // products that a view is joined with
	// togetherLeast is how often two products must have been seen by the same
	// people before others are shown the one for the other.
	togetherLeast = 3
	trendingMost  = 64
	trendHalfLife = 24 * 60 * 60 * 1000 // ms
	trendEvery    = 10_000              // ms between two rankings
)

// Together learns from a shop's own events which of its products are looked
// at by the same people, and which are looked at most now. It is a fold of the
// log, in memory, and starts anew with the process. Viewed is for one
// goroutine; asking is for any and does not allocate.
type Together struct {
	mu    sync.RWMutex
	shops map[uint32]*shopViews
}

type shopViews struct {
	mu       sync.RWMutex
	products map[uint64]*productViews
	ranked   int64 // when trending was ranked, ms
	trending atomic.Pointer[[]uint64]
}

type productViews struct {
	peers  [togetherPeers]uint64
	weight [togetherPeers]float32
	trend  float64 // views, halved each day, as of at
	at     int64
}

// NewTogether returns one that knows nothing.
func NewTogether() *Together { return &Together{shops: map[uint32]*shopViews{}} }

func (t *Together) shop(id uint32) *shopViews {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.shops[id]
}

// Viewed notes that a person looked at a product after others (newest first).
func (t *Together) Viewed(shop uint32, product uint64, before []uint64, ms int64) {
	s := t.shop(shop)
	if s == nil {
		s = &shopViews{products: map[uint64]*productViews{}}
		t.mu.Lock()
		t.shops[shop] = s
		t.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.entry(product, ms)
	p.trend = p.decayed(ms) + 1
	p.at = max(p.at, ms)
	for _, other := range before[:min(len(before), togetherBefore)] {
		if other == 0 || other == product {
			continue
		}
		p.join(other)
		s.entry(other, ms).join(product)
	}
	if ms-s.ranked >= trendEvery {
		s.rank(ms)
	}
}

// entry finds a product or makes room for it among the shop's own.
func (s *shopViews) entry(product uint64, ms int64) *productViews {
	if p := s.products[product]; p != nil {
		return p
	}
	if len(s.products) >= togetherProducts {
		var victim uint64
		least, looked := 0.0, 0
		for k, p := range s.products { // the order of a Go map is random: a sample
			if d := p.decayed(ms); looked == 0 || d < least {
				victim, least = k, d
			}
			if looked++; looked == 8 {
				break
			}
		}
		delete(s.products, victim)
	}
	p := &productViews{at: ms}
	s.products[product] = p
	return p
}

func (p *productViews) decayed(ms int64) float64 {
	v := p.trend
	for age := ms - p.at; age > 0 && v > 1e-6; age -= trendHalfLife {
		if age >= trendHalfLife {
			v /= 2
		} else {
			v *= 1 - float64(age)/(2*trendHalfLife) // a line between the halvings
		}
	}
	return v
}

// join counts one more view of both. A newcomer wears the weakest peer down
// before it takes its place.
func (p *productViews) join(other uint64) {
	i := 0
	for i < togetherPeers-1 && p.peers[i] != 0 && p.peers[i] != other {
		i++
	}
	switch {
	case p.peers[i] == other:
		p.weight[i]++
	case p.peers[i] == 0 || p.weight[i] <= 1:
		p.peers[i], p.weight[i] = other, 1
	default:
		p.weight[i]--
		return
	}
	for ; i > 0 && p.weight[i-1] < p.weight[i]; i-- {
		p.peers[i-1], p.peers[i] = p.peers[i], p.peers[i-1]
		p.weight[i-1], p.weight[i] = p.weight[i], p.weight[i-1]
	}
}

// rank orders what is looked at now.
func (s *shopViews) rank(ms int64) {
	s.ranked = ms
	type ranked struct {
		product uint64
		trend   float64
	}
	list := make([]ranked, 0, len(s.products))
	for k, p := range s.products {
		if d := p.decayed(ms); d >= togetherLeast {
			list = append(list, ranked{k, d})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		switch {
		case a.trend != b.trend && a.trend > b.trend, a.trend == b.trend && a.product < b.product:
			return -1
		}
		return 1
	})
	out := make([]uint64, 0, trendingMost)
	for _, r := range list[:min(len(list), trendingMost)] {
		out = append(out, r.product)
	}
	s.trending.Store(&out)
}

// With appends the products that people who looked at this one looked at too,
// most often first.
func (t *Together) With(dst []uint64, shop uint32, product uint64) []uint64 {
	if t == nil {
		return dst
	}
	s := t.shop(shop)
	if s == nil {
		return dst
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.products[product]
	if p == nil {
		return dst
	}
	for i, peer := range p.peers {
		if peer == 0 || p.weight[i] < togetherLeast {
			break
		}
		dst = append(dst, peer)
	}
	return dst
}

// Trending is what is looked at most in a shop now, best first; it must not be
// changed.
func (t *Together) Trending(shop uint32) []uint64 {
	if t == nil {
		return nil
	}
	if s := t.shop(shop); s != nil {
		if list := s.trending.Load(); list != nil {
			return *list
		}
	}
	return nil
}

// Products is how many products are known, over all shops.
func (t *Together) Products() (n int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, s := range t.shops {
		s.mu.RLock()
		n += len(s.products)
		s.mu.RUnlock()
	}
	return n
}

// Of copies what is known of some products of a shop, and what is looked at
// most there, into dst: an ad that was made then can be made again.
func (t *Together) Of(dst *Together, shop uint32, products ...uint64) {
	if t == nil {
		return
	}
	s := t.shop(shop)
	if s == nil {
		return
	}
	to := dst.shops[shop]
	if to == nil {
		to = &shopViews{products: map[uint64]*productViews{}}
		dst.shops[shop] = to
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	to.trending.Store(s.trending.Load())
	for _, id := range products {
		if p := s.products[id]; p != nil {
			copied := *p
			to.products[id] = &copied
		}
	}
}
