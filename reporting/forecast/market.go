package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Price is what became of the bids of one price in a market: a point of its
// price landscape.
type Price struct {
	Market string  // exchange/media/currency
	CPM    float64 // that was bid, in currency units
	Bids   float64
	Wins   float64
}

// curve is a market's highest rival bid as a log-normal distribution: of the
// auctions that were lost it is only known that it was above the bid, of those
// that were won that it was below. At most one of many such curves is right;
// posterior holds those that are likely.
type curve struct{ mu, sigma float64 }

// win is the probability that a bid wins.
func (c curve) win(cpm float64) float64 {
	if cpm <= 0 {
		return 0
	}
	return phi((math.Log(cpm) - c.mu) / c.sigma)
}

// paid is the mean price of an impression times its probability at a bid, in
// a second-price auction with a floor.
func (c curve) paid(cpm, floor float64) float64 {
	if cpm <= 0 {
		return 0
	}
	mean := math.Exp(c.mu + c.sigma*c.sigma/2)
	below := func(p float64) float64 { return phi((math.Log(p)-c.mu)/c.sigma - c.sigma) }
	if floor <= 0 {
		return mean * below(cpm)
	}
	return floor*c.win(floor) + mean*(below(cpm)-below(floor))
}

// market is what is believed of one market.
type market struct {
	likely curve
	curves []curve   // of the grid
	upTo   []float64 // cumulated probability
}

// Bounds of what is believed.
const (
	muSteps, sigmaSteps = 41, 21
	// mostBids is how much the landscape may teach at most: the log-normal form
	// is not quite right either.
	mostBids = 3000
	// priorMuSD and priorSigma are what is believed of a market without bids.
	priorMuSD, priorSigma, priorSigmaSD = 0.8, 0.8, 0.35
)

// fit learns a market from its landscape. guess is the price about which half
// is won where nothing is known.
func fit(prices []Price, guess float64) market {
	total := 0.0
	for i := range prices {
		total += prices[i].Bids
	}
	temper := 1.0
	if total > mostBids {
		temper = mostBids / total
	}
	mu0 := math.Log(max(guess, 1e-6))
	wide := grid{mu0 - 4, mu0 + 4, math.Log(0.1), math.Log(3)}
	m := wide.posterior(prices, temper, mu0)
	// Once more, where it is likely.
	fine := wide.around(m)
	return fine.posterior(prices, temper, mu0)
}

// grid is a rectangle of curves: μ and ln σ.
type grid struct{ mu0, mu1, ls0, ls1 float64 }

func (g grid) posterior(prices []Price, temper, mu0 float64) market {
	m := market{curves: make([]curve, 0, muSteps*sigmaSteps), upTo: make([]float64, 0, muSteps*sigmaSteps)}
	logs := make([]float64, 0, muSteps*sigmaSteps)
	best := math.Inf(-1)
	for i := range muSteps {
		mu := g.mu0 + (g.mu1-g.mu0)*float64(i)/(muSteps-1)
		for k := range sigmaSteps {
			ls := g.ls0 + (g.ls1-g.ls0)*float64(k)/(sigmaSteps-1)
			c := curve{mu, math.Exp(ls)}
			zm, zs := (mu-mu0)/priorMuSD, (ls-math.Log(priorSigma))/priorSigmaSD
			l := -(zm*zm + zs*zs) / 2
			for j := range prices {
				p := min(max(c.win(prices[j].CPM), 1e-9), 1-1e-9)
				l += temper * (prices[j].Wins*math.Log(p) + (prices[j].Bids-prices[j].Wins)*math.Log1p(-p))
			}
			m.curves, logs = append(m.curves, c), append(logs, l)
			if l > best {
				best, m.likely = l, c
			}
		}
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - best)
		m.upTo = append(m.upTo, sum)
	}
	for i := range m.upTo {
		m.upTo[i] /= sum
	}
	return m
}

// around is a smaller rectangle that holds nearly all of what is likely.
func (g grid) around(m market) grid {
	var mu, ls, mu2, ls2, last float64
	for i, c := range m.curves {
		p := m.upTo[i] - last
		last = m.upTo[i]
		l := math.Log(c.sigma)
		mu, ls, mu2, ls2 = mu+p*c.mu, ls+p*l, mu2+p*c.mu*c.mu, ls2+p*l*l
	}
	dm := max(4*math.Sqrt(max(mu2-mu*mu, 0)), (g.mu1-g.mu0)/(muSteps-1))
	ds := max(4*math.Sqrt(max(ls2-ls*ls, 0)), (g.ls1-g.ls0)/(sigmaSteps-1))
	return grid{mu - dm, mu + dm, ls - ds, ls + ds}
}

// draw takes one of the likely curves.
func (m *market) draw(r *rand.Rand) curve {
	i, _ := slices.BinarySearch(m.upTo, r.Float64())
	return m.curves[min(i, len(m.curves)-1)]
}
