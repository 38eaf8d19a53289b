package plan

import "math"

// PricesState is what outlives a restart.
type PricesState struct {
	Mu, Tau, Sigma, Level float64
	Outcomes              float64
	Groups                []GroupState
}

// GroupState is one group's counts: of every height of bids that was seen its
// number, and how many bids and wins it had.
type GroupState struct {
	Key       uint64
	Mu, Sigma float64
	Exact     [3]float64
	Bins      [][3]float32
}

// State copies what was learned.
func (p *Prices) State() PricesState {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PricesState{Mu: p.m.mu, Tau: p.m.tau, Sigma: p.m.sigma, Level: p.m.level.at, Outcomes: p.m.outcomes}
	for key, i := range p.index {
		pl, e := &p.m.places[i], &p.exact[i]
		g := GroupState{Key: key, Mu: pl.mu, Sigma: pl.sigma, Exact: [3]float64{e.n, e.x, e.xx}}
		for b := range pl.bids {
			if pl.bids[b] > 0 {
				g.Bins = append(g.Bins, [3]float32{float32(b), pl.bids[b], pl.wins[b]})
			}
		}
		s.Groups = append(s.Groups, g)
	}
	return s
}

// Restore puts back what State gave, with less weight: prices may have moved
// meanwhile.
func (p *Prices) Restore(s PricesState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !(s.Sigma > 0) || !(s.Tau > 0) || s.Sigma > 10 || s.Tau > 10 || !(math.Abs(s.Mu) < 50) || !(math.Abs(s.Level) < 50) {
		return
	}
	p.m.mu, p.m.tau, p.m.sigma, p.m.level.at, p.m.outcomes = s.Mu, s.Tau, s.Sigma, s.Level, restMemory*s.Outcomes
	for _, g := range s.Groups {
		i := p.group(g.Key)
		pl, e := &p.m.places[i], &p.exact[i]
		if !(g.Sigma >= 0.05) || g.Sigma > 3 || !(math.Abs(g.Mu) < 50) {
			continue
		}
		pl.mu, pl.sigma = g.Mu, g.Sigma
		*e = exactSums{g.Exact[0], g.Exact[1], g.Exact[2]}
		pl.total = e.n
		for _, b := range g.Bins {
			if b[0] >= 0 && b[0] < placeBins && b[2] >= 0 && b[1] >= b[2] {
				pl.bids[int(b[0])], pl.wins[int(b[0])] = b[1], b[2]
				pl.total += float64(b[1])
			}
		}
		p.scale(i, restMemory)
	}
	p.changed = true
	p.publish()
}
