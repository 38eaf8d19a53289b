package plan

import (
	"math"
	"math/rand/v2"

	"github.com/grosz/grosz/internal/money"
)

// Live paces one campaign of a running bidder by the plan of a Controller. It
// is fed counts instead of single bids, shares the forecast of requests with
// all campaigns (Demand), and plans for this node's share of the money that is
// left, of all nodes. Bids in second-price and in first-price auctions are
// planned together: one multiplier of the value for both.
//
// One goroutine calls Plan, each PlanEveryMS; bids and notices go by its Pace,
// from many. About 20 KB a campaign.
type Live struct {
	pace   *Pace
	rng    *rand.Rand
	curve  curve
	delays *delays
	lots   []lot
	unripe int
	wins   []Won
	wishes []Wish

	day       int32
	lastMS    int64
	beganMS   int64 // of the first plan, or of before a restart
	k, varied float64
	scale     float64
	expected  float64 // asked for lately, if all were as foretold
	came      float64 // asked for lately
	first     [planBins + 1][2]float64
	firstOK   bool
	nextFirst int64
	sources   []source
	hours     [24]hourFactor
}

// source is how often the campaign could bid, by an exchange's requests.
type source struct {
	second, first   uint64 // Pace's counts at the last plan
	total           float64
	asked, requests float64 // fading
	firstAsked      float64
	spent           float64 // reported, fading
}

// hourFactor is how often the campaign could bid in an hour of the day, against the usual.
type hourFactor struct {
	came, expected float64
	hour           int64
}

// lot is the bids between two plans, in one.
type lot struct {
	fromMS, toMS int64
	k, varied    float64
	second       float64 // opportunities in second-price auctions
	first        float64
	reported     float64 // currency, of this node's bids
	wins         []won
	ripe         bool
}

// PlanEveryMS is how often Plan is to be called.
const PlanEveryMS = 10_000

const (
	liveMemory   = 24 * 3600.0 // seconds after which a campaign's shares fade to 1/e
	recentMemory = 2 * 3600.0  // of how it fares against them
	hourPrior    = 50.0        // opportunities that a factor is drawn to 1 by
	lotsMerged   = 900_000     // ms after which lots are put together
	lotLong      = 120_000     // ms, as long as this
	lotsMost     = 400
	variedFor    = dayMS // that multipliers are varied
	firstEveryMS = 120_000
	wishesLeast  = 40
)

// NewLive returns one that knows nothing, and its Pace.
func NewLive(seed uint64, exchanges int) *Live {
	return &Live{
		pace: NewPace(exchanges), rng: rand.New(rand.NewPCG(seed, 0x6c697665)), delays: newDelays(), k: paceBegin, varied: paceBegin, scale: 1,
		sources: make([]source, exchanges),
	}
}

// Pace is what bids and notices go by.
func (l *Live) Pace() *Pace { return l.pace }

// Moment is what a plan is made from.
type Moment struct {
	NowMS        int64
	Day          int32 // number of the campaign's day
	FromMS, ToMS int64 // when it begins and ends
	Budget       money.Nano
	Spent        money.Nano // of the day, by all nodes: settled, or settled here and not in the log yet
	Share        float64    // of what all nodes spend that is this node's; 0 is 1
	Front        bool       // twice as much at the day's beginning as at its end
	Demand       *Demand
	Prices       []*Prices // by exchange
	Lost         []float64 // by exchange: the share of its notices that never come; nil: none
}

// Report says what was planned, for metrics and explanations.
type Report struct {
	AtMS int64 `json:"at"`
	// K is the multiplier of the value.
	K float64 `json:"k"`
	// Known: planned from what spending costs; else that is still being found out.
	Known bool `json:"known"`
	// Left of the day's budget is what is neither spent nor to be expected of
	// open bids, and Open the latter, of this node. Currency.
	Left float64 `json:"left"`
	Open float64 `json:"open"`
	// Impressions that this node counts on being asked about until the day's
	// end, and what each may spend on average, currency.
	Impressions   float64 `json:"impressions"`
	PerImpression float64 `json:"per_impression"`
	// Correction is what was spent lately over what was foretold.
	Correction float64 `json:"correction"`
	// Share of what all nodes spend that this one plans for.
	Share float64 `json:"share"`
	// Lost is the part of the budget that is kept free for wins that no notice
	// tells of.
	Lost float64 `json:"lost"`
}

