package learn

import (
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/events"
)

// The forms in which a Trainer is stored. Most of a table is empty: only what
// is not is written.
type (
	savedTrainer struct {
		GlobalBits, ShopBits int
		Targets              [value.NumTargets]savedTarget
		Open                 []savedEntry
		Dropped, Unknown     int64
		Came, Clicks         []float64
		NowMS, FollowMS      int64
	}
	savedTarget struct {
		Global              savedFTRL
		SeenAt              []uint32
		Seen                []uint64
		All                 uint64
		Shops               map[uint32]savedFTRL
		Gauges              map[uint32]map[uint32]savedGauge
		Common              savedGauge
		Drift               drift
		Lately              lately
		Examples, Positives int64
	}
	savedFTRL struct {
		At                     []uint32
		Z                      []float64
		N, Mean                []float32
		BiasZ, BiasN, BiasMean float64
		Minutes                int
	}
	savedGauge struct {
		Buckets []bucket
		BornMS  int64
		Log     float64
	}
	savedEntry struct {
		ID             events.ID
		Shop, Campaign uint32
		Placement, Own []value.Feature
		AtMS, DueMS    int64
		Clicked        bool
		Step, Ordered  int8
	}
)

// Save writes all that a Trainer knows; its owner adds a checksum.
func (t *Trainer) Save(w io.Writer) error {
	s := savedTrainer{
		GlobalBits: t.cfg.GlobalBits, ShopBits: t.cfg.ShopBits, Dropped: t.stream.dropped, Unknown: t.stream.unknown,
		Came: t.order.came[:], Clicks: t.order.clicks[:], NowMS: t.nowMS, FollowMS: t.followMS,
	}
	for i := range t.targets {
		s.Targets[i] = t.targets[i].save()
	}
	for _, x := range t.stream.due { // in the order of the heap: equal times keep theirs
		s.Open = append(s.Open, savedEntry{
			x.id, x.example.Shop, x.example.Campaign, x.example.Placement, x.example.Own, x.atMS, x.dueMS, x.clicked, x.step, x.ordered,
		})
	}
	return gob.NewEncoder(w).Encode(&s)
}

func (x *target) save() savedTarget {
	s := savedTarget{
		Global: x.global.save(), All: x.all, Shops: make(map[uint32]savedFTRL), Gauges: make(map[uint32]map[uint32]savedGauge), Common: x.common.save(), Drift: x.drift, Lately: x.lately,
		Examples: x.examples, Positives: x.positives,
	}
	for i, v := range x.seen {
		if v != 0 {
			s.SeenAt, s.Seen = append(s.SeenAt, uint32(i)), append(s.Seen, v)
		}
	}
	for id, f := range x.shops {
		s.Shops[id] = f.save()
	}
	for shop, m := range x.gauges {
		s.Gauges[shop] = make(map[uint32]savedGauge, len(m))
		for c, g := range m {
			s.Gauges[shop][c] = g.save()
		}
	}
	return s
}

func (f *ftrl) save() savedFTRL {
	s := savedFTRL{BiasZ: f.biasZ, BiasN: f.biasN, BiasMean: f.biasMean, Minutes: f.minutes}
	for i, c := range f.cells {
		if c != (cell{}) {
			s.At, s.Z, s.N, s.Mean = append(s.At, uint32(i)), append(s.Z, c.z), append(s.N, c.n), append(s.Mean, c.mean)
		}
	}
	return s
}

func (g *gauge) save() savedGauge { return savedGauge{g.buckets, g.bornMS, g.log} }

func (s savedGauge) gauge() gauge { return gauge{s.Buckets, s.BornMS, s.Log} }

// errOtherShape tells of a stored Trainer of another size.
var errOtherShape = errors.New("the stored learner does not fit")

