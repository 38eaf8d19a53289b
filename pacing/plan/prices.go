package plan

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/internal/money"
)

// Prices is what the first-price auctions of one exchange are to be won for,
// by group of placements, as log-normal prices. A win tells that the price was
// below the bid, a loss that it was above, and a loss with AUCTION_MIN_TO_WIN
// what it was (a Tobit likelihood). Groups share a prior, so that a new one
// begins with the usual, and one shift of all prices, which is followed from
// outcome to outcome: see market.
//
// Learn and Refit are slow side and take a lock; View is one atomic load and
// what it gives is immutable. Memory: 1.5 KB a group, at most 4,096 groups.
type Prices struct {
	mu      sync.Mutex
	m       *market
	index   map[uint64]int32
	exact   []exactSums // by group, beside m.places
	stale   []bool
	table   map[uint64]groupPrice // of the latest view
	changed bool
	delays  *delays
	view    atomic.Pointer[PriceView]
}

// exactSums are of log prices that are known, without the shift.
type exactSums struct{ n, x, xx float64 }

// groupPrice is a group's log-normal price.
type groupPrice struct{ mu, sigma, seen float64 }

// PriceView is what Prices knew at one moment.
type PriceView struct {
	ratios   *ratios
	groups   map[uint64]groupPrice
	usual    groupPrice // of a group that is not known
	level    float64
	outcomes float64
}

const (
	pricesKnown = 200    // outcomes from which on bids are shaded by what was learned
	groupYoung  = 400    // outcomes up to which a group's bids are varied now and then
	groupMemory = 20_000 // outcomes of a group; older ones fade
	restMemory  = 0.7    // what a restart leaves of the counts
)

// NewPrices returns one that knows nothing.
func NewPrices() *Prices {
	p := &Prices{m: newMarket(nil, newRatios()), index: make(map[uint64]int32), delays: newDelays()}
	p.publish()
	return p
}

// Outcome of a bid.
type Outcome struct {
	Group uint64
	Bid   money.CPM
	Won   bool
	Price money.CPM // that would have won; 0: not told
}

// Heard counts how late after its bid a win was heard of.
func (p *Prices) Heard(seconds float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delays.observe(math.Max(0, seconds))
}

// Age is how old bids are to be, in ms, when Learn is told of them: wins and
// losses at the same age, or one sort would be ahead of the other.
func (p *Prices) Age() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(1000 * math.Max(1, math.Min(120, p.delays.quantile(0.98))))
}

// Learn takes in the outcome of a bid of that age in ms.
func (p *Prices) Learn(o Outcome, ageMS int64) {
	if o.Bid <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	share := math.Max(0.5, p.delays.reported(float64(ageMS)/1000))
	i := p.group(o.Group)
	logBid := logCPM(o.Bid)
	p.stale[i] = true
	if o.Won || o.Price < o.Bid {
		p.m.learn(i, logBid, o.Won, share)
		p.fade(i)
		return
	}
	pl, e := &p.m.places[i], &p.exact[i]
	x := logCPM(o.Price) - p.m.level.at
	e.n, e.x, e.xx = e.n+1, e.x+x, e.xx+x*x
	pl.total++
	p.m.outcomes++
	if z := (x - pl.mu) / pl.sigma; math.Abs(z) <= 4 {
		p.m.level.step(z/pl.sigma, 1/(pl.sigma*pl.sigma))
	}
	p.fade(i)
}

// Late makes a win of what Learn was told to be a loss.
func (p *Prices) Late(o Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := p.index[o.Group]; ok && o.Bid > 0 {
		p.m.late(i, logCPM(o.Bid))
		p.stale[i] = true
	}
}

// fade halves what is remembered of a group that is full.
func (p *Prices) fade(i int32) {
	if p.m.places[i].total > groupMemory {
		p.scale(i, 0.5)
	}
}

func (p *Prices) scale(i int32, keep float64) {
	pl, e := &p.m.places[i], &p.exact[i]
	for j := range pl.bids {
		pl.bids[j] *= float32(keep)
		pl.wins[j] *= float32(keep)
	}
	pl.total *= keep
	e.n, e.x, e.xx = e.n*keep, e.x*keep, e.xx*keep
}

func (p *Prices) group(key uint64) int32 {
	i, ok := p.index[key]
	if !ok {
		i = int32(min(len(p.index), maxPlaces-1))
		if len(p.index) < maxPlaces {
			p.index[key] = i
		}
		p.m.placement(i)
		for int(i) >= len(p.exact) {
			p.exact, p.stale = append(p.exact, exactSums{}), append(p.stale, true)
		}
	}
	return i
}

// Refit fits the groups that something was heard of, and what groups have in
// common. Every few seconds at first, every minute later.
func (p *Prices) Refit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n, sum, squares, logSigma float64
	for i := range p.m.places {
		pl := &p.m.places[i]
		if p.stale[i] {
			p.fit(pl, &p.exact[i])
			p.stale[i], p.changed = false, true
		}
		w := math.Min(1, pl.total/200)
		n += w
		sum += w * pl.mu
		squares += w * pl.mu * pl.mu
		logSigma += w * math.Log(pl.sigma)
	}
	if n > 0 {
		m := p.m
		m.mu = sum / n
		m.sigma = math.Exp((logSigma + math.Log(0.7)) / (n + 1))
		m.tau = math.Min(2, (math.Sqrt(math.Max(0.04, squares/n-m.mu*m.mu))*n+1)/(n+1))
	}
}