// Plan chooses the multiplier for the next PlanEveryMS.
func (l *Live) Plan(m Moment) {
	if m.Share <= 0 || m.Share > 1 {
		m.Share = 1
	}
	if l.beganMS == 0 {
		l.beganMS = m.NowMS
	}
	l.day = m.Day
	l.close(&m)
	l.hear()
	l.ripen(m.NowMS)
	l.curve.rebuild()
	l.refirst(&m)
	known := l.known()
	budget := nanoFloat(m.Budget)
	l.scale = 1
	if known {
		l.scale = math.Exp(l.correction(m.NowMS, budget*m.Share))
	}
	open := l.open(m.NowMS) * l.scale
	lost := l.lost(&m)
	left := budget*(1-guard)*(1-lost) - nanoFloat(m.Spent) - open/m.Share
	rest := l.rest(&m)
	r := Report{AtMS: m.NowMS, Known: known, Left: left, Open: open, Impressions: rest, Correction: l.scale, Share: m.Share, Lost: lost}
	switch {
	case left <= 0:
		l.k = 0
	case !known:
		l.k = l.ramp(&m, left)
	case rest <= 0: // just begun: how much will be offered is not known yet
		l.k = math.Min(math.Max(l.k, 1.0/paceOne), paceBegin)
	default:
		r.PerImpression = left * m.Share / rest
		l.k = l.solve(r.PerImpression / l.scale)
	}
	l.varied = l.k
	if known && l.k > 0 && m.NowMS-l.beganMS < variedFor {
		lo := math.Max(0.02, l.k/3)
		l.varied = lo * math.Pow(1/lo, l.rng.Float64())
	}
	r.K = l.k
	l.pace.set(l.k, l.varied)
	l.pace.report.Store(&r)
	l.lots = append(l.lots, lot{fromMS: m.NowMS, toMS: m.NowMS, k: l.k, varied: l.varied})
	l.lastMS = m.NowMS
}

// refirst works out what first-price auctions cost at every multiplier, from
// a sample of those that were offered.
func (l *Live) refirst(m *Moment) {
	if m.NowMS < l.nextFirst && l.firstOK {
		return
	}
	l.wishes = l.pace.sample(l.wishes)
	n := 0.0
	var sum [planBins + 1][2]float64
	for i := range l.wishes {
		w := &l.wishes[i]
		if int(w.Exchange) >= len(m.Prices) || w.Value <= 0 {
			continue
		}
		v := m.Prices[w.Exchange].View()
		if !v.Known() {
			continue
		}
		n++
		logValue, logFloor := logCPM(w.Value), math.Inf(-1)
		if w.Floor > 0 {
			logFloor = logCPM(w.Floor)
		}
		for b := range sum {
			mean, square := v.expect(w.Group, logValue-float64(planBins-b)*planWidth, logFloor)
			sum[b][0] += mean * w.NanoPerCPM
			sum[b][1] += square * w.NanoPerCPM * w.NanoPerCPM
		}
	}
	if l.firstOK = n >= wishesLeast; !l.firstOK {
		return
	}
	for b := range sum {
		l.first[b] = [2]float64{sum[b][0] / n, sum[b][1] / n}
	}
	l.nextFirst = m.NowMS + firstEveryMS
}

// firstShare is the part of the opportunities that is in first-price auctions.
func (l *Live) firstShare() float64 {
	var first, all float64
	for i := range l.sources {
		first, all = first+l.sources[i].firstAsked, all+l.sources[i].asked
	}
	if all == 0 {
		return 0
	}
	return first / all
}

// known says whether there is enough to plan by.
func (l *Live) known() bool {
	const little = 0.1 // of the opportunities may be of a sort that is not known
	f := l.firstShare()
	return (f > 1-little || l.curve.known()) && (f < little || l.firstOK)
}

// spendFirst is the spend of a first-price opportunity at multiplier k.
func (l *Live) spendFirst(k float64) float64 {
	if !l.firstOK || k <= 0 {
		return 0
	}
	at := math.Max(0, math.Min(planBins, planBins+math.Log(k)/planWidth))
	i := min(planBins-1, int(at))
	return l.first[i][0] + (at-float64(i))*(l.first[i+1][0]-l.first[i][0])
}

// perRequest is what an opportunity spends at multiplier k.
func (l *Live) perRequest(k, firstShare float64) float64 {
	second, _ := l.curve.at(k)
	return (1-firstShare)*second + firstShare*l.spendFirst(k)
}