// Restore makes a Trainer of what Save wrote. cfg must have the same sizes.
func Restore(cfg Config, r io.Reader) (*Trainer, error) {
	t, err := New(cfg)
	if err != nil {
		return nil, err
	}
	var s savedTrainer
	if err := gob.NewDecoder(r).Decode(&s); err != nil {
		return nil, fmt.Errorf("read the stored learner: %w", err)
	}
	if s.GlobalBits != t.cfg.GlobalBits || s.ShopBits != t.cfg.ShopBits || len(s.Came) != len(ages) || len(s.Clicks) != len(ages) {
		return nil, fmt.Errorf("%w: 2^%d and 2^%d weights, want 2^%d and 2^%d", errOtherShape, s.GlobalBits, s.ShopBits, t.cfg.GlobalBits, t.cfg.ShopBits)
	}
	t.nowMS, t.followMS = s.NowMS, s.FollowMS
	copy(t.order.came[:], s.Came)
	copy(t.order.clicks[:], s.Clicks)
	t.order.learn()
	for i := range t.targets {
		if err := t.targets[i].restore(&s.Targets[i], &t.cfg); err != nil {
			return nil, err
		}
	}
	t.stream.restore(&s)
	return t, nil
}

func (s *stream) restore(saved *savedTrainer) {
	s.dropped, s.unknown = saved.Dropped, saved.Unknown
	for i := range saved.Open {
		o := &saved.Open[i]
		x := &entry{
			id: o.ID, example: Example{Shop: o.Shop, Campaign: o.Campaign, Placement: o.Placement, Own: o.Own},
			atMS: o.AtMS, dueMS: o.DueMS, clicked: o.Clicked, step: max(0, min(o.Step, int8(len(ages)-1))), ordered: o.Ordered,
		}
		s.open[o.ID] = x
		heap.Push(&s.due, x)
		if o.Clicked {
			s.clicked++
		} else {
			s.shown++
		}
	}
}

func (x *target) restore(s *savedTarget, cfg *Config) error {
	x.all, x.examples, x.positives, x.common, x.drift, x.lately = s.All, s.Examples, s.Positives, s.Common.gauge(), s.Drift, s.Lately
	err := x.global.restore(&s.Global)
	if len(s.Seen) != len(s.SeenAt) {
		return errOtherShape
	}
	for i, at := range s.SeenAt {
		if int(at) >= len(x.seen) {
			return errOtherShape
		}
		x.seen[at] = s.Seen[i]
	}
	for id := range s.Shops {
		f, saved := newFTRL(cfg.ShopBits, cfg.Rates), s.Shops[id]
		err = errors.Join(err, f.restore(&saved))
		x.shops[id] = f
	}
	for shop, m := range s.Gauges {
		x.gauges[shop] = make(gauges, len(m))
		for c := range maps.Keys(m) {
			g := m[c].gauge()
			x.gauges[shop][c] = &g
		}
	}
	return err
}

func (f *ftrl) restore(s *savedFTRL) error {
	f.biasZ, f.biasN, f.biasMean, f.minutes = s.BiasZ, s.BiasN, s.BiasMean, s.Minutes
	if len(s.Z) != len(s.At) || len(s.N) != len(s.At) || len(s.Mean) != len(s.At) {
		return errOtherShape
	}
	for i, at := range s.At {
		if int(at) >= len(f.cells) {
			return errOtherShape
		}
		f.cells[at] = cell{s.Z[i], s.N[i], s.Mean[i]}
	}
	return nil
}

// Totals is what a Trainer learned of a target so far, and how predictions
// compare with what came: expected ÷ observed, lately.
type Totals struct {
	Examples, Positives int64
	Calibration         float64
}

// Totals of a target.
func (t *Trainer) Totals(tg value.Target) Totals {
	x := &t.targets[tg]
	return Totals{x.examples, x.positives, x.lately.ratio()}
}

// Matured is the share of a click's orders that have come at an age, ms.
func (t *Trainer) Matured(ageMS int64) float64 { return t.order.matured(ageMS) }

// matured interpolates the shares between the steps.
func (d *delay) matured(ageMS int64) float64 {
	before, from := 0.0, int64(0)
	for i, a := range ages {
		if ageMS <= a {
			return before + (d.share[i]-before)*float64(max(ageMS-from, 0))/float64(a-from)
		}
		before, from = d.share[i], a
	}
	return 1
}
