package pacesim

import (
	"math"
	"math/rand/v2"
	"sort"
)

// request is one chance to show an ad.
type request struct {
	t         float64 // second of the day
	placement int
	segment   int
	estimate  float64 // value CPM as the pacer is told it
	value     float64 // value CPM as it is
	price     float64 // the dearest other bid, CPM
}

// day is a drawn day.
type day struct {
	requests []request
	forecast []float64 // per minute
}

// world is what all days of one seed share. Its shape differs between seeds,
// so that nothing can be tuned to one.
type world struct {
	rng        *rand.Rand
	curve      []float64 // share of a day's requests, per minute
	cumulative []float64 // share of requests, by placement
	mu, sigma  []float64 // of the log price, by placement
	quality    []float64 // of the value, by placement
	segments   [4]float64
	weights    [4]float64
	level      float64 // of values over prices
	noise      float64 // of the estimate
	spread     float64 // of the value within a segment
	rivalry    float64 // how far prices follow values
}

func newWorld(s *Scenario, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 0x70616365))
	w := &world{rng: rng, curve: make([]float64, minutes)}
	phase, depth := 13+4*rng.Float64(), 0.5+0.3*rng.Float64()
	evening := 0.5 * rng.Float64()
	sum := 0.0
	for m := range w.curve {
		h := float64(m) / 60
		w.curve[m] = 1 + depth*math.Cos(2*math.Pi*(h-phase)/24) + evening*math.Exp(-(h-20.5)*(h-20.5)/4)
		sum += w.curve[m]
	}
	for m := range w.curve {
		w.curve[m] /= sum
	}
	spread, width := 0.4+0.4*rng.Float64(), 0.4+0.4*rng.Float64()
	total := 0.0
	for range s.Placements {
		mu := spread * rng.NormFloat64()
		w.mu = append(w.mu, mu)
		w.sigma = append(w.sigma, width*(0.7+0.6*rng.Float64()))
		w.quality = append(w.quality, math.Exp(0.6*mu+0.3*rng.NormFloat64()))
		total += math.Exp(0.8 * rng.NormFloat64())
		w.cumulative = append(w.cumulative, total)
	}
	for i := range w.cumulative {
		w.cumulative[i] /= total
	}
	w.segments = [4]float64{0.35, 0.9, 2, 5 + 2*rng.Float64()}
	w.weights = [4]float64{0.5, 0.25, 0.17, 0.08}
	w.level = 0.6 + 0.9*rng.Float64()
	w.noise = 0.1 + 0.3*rng.Float64()
	w.spread = 0.2 + 0.3*rng.Float64()
	if rng.IntN(3) == 0 {
		w.rivalry = 0.3 * rng.Float64()
	}
	return w
}

// draw makes one day. plain leaves the scenario's changes out.
func (w *world) draw(s *Scenario, plain bool) day {
	d := day{forecast: make([]float64, minutes)}
	onTraffic := w.rng.IntN(2) == 0 // is the error in the day or in what was foretold of it?
	var slip float64
	var within []float64
	for m := range minutes {
		if m%60 == 0 {
			slip = math.Exp(s.ForecastError*w.rng.NormFloat64() - s.ForecastError*s.ForecastError/2)
		}
		base := float64(s.Requests) * w.curve[m]
		expected := base
		d.forecast[m] = base
		if onTraffic {
			expected *= slip
		} else {
			d.forecast[m] *= slip
		}
		t := float64(m) * 60
		if !plain {
			expected *= s.at("traffic", t+30)
		}
		n := w.poisson(expected)
		within = within[:0]
		for range n {
			within = append(within, t+60*w.rng.Float64())
		}
		sort.Float64s(within)
		for _, at := range within {
			d.requests = append(d.requests, w.request(s, at, plain))
		}
	}
	return d
}

func (w *world) request(s *Scenario, t float64, plain bool) request {
	p := sort.SearchFloat64s(w.cumulative, w.rng.Float64())
	p = min(p, len(w.mu)-1)
	seg, at := 0, w.rng.Float64()
	for seg < 3 && at > w.weights[seg] {
		at -= w.weights[seg]
		seg++
	}
	r := request{t: t, placement: p, segment: seg}
	own := w.segments[seg] * math.Exp(w.spread*w.rng.NormFloat64())
	r.value = w.level * w.quality[p] * own
	r.price = math.Exp(w.mu[p]+w.sigma[p]*w.rng.NormFloat64()) * math.Pow(own, w.rivalry)
	r.estimate = r.value * math.Exp(w.noise*w.rng.NormFloat64()-w.noise*w.noise/2)
	if !plain {
		r.price *= s.at("prices", t)
		times := s.at("values", t)
		r.value, r.estimate = r.value*times, r.estimate*times
	}
	return r
}

// poisson draws a count; large means are drawn as normal ones.
func (w *world) poisson(mean float64) int {
	if mean > 60 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*w.rng.NormFloat64())))
	}
	n, p, limit := 0, w.rng.Float64(), math.Exp(-mean)
	for p > limit {
		n++
		p *= w.rng.Float64()
	}
	return n
}
