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

// beta draws from the beta distribution.
func beta(r *rand.Rand, a, b float64) float64 {
	x, y := anyGamma(r, a), anyGamma(r, b)
	if x+y <= 0 {
		return a / (a + b)
	}
	return x / (x + y)
}

// anyGamma is gamma for a shape above 0.
func anyGamma(r *rand.Rand, shape float64) float64 {
	if shape >= 1 {
		return gamma(r, shape)
	}
	shape = max(shape, 1e-3)
	return gamma(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
}

// quantile is the inverse of phi.
func quantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// enough is how much of what is likely an interval of whole numbers holds at
// least.
const enough = 0.89

// countsOf is intervalOf for whole numbers, of which an end is either in or
// out, so that the ends about the quantiles hold more than is asked for: of
// those that hold enough the narrowest is taken.
func countsOf(draws []float64) Interval {
	out := intervalOf(draws)
	inside := func(low, high float64) float64 {
		i, _ := slices.BinarySearch(draws, low)
		j, _ := slices.BinarySearch(draws, high+0.5)
		return float64(j-i) / float64(len(draws))
	}
	for _, try := range [...]Interval{{out.Low + 1, out.Mid, out.High - 1}, {out.Low, out.Mid, out.High - 1}, {out.Low + 1, out.Mid, out.High}} {
		if try.Low <= out.Mid && try.High >= out.Mid && inside(try.Low, try.High) >= enough {
			return try
		}
	}
	return out
}
