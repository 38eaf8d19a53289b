package learn

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
)

// market is second-price traffic whose chances of an order are estimated a
// third too high, with noise on top.
type market struct {
	rng        *rand.Rand
	tooHigh    float64
	spread     float64 // of rivals' prices, log
	target     float64
	perHour    int
	delay      delay
	day7Cost   float64
	day7Orders float64 // expected by the truth
	orders     float64
	cost, ever float64 // of all seven days: cost, and orders whenever they come
}

type lateOrder struct{ atMS, clickMS int64 }

func (m *market) play(c *Control) {
	const campaign = 3
	c.SetTarget(campaign, m.target)
	late := map[int64][]lateOrder{}
	for hour := range int64(7 * 24) {
		for i := range m.perHour {
			at := hour*hourMS + int64(i)*hourMS/int64(m.perHour) + hourMS
			truth := 0.002 * math.Exp(m.rng.NormFloat64()*0.8)
			estimate := truth * m.tooHigh * math.Exp(m.rng.NormFloat64()*0.3-0.045)
			bid := c.Multiplier(campaign) * estimate * m.target
			rival := 0.002 * m.target * math.Exp(m.rng.NormFloat64()*m.spread+0.7)
			if rival >= bid {
				continue
			}
			c.Won(campaign, at, rival, estimate)
			m.cost += rival
			if hour >= 6*24 {
				m.day7Cost, m.day7Orders = m.day7Cost+rival, m.day7Orders+truth
			}
			if m.rng.Float64() < truth {
				m.ever++
				when := at + m.draw()
				late[when/hourMS] = append(late[when/hourMS], lateOrder{when, at})
			}
		}
		now := (hour + 2) * hourMS
		for _, o := range late[now/hourMS-1] {
			c.Ordered(campaign, o.clickMS, 1)
			m.orders++
		}
		c.Advance(now)
	}
}

// draw draws a delay of an order.
func (m *market) draw() int64 {
	u, from := m.rng.Float64(), int64(0)
	for i, s := range m.delay.share {
		if u <= s {
			return from + int64(m.rng.Float64()*float64(ages[i]-from))
		}
		from = ages[i]
	}
	return from
}

func TestCostPerOrderIsBroughtToTheTarget(t *testing.T) {
	worst := 0.0
	for seed := range uint64(6) {
		for _, tooHigh := range []float64{1.33, 1 / 1.33} {
			m := &market{rng: rand.New(rand.NewPCG(seed, 5)), tooHigh: tooHigh, spread: 0.5 + 0.1*float64(seed%4), target: 50e9, perHour: 12_000, delay: newDelay(DelayConfig{})}
			c := NewControl(m.delay.matured)
			m.play(c)
			allowed := math.Max(0.05, 2/math.Sqrt(m.orders))
			week, day7 := m.cost/m.ever/m.target-1, m.day7Cost/m.day7Orders/m.target-1
			t.Logf("seed %d, estimates × %.2f: %.0f orders, the week's cost per order %+.1f %% off its target, allowed %.1f %%; day 7 by the truth %+.1f %%; k %.2f",
				seed, tooHigh, m.orders, 100*week, 100*allowed, 100*day7, c.Multiplier(3))
			assert.LessOrEqual(t, math.Abs(week), allowed, "seed %d", seed)
			// What orders were like by chance so far is not known to be chance.
			assert.LessOrEqual(t, math.Abs(day7), 2*allowed, "seed %d", seed)
			worst = max(worst, math.Abs(week)/allowed)
		}
	}
	t.Logf("worst: %.2f of what is allowed", worst)
}

func TestControlStaysWithinBounds(t *testing.T) {
	c := NewControl(func(int64) float64 { return 1 })
	assert.Equal(t, 1.0, c.Multiplier(9), "not steered")
	c.SetTarget(9, 1)
	for h := range int64(200) {
		c.Won(9, h*hourMS, 1e12, 1e-9) // hopelessly dear
		c.Advance((h + 1) * hourMS)
	}
	assert.Equal(t, value.MinControl, c.Multiplier(9))
	c.SetTarget(9, 0)
	assert.Equal(t, 1.0, c.Multiplier(9))
}

// A trainer that was stored goes on as if it had not been.
func TestARestoredTrainerGoesOnAlike(t *testing.T) {
	w := newWorld(3, -2)
	cfg := Config{GlobalBits: 12, ShopBits: 10}
	a, err := New(cfg)
	require.NoError(t, err)
	feed := func(tr *Trainer, rng *rand.Rand, from, to int) {
		for i := from; i < to; i++ {
			var e Example
			w.rng = rng
			w.draw(&e)
			at := int64(i) * 1000
			tr.Impression(id(uint64(i)), at, &e)
			if rng.IntN(8) == 0 {
				tr.Click(id(uint64(i)), at+500)
				if rng.IntN(3) == 0 {
					tr.Order(id(uint64(i)), at+900)
				}
			}
			tr.Advance(at)
		}
	}
	feed(a, rand.New(rand.NewPCG(1, 1)), 0, 3_000)
	var buf bytes.Buffer
	require.NoError(t, a.Save(&buf))
	stored := bytes.Clone(buf.Bytes())
	b, err := Restore(cfg, &buf)
	require.NoError(t, err)
	assert.Equal(t, a.Counts(), b.Counts())
	assert.Equal(t, a.Totals(value.Click), b.Totals(value.Click))
	assert.Equal(t, a.Model(5).Append(nil), b.Model(5).Append(nil))
	for _, tr := range []*Trainer{a, b} {
		feed(tr, rand.New(rand.NewPCG(2, 2)), 3_000, 5_000)
	}
	assert.Equal(t, a.Model(6).Append(nil), b.Model(6).Append(nil))
	_, err = Restore(Config{GlobalBits: 13, ShopBits: 10}, bytes.NewReader(stored))
	require.ErrorIs(t, err, errOtherShape)
	_, err = Restore(cfg, bytes.NewReader(stored[:len(stored)/2]))
	require.Error(t, err)
}

func TestAnOrderTakenBackIsUnlearned(t *testing.T) {
	tr, err := New(Config{GlobalBits: 10, ShopBits: 8})
	require.NoError(t, err)
	e := Example{Shop: 1, Campaign: 2, Placement: []value.Feature{1}, Own: []value.Feature{2}}
	for i := range uint64(400) {
		tr.Impression(id(i), 1000, &e)
		tr.Click(id(i), 2000)
		to, ok := tr.Order(id(i), 3000)
		require.True(t, ok)
		assert.Equal(t, Touched{1, 2, 2000}, to)
	}
	tr.Advance(hourMS)
	predict := func() float64 {
		var s value.Score
		s.Reset(tr.Model(1), e.Placement)
		p, _ := s.Predict(value.Order, 1, 2, e.Own)
		return p
	}
	high := predict()
	for i := range uint64(400) {
		_, ok := tr.TakeBack(id(i), hourMS)
		require.True(t, ok)
		_, ok = tr.TakeBack(id(i), hourMS)
		require.False(t, ok, "once")
	}
	tr.Advance(3 * hourMS)
	assert.Less(t, predict(), high/3)
	assert.Zero(t, tr.Totals(value.Order).Positives)
}
