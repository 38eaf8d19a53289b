package bidder

// value prices every matching campaign in the bid's currency into
// c.candidates: its CPM after the boosts that hold, converted and rounded
// down. Equal prices are ordered by a drawn number, so that ties are fair.
func (b *Bidder) value(c *bidContext, matches []int32) {
	c.candidates = c.candidates[:0]
	for _, m := range matches {
		camp := c.state.Snapshot.Campaigns[m]
		to, _, ok := c.rates.of(c.state.Rates, camp.Shop.Currency, c.currency)
		if !ok {
			c.exchange.counters.filtered[ReasonCurrency].Add(1)
			continue
		}
		cpm := c.state.Snapshot.BidCPM(m, c.matcher).ConvertDown(to)
		if cpm <= 0 {
			c.exchange.counters.filtered[ReasonNoPrice].Add(1)
			continue
		}
		c.candidates = append(c.candidates, candidate{campaign: m, cpm: cpm, tie: c.draw()})
	}
}

// draw returns 64 random bits.
func (c *bidContext) draw() uint64 {
	return c.rng.Uint64()
}

// takeBest removes the dearest candidate and returns it.
func (c *bidContext) takeBest() candidate {
	best := 0
	for i := 1; i < len(c.candidates); i++ {
		x, y := &c.candidates[i], &c.candidates[best]
		if x.cpm > y.cpm || (x.cpm == y.cpm && x.tie > y.tie) {
			best = i
		}
	}
	out := c.candidates[best]
	last := len(c.candidates) - 1
	c.candidates[best] = c.candidates[last]
	c.candidates = c.candidates[:last]
	return out
}