// Publish makes what was learned visible: cheap, every second.
func (p *Prices) Publish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish()
}

func (p *Prices) publish() {
	if p.changed || p.table == nil {
		p.table = make(map[uint64]groupPrice, len(p.index))
		for key, i := range p.index {
			pl := &p.m.places[i]
			p.table[key] = groupPrice{pl.mu, pl.sigma, pl.total}
		}
		p.changed = false
	}
	p.view.Store(&PriceView{
		ratios: p.m.ratios, groups: p.table, usual: groupPrice{mu: p.m.mu, sigma: math.Hypot(p.m.sigma, p.m.tau)},
		level: p.m.level.at, outcomes: p.m.outcomes,
	})
}

// View is what was known when it was published last.
func (p *Prices) View() *PriceView { return p.view.Load() }

// Known tells whether enough was seen to shade by.
func (v *PriceView) Known() bool { return v.outcomes >= pricesKnown }

// Outcomes that were learned from.
func (v *PriceView) Outcomes() float64 { return v.outcomes }

// Level is the shift of all log prices against their long run.
func (v *PriceView) Level() float64 { return v.level }

// Groups that are told apart.
func (v *PriceView) Groups() int { return len(v.groups) }

func (v *PriceView) of(group uint64) groupPrice {
	if g, ok := v.groups[group]; ok {
		return g
	}
	return v.usual
}

// Shade is the bid that makes the most of an impression that is worth value,
// at most value, and the chance that it wins; young says that little is known
// of the group. Without Known it is value itself.
func (v *PriceView) Shade(group uint64, value money.CPM) (bid money.CPM, win float64, young bool) {
	if value <= 0 || !v.Known() {
		return value, 0, true
	}
	g := v.of(group)
	logBid, win := v.ratios.shade(logCPM(value), g.mu+v.level, g.sigma)
	return min(value, max(1, money.CPM(math.Exp(logBid)*microPerUnit))), win, g.seen < groupYoung
}

// Chance that a bid wins.
func (v *PriceView) Chance(group uint64, bid money.CPM) float64 {
	if bid <= 0 {
		return 0
	}
	g := v.of(group)
	return v.ratios.cdf((logCPM(bid) - g.mu - v.level) / g.sigma)
}

// expect is what an impression of that log value costs on average, CPM, and
// the same for its square.
func (v *PriceView) expect(group uint64, logValue, logFloor float64) (mean, square float64) {
	if logValue < logFloor {
		return 0, 0
	}
	g := v.of(group)
	logBid, win := v.ratios.shade(logValue, g.mu+v.level, g.sigma)
	if logBid < logFloor {
		logBid = logFloor
		win = v.ratios.cdf((logFloor - g.mu - v.level) / g.sigma)
	}
	cost := math.Exp(logBid)
	return cost * win, cost * cost * win
}

func logCPM(p money.CPM) float64 { return math.Log(float64(p) / microPerUnit) }

// fit is market's, with the prices that are known beside the bids that won or
// lost.
func (p *Prices) fit(pl *place, e *exactSums) {
	const sigmaSpread = 0.35
	m := p.m
	mu, logSigma := pl.mu, math.Log(pl.sigma)
	for range 8 {
		sigma := math.Exp(logSigma)
		g1, g2 := -(mu-m.mu)/(m.tau*m.tau), -(logSigma-math.Log(m.sigma))/(sigmaSpread*sigmaSpread)
		h11, h12, h22 := 1/(m.tau*m.tau), 0.0, 1/(sigmaSpread*sigmaSpread)
		if e.n > 0 {
			u1 := (e.x - e.n*mu) / sigma
			u2 := (e.xx - 2*mu*e.x + e.n*mu*mu) / (sigma * sigma)
			g1 += u1 / sigma
			g2 += u2 - e.n
			h11 += e.n / (sigma * sigma)
			h22 += 2 * e.n
		}
		for i, bids := range pl.bids {
			if bids < 1e-6 {
				continue
			}
			x := placeLowest + (float64(i)+0.5)*placeWidth
			z := math.Max(-5, math.Min(5, (x-mu)/sigma))
			win := math.Max(1e-6, math.Min(1-1e-6, m.ratios.cdf(z)))
			d := -normalDensity(z)
			d1, d2, spread := d/sigma, d*z, win*(1-win)
			r := (float64(pl.wins[i]) - float64(bids)*win) / spread
			g1, g2 = g1+r*d1, g2+r*d2
			w := float64(bids) / spread
			h11, h12, h22 = h11+w*d1*d1, h12+w*d1*d2, h22+w*d2*d2
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
	pl.mu, pl.sigma = mu, math.Exp(logSigma)
}

// Only is what the view knows of a few groups: little enough to be kept.
func (v *PriceView) Only(groups []uint64) *PriceView {
	out := *v
	out.groups = make(map[uint64]groupPrice, len(groups))
	for _, g := range groups {
		if p, ok := v.groups[g]; ok {
			out.groups[g] = p
		}
	}
	return &out
}

// FixedPrices learn nothing: they stay as a view had them.
func FixedPrices(v *PriceView) *Prices {
	p := NewPrices()
	p.view.Store(v)
	return p
}