// solve returns the multiplier, at most 1, that spends so much an opportunity.
func (l *Live) solve(target float64) float64 {
	f := l.firstShare()
	if f == 0 {
		return l.curve.solve(target)
	}
	if l.perRequest(1, f) <= target {
		return 1
	}
	lo, hi := math.Log(1.0/paceOne), 0.0
	for range 24 {
		if mid := (lo + hi) / 2; l.perRequest(math.Exp(mid), f) <= target {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Exp(lo)
}

// expect is what a lot is expected to spend, as far as is known today.
func (l *Live) expect(o *lot) float64 {
	out := 0.0
	if o.second > 0 {
		mean, _ := l.curve.at(o.k)
		varied, _ := l.curve.at(o.varied)
		out = o.second * (mean + (varied-mean)/varyEvery)
	}
	if o.first > 0 {
		out += o.first * l.spendFirst(o.k)
	}
	return out
}

// open is what is expected of this node's bids that nothing was heard of yet.
func (l *Live) open(nowMS int64) float64 {
	sum := 0.0
	for i := range l.lots {
		o := &l.lots[i]
		age := float64(nowMS-(o.fromMS+o.toMS)/2) / 1000
		sum += l.expect(o) * (1 - l.delays.reported(age))
	}
	return sum
}

// correction is how much dearer or cheaper the last quarter of an hour was
// than expected, as a logarithm: see Controller.
func (l *Live) correction(nowMS int64, budget float64) float64 {
	prior := 0.003 * budget
	var reported, expected float64
	for i := len(l.lots) - 1; i >= 0; i-- {
		o := &l.lots[i]
		age := float64(nowMS-(o.fromMS+o.toMS)/2) / 1000
		if age > correctionSeconds || expected > 0.03*budget {
			break
		}
		expected += l.expect(o) * l.delays.reported(age)
		reported += o.reported
	}
	if prior <= 0 {
		return 0
	}
	return math.Max(-2, math.Min(2, math.Log((reported+prior)/(expected+prior))))
}

// rest is how many more impressions this node is to be asked about on the
// campaign's day, weighed by how the day is to be spread, in impressions of now.
func (l *Live) rest(m *Moment) float64 {
	weight := func(ms int64) float64 {
		h := &l.hours[((floorDiv(ms, hourMS)%24)+24)%24]
		return h.factor() * m.front(ms)
	}
	sum := 0.0
	for x := range l.sources {
		if ratio := l.sources[x].ratio(); ratio > 0 {
			sum += ratio * m.Demand.Rest(x, m.NowMS, m.ToMS, weight)
		}
	}
	return sum * (l.came + hourPrior) / (l.expected + hourPrior) / m.front(m.NowMS)
}

// lost is the share of what the campaign wins that no notice tells of: the
// exchanges' shares by what it spends at each, or could.
func (l *Live) lost(m *Moment) float64 {
	var sum, all float64
	for x := range min(len(l.sources), len(m.Lost)) {
		w := l.sources[x].spent
		sum, all = sum+w*m.Lost[x], all+w
	}
	if all > 0 {
		return sum / all
	}
	for x := range min(len(l.sources), len(m.Lost)) {
		w := l.sources[x].asked
		sum, all = sum+w*m.Lost[x], all+w
	}
	if all > 0 {
		return sum / all
	}
	return 0
}

// front is how much is to be spent at a time of the day, against its mean.
func (m *Moment) front(ms int64) float64 {
	if !m.Front || m.ToMS <= m.FromMS {
		return 1
	}
	return 4.0/3 - 2.0/3*float64(ms-m.FromMS)/float64(m.ToMS-m.FromMS)
}

// ramp is the multiplier before anything is known: bids all over, as long as
// a fiftieth of the budget and what is due by the clock is not gone.
func (l *Live) ramp(m *Moment, left float64) float64 {
	passed := float64(m.NowMS-m.FromMS) / math.Max(1, float64(m.ToMS-m.FromMS))
	due := 0.02 + 0.98*math.Max(0, math.Min(1, passed))
	if began := float64(l.beganMS-m.FromMS) / math.Max(1, float64(m.ToMS-m.FromMS)); began > 0 {
		due = 0.02 + 0.98*math.Max(0, passed-began)/math.Max(1e-3, 1-began)
	}
	if budget := nanoFloat(m.Budget); budget-left > due*budget {
		return 0
	}
	return math.Pow(0.05, l.rng.Float64())
}
