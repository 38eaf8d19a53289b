package plan

import (
	"math"
	"math/rand/v2"
)

// market is the win rate by bid, per placement, for first-price auctions. A
// win tells that the price was below the bid, a loss that it was above: the
// price itself stays unknown. So the log price of each placement is fitted as
// a normal distribution to the share of bids that won, bid by bid height,
// drawn to what placements have in common where little was seen; and one
// shift of all prices against their long-run level is followed from outcome
// to outcome, so that a jump of the whole market is learned from all
// placements at once.
type market struct {
	ratios *ratios
	places []place
	rng    *rand.Rand

	mu, tau, sigma float64 // of placements' mu, its spread, and the usual sigma
	level          drift   // of all log prices, now
	outcomes       float64
	reported       float64 // share of wins whose notice comes at all

	sample  []wish // of recent requests
	turn    int
	curve   [planBins + 1]float64 // spend per request by multiplier
	curve2  [planBins + 1]float64
	planned bool
}

// place is what is known of one placement, in log prices without the shift.
type place struct {
	mu, sigma float64
	bids      [placeBins]float32
	wins      [placeBins]float32
	total     float64
}

// wish is a request as the plan remembers it.
type wish struct {
	placement int32
	logValue  float64
}

const (
	placeBins   = 160
	placeWidth  = 0.1
	placeLowest = -8.0 // ln CPM
	maxPlaces   = 4096 // placements told apart; later ones share the last
	sampleSize  = 400
	planBins    = 24
	planWidth   = 0.18
)

func newMarket(rng *rand.Rand, r *ratios) *market {
	return &market{ratios: r, rng: rng, tau: 1, sigma: 0.7, reported: 1, level: drift{doubt: 1, walk: 2e-7}}
}

// placement makes sure that index i is known.
func (m *market) placement(i int32) {
	for int(i) >= len(m.places) {
		m.places = append(m.places, place{mu: m.mu, sigma: m.sigma})
	}
}

// bid returns the log bid for an impression that is worth exp(logValue) at
// the campaign's multiplier, and the chance that it wins and is reported.
func (m *market) bid(placement int32, logValue float64) (logBid, win float64) {
	p := &m.places[placement]
	logBid, win = m.ratios.shade(logValue, p.mu+m.level.at, p.sigma)
	return logBid, m.reported * win
}

// chance that a bid wins and is reported.
func (m *market) chance(placement int32, logBid float64) float64 {
	p := &m.places[placement]
	return m.reported * m.ratios.cdf((logBid-p.mu-m.level.at)/p.sigma)
}

// learn notes whether a bid won. share is the part of notices that should
// have come by now.
func (m *market) learn(placement int32, logBid float64, won bool, share float64) {
	p := &m.places[placement]
	i := placeBin(logBid - m.level.at)
	p.bids[i]++
	p.total++
	if won {
		p.wins[i]++
	}
	m.outcomes++
	m.follow(p, logBid, won, share)
}

// late turns a loss into a win that was reported late.
func (m *market) late(placement int32, logBid float64) {
	m.places[placement].wins[placeBin(logBid-m.level.at)]++
}

func placeBin(logPrice float64) int {
	return max(0, min(placeBins-1, int((logPrice-placeLowest)/placeWidth)))
}

// follow moves the shift by one outcome: the score of the probit likelihood.
func (m *market) follow(p *place, logBid float64, won bool, share float64) {
	z := (logBid - p.mu - m.level.at) / p.sigma
	if math.Abs(z) > 4 {
		return
	}
	share *= m.reported
	win := share * m.ratios.cdf(z)
	slope := -share * normalDensity(z) / p.sigma // of the win rate, by the shift
	spread := win * (1 - win)
	if spread < 1e-4 {
		return
	}
	y := 0.0
	if won {
		y = 1
	}
	m.level.step((y-win)*slope/spread, slope*slope/spread)
}

// forget halves what is remembered of outcomes: at the start of a day.
func (m *market) forget() {
	for i := range m.places {
		p := &m.places[i]
		for j := range p.bids {
			p.bids[j] /= 2
			p.wins[j] /= 2
		}
		p.total /= 2
	}
}

