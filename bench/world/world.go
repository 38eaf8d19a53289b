package world

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/grosz/grosz/internal/money"
)

// Bounds of a world.
const (
	perShop      = 50 // campaigns of a shop, on average
	maxCampaigns = 2_000_000
	maxProfiles  = 100_000_000
	maxProducts  = 10_000_000
)

// Config of a World. Zero values are replaced by the defaults named.
type Config struct {
	Campaigns int // default 10,000
	Profiles  int // of a person at a shop; default 1,000,000
	Products  int // of all shops; default 100,000
	Seed      uint64
	// NowMS is when the profiles' latest visits end, ms UTC. Required.
	NowMS int64
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	within := func(what string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("world: %d %s: %d to %d", n, what, least, most))
		}
	}
	within("campaigns", c.Campaigns, 1, maxCampaigns)
	within("profiles", c.Profiles, 0, maxProfiles)
	within("products", c.Products, 0, maxProducts)
	if c.NowMS <= 0 {
		errs = append(errs, errors.New("world: NowMS is missing"))
	}
	return errors.Join(errs...)
}

// World is a drawn market.
type World struct {
	cfg   Config
	shops int
	sites int
	words int
	towns int
	users int
}

// New returns the world of a Config; nothing is drawn yet.
func New(cfg Config) (*World, error) {
	if cfg.Campaigns == 0 {
		cfg.Campaigns = 10_000
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &World{
		cfg: cfg, shops: max(cfg.Campaigns/perShop, 2), sites: max(cfg.Campaigns/5, 40), words: max(cfg.Campaigns/2, 100),
		towns: max(cfg.Campaigns/10, 20), users: max(int(float64(cfg.Profiles)/meanShops), 1),
	}, nil
}

// usd is every amount's currency: a world needs no exchange rates.
var usd = money.MustCurrency("USD")

// Kinds of drawn things, each with seeds of its own.
const (
	ofShop uint64 = iota + 1
	ofProduct
	ofCampaign
	ofUser
	ofRequest
	ofSite
)

// draw is the randomness of the i-th thing of a kind.
func (w *World) draw(kind uint64, i int) *drawer {
	return &drawer{Rand: rand.New(rand.NewPCG(w.cfg.Seed, kind<<48|uint64(i)))}
}

// drawer is rand.Rand with what is drawn often here.
type drawer struct{ *rand.Rand }

// popular draws a number below n; small ones more often, by how much skew is
// above 1.
func (d *drawer) popular(n int, skew float64) int {
	return min(int(math.Pow(d.Float64(), skew)*float64(n)), n-1)
}

func (d *drawer) chance(p float64) bool { return d.Float64() < p }

// logNormal draws around a median.
func (d *drawer) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*d.NormFloat64())
}

func one[T any](d *drawer, list ...T) T { return list[d.IntN(len(list))] }

// some takes between least and most of a list, in its order.
func some[T any](d *drawer, list []T, least, most int) []T {
	n := min(least+d.IntN(most-least+1), len(list))
	out := make([]T, 0, n)
	for i := range list {
		if d.IntN(len(list)-i) < n-len(out) {
			out = append(out, list[i])
		}
	}
	return out
}

// cpm is an amount in cents of a dollar as a price.
func cpm(dollars float64) money.CPM {
	return max(money.CPM(dollars*100)*(money.CPMUnit/100), money.CPMUnit/100)
}
