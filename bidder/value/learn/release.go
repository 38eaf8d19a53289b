package learn

import (
	"math"
	"math/bits"

	"github.com/grosz/grosz/bidder/value"
)

// score is the log-odds of an example as it is given out, before corrections.
func (x *target) score(e *Example, k int) float64 {
	sum := x.prior(k) + x.released(e.Placement, k)
	if s := x.shops[e.Shop]; s != nil {
		sum += s.meanScore(e.Placement) + s.meanScore(e.Own) - s.biasMean
	}
	return sum
}

// released is the global part's weights that are given out, of a placement.
func (x *target) released(placement []value.Feature, k int) float64 {
	sum, mask := float32(0), uint32(len(x.seen)-1)
	for _, f := range placement {
		if i := uint32(f) & mask; bits.OnesCount64(x.seen[i]) >= k {
			sum += x.global.cells[i].mean
		}
	}
	return float64(sum)
}

// prior is the global part's base rate, once K shops made it; before, what is
// usual.
func (x *target) prior(k int) float64 {
	if bits.OnesCount64(x.all) < k {
		return x.usual
	}
	return x.usual + x.global.biasMean
}

// Model gives out what was learned so far, as a version of its own: weights
// of the global part to which fewer than K shops contributed are left out.
// The trainer goes on learning; the Model shares nothing with it.
func (t *Trainer) Model(version int64) *value.Model {
	t.order.learn()
	m := &value.Model{Version: version, Shops: map[uint32]*value.Shop{}}
	for tg := range t.targets {
		x := &t.targets[tg]
		x.settle(value.Target(tg), t.nowMS)
		m.Global[tg] = value.Global{Prior: x.prior(t.cfg.K), Table: x.table(t.cfg.K)}
		for id, s := range x.shops {
			out := m.Shops[id]
			if out == nil {
				out = &value.Shop{}
				m.Shops[id] = out
			}
			out.Bias[tg], out.Table[tg] = float32(s.biasMean), s.table()
			out.Calibration[tg] = x.corrections(id)
		}
	}
	return m
}

// table is the global part's weights that are given out.
func (x *target) table(k int) value.Table {
	out := make(value.Table, len(x.global.cells))
	for i := range out {
		if bits.OnesCount64(x.seen[i]) >= k {
			out[i] = x.global.cells[i].mean
		}
	}
	return out
}

func (f *ftrl) table() value.Table {
	out := make(value.Table, len(f.cells))
	for i := range out {
		out[i] = f.cells[i].mean
	}
	return out
}

// corrections of a shop's campaigns, the shop's own under 0: the common one is
// in the base rate.
func (x *target) corrections(shop uint32) map[uint32]float32 {
	gauges := x.gauges[shop]
	if len(gauges) == 0 {
		return nil
	}
	own := 0.0
	if g := gauges[0]; g != nil {
		own = g.log
	}
	out := make(map[uint32]float32, len(gauges))
	for id, g := range gauges {
		if id == 0 {
			out[0] = float32(math.Exp(own))
			continue
		}
		out[id] = float32(math.Exp(own + g.log))
	}
	return out
}
