package plan

import "math"

// survey estimates which share of wins is never reported. Nothing says so
// directly: a win whose notice was lost looks like a loss. But second-price
// notices tell prices, and the prices of one placement are close to
// log-normal: what was reported below the bid says how many bids of each
// height must have won. The share that is missing even among bids that can
// hardly lose is the share of lost notices.
//
// It is the most probable (mu, sigma) of each placement and one share a for
// all, given prices where a win was reported and 1 − a·Φ where none was.
type survey struct {
	ratios *ratios
	places []surveyed
	level  drift // of all log prices against their long-run level
	rivals drift // how much of a log value others see as well, and bid

	rivalsThen float64 // rivals, where counting began

	reported, doubt float64 // a, and its standard deviation
	prior, trust    float64 // a before what was counted, and its standard deviation
	offers          float64
	fitted          bool
}

// surveyed is what is known of one placement, in log prices without the
// offset.
type surveyed struct {
	mu, logSigma float64
	silent       [surveyBins]float32 // bids without a notice, by height
	wins         [5]float64          // sums of the powers 0 to 4 of log prices won at
	seen, center float64             // the mean log value of its first bids
}

// drift follows a shift that all log prices share, from outcome to outcome: a
// Kalman step on the score of the likelihood. Scores that keep one sign are a
// jump, after which the old level is doubted.
type drift struct {
	at, doubt        float64
	walk             float64 // variance that is added with each outcome
	surprise, weight float64
	steps            float64
}

const (
	driftMemory = 400.0
	centerOf    = 100  // bids of a placement, to know its usual value
	surveyWidth = 0.05 // of bins of log bids
	surveyBins  = 320
	jumpScore   = 4.5 // standard deviations of surprise that are a jump
	lostMost    = 0.04
	lostSpread  = 0.006 // what share of notices may be lost, before anything is known
)

// step notes an outcome's score (the slope of its log likelihood by the
// shift) and its information.
func (d *drift) step(score, info float64) {
	d.doubt += d.walk
	gain := d.doubt / (1 + d.doubt*info)
	d.at += gain * score
	d.doubt = gain
	const keep = 1 - 1/driftMemory
	d.surprise = keep*d.surprise + score
	d.weight = keep*keep*d.weight + info
	if d.steps++; d.steps > driftMemory && d.surprise*d.surprise > jumpScore*jumpScore*d.weight {
		d.doubt = math.Max(d.doubt, 0.04)
		d.surprise, d.weight = 0, 0
	}
}

func newSurvey(r *ratios) *survey {
	return &survey{ratios: r, reported: 0.9997, doubt: lostSpread, prior: 1, trust: lostSpread, level: drift{doubt: 1e-7}, rivals: drift{doubt: 0.01}}
}

func (s *survey) placement(i int32) {
	for int(i) >= len(s.places) {
		s.places = append(s.places, surveyed{logSigma: math.Log(0.7)})
	}
}

// lost is the share of wins that is not reported. Where there is no doubt that
// some are, it is rather taken too high: the budget is not to be exceeded.
func (s *survey) lost() float64 {
	lost := 1 - s.reported
	if lost > 2*s.doubt {
		lost += s.doubt
	}
	return math.Max(0, math.Min(lostMost, lost))
}

// suspect sets what is believed before anything is counted, from the share of
// notices that come minutes late: where some arrive only when they are sent
// again, some do not arrive.
func (s *survey) suspect(late float64) {
	if s.trust == lostSpread {
		s.prior = 1 - 0.1*late
	}
}

// sure says whether a bid of that height would be won almost certainly.
func (s *survey) sure(placement int32, logValue, logBid float64) bool {
	p := &s.places[placement]
	return s.fitted && p.wins[0] > 20 && logBid-s.offset(p, logValue)-p.mu > 2.05*math.Exp(p.logSigma)
}

// offset is by how much a log price lies above its placement's long run,
// because of the time and of who the person is worth to.
func (s *survey) offset(p *surveyed, logValue float64) float64 {
	return s.level.at + s.rivals.at*(logValue-p.center)
}

// note learns from a bid whose notice came, or will not come any more. price
// is CPM, 0 without a notice.
func (s *survey) note(placement int32, logValue, logBid, price float64) {
	p := &s.places[placement]
	if p.seen < centerOf {
		p.seen++
		p.center += (logValue - p.center) / p.seen
		return
	}
	s.offers++
	sigma := math.Exp(p.logSigma)
	x := logBid - s.offset(p, logValue)
	if price > 0 {
		x = math.Log(price) - s.offset(p, logValue)
		power := 1.0
		for i := range p.wins {
			p.wins[i] += power
			power *= x
		}
	} else {
		p.silent[max(0, min(surveyBins-1, int((x-placeLowest)/surveyWidth)))]++
	}
	z := (x - p.mu) / sigma
	if !s.fitted || p.wins[0] < 20 || math.Abs(z) > 4 {
		return
	}
	score, info := z/sigma, 1/(sigma*sigma)
	if price == 0 {
		score = s.reported * normalDensity(z) / sigma / (1 - s.reported*s.ratios.cdf(z))
		info = score * score
	}
	s.level.step(score, info)
	w := logValue - p.center
	if s.offers < 20_000 {
		return
	}
	s.rivals.step(score*w, info*w*w)
	if moved := math.Abs(s.rivals.at - s.rivalsThen); moved > 0.04 && moved*moved > 25*s.rivals.doubt {
		// What was counted before was counted otherwise.
		s.rivalsThen, s.prior = s.rivals.at, s.reported
		s.trust = math.Min(lostSpread, math.Hypot(s.doubt, 0.002))
		for i := range s.places {
			p := &s.places[i]
			p.wins, p.silent = [5]float64{}, [surveyBins]float32{}
		}
		s.offers, s.fitted = 0, false
	}
}

