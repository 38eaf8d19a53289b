package plan

import "math"

// survey estimates which share of wins is never reported. Nothing says so
// directly: a win whose notice was lost looks like a loss. But second-price
// notices tell prices, and the prices of one placement are close to
// log-normal: what was reported below the bid says how many bids of each
// height must have won. The share that is missing even among bids that can
// hardly lose is the share of lost notices.
//
// It is the most probable (mu, sigma) of each placement, one share a for all,
// and one slope b of what rivals see of a person's value as well and bid,
// given prices where a win was reported and 1 − a·Φ where none was. What is
// counted is counted by how far a value lies from its placement's usual one,
// so that b is fitted with the rest: where it is missed, the dear prices of
// the most wanted people look like lost notices, or hide them.
type survey struct {
	ratios *ratios
	places []surveyed
	level  drift   // of all log prices against their long-run level
	rivals float64 // b: log price by log value

	reported, doubt float64 // a, and its standard deviation
	prior           float64 // a before what was counted
	offers, least   float64 // bids noted, and how many are needed
	margin          float64 // marginFirst or marginSecond
	fitted          bool
}

// surveyed is what is known of one placement, in log prices without the
// level.
type surveyed struct {
	mu, logSigma float64
	seen, center float64 // the mean log value of its first bids
	wins         float64 // of all strata
	strata       [surveyStrata]stratum
}

// stratum is the bids whose log value lies in one range around the center.
type stratum struct {
	n, sum float64              // bids, and their log values over the center
	silent *[surveyBins]float32 // bids without a notice, by height; nil: none
	below  *[surveyBins]float32 // wins that told no price, by the bid's height; nil: none
	wins   [5]float64           // sums of the powers 0 to 4 of log prices won at
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
	centerOf    = 100 // bids of a placement, to know its usual value
	surveyWidth = 0.1 // of bins of log bids
	surveyBins  = 160
	// Strata of log values, the outer ones open.
	surveyStrata  = 8
	stratumWidth  = 0.6
	stratumLowest = -2.4
	rivalsSpread  = 0.3 // of the slope, before anything is known
	jumpScore     = 4.5 // standard deviations of surprise that are a jump
	surveyMost    = 0.15
	rivalsWalk    = 2e-8 // early outcomes were judged by placements that were not known yet: they fade
	marginFirst   = 3.5  // standard deviations; in first-price auctions, where little tells of losses
	marginSecond  = 1.0
	lostSpread    = 0.006 // what share of notices may be lost, before anything is known
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
	return &survey{ratios: r, reported: 0.9997, doubt: lostSpread, prior: 1, least: 10_000, margin: marginSecond, level: drift{doubt: 1e-7}}
}

func (s *survey) placement(i int32) {
	for int(i) >= len(s.places) {
		s.places = append(s.places, surveyed{logSigma: math.Log(0.7)})
	}
}

// lost is the share of wins that is not reported. Where there is no doubt that
// some are, it is taken higher by a margin: the budget is not to be exceeded.
// spread is the variance that chance adds to a day's share, for each part that is
// lost on average.
func (s *survey) lost(spread float64) float64 {
	lost, sure := 1-s.reported, s.sureOfLoss()
	lost += sure * s.margin * math.Sqrt(s.doubt*s.doubt+lost*spread)
	return math.Max(0, math.Min(surveyMost, lost))
}

// sureOfLoss is from 0, where chance explains what is missing, to 1.
func (s *survey) sureOfLoss() float64 { return math.Max(0, math.Min(1, (1-s.reported)/s.doubt-1)) }

// suspect sets what is believed before anything is counted, from the share of
// notices that come minutes late: where some arrive only when they are sent
// again, some do not arrive.
func (s *survey) suspect(late float64) { s.prior = 1 - 0.1*late }

// sure says whether a bid of that height would be won almost certainly.
func (s *survey) sure(placement int32, logValue, logBid float64) bool {
	p := &s.places[placement]
	return s.fitted && p.wins > 20 && logBid-s.level.at-s.rivals*(logValue-p.center)-p.mu > 2.05*math.Exp(p.logSigma)
}

