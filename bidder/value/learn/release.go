package learn

import (
	"math"
	"math/bits"
	"slices"

	"github.com/grosz/grosz/bidder/value"
)

// meanHalfLife is how long a weight is remembered in the mean, in minutes.
const meanHalfLife = 10

// mean holds the weights as they are given out: means over the latest quarter
// of an hour. The learner's own jitter (each example moves a dozen weights at
// once) would put a whole shop some percent off at any single moment.
type mean struct {
	n      int // minutes so far
	prior  float64
	global value.Table
	shops  map[uint32]*meanShop
}

type meanShop struct {
	bias  float64
	table value.Table
}

func newMean(bits int) mean {
	return mean{global: make(value.Table, 1<<bits), shops: map[uint32]*meanShop{}}
}

// score is the log-odds of an example by the mean weights.
func (m *mean) score(e *Example) float64 {
	x := m.prior + m.global.Sum(e.Placement)
	if s := m.shops[e.Shop]; s != nil {
		x += s.bias + s.table.Sum(e.Placement) + s.table.Sum(e.Own)
	}
	return x
}

// follow moves the means towards the weights of now. In the beginning each
// minute counts more: what was first learned is the least true.
func (t *Trainer) follow() {
	minutes := 1.0
	if t.meanMS > 0 {
		minutes = float64(t.nowMS-t.meanMS) / minuteMS
	}
	t.meanMS = t.nowMS
	for i := range t.targets {
		x := &t.targets[i]
		m := &x.mean
		m.n++
		rate := max(1-math.Exp2(-minutes/meanHalfLife), 2/float64(m.n+1))
		m.prior += rate * (x.prior(t.cfg.K) - m.prior)
		for slot := range m.global {
			if bits.OnesCount64(x.seen[slot]) >= t.cfg.K {
				towards(&m.global[slot], x.global, slot, rate)
			}
		}
		for id, s := range x.shops {
			ms := m.shops[id]
			if ms == nil {
				ms = &meanShop{bias: s.biasWeight(), table: make(value.Table, len(s.cells))}
				m.shops[id] = ms
			}
			ms.bias += rate * (s.biasWeight() - ms.bias)
			for slot := range ms.table {
				towards(&ms.table[slot], s, slot, rate)
			}
		}
	}
}

func towards(w *float32, f *ftrl, slot int, rate float64) {
	c := &f.cells[slot]
	if c.n == 0 {
		return
	}
	*w += float32(rate) * (float32(f.weight(c, f.rates.L1)) - *w)
	if math.Abs(float64(*w)) < 1e-6 {
		*w = 0
	}
}

// Model gives out what was learned so far, as a version of its own: weights
// of the global part to which fewer than K shops contributed are left out.
// The trainer goes on learning; the Model shares nothing with it.
func (t *Trainer) Model(version int64) *value.Model {
	t.order.learn()
	if t.targets[0].mean.n == 0 {
		t.follow()
	}
	m := &value.Model{Version: version, Shops: map[uint32]*value.Shop{}}
	for tg := range t.targets {
		x := &t.targets[tg]
		m.Global[tg] = value.Global{Prior: x.mean.prior, Table: slices.Clone(x.mean.global)}
		for id, s := range x.mean.shops {
			out := m.Shops[id]
			if out == nil {
				out = &value.Shop{}
				m.Shops[id] = out
			}
			out.Bias[tg], out.Table[tg] = float32(s.bias), slices.Clone(s.table)
			out.Calibration[tg] = x.corrections(id)
		}
	}
	return m
}

func (x *target) corrections(shop uint32) map[uint32]float32 {
	gauges := x.gauges[shop]
	if len(gauges) == 0 {
		return nil
	}
	own := 1.0
	if g := gauges[0]; g != nil {
		own = g.correction(1)
	}
	out := make(map[uint32]float32, len(gauges))
	for id, g := range gauges {
		if id == 0 {
			out[0] = float32(own)
			continue
		}
		out[id] = float32(g.correction(own))
	}
	return out
}
