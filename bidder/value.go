package bidder

import (
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// value prices every matching campaign in the bid's currency into
// c.candidates: its CPM after the boosts that hold, or what its goals allow
// (goal.go), lowered by its pace (paces.go), converted and rounded down. Equal prices are ordered by a drawn number, so that ties are fair.
// Who cannot reach the least floor of the impression is refused here, most of
// them before their boosts are asked about: in a busy market that is nearly
// everybody, and to filter them first would cost more than all the rest. It
// returns the reason of the last refusal; ReasonNoCampaign where nobody matches.
func (b *Bidder) value(t *terms, matches []int32) NoBidReason {
	c := t.c
	snap, least, weight := c.state.Snapshot, t.least(), c.floors.weight
	below, refused := false, uint64(0)
	c.candidates = c.candidates[:0]
	if len(matches) == 0 {
		return ReasonNoCampaign
	}
	last, drawn := ReasonNone, uint64(0)
	for _, m := range matches {
		top, currency := snap.TopCPM(m)
		to, back, ok := c.rates.of(c.state.Rates, currency, c.currency)
		if !ok {
			c.exchange.counters.filtered[ReasonCurrency].Add(1)
			last = ReasonNoPrice
			continue
		}
		if least > 0 && inCurrency(top, to) < least {
			if below = true; weight == 0 {
				continue
			}
			refused += weight
			b.campaignRefused(c.state, c.exchange, m, ReasonFloor, weight)
			if g := c.state.goals[m]; g != nil {
				g.asks(inCurrency(top, to), least, uint32(weight))
			}
			continue
		}
		var cpm money.CPM
		if goal, orders := snap.HasGoal(m); goal {
			cpm = inCurrency(b.tired(c, m, b.goalCPM(t, m, orders)), to)
			c.state.goals[m].asks(cpm, least, 1)
		} else {
			cpm = inCurrency(b.tired(c, m, snap.BidCPM(m, c.matcher)), to)
		}
		if drawn == 0 {
			drawn = c.draw()
		}
		tie, k := mixed(drawn, m), uint32(0)
		if p := c.state.paces[m]; p != nil && cpm > 0 && cpm >= least {
			if !b.shadowed {
				t.opportunity(p, m, cpm, least, tie, back)
			}
			k = p.Multiplier(tie)
			cpm = plan.Scale(cpm, k)
		}
		if cpm <= 0 {
			c.exchange.counters.filtered[ReasonNoPrice].Add(1)
			last = ReasonNoPrice
			continue
		}
		if cpm < least {
			below = true
			refused++
			b.campaignRefused(c.state, c.exchange, m, ReasonFloor, 1)
			continue
		}
		c.candidates = append(c.candidates, candidate{campaign: m, cpm: cpm, k: k, tie: tie})
	}
	if refused > 0 {
		c.exchange.counters.filtered[ReasonFloor].Add(refused)
	}
	if below {
		last = ReasonFloor
	}
	return last
}

func inCurrency(p money.CPM, to money.Rate) money.CPM {
	if to == money.RateOne {
		return p
	}
	return p.ConvertDown(to)
}

// mixed makes of one draw for all a random number for each campaign: by the
// finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
func mixed(drawn uint64, campaign int32) uint64 {
	z := drawn + uint64(campaign+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
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
