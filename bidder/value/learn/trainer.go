package learn

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/grosz/grosz/bidder/value"
)

// Config of a Trainer.
type Config struct {
	GlobalBits int // 2^bits weights of the global part, per target; 0: 22
	ShopBits   int // of each shop's part, per target; 0: 14
	MaxShops   int // shops beyond it are learned globally only; 0: 1,000
	// K is how many shops must have contributed to a weight of the global
	// part before it is given out; 0: 3. Shops are told apart by 64 numbers,
	// so more than K is asked for now and then, never less.
	K     int
	Rates Rates
	Delay DelayConfig
	// ClickWindowMS is how long after an impression its click may come, ms;
	// 0: ten minutes.
	ClickWindowMS int64
	// KeepNegatives is the share of impressions without a click that is
	// learned, each with the weight of those left out; 0: all.
	KeepNegatives float64
	MaxShown      int // impressions whose click may still come; 0: 1,000,000
	MaxClicked    int // clicks whose order may still come; 0: 500,000
}

func (c *Config) defaults() {
	for _, d := range []struct {
		v *int
		d int
	}{{&c.GlobalBits, 22}, {&c.ShopBits, 14}, {&c.MaxShops, 1_000}, {&c.K, 3}, {&c.MaxShown, 1_000_000}, {&c.MaxClicked, 500_000}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if c.ClickWindowMS == 0 {
		c.ClickWindowMS = 10 * 60 * 1000
	}
	if c.KeepNegatives == 0 {
		c.KeepNegatives = 1
	}
	c.Rates.defaults()
}

// Validate says all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	for _, b := range []int{c.GlobalBits, c.ShopBits} {
		if b < value.MinBits || b > value.MaxBits {
			errs = append(errs, fmt.Errorf("2^%d weights: want %d to %d bits", b, value.MinBits, value.MaxBits))
		}
	}
	if c.K < 1 || c.K > 64 {
		errs = append(errs, fmt.Errorf("k is %d shops: want 1 to 64", c.K))
	}
	if !(c.KeepNegatives > 0 && c.KeepNegatives <= 1) {
		errs = append(errs, fmt.Errorf("share of negatives kept is %v: want above 0, at most 1", c.KeepNegatives))
	}
	if c.ClickWindowMS < 0 || c.MaxShops < 0 || c.MaxShown < 0 || c.MaxClicked < 0 {
		errs = append(errs, errors.New("windows and bounds must not be negative"))
	}
	return errors.Join(append(errs, c.Rates.validate(), c.Delay.validate())...)
}

// Example is an impression as it was bid on: what the request said of the
// place, and what the shop knew of the candidate and the person.
type Example struct {
	Shop, Campaign uint32
	Placement      []value.Feature // placement fields only
	Own            []value.Feature // the shop's
}

// target is one target's learners.
type target struct {
	global *ftrl
	seen   []uint64 // by slot: which shops contributed, by their number's low six bits
	all    uint64   // the same of all slots
	shops  map[uint32]*ftrl
	gauges map[uint32]gauges // by shop
	usual  float64           // log-odds before anything was learned
	// What was learned so far.
	examples, positives int64
	common              gauge // of everything
	drift               drift
	lately              lately
}

// Trainer learns from examples, and from a stream of impressions, clicks and
// orders (see stream.go).
type Trainer struct {
	cfg      Config
	targets  [value.NumTargets]target
	stream   stream
	order    delay
	nowMS    int64
	followMS int64 // when the means of young learners followed last
	both     []value.Feature
}

// New makes an empty Trainer.
func New(cfg Config) (*Trainer, error) {
	cfg.defaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("learner: %w", err)
	}
	t := &Trainer{cfg: cfg, stream: newStream(), order: newDelay(cfg.Delay)}
	for i := range t.targets {
		t.targets[i] = target{
			global: newFTRL(cfg.GlobalBits, cfg.Rates), seen: make([]uint64, 1<<cfg.GlobalBits),
			shops: map[uint32]*ftrl{}, gauges: map[uint32]gauges{},
			usual: value.PriorLogOdds(value.Target(i)),
		}
	}
	return t, nil
}

