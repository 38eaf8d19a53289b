package plan

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/grosz/grosz/internal/money"
)

// Auction is how the exchange prices a win: OpenRTB's `at`.
type Auction int

// The two auctions.
const (
	FirstPrice  Auction = 1 // a win costs the bid
	SecondPrice Auction = 2 // a win costs the second price and a little
)

// Day is what a campaign's day begins with.
type Day struct {
	Budget   money.Nano // at most this is spent
	Forecast []float64  // requests, by equal parts of the day (1,440 minutes); empty: not known
	Auction  Auction    // 0 is SecondPrice
}

// Config of a Controller. The zero value is ready for use.
type Config struct {
	Seed uint64 // of the few bids that are varied to learn from
}

// Controller paces one campaign. Make one with New. Not safe for many
// goroutines.
type Controller struct {
	rng     *rand.Rand
	auction Auction
	budget  money.Nano
	day     int // days begun
	running bool
	clicks  bool    // are billed, and wins are not
	ratio   float64 // of what clicks were billed to what impressions cost, and
	usual   float64 // yesterday's
	now     float64

	traffic *traffic
	delays  *delays
	curve   *curve  // second price
	market  *market // first price
	survey  *survey // lost notices
	probes  probes  // first price: for the survey
	places  map[uint64]int32
	offers  offers
	buckets []bucket
	unripe  int // first bucket whose bids may still be reported
	judged  int // first offer that the market has not learned from
	noted   int // and the survey

	reported    money.Nano
	k           float64
	stopped     bool    // nothing may be spent until the next plan
	committed   float64 // reported, expected and doubtful spend, as of now
	most        float64 // that may be committed: the budget without what is never reported
	squares     float64 // of the costs reported
	perBid      float64 // what a bid adds to it
	nextPlan    float64
	planned     int     // bids since the last plan
	nextFit     float64 // of the market
	nextSurvey  float64
	correctFrom float64 // no correction from bids before
	scale       float64 // expectations are multiplied by this
}

const (
	replanSeconds     = 10.0
	replanBids        = 300
	correctionSeconds = 900.0
	fitSeconds        = 300.0
	guard             = 0.001 // of the budget is not planned
	lateSeconds       = 180.0 // a notice that comes later was sent again
	perMille          = 1000.0
	exchangeIncrement = 0.01 // CPM, on top of the second price
	nanoPerUnit       = 1e9
	microPerUnit      = 1e6
	exploreCold       = 0.04 // of a first day's bids are varied
	exploreSure       = 0.3  // of a first day's sure wins are bid on in full
)

// New returns a controller that knows nothing yet.
func New(cfg Config) *Controller {
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x70616365))
	r := newRatios()
	return &Controller{
		rng: rng, traffic: &traffic{}, delays: newDelays(), curve: &curve{}, market: newMarket(rng, r), survey: newSurvey(r),
		places: map[uint64]int32{},
	}
}

// Start begins a day. What was learned on days before stays; money does not.
func (c *Controller) Start(d Day) error {
	if d.Auction == 0 {
		d.Auction = SecondPrice
	}
	if d.Auction != FirstPrice && d.Auction != SecondPrice {
		return fmt.Errorf("auction %d: 1 (first price) or 2 (second price)", d.Auction)
	}
	if d.Budget < 0 {
		return fmt.Errorf("budget %s is below zero", d.Budget)
	}
	c.auction, c.budget, c.running = d.Auction, d.Budget, true
	c.day++
	c.now, c.reported, c.k, c.nextPlan, c.nextFit, c.nextSurvey, c.correctFrom, c.planned = 0, 0, 0, 0, 0, 0, 0, 0
	c.ripen(math.Inf(1))
	c.buckets, c.unripe, c.judged, c.noted, c.squares = c.buckets[:0], 0, 0, 0, 0
	c.most = nanoFloat(d.Budget)
	if c.usual = c.ratio; c.usual <= 0 {
		c.usual = 1
	}
	c.offers.reset()
	c.traffic.start(d.Forecast)
	c.survey.fit()
	c.survey.forget()
	c.survey.margin = marginSecond
	if c.auction == FirstPrice {
		c.survey.least, c.survey.margin = probesOfferLeast, marginFirst
		c.probes.start(c.day == 1, c.most)
		c.market.forget()
		c.market.refit()
	}
	c.curve.rebuild()
	return nil
}

// End ends the day: wins that come later are ignored.
func (c *Controller) End() {
	c.ripen(math.Inf(1))
	c.running = false
	c.offers.reset()
}

// Bid says what to bid at second t for request id on a placement, worth value
// CPM. 0 is no bid.
func (c *Controller) Bid(t float64, id, placement uint64, value money.CPM) money.CPM {
	if !c.running || value <= 0 {
		return 0
	}
	c.tick(t)
	c.traffic.request(c.now)
	v := float64(value) / microPerUnit
	place := c.place(placement)
	if c.now >= c.nextPlan || c.planned >= replanBids {
		c.replan()
	}
	c.planned++
	var bid money.CPM
	if c.auction == FirstPrice {
		c.market.remember(place, math.Log(v))
		bid = c.bidFirst(id, place, value, v)
	} else {
		bid = c.bidSecond(id, place, value, v)
	}
	return bid
}

