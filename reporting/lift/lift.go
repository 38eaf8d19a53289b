// Package lift works out what a campaign changed, from people who were bid for
// and people who were held out (bidder/ghost.go): orders and revenue beyond
// what would have been bought anyway, with intervals, whether the two groups
// are of the sizes they should be, and how many people an answer needs.
//
// Slow side, pure: no clock, no network, randomness from a seed. Safe for many
// goroutines. Imports internal only.
package lift

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Group is one side of the comparison: people, and those of them who bought.
type Group struct {
	Users  float64
	Buyers []Buyer
}

// Buyer is a person who bought since their first bid.
type Buyer struct{ Orders, Revenue float64 }

// Orders and revenue of all.
func (g *Group) sums() (orders, revenue float64) {
	for _, b := range g.Buyers {
		orders, revenue = orders+b.Orders, revenue+b.Revenue
	}
	return orders, revenue
}

// Interval holds the true number with a probability of 0.95.
type Interval struct{ Low, Mid, High float64 }

// Ratio tells whether the groups are of the sizes they should be. If not, what
// divided them was not chance, and no comparison means anything.
type Ratio struct {
	OK bool
	P  float64
}

// RatioAlarm is the probability below which sizes are not believed to be
// chance.
const RatioAlarm = 0.001

// Result of a comparison. Lifts are for all who were bid for: how many orders,
// and how much revenue, there would not have been without the campaign.
type Result struct {
	Orders, Revenue         Interval
	P                       float64 // of a difference as large by chance alone, in the share who buy
	Ratio                   Ratio
	Needed                  float64 // people in all for a good chance of seeing a tenth more buyers
	ExposedRate, HoldoutBuy float64 // share who buy
}

// bootstraps of people, for revenue.
const bootstraps = 400

// maxParts bounds what is drawn from: of many buyers as many parts of people
// are made, by turns, which vary as people do.
const maxParts = 120

// z975 and z80 are quantiles of the normal distribution.
const z975, z80 = 1.959963984540054, 0.8416212335729143

// Compare compares people who were bid for with those held out; share is the
// part that was to be held out.
func Compare(exposed, holdout Group, share float64, seed uint64) Result {
	out := Result{P: 1, Ratio: SampleRatio(exposed.Users, holdout.Users, share)}
	base := 0.0
	if holdout.Users > 0 {
		out.HoldoutBuy = float64(len(holdout.Buyers)) / holdout.Users
		base = out.HoldoutBuy
	}
	if exposed.Users > 0 {
		out.ExposedRate = float64(len(exposed.Buyers)) / exposed.Users
	}
	if base == 0 {
		base = out.ExposedRate
	}
	out.Needed = Needed(base, 0.1, share)
	if exposed.Users == 0 || holdout.Users == 0 {
		return out
	}
	out.P = TwoProportions(float64(len(exposed.Buyers)), exposed.Users, float64(len(holdout.Buyers)), holdout.Users)
	out.Orders = means(exposed, holdout)
	out.Revenue = revenue(exposed, holdout, seed)
	return out
}

// TwoProportions is the probability of a difference as large between two
// shares if they were of one (two-sided z test).
func TwoProportions(k1, n1, k2, n2 float64) float64 {
	if n1 <= 0 || n2 <= 0 {
		return 1
	}
	pool := (k1 + k2) / (n1 + n2)
	v := pool * (1 - pool) * (1/n1 + 1/n2)
	if v <= 0 {
		return 1
	}
	return math.Erfc(math.Abs(k1/n1-k2/n2) / math.Sqrt(2*v))
}

// SampleRatio holds the sizes of the groups against the share (χ², 1 degree of
// freedom).
func SampleRatio(exposed, holdout, share float64) Ratio {
	n := exposed + holdout
	if n == 0 || share <= 0 || share >= 1 {
		return Ratio{true, 1}
	}
	d := holdout - n*share
	p := math.Erfc(math.Abs(d) / math.Sqrt(2*n*share*(1-share)))
	return Ratio{p >= RatioAlarm, p}
}

// Needed is how many people there must be, in both groups together, so that
// buyers that are rel more (0.1: a tenth) are seen with a probability of 0.8
// at a level of 0.05, where base of all people buy and share are held out.
func Needed(base, rel, share float64) float64 {
	if base <= 0 || base >= 1 || share <= 0 || share >= 1 || rel <= 0 {
		return math.Inf(1)
	}
	more := min(base*(1+rel), 1)
	pool := more*(1-share) + base*share
	null := math.Sqrt(pool * (1 - pool) * (1/(1-share) + 1/share))
	alt := math.Sqrt(more*(1-more)/(1-share) + base*(1-base)/share)
	root := (z975*null + z80*alt) / (more - base)
	return math.Ceil(root * root)
}

// means is the lift of orders: people who did not buy count as nought.
func means(exposed, holdout Group) Interval {
	mean := func(g Group) (m, v float64) {
		var s, q float64
		for _, b := range g.Buyers {
			s, q = s+b.Orders, q+b.Orders*b.Orders
		}
		m = s / g.Users
		return m, max(q/g.Users-m*m, 0) / g.Users
	}
	m1, v1 := mean(exposed)
	m2, v2 := mean(holdout)
	d, e := m1-m2, z975*math.Sqrt(v1+v2)
	return Interval{(d - e) * exposed.Users, d * exposed.Users, (d + e) * exposed.Users}
}

// revenue is the lift of revenue, by a bootstrap of people: each counts as
// often as a Poisson number of mean 1 says.
func revenue(exposed, holdout Group, seed uint64) Interval {
	r := rand.New(rand.NewPCG(seed, 0x11f7))
	_, r1 := exposed.sums()
	_, r2 := holdout.sums()
	mid := (r1/exposed.Users - r2/holdout.Users) * exposed.Users
	draws := make([]float64, bootstraps)
	p1, p2 := parts(exposed), parts(holdout)
	resample := func(parts []float64) (sum float64) {
		for _, v := range parts {
			sum += v * times(r)
		}
		return sum
	}
	for i := range draws {
		draws[i] = resample(p1) - resample(p2)*exposed.Users/holdout.Users
	}
	slices.SortFunc(draws, cmp.Compare)
	return Interval{draws[bootstraps*25/1000], mid, draws[bootstraps*975/1000]}
}

// parts are the revenues of parts of the people.
func parts(g Group) []float64 {
	out := make([]float64, min(len(g.Buyers), maxParts))
	for i, b := range g.Buyers {
		out[i%maxParts] += b.Revenue
	}
	return out
}

// times draws a Poisson number of mean 1.
func times(r *rand.Rand) float64 {
	u, n, p := r.Float64(), 0.0, math.Exp(-1)
	for u > p && n < 20 {
		u -= p
		n++
		p /= n
	}
	return n
}