// note learns from a bid whose notice came, or will not come any more. price
// is CPM, 0 without a notice.
func (s *survey) note(placement int32, logValue, logBid, price float64) {
	p := &s.places[placement]
	st, over := s.stratum(p, logValue)
	if st == nil {
		return
	}
	x := logBid - s.level.at
	if price > 0 {
		x = math.Log(price) - s.level.at
		power := 1.0
		for i := range st.wins {
			st.wins[i] += power
			power *= x
		}
		p.wins++
	} else {
		if st.silent == nil {
			st.silent = new([surveyBins]float32)
		}
		st.silent[surveyBin(x)]++
	}
	sigma := math.Exp(p.logSigma)
	z := (x - p.mu - s.rivals*over) / sigma
	if !s.fitted || p.wins < 20 || math.Abs(z) > 4 {
		return
	}
	score, info := z/sigma, 1/(sigma*sigma)
	if price == 0 {
		score = s.reported * normalDensity(z) / sigma / (1 - s.reported*s.ratios.cdf(z))
		info = score * score
	}
	s.level.step(score, info)
}

// stratum counts a bid among those of its value; nil while the placement's
// usual value is not known. over is by how much the log value is above that.
func (s *survey) stratum(p *surveyed, logValue float64) (st *stratum, over float64) {
	if p.seen < centerOf {
		p.seen++
		p.center += (logValue - p.center) / p.seen
		return nil, 0
	}
	s.offers++
	over = logValue - p.center
	st = &p.strata[max(0, min(surveyStrata-1, int((over-stratumLowest)/stratumWidth)))]
	st.n++
	st.sum += over
	return st, over
}

func surveyBin(x float64) int { return max(0, min(surveyBins-1, int((x-placeLowest)/surveyWidth))) }

func surveyCenter(bin int) float64 { return placeLowest + (float64(bin)+0.5)*surveyWidth }

// forget keeps half of what was seen: at the start of a day.
func (s *survey) forget() {
	for i := range s.places {
		p := &s.places[i]
		p.wins /= 2
		for k := range p.strata {
			st := &p.strata[k]
			st.n, st.sum = st.n/2, st.sum/2
			for j := range st.wins {
				st.wins[j] /= 2
			}
			for _, counts := range []*[surveyBins]float32{st.silent, st.below} {
				if counts == nil {
					continue
				}
				for j := range counts {
					counts[j] /= 2
				}
			}
		}
	}
}

// fit finds the most probable placements, share and slope.
func (s *survey) fit() {
	if s.offers < s.least {
		return
	}
	s.fitted = true
	var center, weight float64
	for i := range s.places {
		p := &s.places[i]
		if p.wins > 20 {
			w := math.Min(1, p.wins/200)
			center += w * p.mu
			weight += w
		}
	}
	if weight > 0 {
		center /= weight
	}
	for range 5 {
		// Mostly nothing is lost, or little; where much is, the prior does not
		// hold it back: it has the tails of Cauchy's distribution.
		trust := lostSpread*lostSpread + (s.prior-s.reported)*(s.prior-s.reported)/2
		// Of (b, a): slopes, and what is known of them when every placement's
		// mu and sigma are free.
		g := [2]float64{-s.rivals / (rivalsSpread * rivalsSpread), (s.prior - s.reported) / trust}
		h := [3]float64{1 / (rivalsSpread * rivalsSpread), 0, 1 / trust}
		for i := range s.places {
			if s.places[i].wins > 20 {
				s.fitPlace(&s.places[i], center, &g, &h)
			}
		}
		det := h[0]*h[2] - h[1]*h[1]
		if h[0] <= 0 || det <= 0 {
			return
		}
		slope, share := (h[2]*g[0]-h[1]*g[1])/det, (h[0]*g[1]-h[1]*g[0])/det
		s.rivals = math.Max(-1, math.Min(1, s.rivals+math.Max(-0.1, math.Min(0.1, slope))))
		s.reported = math.Max(1-surveyMost, math.Min(0.9997, s.reported+math.Max(-0.02, math.Min(0.02, share))))
		s.doubt = math.Sqrt(h[0] / det)
	}
}

