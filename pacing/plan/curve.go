package plan

import "math"

// curve is the spend per request as a function of the multiplier, for
// second-price auctions. A win at cost x of a request worth v would have been
// won by every multiplier above x/v, its critical one, and by none below; so
// the log of bids holds the spend at every multiplier that was tried. It is a
// histogram of costs by critical multiplier, over how many requests had been
// bid on with at least that multiplier (the product-limit idea: what was
// lost is known to be dearer only).
type curve struct {
	spend, square, exposed [curveBins]float64 // by bin of ln k
	shown                  float64            // requests since the last forgetting
	wins                   float64

	cum, cum2 [curveBins + 1]float64 // spend, squared cost per request below bin i
	top       int                    // first bin beyond what was tried
}

const (
	curveBins   = 120
	curveWidth  = 0.06
	curveMemory = 250_000 // requests
	curveStep   = 2_000   // requests between forgettings
	curveThin   = 150     // requests from which on a bin is believed
)

// position of a multiplier on the scale of bins: 0 is the lowest edge.
func position(k float64) float64 {
	if k <= 0 {
		return 0
	}
	return math.Max(0, math.Min(curveBins, curveBins+math.Log(k)/curveWidth))
}

// tried notes n requests that were bid on with multiplier k.
func (c *curve) tried(k float64, n float64) {
	at := position(k)
	i := min(curveBins-1, int(at))
	part := at - float64(i)
	c.exposed[i] += n * part // this bin was tried in part
	if i > 0 {
		c.exposed[i-1] += n * (1 - part)
	}
	if c.shown += n; c.shown >= curveStep {
		keep := math.Exp(-c.shown / curveMemory)
		for i := range c.spend {
			c.spend[i] *= keep
			c.square[i] *= keep
			c.exposed[i] *= keep
		}
		c.shown, c.wins = 0, c.wins*keep
	}
}

// won notes a cost (currency per impression) at its critical multiplier.
func (c *curve) won(critical, cost float64) {
	i := min(curveBins-1, int(position(critical)))
	c.spend[i] += cost
	c.square[i] += cost * cost
	c.wins++
}

// rebuild makes the cumulative curve of what was noted.
func (c *curve) rebuild() {
	var density, density2 [curveBins]float64
	seen := 0.0
	c.top = 0
	for i := curveBins - 1; i >= 0; i-- {
		seen += c.exposed[i]
		if seen >= curveThin {
			if c.top == 0 {
				c.top = i + 1
			}
			density[i], density2[i] = c.spend[i]/seen, c.square[i]/seen
		}
	}
	c.extend(&density)
	c.extend(&density2)
	for i := range density {
		c.cum[i+1], c.cum2[i+1] = c.cum[i]+density[i], c.cum2[i]+density2[i]
	}
}

// extend continues a density log-log beyond the multipliers that were tried.
func (c *curve) extend(d *[curveBins]float64) {
	const span = 12 // bins of each of the two halves that the slope is read from
	if c.top == 0 || c.top == curveBins {
		return
	}
	var near, far float64
	for i := range span {
		if j := c.top - 1 - i; j >= 0 {
			near += d[j]
		}
		if j := c.top - 1 - i - span; j >= 0 {
			far += d[j]
		}
	}
	slope := 0.0
	if near > 0 && far > 0 {
		slope = math.Max(-0.5, math.Min(0.2, math.Log(near/far)/span))
	}
	last := near / span
	for i := c.top; i < curveBins; i++ {
		last *= math.Exp(slope)
		slope *= 0.95 // it flattens: everything can be won once only
		d[i] = last
	}
}

// at returns the spend per request at multiplier k, and the sum of squared
// costs per request, from which its spread follows.
func (c *curve) at(k float64) (mean, square float64) {
	p := position(k)
	i := min(curveBins-1, int(p))
	part := p - float64(i)
	return c.cum[i] + part*(c.cum[i+1]-c.cum[i]), c.cum2[i] + part*(c.cum2[i+1]-c.cum2[i])
}

// solve returns the multiplier, at most 1, that spends so much per request.
func (c *curve) solve(target float64) float64 {
	if target <= 0 {
		return 0
	}
	if target >= c.cum[curveBins] {
		return 1
	}
	lo, hi := 0, curveBins
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; c.cum[mid] <= target {
			lo = mid
		} else {
			hi = mid
		}
	}
	at := float64(lo)
	if d := c.cum[hi] - c.cum[lo]; d > 0 {
		at += (target - c.cum[lo]) / d
	}
	return math.Exp((at - curveBins) * curveWidth)
}

// known says whether enough was won to plan by.
func (c *curve) known() bool { return c.wins >= 30 }