// Learn takes one example of weight w (1 for an ordinary one) into both
// parts, and compares what was predicted of it with what came.
func (t *Trainer) Learn(tg value.Target, e *Example, label bool, w float64) {
	switch {
	case !label:
		t.gauge(tg, e, w, 0)
	case tg == value.Click:
		t.gauge(tg, e, w, w)
	default: // a stream of negatives, and orders beside them
		t.gauge(tg, e, 0, w)
	}
	t.learn(tg, e, label, w)
}

func (t *Trainer) learn(tg value.Target, e *Example, label bool, w float64) {
	x, y := &t.targets[tg], 0.0
	if label {
		y = 1
	}
	x.all |= 1 << (e.Shop & 63)
	for _, f := range e.Placement {
		x.seen[uint32(f)&uint32(len(x.seen)-1)] |= 1 << (e.Shop & 63)
	}
	x.global.update(e.Placement, sigmoid(x.usual+x.global.score(e.Placement)), y, w)
	x.examples++
	if label {
		x.positives += int64(math.Copysign(1, w))
	}
	shop := t.shop(x, e.Shop)
	if shop == nil {
		return
	}
	own, campaign := x.gauges[e.Shop].logs(e.Campaign)
	offset := x.prior(t.cfg.K) + x.released(e.Placement, t.cfg.K) + own + campaign
	t.both = append(append(t.both[:0], e.Placement...), e.Own...)
	shop.update(t.both, sigmoid(offset+shop.score(t.both)), y, w)
}

// gauge compares what is given out with what came: w examples more, and so
// many targets. Each layer is compared with those around it in force.
func (t *Trainer) gauge(tg value.Target, e *Example, w, observed float64) {
	x := &t.targets[tg]
	if t.shop(x, e.Shop) == nil {
		return
	}
	own := x.gauge(e.Shop, 0)
	score, r := x.score(e, t.cfg.K), &ownReach[tg]
	if bits.OnesCount64(x.all) >= t.cfg.K {
		t.rebase(tg)
		x.drift.note(e)
		t.compare(tg, &x.common, &commonReach[tg], score, w, observed)
	}
	t.compare(tg, own, r, score, w, observed)
	of := x.gauge(e.Shop, e.Campaign)
	t.compare(tg, of, r, score+own.log, w, observed)
	x.lately.add(tg, t.nowMS, chance(tg, score+own.log+of.log)*w, observed)
}

// rebase moves the base rate by the common correction, at the end of each of
// its steps. Fewer than K shops have no base rate in common.
func (t *Trainer) rebase(tg value.Target) {
	x, r := &t.targets[tg], &commonReach[tg]
	if !x.common.over(r, t.nowMS) || len(x.common.buckets) == 0 {
		return
	}
	score := func(e *Example) float64 { return x.score(e, t.cfg.K) }
	x.common.moved(x.drift.look(tg, score))
	x.common.roll(r, t.nowMS)
	x.global.shift(x.common.log)
	x.common.moved(x.drift.look(tg, score))
	x.common.settle(r, t.nowMS)
}

func (t *Trainer) compare(tg value.Target, g *gauge, r *reach, logOdds, w, observed float64) {
	p, squared := chance(tg, logOdds), 0.0
	if tg == value.Click { // an order's chance is its odds
		squared = p * p * w
	}
	g.add(r, t.nowMS, p*w, squared, observed)
}

func (t *Trainer) shop(x *target, id uint32) *ftrl {
	s, ok := x.shops[id]
	if !ok && len(x.shops) < t.cfg.MaxShops {
		s = newFTRL(t.cfg.ShopBits, t.cfg.Rates)
		x.shops[id] = s
	}
	return s
}