// refit fits every placement, and what placements have in common.
func (m *market) refit() {
	var n, sum, squares, logSigma float64
	for i := range m.places {
		p := &m.places[i]
		m.fit(p)
		w := math.Min(1, p.total/200)
		n += w
		sum += w * p.mu
		squares += w * p.mu * p.mu
		logSigma += w * math.Log(p.sigma)
	}
	if n < 1 {
		return
	}
	m.mu = sum / n
	m.tau = math.Sqrt(math.Max(0.04, squares/n-m.mu*m.mu))
	m.sigma = math.Exp((logSigma + math.Log(0.7)) / (n + 1))
	m.tau = math.Min(2, (m.tau*n+1)/(n+1))
}

// fit is the most probable (mu, ln sigma) of one placement: Fisher scoring
// with a normal prior on both.
func (m *market) fit(p *place) {
	const sigmaSpread = 0.35
	mu, logSigma := p.mu, math.Log(p.sigma)
	for range 6 {
		sigma := math.Exp(logSigma)
		g1, g2 := -(mu-m.mu)/(m.tau*m.tau), -(logSigma-math.Log(m.sigma))/(sigmaSpread*sigmaSpread)
		h11, h12, h22 := 1/(m.tau*m.tau), 0.0, 1/(sigmaSpread*sigmaSpread)
		for i, bids := range p.bids {
			if bids == 0 {
				continue
			}
			x := placeLowest + (float64(i)+0.5)*placeWidth
			z := math.Max(-5, math.Min(5, (x-mu)/sigma))
			win := math.Max(1e-6, math.Min(1-1e-6, m.reported*m.ratios.cdf(z)))
			d := -m.reported * normalDensity(z)
			d1, d2 := d/sigma, d*z
			spread := win * (1 - win)
			r := (float64(p.wins[i]) - float64(bids)*win) / spread
			g1 += r * d1
			g2 += r * d2
			w := float64(bids) / spread
			h11 += w * d1 * d1
			h12 += w * d1 * d2
			h22 += w * d2 * d2
		}
		det := h11*h22 - h12*h12
		if det <= 0 {
			return
		}
		step1, step2 := (h22*g1-h12*g2)/det, (h11*g2-h12*g1)/det
		mu += math.Max(-1, math.Min(1, step1))
		logSigma = math.Max(math.Log(0.05), math.Min(math.Log(3), logSigma+math.Max(-0.5, math.Min(0.5, step2))))
		if math.Abs(step1)+math.Abs(step2) < 1e-4 {
			break
		}
	}
	p.mu, p.sigma = mu, math.Exp(logSigma)
}

// remember keeps a sample of recent requests for the plan.
func (m *market) remember(placement int32, logValue float64) {
	w := wish{placement, logValue}
	if len(m.sample) < sampleSize {
		m.sample = append(m.sample, w)
		return
	}
	if m.turn++; m.turn%16 == 0 {
		m.sample[m.rng.IntN(sampleSize)] = w
	}
}

// rebuild computes the spend per request at every multiplier of the grid.
func (m *market) rebuild() {
	m.planned = len(m.sample) >= 50 && m.outcomes >= 200
	if !m.planned {
		return
	}
	for i := range m.curve {
		logK := -float64(planBins-i) * planWidth
		var sum, sum2 float64
		for _, w := range m.sample {
			logBid, win := m.bid(w.placement, w.logValue+logK)
			cost := math.Exp(logBid) / perMille
			sum += cost * win
			sum2 += cost * cost * win
		}
		m.curve[i], m.curve2[i] = sum/float64(len(m.sample)), sum2/float64(len(m.sample))
	}
}

// solve returns the multiplier, at most 1, that spends so much per request.
func (m *market) solve(target float64) float64 {
	if target <= 0 {
		return 0
	}
	if target >= m.curve[planBins] {
		return 1
	}
	i := planBins
	for i > 0 && m.curve[i] > target {
		i--
	}
	if i == 0 && m.curve[0] > target {
		return math.Exp(-planBins*planWidth) * target / m.curve[0]
	}
	part := (target - m.curve[i]) / (m.curve[i+1] - m.curve[i])
	return math.Exp((float64(i-planBins) + part) * planWidth)
}

func (m *market) known() bool { return m.planned }
