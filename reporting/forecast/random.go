package forecast

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is what is likely: with probability 0.9 between Low and High.
type Interval struct{ Low, Mid, High float64 }

// Scale returns the interval of a multiple.
func (i Interval) Scale(f float64) Interval { return Interval{i.Low * f, i.Mid * f, i.High * f} }

// tail is what is left out on each side of an interval.
const tail = 0.05

// intervalOf sorts the draws.
func intervalOf(draws []float64) Interval {
	slices.SortFunc(draws, cmp.Compare)
	at := func(q float64) float64 { return draws[min(int(q*float64(len(draws))), len(draws)-1)] }
	return Interval{at(tail), at(0.5), at(1 - tail)}
}

// phi is the normal distribution function.
func phi(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// poisson draws a count with a mean.
func poisson(r *rand.Rand, mean float64) float64 {
	switch {
	case mean <= 0 || math.IsNaN(mean):
		return 0
	case mean > 50:
		return max(math.Round(mean+math.Sqrt(mean)*r.NormFloat64()), 0)
	}
	limit, p, n := math.Exp(-mean), 1.0, -1.0
	for p > limit {
		p *= r.Float64()
		n++
	}
	return n
}

// gamma draws from the gamma distribution of a shape ≥ 1 and scale 1
// (Marsaglia and Tsang, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// spread draws a log-normal number with a median that is between low and high
// with probability 0.9.
func spread(r *rand.Rand, low, high float64) float64 {
	const z90 = 1.6448536269514722
	mid, s := (math.Log(low)+math.Log(high))/2, (math.Log(high)-math.Log(low))/2/z90
	return math.Exp(mid + s*r.NormFloat64())
}
