package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// crowd is a simulated public: each person is met so often a day, and a
// campaign has an audience, a price, a market and rates of its own. Nothing of
// it is in the form that the forecast believes in.
type crowd struct {
	people, days   int
	audience       float64 // share of the people that is bid for
	mean, spread   float64 // impressions offered of one a day, and how people differ
	stay           float64 // share of the people who are there later, too
	window         float64 // days of the sample
	bid, floor     float64 // CPM
	market, place  []float64
	click, order   float64 // true rates
	says           float64 // predictions by truth
	first          bool
	cap            int // impressions a day; 0: none
	share          float64
	learnt         float64 // bids that the landscape was learned from
	clicks, orders float64 // experience
	traffic        []float64
	noon           float64 // when in the day most comes
}

// when draws a time of day, as a part of it: evenings are busier than nights.
func (c *crowd) when(r *rand.Rand) float64 {
	for {
		x := r.Float64()
		if 1.6*r.Float64() < 1+0.6*math.Cos(2*math.Pi*(x-c.noon)) {
			return x
		}
	}
}

// worlds are what rivals bid and how traffic comes.
var worlds = []struct {
	name   string
	rival  func(r *rand.Rand, sigma float64) float64 // log price about 0
	day    float64                                   // SD of a day's traffic, in logarithm
	week   float64                                   // of a weekday's
	wander float64                                   // of its level, from day to day
	place  float64                                   // of the campaign's prices against the market's
}{
	{"log-normal prices", normalPrice, 0.15, 0, 0, 0},
	{"heavy tails", heavyPrice, 0.15, 0, 0, 0},
	{"two peaks", twoPeaks, 0.15, 0, 0, 0},
	{"weekdays", normalPrice, 0.08, 0.25, 0, 0},
	{"quiet days", heavyPrice, 0.05, 0.05, 0, 0},
	{"wild days, wandering", twoPeaks, 0.3, 0.1, 0.04, 0},
	{"prices of its own", normalPrice, 0.12, 0.1, 0.02, 0.08},
}

func normalPrice(r *rand.Rand, sigma float64) float64 { return sigma * r.NormFloat64() }

// heavyPrice is Student's, with three degrees of freedom.
func heavyPrice(r *rand.Rand, sigma float64) float64 {
	a, b, c := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
	return sigma * r.NormFloat64() / math.Sqrt((a*a+b*b+c*c)/3)
}

func twoPeaks(r *rand.Rand, sigma float64) float64 {
	if r.IntN(5) < 2 {
		return 0.3*sigma*r.NormFloat64() + 0.9
	}
	return 0.4*sigma*r.NormFloat64() - 0.6
}

func between(r *rand.Rand, a, b float64) float64 { return a + (b-a)*r.Float64() }

func draw(r *rand.Rand, world int) *crowd {
	w := &worlds[world]
	c := &crowd{
		people: 400 + r.IntN(1200), days: []int{3, 7, 7, 14}[r.IntN(4)], audience: between(r, 0.2, 1), mean: between(r, 0.3, 1.8), spread: between(r, 0.5, 1.1),
		stay: between(r, 0.2, 0.9), window: between(r, 1.5, 10), bid: between(r, 2, 10), floor: between(r, 0, 2),
		click: between(r, 0.005, 0.04), order: between(r, 0.03, 0.2), says: math.Exp(0.35 * r.NormFloat64()), first: r.IntN(2) == 0,
		share: between(r, 0.3, 1), learnt: math.Exp(between(r, 5.5, 10)), clicks: math.Exp(between(r, 3, 7)), noon: r.Float64(),
	}
	if r.IntN(4) == 0 {
		c.cap = 1 + r.IntN(3)
	}
	c.orders = c.clicks * c.order
	at, sigma, off := math.Log(c.bid)+0.5*r.NormFloat64(), between(r, 0.4, 0.9), w.place*r.NormFloat64()
	c.market = make([]float64, 3000)
	for i := range c.market {
		c.market[i] = math.Exp(at + w.rival(r, sigma))
	}
	slices.Sort(c.market)
	for _, p := range c.market {
		c.place = append(c.place, p*math.Exp(off))
	}
	var week [7]float64
	for i := range week {
		week[i] = w.week * r.NormFloat64()
	}
	level := 0.0
	for d := range 10 + c.days {
		level += w.wander * r.NormFloat64()
		c.traffic = append(c.traffic, math.Exp(level+week[d%7]+w.day*r.NormFloat64()))
	}
	return c
}

// rates are how often a day people are met: some hardly, some very often.
func (c *crowd) rates(r *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = c.mean * math.Exp(c.spread*r.NormFloat64()-c.spread*c.spread/2)
	}
	return out
}

// visits draws everybody's bids on some days: person and time, by person. The
// sample ends with day 9.
func (c *crowd) visits(r *rand.Rand, rates []float64, from, to float64, see func(person int, atMS int64)) {
	var at []float64
	for p, rate := range rates {
		at = at[:0]
		for d := int(from); d < int(math.Ceil(to)); d++ {
			for range int(poisson(r, rate*c.traffic[d])) {
				if x := float64(d) + c.when(r); x >= from && x < to {
					at = append(at, x)
				}
			}
		}
		slices.Sort(at)
		for _, x := range at {
			see(p, int64(x*86_400_000))
		}
	}
}

