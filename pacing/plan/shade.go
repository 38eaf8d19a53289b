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

// ratios is ln(Φ/φ) and Φ on a grid.
type ratios struct {
	log, win [ratioBins + 1]float64
}

func newRatios() *ratios {
	r := &ratios{}
	for i := range r.log {
		z := ratioFrom + float64(i)*ratioStep
		r.win[i] = normalCDF(z)
		r.log[i] = math.Log(r.win[i] / normalDensity(z))
	}
	return r
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
	lo, hi := ratioFrom, math.Min(ratioTo, target)
	if hi <= lo {
		return logValue - sigma*0.15, 0 // hopeless: the price is far above
	}
	z := math.Min(hi, math.Max(lo, 0.5*target-0.5))
	for range 12 { // Newton's steps, kept between the bounds
		ratio := math.Exp(r.at(z))
		miss := z + math.Log(1+sigma*ratio)/sigma - target
		if miss > 0 {
			hi = z
		} else {
			lo = z
		}
		if math.Abs(miss) < 1e-3 || hi-lo < 1e-3 {
			break
		}
		next := z - miss/(1+math.Max(0, 1+z*ratio)/(1+sigma*ratio))
		if next <= lo || next >= hi {
			next = (lo + hi) / 2
		}
		z = next
	}
	return mu + sigma*z, r.cdf(z)
}
