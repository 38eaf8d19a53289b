package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Touches older than these do not lead to an order.
const (
	clickWindowMS = 30 * 24 * 3600 * 1000
	viewWindowMS  = 24 * 3600 * 1000
	recentCap     = 8 // products a shopper remembers per shop
	cartCap       = 5
)

// shopper is a person with fixed tastes and a short memory.
type shopper struct {
	index   int
	uid     string // the DSP's cookie id, 32 hex digits; web only
	ifa     string // app only
	matched []bool // per exchange
	city    int
	desktop bool
	shops   []shopState
	// inflight counts touches on their way to the bidder: no purchase is
	// made meanwhile, so that it is clear which of them came before it.
	inflight int
}

// shopState is a shopper in one shop.
type shopState struct {
	interest  float64 // 0–1
	favourite string  // category
	viewed    []int   // products, newest last
	cart      []int
	clickID   string
	click     *touch
	view      *touch
	seen      int // ads of the shop seen
	inSession bool
}

// population is drawn from the seed alone, so that a restart meets the same
// people.
func population(cfg *Config) []*shopper {
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x5eed))
	out := make([]*shopper, cfg.Shoppers)
	for i := range out {
		s := &shopper{index: i, city: rng.IntN(5), desktop: rng.Float64() < 0.45}
		id := fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
		if rng.Float64() < 0.3 {
			s.ifa = id[:8] + "-" + id[8:12] + "-4" + id[13:16] + "-a" + id[17:20] + "-" + id[20:]
			s.desktop = false
		} else {
			s.uid = id
		}
		for _, x := range cfg.Exchanges {
			s.matched = append(s.matched, rng.Float64() < x.Matched)
		}
		for _, shop := range cfg.Shops {
			s.shops = append(s.shops, shopState{
				interest:  math.Pow(rng.Float64(), 2),
				favourite: shop.Products[rng.IntN(len(shop.Products))].Category,
			})
		}
		out[i] = s
	}
	return out
}

// known tells whether the exchange hands on an id that the bidder can tie to
// the shopper's visits.
func (s *shopper) known(exchange int) bool { return s.ifa != "" || s.matched[exchange] }

// clickChance is the true probability of a click on an ad of the shop: taste,
// how fresh the last visit is, and fatigue.
func (st *shopState) clickChance(media string, scale float64) float64 {
	p := 0.006 + 0.03*st.interest
	if len(st.viewed) > 0 {
		p *= 1.8
	}
	if len(st.cart) > 0 {
		p *= 1.5
	}
	switch media {
	case "native":
		p *= 1.2
	case "video":
		p *= 0.7
	}
	return min(0.9, scale*p*math.Exp(-float64(st.seen)/12))
}

// buyChance is the true probability that a session ends in an order: a base
// without ads, and the lift of an ad seen in the last day or just clicked.
func (st *shopState) buyChance(nowMS int64, clicked bool) float64 {
	p := 0.02 + 0.06*st.interest
	if len(st.cart) > 0 {
		p += 0.05
	}
	if st.view != nil && nowMS-st.view.AtMS < viewWindowMS {
		p += 0.03 * math.Exp(-float64(nowMS-st.view.AtMS)/float64(viewWindowMS))
	}
	if clicked {
		p += 0.12
	}
	return p
}

func remember(list []int, v, limit int) []int {
	for i, e := range list {
		if e == v {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if list = append(list, v); len(list) > limit {
		list = append(list[:0], list[1:]...)
	}
	return list
}