// truth plays the days to come: what the campaign really gets.
func (c *crowd) truth(r *rand.Rand, rates []float64) (out [5]float64) {
	recent, who := map[int][]int64{}, map[int]bool{}
	c.visits(r, rates, 10, 10+float64(c.days), func(p int, at int64) {
		price := c.place[r.IntN(len(c.place))]
		if c.bid < c.floor || price > c.bid {
			return
		}
		if c.cap > 0 {
			seen := recent[p]
			if n := len(seen) - c.cap; n >= 0 && seen[n] > at-86_400_000 {
				return
			}
			recent[p] = append(seen, at)
		}
		who[p] = true
		out[0]++
		paid := c.bid
		if !c.first {
			paid = max(price, c.floor)
		}
		out[3] += paid / 1000 * 1.1
		if r.Float64() < c.click {
			out[1]++
			if r.Float64() < c.order {
				out[2]++
			}
		}
	})
	out[4] = float64(len(who))
	return out
}

// sample is what a bidder's sample of the days before gives.
func (c *crowd) sample(r *rand.Rand, rates []float64) Input {
	from := 10 - c.window
	b := &Bids{FromMS: int64(from * 86_400_000), ToMS: 10 * 86_400_000, Ads: 1, Markets: []string{"x/banner/USD"}}
	in := make([]bool, len(rates))
	for i := range in {
		in[i] = r.Float64() < c.share
	}
	c.visits(r, rates, from, 10, func(p int, at int64) {
		if !in[p] || c.bid < c.floor {
			return
		}
		b.Person, b.AtMS, b.Weight, b.Market = append(b.Person, int32(p)), append(b.AtMS, at), append(b.Weight, 1/c.share), append(b.Market, 0)
		b.First, b.Bid, b.Floor = append(b.First, c.first), append(b.Bid, int64(c.bid*1e6)), append(b.Floor, int64(c.floor*1e6))
		b.Gross = append(b.Gross, int64(c.bid/1000*1.1*1e9))
		b.Click, b.Order = append(b.Click, c.click*c.says), append(b.Order, c.order*c.says)
	})
	out := Input{Bids: b, Seed: r.Uint64(), Days: float64(c.days)}
	for step := -6; step <= 4; step++ { // as the landscape has them: steps of a quarter of a doubling
		price, n := c.bid*math.Pow(2, float64(step)/4), math.Round(c.learnt*math.Exp(r.NormFloat64())/18)
		i, _ := slices.BinarySearch(c.market, price)
		p := float64(i) / float64(len(c.market))
		wins := 0.0
		for range int(n) {
			if r.Float64() < p {
				wins++
			}
		}
		if n > 0 {
			out.Landscape = append(out.Landscape, Price{"x/banner/USD", price, n, wins})
		}
	}
	out.Clicks = Level{poisson(r, c.clicks), c.clicks * c.says}
	out.Orders = Level{poisson(r, c.orders), c.orders * c.says}
	if c.cap > 0 {
		out.Caps = []Cap{{c.cap, 24 * time.Hour}}
	}
	return out
}

var quantities = [...]string{"impressions", "clicks", "orders", "cost", "reach"}

// coverage is how many of so many random campaigns' intervals hold what then
// comes, by quantity, and how wide they are; world < 0 draws one for each.
func coverage(seed uint64, world, campaigns int) (held [len(quantities)]int, wide [len(quantities)]float64) {
	seeds := rand.New(rand.NewPCG(seed, 0x5eed))
	for range campaigns {
		r := rand.New(rand.NewPCG(seeds.Uint64(), seeds.Uint64()))
		of := world
		if of < 0 {
			of = r.IntN(len(worlds))
		}
		c := draw(r, of)
		rates := c.rates(r, int(float64(c.people)*c.audience))
		got := Replay(c.sample(r, rates))
		copy(rates[:int(float64(len(rates))*(1-c.stay))], c.rates(r, len(rates)))
		truth := c.truth(r, rates)
		for k, x := range [...]Interval{got.Impressions, got.Clicks, got.Orders, got.Cost, got.Reach} {
			if x.Low <= truth[k] && truth[k] <= x.High {
				held[k]++
			}
			wide[k] += (x.High - x.Low) / max(x.Mid, 1) / float64(campaigns)
		}
	}
	return held, wide
}

// Of 200 random campaigns in worlds of all sorts, whose days to come are then
// played, the intervals hold the truth in 85 to 95 of 100, each quantity, for
// each seed. The model was not made with these seeds.
func TestIntervalsHoldTheTruth(t *testing.T) {
	const campaigns = 200
	for _, seed := range []uint64{880_001, 880_002, 880_003} {
		held, _ := coverage(seed, -1, campaigns)
		for k, name := range quantities {
			share := float64(held[k]) / campaigns
			t.Logf("seed %d, %s: %.1f %%", seed, name, 100*share)
			assert.GreaterOrEqual(t, share, 0.85, "seed %d: %s", seed, name)
			assert.LessOrEqual(t, share, 0.95, "seed %d: %s", seed, name)
		}
	}
}