// bidSecond bids the multiplier times the value.
func (c *Controller) bidSecond(id uint64, place int32, value money.CPM, v float64) money.CPM {
	b := &c.buckets[len(c.buckets)-1]
	k := c.k
	own := c.explores()
	switch {
	case own:
		k = c.vary(k)
	case c.day == 1 && c.k > 0 && c.rng.Float64() < exploreSure && c.survey.sure(place, math.Log(v), math.Log(v)):
		// Hardly more is won by bidding all of it, and seen is how much of
		// what must be won is reported.
		own, k = true, 1
	}
	bid := money.CPM(math.Floor(math.Min(1, k) * float64(value)))
	if !c.affords(bid) {
		return 0
	}
	switch full := nanoFloat(bid.PerImpression()); {
	case !c.curve.known(): // hold a part of the bid: what it will cost is not known
		b.mean += full / 4
		b.square += full * full / 4
		c.curve.tried(k, 1)
	case own:
		mean, square := c.curve.at(k)
		b.mean += mean
		b.square += square
		c.curve.tried(k, 1)
	default:
		b.n++
	}
	c.offers.add(id, offer{bucket: int32(len(c.buckets) - 1), placement: place, k: float32(k), value: float32(v),
		logBid: float32(math.Log(k * v)), t: float32(c.now)})
	return bid
}

// bidFirst bids what is best against the prices to be expected.
func (c *Controller) bidFirst(id uint64, place int32, value money.CPM, v float64) money.CPM {
	b := &c.buckets[len(c.buckets)-1]
	var logBid, win float64
	switch {
	case c.k <= 0:
		return 0
	case !c.market.known(): // find out where prices are
		logBid = math.Log(v * c.k * (0.1 + 0.8*c.rng.Float64()))
		win = c.market.chance(place, logBid)
	default:
		logBid, win = c.market.bid(place, math.Log(v*c.k))
		if high, ok := c.probe(place, v, v*c.k, logBid, win); ok {
			logBid = high
			win = c.market.chance(place, logBid)
		} else if c.explores() {
			logBid = math.Min(math.Log(v), logBid+0.5*c.rng.NormFloat64())
			win = c.market.chance(place, logBid)
		}
	}
	bid := min(value, money.CPM(math.Floor(microPerUnit*math.Exp(logBid))))
	if !c.affords(bid) {
		return 0
	}
	cost := float64(bid) / microPerUnit / perMille
	b.mean += cost * win
	b.square += cost * cost * win
	c.offers.add(id, offer{bucket: int32(len(c.buckets) - 1), placement: place, logBid: float32(logBid), value: float32(v), t: float32(c.now)})
	return bid
}

// explores says whether this bid is one of the few of a first day that are
// varied, so that prices above and below the plan are seen as well.
func (c *Controller) explores() bool {
	return c.day == 1 && c.rng.Float64() < exploreCold
}

// vary draws a multiplier between a third of k and 1, all proportions alike.
func (c *Controller) vary(k float64) float64 {
	lo := math.Max(0.02, k/3)
	return lo * math.Pow(1/lo, c.rng.Float64())
}

// affords says whether a bid may be made, and counts it as likely spend. What
// was reported, what is to be expected of open bids with a margin, and this
// bid in full must fit into the budget.
func (c *Controller) affords(bid money.CPM) bool {
	full := nanoFloat(bid.PerImpression())
	if bid <= 0 || c.stopped || !(c.committed+full <= c.most) {
		return false
	}
	c.committed += math.Min(full, c.perBid)
	return true
}

// Win tells that bid id was won at a cost, heard of at second t. It says
// whether the win counts: a second notice of one win does not, nor does one
// of an earlier day.
func (c *Controller) Win(t float64, id uint64, cost money.Nano) bool {
	if !c.running {
		return false
	}
	c.tick(t)
	at, ok := c.offers.byID[id]
	if !ok {
		if c.offers.evicted {
			c.reported = money.Add(c.reported, max(0, cost))
		}
		return c.offers.evicted
	}
	o := &c.offers.list[at]
	if o.state == offerWon {
		return false
	}
	if !c.clicks {
		c.reported = money.Add(c.reported, max(0, cost))
	}
	c.delays.observe(math.Max(0, t-float64(o.t)))
	b := &c.buckets[o.bucket]
	amount := nanoFloat(cost)
	b.reported += amount
	c.squares += amount * amount
	c.committed += amount // until the next plan sorts it out
	switch {
	case c.auction == FirstPrice && o.state == offerLost:
		c.market.late(o.placement, float64(o.logBid))
	case c.auction == SecondPrice:
		w := won{critical: math.Min(float64(o.k), amount*perMille/float64(o.value)), cost: amount}
		if b.ripe {
			c.curve.won(w.critical, w.cost)
		} else {
			b.wins = append(b.wins, w)
		}
	}
	o.state, o.price = offerWon, float32(amount*perMille)
	return true
}

func (c *Controller) tick(t float64) {
	if t > c.now {
		c.now = t
	}
}

// place is a small number for a placement.
func (c *Controller) place(key uint64) int32 {
	i, ok := c.places[key]
	if !ok {
		i = int32(min(len(c.places), maxPlaces-1))
		if len(c.places) < maxPlaces {
			c.places[key] = i
		}
		c.market.placement(i)
		c.survey.placement(i)
	}
	return i
}

func nanoFloat(n money.Nano) float64 { return float64(n) / nanoPerUnit }
