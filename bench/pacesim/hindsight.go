package pacesim

import "math"

// increment is what a second-price exchange adds to the second price, CPM.
const increment = 0.01

// outcome of one constant multiplier over a day.
type outcome struct {
	k, spend, value, surplus float64
	wins                     int
}

// replay bids k × estimate on every request until the money is gone: what
// wins cost, or bill times their value, where that is above 0.
func replay(rs []request, auction int, budget, k, bill float64) outcome {
	o := outcome{k: k}
	for i := range rs {
		r := &rs[i]
		bid := k * r.estimate
		if bid <= r.price {
			continue
		}
		cost := bid / 1000
		if auction == 2 {
			cost = math.Min(bid, r.price+increment) / 1000
		}
		paid := cost
		if bill > 0 {
			paid = bill * r.value / 1000
		}
		if o.spend+paid > budget {
			return o
		}
		o.spend += paid
		o.value += r.value / 1000
		o.surplus += r.value/1000 - cost
		o.wins++
	}
	return o
}

// hindsight finds the best constant multiplier up to 1: of the value in a
// second-price world, of the surplus in a first-price one.
func hindsight(rs []request, auction int, budget, bill float64) outcome {
	score := func(o *outcome) float64 {
		if auction == 1 {
			return o.surplus
		}
		return o.value
	}
	best := replay(rs, auction, budget, 1, bill)
	try := func(k float64) {
		if o := replay(rs, auction, budget, math.Min(1, k), bill); score(&o) > score(&best) {
			best = o
		}
	}
	const coarse = 1.2
	for k := 1 / coarse; k > 0.01; k /= coarse {
		try(k)
	}
	for step := math.Sqrt(coarse); step > 1.002; step = math.Sqrt(step) {
		at := best.k
		try(at * step)
		try(at / step)
	}
	return best
}
