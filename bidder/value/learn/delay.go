package learn

import (
	"errors"
	"fmt"
	"math"
)

// DelayConfig says how long after a click an order may come.
type DelayConfig struct {
	// Prior is the share of orders that came within each of Ages before any
	// was seen; empty: about a third within an hour and half within a day, as
	// published for display advertising (Chapelle, 'Modeling Delayed Feedback
	// in Display Advertising', KDD 2014).
	Prior []float64
	// PriorOrders is how many orders the prior counts for; 0: 50.
	PriorOrders float64
}

// ages end the steps in which a click's exposure is learned, ms.
var ages = [...]int64{
	5 * minuteMS, 15 * minuteMS, hourMS / 2, hourMS, 2 * hourMS, 3 * hourMS, 6 * hourMS, 12 * hourMS, dayMS,
	3 * dayMS / 2, 2 * dayMS, 3 * dayMS, 4 * dayMS, 5 * dayMS, 6 * dayMS, 7 * dayMS,
	9 * dayMS, 11 * dayMS, 14 * dayMS, 18 * dayMS, 22 * dayMS, 26 * dayMS, 30 * dayMS,
}

const (
	minuteMS = 60 * 1000
	hourMS   = 60 * minuteMS
	dayMS    = 24 * hourMS
)

var usualPrior = [len(ages)]float64{
	0.12, 0.22, 0.29, 0.35, 0.38, 0.40, 0.43, 0.46, 0.50,
	0.54, 0.58, 0.63, 0.68, 0.72, 0.75, 0.78,
	0.82, 0.86, 0.90, 0.94, 0.97, 0.99, 1,
}

func (c *DelayConfig) validate() error {
	if c.PriorOrders < 0 {
		return errors.New("orders that the prior of delays counts for must not be negative")
	}
	if len(c.Prior) == 0 {
		return nil
	}
	if len(c.Prior) != len(ages) {
		return fmt.Errorf("prior of delays has %d shares: want %d", len(c.Prior), len(ages))
	}
	last := 0.0
	for i, v := range c.Prior {
		if !(v >= last && v <= 1) {
			return fmt.Errorf("prior of delays: share %d is %v: want them rising to 1", i, v)
		}
		last = v
	}
	return nil
}

// delay learns the distribution of order delays from orders that came, while
// younger clicks have not had their time. In each step the chance that an
// order which has not come yet comes now is counted against the orders that
// could have come so far: the chain ladder of actuaries.
type delay struct {
	prior  [len(ages)]float64 // shares, rising
	weight float64
	came   [len(ages)]float64 // orders by step
	clicks [len(ages)]float64 // clicks that have passed the step
	share  [len(ages)]float64
}

func newDelay(cfg DelayConfig) delay {
	d := delay{prior: usualPrior, weight: cfg.PriorOrders}
	if len(cfg.Prior) > 0 {
		copy(d.prior[:], cfg.Prior)
	}
	if d.weight == 0 {
		d.weight = 50
	}
	d.learn()
	return d
}

// stepOf is the step in which an age falls.
func stepOf(ageMS int64) int {
	for i, a := range ages {
		if ageMS <= a {
			return i
		}
	}
	return len(ages) - 1
}

// in is the share of orders that come in a step.
func (d *delay) in(step int) float64 {
	if step == 0 {
		return d.share[0]
	}
	return d.share[step] - d.share[step-1]
}

// learn turns the counts into shares. A step's orders per click that passed
// it are comparable between steps whatever the age of the clicks.
func (d *delay) learn() {
	var rate [len(ages)]float64
	total, orders, clicks := 0.0, 0.0, 0.0
	for i := range rate {
		orders, clicks = orders+d.came[i], max(clicks, d.clicks[i])
		if d.clicks[i] > 0 {
			rate[i] = d.came[i] / d.clicks[i]
		}
		total += rate[i]
	}
	// The prior stands for the steps that no click has passed yet, in
	// proportion, and for its own weight of orders elsewhere.
	seen, last := 0.0, 0.0
	for i := range d.prior {
		if d.clicks[i] > 0 {
			seen += d.prior[i] - last
		}
		last = d.prior[i]
	}
	last = 0
	sum := 0.0
	var mass [len(ages)]float64
	for i := range mass {
		prior := d.prior[i] - last
		last = d.prior[i]
		mass[i] = prior * d.weight
		switch {
		case total == 0:
		case d.clicks[i] > 0:
			mass[i] += rate[i] / total * seen * orders
		default:
			mass[i] += prior * orders
		}
		sum += mass[i]
	}
	run := 0.0
	for i := range mass {
		run += mass[i] / sum
		d.share[i] = math.Min(run, 1)
	}
	d.share[len(ages)-1] = 1
}