// fitPlace makes Newton steps on one placement and adds to g the slopes of its
// log likelihood by the common slope b and share a, and to h the information
// on them that is left when mu and sigma are free.
func (s *survey) fitPlace(p *surveyed, center float64, g *[2]float64, h *[3]float64) {
	for range 2 {
		d := s.derivatives(p, center)
		det := d.mm*d.ss - d.ms*d.ms
		if d.mm <= 0 || det <= 0 {
			return
		}
		step1, step2 := (d.ss*d.m-d.ms*d.s)/det, (d.mm*d.s-d.ms*d.m)/det
		p.mu += math.Max(-0.5, math.Min(0.5, step1))
		p.logSigma = math.Max(-3, math.Min(1.2, p.logSigma+math.Max(-0.3, math.Min(0.3, step2))))
	}
	d := s.derivatives(p, center)
	det := d.mm*d.ss - d.ms*d.ms
	if d.mm <= 0 || det <= 0 {
		return
	}
	// What mu and sigma explain of two scores, u and v.
	explained := func(um, us, vm, vs float64) float64 {
		return (um*(d.ss*vm-d.ms*vs) + us*(d.mm*vs-d.ms*vm)) / det
	}
	g[0] += d.b
	g[1] += d.a
	h[0] += math.Max(0, d.bb-explained(d.mb, d.sb, d.mb, d.sb))
	h[1] += d.ba - explained(d.mb, d.sb, d.ma, d.sa)
	h[2] += math.Max(0, d.aa-explained(d.ma, d.sa, d.ma, d.sa))
}

// derived are the slopes of a log likelihood by mu (m), ln sigma (s), the
// rivals' slope (b) and the share (a), and the sums of their products over
// outcomes, which stand for the information.
type derived struct {
	m, s, b, a                             float64
	mm, ms, ss, mb, sb, bb, ma, sa, ba, aa float64
}

// add adds an outcome's slopes n times.
func (d *derived) add(n, m, s, b, a float64) {
	d.m += n * m
	d.s += n * s
	d.b += n * b
	d.a += n * a
	d.mm += n * m * m
	d.ms += n * m * s
	d.ss += n * s * s
	d.mb += n * m * b
	d.sb += n * s * b
	d.bb += n * b * b
	d.ma += n * m * a
	d.sa += n * s * a
	d.ba += n * b * a
	d.aa += n * a * a
}

func (s *survey) derivatives(p *surveyed, center float64) (d derived) {
	const muSpread, sigmaCenter, sigmaSpread = 1.5, -0.4, 0.5
	sigma, a := math.Exp(p.logSigma), s.reported
	d.m, d.mm = -(p.mu-center)/(muSpread*muSpread), 1/(muSpread*muSpread)
	d.s, d.ss = -(p.logSigma-sigmaCenter)/(sigmaSpread*sigmaSpread), 1/(sigmaSpread*sigmaSpread)
	for k := range p.strata {
		st := &p.strata[k]
		if st.n == 0 {
			continue
		}
		over := st.sum / st.n
		mu := p.mu + s.rivals*over
		d.won(&st.wins, mu, sigma, over, a)
		if st.below != nil {
			d.below(st.below, s.ratios, mu, sigma, over, a)
		}
		if st.silent == nil {
			continue
		}
		for i, count := range st.silent {
			if count == 0 {
				continue
			}
			z := (surveyCenter(i) - mu) / sigma
			f, phi := s.ratios.cdf(z), normalDensity(z)
			rest := 1 - a*f
			gm := a * phi / sigma / rest
			d.add(float64(count), gm, a*z*phi/rest, gm*over, -f/rest)
		}
	}
	return d
}

// won adds the wins of a stratum by the sums of powers of their log prices.
func (d *derived) won(sums *[5]float64, mu, sigma, over, a float64) {
	n, s1, s2, s3, s4 := sums[0], sums[1], sums[2], sums[3], sums[4]
	if n == 0 {
		return
	}
	sigma2 := sigma * sigma
	u1 := (s1 - n*mu) / sigma
	u2 := (s2 - 2*mu*s1 + n*mu*mu) / sigma2
	u3 := (s3 - 3*mu*s2 + 3*mu*mu*s1 - n*mu*mu*mu) / (sigma2 * sigma)
	u4 := (s4 - 4*mu*s3 + 6*mu*mu*s2 - 4*mu*mu*mu*s1 + n*mu*mu*mu*mu) / (sigma2 * sigma2)
	m, ms := u2/sigma2, (u3-u1)/sigma
	d.m += u1 / sigma
	d.s += u2 - n
	d.b += over * u1 / sigma
	d.a += n / a
	d.mm += m
	d.ms += ms
	d.ss += u4 - 2*u2 + n
	d.mb += over * m
	d.sb += over * ms
	d.bb += over * over * m
	d.ma += u1 / (sigma * a)
	d.sa += (u2 - n) / a
	d.ba += over * u1 / (sigma * a)
	d.aa += n / (a * a)
}
