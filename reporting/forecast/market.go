package forecast

import (
	"cmp"
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

// logNormal is a form that a market's highest rival bid may have.
type logNormal struct{ mu, sigma float64 }

func (c logNormal) z(logCPM float64) float64 { return (logCPM - c.mu) / c.sigma }

// win is the probability that a bid wins.
func (c logNormal) win(cpm float64) float64 {
	if cpm <= 0 {
		return 0
	}
	return phi(c.z(math.Log(cpm)))
}

// market is what is believed of one market. Of the auctions that were lost it
// is only known that the highest rival was above the bid, of those that were
// won that it was below. A log-normal form is fitted to that; where there are
// bids enough they overrule it (table), for prices may have heavy tails or
// two peaks.
type market struct {
	likely logNormal
	forms  []logNormal // of the grid
	upTo   []float64   // cumulated probability
	prices []Price     // of the market, by price
	top    float64     // logarithm of the highest bid that is asked about
}

// Bounds of what is believed.
const (
	muSteps, sigmaSteps = 41, 21
	// mostBids is how much the landscape may teach of the log-normal form at
	// most: that form is not quite right either.
	mostBids = 3000
	// priorMuSD and priorSigma are what is believed of a market without bids.
	priorMuSD, priorSigma, priorSigmaSD = 0.8, 0.8, 0.35
	// formBids is how many bids of one price the form weighs as much as.
	formBids = 20
	// beyondSD is how far the form may be off beyond the prices that were bid:
	// in standard normal units, by the root of the distance in logarithm.
	beyondSD = 0.25
	// placeSD is how far the prices that a campaign meets are from its
	// market's, in logarithm.
	placeSD = 0.025
)

// fit learns a market from its landscape. guess is the price about which half
// is won where nothing is known, top the highest bid that is asked about.
func fit(prices []Price, guess, top float64) market {
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
	m = wide.around(m).posterior(prices, temper, mu0)
	m.prices, m.top = slices.Clone(prices), math.Log(max(top, 1e-6))+0.05
	slices.SortFunc(m.prices, func(a, b Price) int { return cmp.Compare(a.CPM, b.CPM) })
	return m
}

// grid is a rectangle of log-normal forms, evenly spaced.
type grid struct{ mu0, mu1, ls0, ls1 float64 }

func (g grid) posterior(prices []Price, temper, mu0 float64) market {
	m := market{forms: make([]logNormal, 0, muSteps*sigmaSteps), upTo: make([]float64, 0, muSteps*sigmaSteps)}
	logs := make([]float64, 0, muSteps*sigmaSteps)
	at := make([]float64, len(prices))
	for j := range prices {
		at[j] = math.Log(prices[j].CPM)
	}
	best := math.Inf(-1)
	for i := range muSteps {
		mu := g.mu0 + (g.mu1-g.mu0)*float64(i)/(muSteps-1)
		for k := range sigmaSteps {
			ls := g.ls0 + (g.ls1-g.ls0)*float64(k)/(sigmaSteps-1)
			c := logNormal{mu, math.Exp(ls)}
			zm, zs := (mu-mu0)/priorMuSD, (ls-math.Log(priorSigma))/priorSigmaSD
			l := -(zm*zm + zs*zs) / 2
			for j := range prices {
				p := min(max(phi(c.z(at[j])), 1e-9), 1-1e-9)
				l += temper * (prices[j].Wins*math.Log(p) + (prices[j].Bids-prices[j].Wins)*math.Log1p(-p))
			}
			m.forms, logs = append(m.forms, c), append(logs, l)
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
	for i, c := range m.forms {
		p := m.upTo[i] - last
		last = m.upTo[i]
		l := math.Log(c.sigma)
		mu, ls, mu2, ls2 = mu+p*c.mu, ls+p*l, mu2+p*c.mu*c.mu, ls2+p*l*l
	}
	dm := max(4*math.Sqrt(max(mu2-mu*mu, 0)), (g.mu1-g.mu0)/(muSteps-1))
	ds := max(4*math.Sqrt(max(ls2-ls*ls, 0)), (g.ls1-g.ls0)/(sigmaSteps-1))
	return grid{mu - dm, mu + dm, ls - ds, ls + ds}
}

// central is the curve that is believed most.
func (m *market) central() curve {
	off := make([]point, 0, len(m.prices))
	for i := range m.prices {
		p, x := &m.prices[i], math.Log(m.prices[i].CPM)
		form := phi(m.likely.z(x))
		off = append(off, point{x: x, y: (p.Wins + formBids*form) / (p.Bids + formBids), weight: p.Bids + formBids})
	}
	return m.table(m.likely, off, 0, 0, 0)
}

// draw takes one of the likely curves.
func (m *market) draw(r *rand.Rand) curve {
	i, _ := slices.BinarySearch(m.upTo, r.Float64())
	form := m.forms[min(i, len(m.forms)-1)]
	off := make([]point, 0, len(m.prices))
	for i := range m.prices {
		p, x := &m.prices[i], math.Log(m.prices[i].CPM)
		q := phi(form.z(x))
		y := beta(r, p.Wins+formBids*q, p.Bids-p.Wins+formBids*(1-q))
		off = append(off, point{x: x, y: y, weight: p.Bids + formBids})
	}
	return m.table(form, off, placeSD*r.NormFloat64(), beyondSD*r.NormFloat64(), beyondSD*r.NormFloat64())
}

// point is a win rate y at a log price x.
type point struct{ x, y, weight float64 }

// table makes a curve of a form and of what is believed at some prices; shift
// is of log prices, below and above say how far the form is off beyond them.
func (m *market) table(form logNormal, at []point, shift, below, above float64) curve {
	at = rising(at)
	for i := range at { // how far the form is off, in its own units
		at[i].y = quantile(min(max(at[i].y, 1e-4), 1-1e-4)) - form.z(at[i].x)
	}
	c := curve{lo: m.top - curveSpan, win: make([]float64, curveSteps+1), area: make([]float64, curveSteps+1)}
	last, k := 0.0, 0
	for i := range c.win {
		x := c.lo + curveStep*float64(i) - shift
		for k < len(at) && at[k].x < x {
			k++
		}
		off := 0.0
		switch {
		case len(at) == 0:
		case k == 0:
			off = at[0].y + below*math.Sqrt(at[0].x-x)
		case k == len(at):
			off = at[k-1].y + above*math.Sqrt(x-at[k-1].x)
		default:
			a, b := &at[k-1], &at[k]
			off = a.y + (b.y-a.y)*(x-a.x)/(b.x-a.x)
		}
		last = max(last, phi(form.z(x)+off))
		c.win[i] = last
	}
	price := math.Exp(c.lo)
	c.area[0] = price * c.win[0] / 2
	for i := 1; i < len(c.win); i++ {
		next := price * growStep
		c.area[i] = c.area[i-1] + (next-price)*(c.win[i]+c.win[i-1])/2
		price = next
	}
	return c
}

// rising makes win rates rise with the price, as they do: neighbours that do
// not are taken together.
func rising(at []point) []point {
	type block struct {
		y, weight float64
		n         int
	}
	var blocks []block
	for _, p := range at {
		b := block{p.y, p.weight, 1}
		for len(blocks) > 0 && blocks[len(blocks)-1].y >= b.y {
			l := blocks[len(blocks)-1]
			blocks = blocks[:len(blocks)-1]
			b = block{(l.y*l.weight + b.y*b.weight) / (l.weight + b.weight), l.weight + b.weight, l.n + b.n}
		}
		blocks = append(blocks, b)
	}
	i := 0
	for _, b := range blocks {
		for range b.n {
			at[i].y = b.y
			i++
		}
	}
	return at
}
