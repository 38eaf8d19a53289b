package learn

import (
	"fmt"
	"math"

	"github.com/grosz/grosz/bidder/value"
)

// Rates are FTRL-Proximal's parameters (McMahan et al., KDD 2013, algorithm
// 1). Zero values take the defaults.
type Rates struct {
	Alpha float64 // learning rate; 0: 0.2
	Beta  float64 // 0: 1
	L1    float64 // below it a weight stays 0; 0: 3
	L2    float64 // 0: 1
}

func (r *Rates) defaults() {
	for _, d := range []struct {
		v *float64
		d float64
	}{{&r.Alpha, 0.2}, {&r.Beta, 6}, {&r.L1, 2}, {&r.L2, 1}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
}

func (r *Rates) validate() error {
	if !(r.Alpha > 0 && r.Beta > 0 && r.L1 >= 0 && r.L2 >= 0) {
		return fmt.Errorf("learning rates alpha %v, beta %v, l1 %v, l2 %v: want positive numbers", r.Alpha, r.Beta, r.L1, r.L2)
	}
	return nil
}

// cell is one weight's memory: the sums of gradients and of their squares, and
// the mean weight that is given out. z is long: in short numbers the small
// gradients of what was not clicked are lost beside a large sum.
type cell struct {
	z       float64
	n, mean float32
}

// ftrl is one learner: logistic regression, updated example by example.
type ftrl struct {
	rates Rates
	cells []cell
	// bias is kept apart, without regularisation: it is the base rate.
	biasZ, biasN, biasMean float64
	minutes                int // of its life, up to youngMinutes
}

func newFTRL(bits int, rates Rates) *ftrl {
	return &ftrl{rates: rates, cells: make([]cell, 1<<bits)}
}

func (f *ftrl) slot(x value.Feature) *cell { return &f.cells[uint32(x)&uint32(len(f.cells)-1)] }

// weight is the closed form of a cell (algorithm 1, line 6).
func (f *ftrl) weight(c *cell) float64 {
	if math.Abs(c.z) <= f.rates.L1 {
		return 0
	}
	return -(c.z - math.Copysign(f.rates.L1, c.z)) / ((f.rates.Beta+math.Sqrt(float64(c.n)))/f.rates.Alpha + f.rates.L2)
}

func (f *ftrl) biasWeight() float64 {
	return -f.biasZ / ((f.rates.Beta + math.Sqrt(f.biasN)) / f.rates.Alpha)
}

// score is the log-odds of an example, without an offset.
func (f *ftrl) score(features []value.Feature) float64 {
	sum := f.biasWeight()
	for _, x := range features {
		sum += f.weight(f.slot(x))
	}
	return sum
}

// meanScore is score by the mean weights.
func (f *ftrl) meanScore(features []value.Feature) float64 {
	sum := float32(0)
	for _, x := range features {
		sum += f.slot(x).mean
	}
	return f.biasMean + float64(sum)
}

// update learns one example of weight w: label 0 or 1, p what was predicted.
func (f *ftrl) update(features []value.Feature, p, label, w float64) {
	g := (p - label) * w
	was := f.biasWeight()
	sigma := (math.Sqrt(f.biasN+g*g) - math.Sqrt(f.biasN)) / f.rates.Alpha
	f.biasZ, f.biasN = f.biasZ+g-sigma*was, f.biasN+g*g
	f.biasMean += recent(g*g, f.biasN) * (was - f.biasMean)
	for _, x := range features {
		f.step(f.slot(x), g)
	}
}

// shift moves the base rate, in log-odds.
func (f *ftrl) shift(by float64) {
	f.biasMean += by
	f.biasZ -= by * (f.rates.Beta + math.Sqrt(f.biasN)) / f.rates.Alpha
}

func (f *ftrl) step(c *cell, g float64) {
	n, was := float64(c.n), f.weight(c)
	after := n + g*g
	c.z += g - (math.Sqrt(after)-math.Sqrt(n))/f.rates.Alpha*was
	c.n = float32(after)
	if c.mean += float32(recent(g*g, after) * (was - float64(c.mean))); math.Abs(float64(c.mean)) < 1e-6 {
		c.mean = 0
	}
}

const (
	// meanOf is how much evidence, about as many positives, a mean weight is
	// made of once there is so much.
	meanOf = 5_000
	// meanPower says how fast the first evidence is outweighed.
	meanPower = 1.5
	// youngMinutes is how long a learner's means follow by time.
	youngMinutes = 120
)

// recent is the share that evidence of g², the latest of n, has in a mean
// weight. A weight is in motion by some percent all the time, for each example
// moves a dozen at once; its mean over most of what it learned from is nearly
// as exact as the whole evidence allows (Polyak and Juditsky, 'Acceleration of
// Stochastic Approximation by Averaging', 1992).
func recent(g2, n float64) float64 { return min(1, g2*max(meanPower/n, 1.0/meanOf)) }

// follow moves the means of a young learner towards the weights, once a
// minute. It has learned clicks before their absence: much evidence, and
// nearly all of it wrong.
func (f *ftrl) follow() {
	if f.minutes >= youngMinutes {
		return
	}
	f.minutes++
	rate := 1 / float64(f.minutes+1)
	f.biasMean += rate * (f.biasWeight() - f.biasMean)
	for i := range f.cells {
		if c := &f.cells[i]; c.n > 0 {
			c.mean += float32(rate * (f.weight(c) - float64(c.mean)))
		}
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
