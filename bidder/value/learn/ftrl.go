package learn

import (
	"fmt"
	"math"

	"github.com/grosz/grosz/bidder/value"
)

// Rates are FTRL-Proximal's parameters (McMahan et al., KDD 2013, algorithm
// 1). Zero values take the defaults.
type Rates struct {
	Alpha float64 // learning rate; 0: 0.05
	Beta  float64 // 0: 1
	L1    float64 // below it a weight stays 0; 0: 1
	L2    float64 // 0: 1
}

func (r *Rates) defaults() {
	for _, d := range []struct {
		v *float64
		d float64
	}{{&r.Alpha, 0.05}, {&r.Beta, 1}, {&r.L1, 1}, {&r.L2, 1}} {
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

// cell is one weight's memory: the sums of gradients and of their squares.
type cell struct{ z, n float32 }

// ftrl is one learner: logistic regression, updated example by example.
type ftrl struct {
	rates Rates
	cells []cell
	// bias is kept apart, without regularisation: it is the base rate.
	biasZ, biasN float64
}

func newFTRL(bits int, rates Rates) *ftrl {
	return &ftrl{rates: rates, cells: make([]cell, 1<<bits)}
}

func (f *ftrl) slot(x value.Feature) *cell { return &f.cells[uint32(x)&uint32(len(f.cells)-1)] }

// weight is the closed form of a cell (algorithm 1, line 6).
func (f *ftrl) weight(c *cell, l1 float64) float64 {
	z := float64(c.z)
	if math.Abs(z) <= l1 {
		return 0
	}
	return -(z - math.Copysign(l1, z)) / ((f.rates.Beta+math.Sqrt(float64(c.n)))/f.rates.Alpha + f.rates.L2)
}

func (f *ftrl) biasWeight() float64 {
	return -f.biasZ / ((f.rates.Beta + math.Sqrt(f.biasN)) / f.rates.Alpha)
}

// score is the log-odds of an example, without an offset.
func (f *ftrl) score(features []value.Feature) float64 {
	sum := f.biasWeight()
	for _, x := range features {
		sum += f.weight(f.slot(x), f.rates.L1)
	}
	return sum
}

// update learns one example of weight w: label 0 or 1, p what was predicted.
func (f *ftrl) update(features []value.Feature, p, label, w float64) {
	g := (p - label) * w
	sigma := (math.Sqrt(f.biasN+g*g) - math.Sqrt(f.biasN)) / f.rates.Alpha
	f.biasZ, f.biasN = f.biasZ+g-sigma*f.biasWeight(), f.biasN+g*g
	for _, x := range features {
		c := f.slot(x)
		step(c, g, f.weight(c, f.rates.L1), f.rates.Alpha)
	}
}

func step(c *cell, g, w, alpha float64) {
	n := float64(c.n)
	sigma := (math.Sqrt(n+g*g) - math.Sqrt(n)) / alpha
	c.z += float32(g - sigma*w)
	c.n += float32(g * g)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
