package plan

import "math"

// replan closes the running bucket and chooses the multiplier for the next:
// what is left of the budget, over the requests that are still to come.
func (c *Controller) replan() {
	now := c.now
	c.close(now)
	c.ripen(now)
	c.learn(now)
	budget := nanoFloat(c.budget)
	c.scale = math.Exp(c.correction(now))
	open, doubt := c.unreported(now, c.scale)
	reported := nanoFloat(c.reported)
	c.most = budget * (1 - c.lost()) // what is not reported is spent all the same
	budget = c.most
	ratio := c.billedRatio(reported)
	left := (budget*(1-guard)-reported)/ratio - open
	c.committed = reported + (open+3*doubt)*ratio
	rest := math.Max(1, c.traffic.remaining(now))
	c.probes.plan(rest)
	c.stopped = left <= 0
	c.k = c.choose(left, rest)
	mean, _ := c.spendAt(c.k)
	if c.perBid = mean * c.scale; !c.known() {
		c.perBid, c.correctFrom = math.Inf(1), now // a bid is held in full
	}
	c.buckets = append(c.buckets, bucket{from: now, to: now, k: c.k})
	c.nextPlan, c.planned = now+replanSeconds, 0
}

// choose is the multiplier that spends what is left over the rest.
func (c *Controller) choose(left, rest float64) float64 {
	if left <= 0 {
		return 0
	}
	target := left / (rest * c.scale)
	switch {
	case !c.known():
		return c.ramp(left)
	case c.auction == FirstPrice:
		return c.market.solve(target)
	}
	return c.curve.solve(target)
}

// known says whether there is enough to plan by.
func (c *Controller) known() bool {
	if c.auction == FirstPrice {
		return c.market.known()
	}
	return c.curve.known()
}

// ramp is the multiplier before anything is known: bids all over, as long as
// a fiftieth of the budget and what is due by the clock is not gone.
func (c *Controller) ramp(left float64) float64 {
	due := 0.02 + 0.98*math.Min(1, c.now/daySeconds)
	if gone := nanoFloat(c.budget) - left; gone > due*nanoFloat(c.budget) {
		return 0
	}
	return math.Pow(0.05, c.rng.Float64())
}

// spendAt is the spend per request to be expected at multiplier k.
func (c *Controller) spendAt(k float64) (mean, square float64) {
	if c.auction == FirstPrice {
		return c.market.at(k)
	}
	return c.curve.at(k)
}

// at returns the spend per request at multiplier k, and of its square.
func (m *market) at(k float64) (mean, square float64) {
	if !m.planned || k <= 0 {
		return 0, 0
	}
	at := math.Max(0, math.Min(planBins, planBins+math.Log(k)/planWidth))
	i := min(planBins-1, int(at))
	part := at - float64(i)
	return m.curve[i] + part*(m.curve[i+1]-m.curve[i]), m.curve2[i] + part*(m.curve2[i+1]-m.curve2[i])
}

// lost is the share of spend that is never reported: as much as is sure enough
// not to be exceeded, where there is no doubt that some is lost.
func (c *Controller) lost() float64 {
	if c.clicks {
		return 0 // what is billed does not hang on notices
	}
	return c.survey.lost(c.chanceOfLoss())
}

// chanceOfLoss is the variance of the share of the day's spend that is lost,
// for each part of it that is lost on average: the fewer and the more uneven
// costs are, the larger.
func (c *Controller) chanceOfLoss() float64 {
	reported := nanoFloat(c.reported)
	if reported <= 0 {
		return 0
	}
	return c.squares / reported / nanoFloat(c.budget)
}

func (c *Controller) close(now float64) {
	if n := len(c.buckets); n > 0 {
		c.buckets[n-1].to = now
	}
}

// ripen lets the curve learn from buckets that are so old that most of their
// notices have come.
func (c *Controller) ripen(now float64) {
	age := math.Min(900, c.delays.quantile(0.98)+replanSeconds)
	for ; c.unripe < len(c.buckets); c.unripe++ {
		b := &c.buckets[c.unripe]
		if now-b.to < age {
			return
		}
		b.ripe = true
		if b.n > 0 {
			c.curve.tried(b.k, b.n)
		}
		for _, w := range b.wins {
			c.curve.won(w.critical, w.cost)
		}
		b.wins = nil
	}
}

// learn brings the curve, or the market, up to date.
func (c *Controller) learn(now float64) {
	if c.auction == SecondPrice {
		c.curve.rebuild()
		c.inspect(now)
		return
	}
	c.inspect(now)
	c.market.reported = 1
	if c.k < 1 { // money is left otherwise, and there are no probes to tell losses from rivals
		c.market.reported = c.survey.reported
	}
	age := math.Min(120, c.delays.quantile(0.98))
	share := c.delays.reported(age)
	for ; c.judged < len(c.offers.list); c.judged++ {
		o := &c.offers.list[c.judged]
		if now-float64(o.t) < age {
			break
		}
		c.market.learn(o.placement, float64(o.logBid), o.state == offerWon, share)
		if o.state == offerOpen {
			o.state = offerLost
		}
	}
	if now >= c.nextFit {
		c.market.refit()
		c.market.rebuild()
		if c.nextFit = now + fitSeconds; !c.market.planned {
			c.nextFit = now + fitSeconds/10
		}
	}
}

// inspect hands bids to the survey that are so old that no notice of them is
// expected any more.
func (c *Controller) inspect(now float64) {
	age := 1.3*c.delays.quantile(0.999) + replanSeconds
	for ; c.noted < len(c.offers.list); c.noted++ {
		o := &c.offers.list[c.noted]
		if now-float64(o.t) < age {
			break
		}
		if c.auction == FirstPrice {
			c.survey.noteFirst(o.placement, math.Log(float64(o.value)), float64(o.logBid), o.state == offerWon)
			continue
		}
		c.survey.note(o.placement, math.Log(float64(o.value)), float64(o.logBid), math.Max(0, float64(o.price)-exchangeIncrement))
	}
	if now >= c.nextSurvey {
		c.survey.suspect(1 - c.delays.reported(lateSeconds))
		c.survey.fit()
		c.nextSurvey = now + 6*fitSeconds
		if !c.survey.fitted {
			c.nextSurvey = now + fitSeconds
		}
	}
}
