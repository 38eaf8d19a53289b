package plan

import "math"

// The best bid b for an impression worth u, where the price to beat is
// log-normal (mu, sigma): it maximises (u − b)·P(win | b). With z = (ln b −
// mu)/sigma its first-order condition is
//
//	ln u = mu + sigma·z + ln(1 + sigma·Φ(z)/φ(z))
//
// whose right side rises with z, so that there is one answer.

const (
	ratioFrom = -6.0
	ratioTo   = 6.0
	ratioStep = 1.0 / 64
	ratioBins = int((ratioTo - ratioFrom) / ratioStep)
)

// Answers are kept on a coarse grid of sigma and (ln u − mu)/sigma: what lies
// between them is one of Newton's steps away.
const (
	sigmaFrom, sigmaStep   = -4.0, 0.25 // log2 of sigma
	sigmaBins              = 28
	targetFrom, targetStep = -6.0, 0.5
	targetBins             = 48
)

// ratios is ln(Φ/φ) and Φ on a grid, and where to begin.
type ratios struct {
	log, win [ratioBins + 1]float64
	start    [sigmaBins + 1][targetBins + 1]float32
}

func newRatios() *ratios {
	r := &ratios{}
	for i := range r.log {
		z := ratioFrom + float64(i)*ratioStep
		r.win[i] = normalCDF(z)
		r.log[i] = math.Log(r.win[i] / normalDensity(z))
	}
	for i := range r.start {
		sigma := math.Exp2(sigmaFrom + float64(i)*sigmaStep)
		for k := range r.start[i] {
			target := targetFrom + float64(k)*targetStep
			r.start[i][k] = float32(r.solve(target, sigma, 0.5*target-0.5))
		}
	}
	return r
}

// begin is about where the answer is.
func (r *ratios) begin(target, sigma float64) float64 {
	i, k := (math.Log2(sigma)-sigmaFrom)/sigmaStep, (target-targetFrom)/targetStep
	if !(i >= 0 && i < sigmaBins && k >= 0 && k < targetBins) {
		return 0.5*target - 0.5
	}
	a, b := int(i), int(k)
	i, k = i-float64(a), k-float64(b)
	x, y := &r.start[a], &r.start[a+1]
	at := func(row *[targetBins + 1]float32) float64 { return (1-k)*float64(row[b]) + k*float64(row[b+1]) }
	return (1-i)*at(x) + i*at(y)
}

func normalCDF(z float64) float64     { return 0.5 * math.Erfc(-z/math.Sqrt2) }
func normalDensity(z float64) float64 { return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) }

// at interpolates ln(Φ/φ) at z.
func (r *ratios) at(z float64) float64 { return lerp(r.log[:], z) }

// cdf interpolates Φ at z.
func (r *ratios) cdf(z float64) float64 { return lerp(r.win[:], z) }

func lerp(table []float64, z float64) float64 {
	at := (z - ratioFrom) / ratioStep
	if !(at > 0) {
		return table[0]
	}
	i := int(at)
	if i >= ratioBins {
		return table[ratioBins]
	}
	return table[i] + (at-float64(i))*(table[i+1]-table[i])
}

// shade returns ln b and P(win | b) of the best bid for an impression whose
// log value is logValue.
func (r *ratios) shade(logValue, mu, sigma float64) (logBid, win float64) {
	target := (logValue - mu) / sigma
	if target <= ratioFrom {
		return logValue - sigma*0.15, 0 // hopeless: the price is far above
	}
	z := r.solve(target, sigma, r.begin(target, sigma))
	return mu + sigma*z, r.cdf(z)
}

// solve finds z for a target above ratioFrom, from where to begin.
func (r *ratios) solve(target, sigma, z float64) float64 {
	lo, hi := ratioFrom, math.Max(ratioFrom, math.Min(ratioTo, target))
	z = math.Min(hi, math.Max(lo, z))
	for range 12 { // Newton's steps, kept between the bounds
		ratio := math.Exp(r.at(z))
		miss := z + math.Log(1+sigma*ratio)/sigma - target
		if miss > 0 {
			hi = z
		} else {
			lo = z
		}
		next := z - miss/(1+math.Max(0, 1+z*ratio)/(1+sigma*ratio))
		if next <= lo || next >= hi {
			next = (lo + hi) / 2
		}
		z = next
		if math.Abs(miss) < 0.03 || hi-lo < 1e-3 { // the step has squared what it missed by
			break
		}
	}
	return z
}