// forget keeps half of what was seen: at the start of a day.
func (s *survey) forget() {
	for i := range s.places {
		p := &s.places[i]
		for j := range p.silent {
			p.silent[j] /= 2
		}
		for j := range p.wins {
			p.wins[j] /= 2
		}
	}
}

// fit finds the most probable placements and share.
func (s *survey) fit() {
	if s.offers < 10_000 {
		return
	}
	s.fitted = true
	var center, weight float64
	for i := range s.places {
		p := &s.places[i]
		if p.wins[0] > 20 {
			w := math.Min(1, p.wins[0]/200)
			center += w * p.mu
			weight += w
		}
	}
	if weight > 0 {
		center /= weight
	}
	for range 4 {
		slope := (s.prior - s.reported) / (s.trust * s.trust)
		info := 1 / (s.trust * s.trust)
		for i := range s.places {
			if s.places[i].wins[0] > 20 {
				g, h := s.fitPlace(&s.places[i], center)
				slope += g
				info += h
			}
		}
		step := math.Max(-0.02, math.Min(0.02, slope/info))
		s.reported = math.Max(1-lostMost, math.Min(0.9997, s.reported+step))
		s.doubt = 1 / math.Sqrt(info)
	}
}

// fitPlace makes Newton steps on one placement and returns the slope of its
// log likelihood by the share a, and the information on a that is left when mu
// and sigma are free.
func (s *survey) fitPlace(p *surveyed, center float64) (slope, info float64) {
	for range 3 {
		g, h := s.derivatives(p, center)
		det := h[0]*h[2] - h[1]*h[1]
		if h[0] <= 0 || det <= 0 {
			return 0, 0
		}
		step1, step2 := (h[2]*g[0]-h[1]*g[1])/det, (h[0]*g[1]-h[1]*g[0])/det
		p.mu += math.Max(-0.5, math.Min(0.5, step1))
		p.logSigma = math.Max(-3, math.Min(1.2, p.logSigma+math.Max(-0.3, math.Min(0.3, step2))))
	}
	g, h := s.derivatives(p, center)
	det := h[0]*h[2] - h[1]*h[1]
	if h[0] <= 0 || det <= 0 {
		return 0, 0
	}
	explained := (h[3]*(h[2]*h[3]-h[1]*h[4]) + h[4]*(h[0]*h[4]-h[1]*h[3])) / det
	return g[2], math.Max(0, h[5]-explained)
}

// derivatives of the log likelihood by (mu, ln sigma, a): the slopes, and the
// sum of their products over outcomes, which stands for the information, in
// the order mu·mu, mu·s, s·s, mu·a, s·a, a·a.
func (s *survey) derivatives(p *surveyed, center float64) (g [3]float64, h [6]float64) {
	const muSpread, sigmaCenter, sigmaSpread = 1.5, -0.4, 0.5
	sigma, a, mu := math.Exp(p.logSigma), s.reported, p.mu
	n, s1, s2, s3, s4 := p.wins[0], p.wins[1], p.wins[2], p.wins[3], p.wins[4]
	u1 := (s1 - n*mu) / sigma
	u2 := (s2 - 2*mu*s1 + n*mu*mu) / (sigma * sigma)
	u3 := (s3 - 3*mu*s2 + 3*mu*mu*s1 - n*mu*mu*mu) / (sigma * sigma * sigma)
	u4 := (s4 - 4*mu*s3 + 6*mu*mu*s2 - 4*mu*mu*mu*s1 + n*mu*mu*mu*mu) / (sigma * sigma * sigma * sigma)
	g[0] = u1/sigma - (mu-center)/(muSpread*muSpread)
	g[1] = u2 - n - (p.logSigma-sigmaCenter)/(sigmaSpread*sigmaSpread)
	g[2] = n / a
	h[0] = u2/(sigma*sigma) + 1/(muSpread*muSpread)
	h[1] = (u3 - u1) / sigma
	h[2] = u4 - 2*u2 + n + 1/(sigmaSpread*sigmaSpread)
	h[3] = u1 / (sigma * a)
	h[4] = (u2 - n) / a
	h[5] = n / (a * a)
	for i, count := range p.silent {
		if count == 0 {
			continue
		}
		n := float64(count)
		z := (placeLowest + (float64(i)+0.5)*surveyWidth - mu) / sigma
		f, phi := s.ratios.cdf(z), normalDensity(z)
		d := 1 - a*f
		gm, gs, ga := a*phi/sigma/d, a*z*phi/d, -f/d
		g[0] += n * gm
		g[1] += n * gs
		g[2] += n * ga
		h[0] += n * gm * gm
		h[1] += n * gm * gs
		h[2] += n * gs * gs
		h[3] += n * gm * ga
		h[4] += n * gs * ga
		h[5] += n * ga * ga
	}
	return g, h
}
