package plan

import "math"

// probes are the few bids of a first-price day that are raised to where hardly
// anybody outbids them. A shaded bid that is not heard of was most likely
// lost; one of these was most likely won, and its notice lost. So they tell
// which share of wins is never reported, which nothing else does where a win
// tells no price. They go where they are cheap: a probe's regret is what it is
// expected to bring less than the best bid, at the worth that money has now,
// and those of least regret are taken, as many as are wanted.
type probes struct {
	wanted    float64 // of the rest of the day
	least     float64 // ln of the regret (CPM) below which a probe is made
	ranked    bool    // least is known
	rate      float64 // share of requests that allow a probe which become one
	asked     float64 // requests
	allowed   float64 // of them, worth more than a probe costs
	spent     float64 // what probes cost if all are won, currency
	allowance float64 // at most, of the day
}

const (
	probesFirst      = 3000 // of a first day
	probesLater      = 1200
	probesCostFirst  = 0.2 // of the budget, at most
	probesCostLater  = 0.06
	probeLowest      = 2.3 // standard deviations over the usual price, of the logarithm
	probeHighest     = 3.5
	probeStep        = 0.05 // by which the regret's bound follows
	probesMostOften  = 0.5  // of requests that allow one
	probesOfferLeast = 2_000
)

// start begins a day.
func (p *probes) start(first bool, budget float64) {
	*p = probes{wanted: probesLater, allowance: probesCostLater * budget, least: p.least, ranked: p.ranked, asked: p.asked / 4, allowed: p.allowed / 4}
	if first {
		p.wanted, p.allowance = probesFirst, probesCostFirst*budget
	}
}

// plan sets how many of the rest of the day's requests become probes.
func (p *probes) plan(rest float64) {
	rest *= (p.allowed + 1) / (p.asked + 10)
	p.rate = math.Min(probesMostOften, math.Max(0, p.wanted)/math.Max(1, rest))
}

// takes tells whether a probe of that regret (CPM) is one of those wanted. part
// is how much of the day's budget is due: probes cost no larger part of theirs.
func (p *probes) takes(regret, cost, part float64) bool {
	if p.rate <= 0 || p.spent+cost > p.allowance*part {
		return false
	}
	x := math.Log(math.Max(regret, 1e-6))
	if !p.ranked {
		p.least, p.ranked = x, true
	}
	taken := x < p.least
	if taken {
		p.least -= probeStep * (1 - p.rate)
		p.wanted--
		p.spent += cost
	} else {
		p.least += probeStep * p.rate
	}
	return taken
}

// probe returns the log bid of a probe in place of the best bid, if one is to
// be made. kv is what the impression is worth at the plan's multiplier, CPM.
func (c *Controller) probe(place int32, v, kv, logBid, win float64) (float64, bool) {
	if c.k >= 1 || c.probes.rate <= 0 {
		return 0, false // money is left: what is not reported does no harm
	}
	mu, sigma, ok := c.survey.price(place, math.Log(v))
	if !ok {
		return 0, false
	}
	c.probes.asked++
	most := math.Min(probeHighest, (math.Log(v)-mu)/sigma)
	if most < probeLowest {
		return 0, false
	}
	at := mu + sigma*(probeLowest+(most-probeLowest)*c.rng.Float64())
	if at <= logBid {
		return 0, false
	}
	c.probes.allowed++
	cost := math.Exp(at)
	regret := (kv-math.Exp(logBid))*win - (kv - cost)
	return at, c.probes.takes(regret, cost/perMille, c.due())
}

// due is the part of the budget that the clock has made due, with a little
// ahead of it.
func (c *Controller) due() float64 { return 0.05 + 0.95*math.Min(1, c.now/daySeconds) }

// price is the usual log price of a placement for a person of that value, and
// its standard deviation; false while too little is known.
func (s *survey) price(placement int32, logValue float64) (mu, sigma float64, ok bool) {
	p := &s.places[placement]
	if !s.fitted || p.wins <= 20 {
		return 0, 0, false
	}
	return p.mu + s.level.at + s.rivals*(logValue-p.center), math.Exp(p.logSigma), true
}

// noteFirst learns from a bid of a first-price auction: a win tells that the
// price was below the bid, and not what it was.
func (s *survey) noteFirst(placement int32, logValue, logBid float64, won bool) {
	if !won {
		s.note(placement, logValue, logBid, 0)
		return
	}
	p := &s.places[placement]
	st, over := s.stratum(p, logValue)
	if st == nil {
		return
	}
	x := logBid - s.level.at
	if st.below == nil {
		st.below = new([surveyBins]float32)
	}
	st.below[surveyBin(x)]++
	p.wins++
	sigma := math.Exp(p.logSigma)
	z := (x - p.mu - s.rivals*over) / sigma
	if !s.fitted || p.wins < 20 || math.Abs(z) > 4 {
		return
	}
	score := -normalDensity(z) / (sigma * math.Max(s.ratios.cdf(z), 1e-6))
	s.level.step(score, score*score)
}

// below adds the wins of a stratum that told no price.
func (d *derived) below(counts *[surveyBins]float32, r *ratios, mu, sigma, over, a float64) {
	for i, count := range counts {
		if count == 0 {
			continue
		}
		z := (surveyCenter(i) - mu) / sigma
		h := math.Exp(-r.at(z)) // φ/Φ
		d.add(float64(count), -h/sigma, -z*h, -h*over/sigma, 1/a)
	}
}
