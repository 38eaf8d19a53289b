package value

import (
	"errors"
	"fmt"
	"math"
)

// Bounds of tables, as powers of two.
const (
	MinBits = 8
	MaxBits = 24
)

// Bounds of a prediction: beyond them a model is wrong rather than sure.
const (
	minP = 1e-7
	maxP = 0.9
)

// Bounds of Shop.Control.
const (
	MinControl = 0.05
	MaxControl = 4
)

// What is believed of a target before anything was learned: the usual display
// ad has about one click in a thousand, the usual shop one order in a hundred
// clicks.
const (
	PriorClick = 0.001
	PriorOrder = 0.01
)

// Prior is what is believed of a target before anything was learned.
func Prior(t Target) float64 {
	if t == Click {
		return PriorClick
	}
	return PriorOrder
}

// PriorLogOdds is Prior as a Global's: see probability.
func PriorLogOdds(t Target) float64 {
	if t == Click {
		return math.Log(PriorClick / (1 - PriorClick))
	}
	return math.Log(PriorOrder)
}

// Table holds weights by hashed feature; its length is a power of two.
type Table []float32

// NewTable makes an empty table of 2^bits weights.
func NewTable(bits int) (Table, error) {
	if bits < MinBits || bits > MaxBits {
		return nil, fmt.Errorf("table of 2^%d weights: want %d to %d bits", bits, MinBits, MaxBits)
	}
	return make(Table, 1<<bits), nil
}

// Slot is where a feature's weight lies.
func (t Table) Slot(f Feature) uint32 { return uint32(f) & uint32(len(t)-1) }

// Sum adds the weights of the features, in log-odds. An empty table knows
// nothing: 0.
func (t Table) Sum(features []Feature) float64 {
	if len(t) == 0 {
		return 0
	}
	mask, sum := uint32(len(t)-1), float32(0)
	for _, f := range features {
		sum += t[uint32(f)&mask]
	}
	return float64(sum)
}

// Target is what a model predicts.
type Target uint8

// The targets.
const (
	Click Target = iota // of an impression
	Order               // of a click
	NumTargets
)

func (t Target) String() string {
	switch t {
	case Click:
		return "click"
	case Order:
		return "order"
	}
	return "unknown"
}

// Model is one version of everything that is predicted. It is immutable once
// it is read.
type Model struct {
	Version int64 // ms UTC of when it was made
	Global  [NumTargets]Global
	Shops   map[uint32]*Shop
}

// Global is a target's placement part.
type Global struct {
	Prior float64 // log-odds before any feature
	Table Table
}

// Shop is what one shop's own events taught, on top of the global part.
type Shop struct {
	Bias  [NumTargets]float32 // log-odds
	Table [NumTargets]Table
	// Calibration multiplies the odds, by campaign, 1 where absent; the shop's
	// own under 0. It follows changes of the base rate that weights follow too
	// slowly.
	Calibration [NumTargets]map[uint32]float32
	// OrderValue is what a kept order of the shop is worth on average,
	// nano-units of its currency; 0: not known.
	OrderValue int64
	// Control multiplies what orders are worth, by campaign, 1 where absent: it
	// brings their average cost to the campaign's target.
	Control map[uint32]float32
}

// ErrModel marks a model that may not be used.
var ErrModel = errors.New("model")

// Validate refuses what a bidder should not bid by: odd lengths and weights
// that are no numbers.
func (m *Model) Validate() error {
	for t := range m.Global {
		g := &m.Global[t]
		if math.IsNaN(g.Prior) || math.IsInf(g.Prior, 0) {
			return fmt.Errorf("%w: prior of %s is %v", ErrModel, Target(t), g.Prior)
		}
		if err := g.Table.validate(); err != nil {
			return fmt.Errorf("%w: global %s: %w", ErrModel, Target(t), err)
		}
	}
	for id, s := range m.Shops {
		if s.OrderValue < 0 {
			return fmt.Errorf("%w: shop %d: an order is worth %d", ErrModel, id, s.OrderValue)
		}
		for c, v := range s.Control {
			if !(v >= MinControl && v <= MaxControl) {
				return fmt.Errorf("%w: shop %d: control of campaign %d is %v", ErrModel, id, c, v)
			}
		}
		for t := range s.Table {
			if b := float64(s.Bias[t]); math.IsNaN(b) || math.IsInf(b, 0) {
				return fmt.Errorf("%w: shop %d, %s: bias is %v", ErrModel, id, Target(t), b)
			}
			if err := s.Table[t].validate(); err != nil {
				return fmt.Errorf("%w: shop %d, %s: %w", ErrModel, id, Target(t), err)
			}
			for c, v := range s.Calibration[t] {
				if !(v > 0) || math.IsInf(float64(v), 0) {
					return fmt.Errorf("%w: shop %d, %s: calibration of campaign %d is %v", ErrModel, id, Target(t), c, v)
				}
			}
		}
	}
	return nil
}

func (t Table) validate() error {
	if n := len(t); n != 0 && (n&(n-1) != 0 || n < 1<<MinBits || n > 1<<MaxBits) {
		return fmt.Errorf("%d weights are no power of two between 2^%d and 2^%d", n, MinBits, MaxBits)
	}
	for i, w := range t {
		if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) {
			return fmt.Errorf("weight %d is %v", i, w)
		}
	}
	return nil
}
