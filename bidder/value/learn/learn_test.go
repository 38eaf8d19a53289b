package learn

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/events"
)

// world draws impressions with known chances: logits that add up the effects
// of what the features name.
type world struct {
	rng    *rand.Rand
	domain [200]float64
	device [4]float64
	hour   [24]float64
	size   [8]float64
	shop   [6]float64
	camp   [24]float64
	recent [12]float64
	price  [14]float64
	base   float64
}

func newWorld(seed uint64, base float64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), base: base}
	for _, effects := range []struct {
		of    []float64
		sigma float64
	}{{w.domain[:], 0.6}, {w.device[:], 0.4}, {w.hour[:], 0.2}, {w.size[:], 0.4}, {w.shop[:], 0.3}, {w.camp[:], 0.4}, {w.recent[:], 0.5}, {w.price[:], 0.3}} {
		for i := range effects.of {
			effects.of[i] = w.rng.NormFloat64() * effects.sigma
		}
	}
	return w
}

// draw makes an example and its true log-odds.
func (w *world) draw(e *Example) float64 {
	// Domains are as uneven as they are on exchanges.
	d := int(math.Floor(math.Pow(w.rng.Float64(), 3) * float64(len(w.domain))))
	dev, hour, size := w.rng.IntN(4), w.rng.IntN(24), w.rng.IntN(8)
	camp, rec, price := w.rng.IntN(len(w.camp)), w.rng.IntN(12), w.rng.IntN(14)
	shop := camp % len(w.shop)
	e.Shop, e.Campaign = uint32(shop+1), uint32(camp+1)
	dom, dv, sz := value.Number(value.FieldDomain, uint64(d)), value.Number(value.FieldDevice, uint64(dev)), value.Number(value.FieldSize, uint64(size))
	e.Placement = append(e.Placement[:0],
		value.Number(value.FieldExchange, 1), dom, dv, value.Number(value.FieldHour, uint64(hour)), sz,
		value.Cross(value.FieldDomainDevice, dom, dv), value.Cross(value.FieldDomainSize, dom, sz))
	e.Own = append(e.Own[:0],
		value.Number(value.FieldCampaign, uint64(camp)), value.Number(value.FieldRecency, uint64(rec)), value.Number(value.FieldPrice, uint64(price)))
	return w.base + w.domain[d] + w.device[dev] + w.hour[hour] + w.size[size] + w.shop[shop] + w.camp[camp] + w.recent[rec] + w.price[price]
}

func trainer(t testing.TB, cfg Config) *Trainer {
	t.Helper()
	if cfg.GlobalBits == 0 {
		cfg.GlobalBits = 18
	}
	out, err := New(cfg)
	require.NoError(t, err)
	return out
}

func logLoss(p float64, y bool) float64 {
	if y {
		return -math.Log(p)
	}
	return -math.Log(1 - p)
}

// The share of what could be known that was learned: 95 % of the information
// gain of the truth itself, after two million impressions; calibrated in each
// large group.
func TestClicksAreLearnedAndCalibrated(t *testing.T) {
	n, least := 2_000_000, 0.95
	if raceOn {
		n, least = 100_000, 0.5
	}
	w, tr := newWorld(7, -3.2), trainer(t, Config{})
	kinds := groups{}
	var e Example
	for i := range n {
		tr.at(int64(i) * 10)
		q := sigmoid(w.draw(&e))
		y := w.rng.Float64() < q
		kinds.learned(&e, y, q)
		tr.Learn(value.Click, &e, y, 1)
	}
	m := tr.Model(1)
	require.NoError(t, m.Validate())
	var s value.Score
	var none, learned, truth, rate float64
	expected, clicks := map[uint32]float64{}, map[uint32]float64{}
	const trials = 400_000
	ys, ps, qs := make([]bool, trials), make([]float64, trials), make([]float64, trials)
	for i := range trials {
		qs[i] = sigmoid(w.draw(&e))
		s.Reset(m, e.Placement)
		p, ok := s.Predict(value.Click, e.Shop, e.Campaign, e.Own)
		require.True(t, ok)
		ys[i], ps[i] = w.rng.Float64() < qs[i], p
		expected[e.Shop] += p
		kinds.predicted(&e, p, qs[i])
		if ys[i] {
			clicks[e.Shop]++
			rate += 1.0 / trials
		}
	}
	for i := range trials {
		none, learned, truth = none+logLoss(rate, ys[i]), learned+logLoss(ps[i], ys[i]), truth+logLoss(qs[i], ys[i])
	}
	gain := (none - learned) / (none - truth)
	t.Logf("information gain %.4f of the truth's; click rate %.4f", gain, rate)
	assert.Greater(t, gain, least)
	if !raceOn {
		kinds.check(t)
	}
	for shop, y := range clicks {
		if y >= 2_000 && !raceOn {
			assert.InDelta(t, 1, expected[shop]/y, 0.03+2/math.Sqrt(y), "shop %d: %.0f clicks", shop, y)
		}
	}
}

// The base rate doubles: an hour later predictions are right again, and an
// hour after that they still are: within 3 % of the true chances, and as near
// to the clicks that were drawn as chance lets them be.
func TestABaseRateThatDoublesIsFollowedWithinAnHour(t *testing.T) {
	w, tr := newWorld(9, -3.5), trainer(t, Config{GlobalBits: 16})
	perHour := 60_000
	var e Example
	now := int64(0)
	step := hourMS / int64(perHour)
	hour := func() (expected, came, truth float64) {
		m := tr.Model(1)
		var s value.Score
		for i := range perHour {
			if i%(perHour/60) == 0 {
				m = tr.Model(int64(i)) // the learner publishes each minute
			}
			now += step
			tr.at(now)
			p := sigmoid(w.draw(&e))
			s.Reset(m, e.Placement)
			guess, _ := s.Predict(value.Click, e.Shop, e.Campaign, e.Own)
			y := w.rng.Float64() < p
			expected, truth = expected+guess, truth+p
			if y {
				came++
			}
			tr.Learn(value.Click, &e, y, 1)
		}
		return expected, came, truth
	}
	hours := 6
	if raceOn {
		hours, perHour = 2, 6_000
	}
	for range hours {
		hour()
	}
	w.base += math.Ln2
	hour()
	for range 2 {
		expected, came, truth := hour()
		t.Logf("predicted %.0f, came %.0f, by the true chances %.0f", expected, came, truth)
		if !raceOn {
			assert.InDelta(t, 1, expected/truth, 0.03)
			assert.InDelta(t, 1, expected/came, 0.03+1/math.Sqrt(came))
		}
	}
}

func id(n uint64) events.ID {
	var out events.ID
	binary.BigEndian.PutUint64(out[8:], n)
	return out
}

// Orders come late. Counted so far, half are missing; the stream corrects it
// from the first day on.
func TestLateOrdersAreNotMissing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	tr := trainer(t, Config{GlobalBits: 12, ShopBits: 10})
	const truth, clicks, days, ticks = 0.06, 12_000, 7, 24 * 12
	type order struct {
		id events.ID
		at int64
	}
	e := Example{Shop: 1, Campaign: 1, Placement: []value.Feature{value.Number(value.FieldDomain, 1)}, Own: []value.Feature{value.Number(value.FieldCampaign, 1)}}
	late := map[int64][]order{} // by tick of five minutes
	counted, n := 0, uint64(0)
	for tick := range int64(days * ticks) {
		for i := range int64(clicks / ticks) {
			n++
			at := tick*5*minuteMS + i
			tr.Impression(id(n), at, &e)
			tr.Click(id(n), at+1)
			if rng.Float64() < truth {
				d := int64(rng.ExpFloat64() * hourMS / 3)
				if rng.Float64() < 0.65 {
					d = int64(rng.ExpFloat64() * 8 * dayMS)
				}
				if d < 30*dayMS {
					late[(at+d)/(5*minuteMS)+1] = append(late[(at+d)/(5*minuteMS)+1], order{id(n), at + d})
				}
			}
		}
		tr.Advance((tick + 1) * 5 * minuteMS)
		for _, o := range late[tick+1] {
			tr.Order(o.id, o.at)
			counted++
		}
		if tick%ticks == ticks-1 {
			tr.Model(tick) // the shares of the delay are learned anew with each model
		}
		if day := (tick + 1) / ticks; (tick+1)%ticks == 0 && day >= 2 {
			var s value.Score
			s.Reset(tr.Model(1), e.Placement)
			p, ok := s.Predict(value.Order, 1, 1, e.Own)
			require.True(t, ok)
			sofar := float64(counted) / float64(n)
			t.Logf("day %d: predicted %.4f, truth %.4f, counted so far %.4f", day, p, truth, sofar)
			if day > 2 {
				assert.InDelta(t, truth, p, 0.15*truth, "day %d", day)
			}
			assert.Greater(t, math.Abs(sofar-truth), math.Abs(p-truth), "day %d: no better than counting", day)
		}
	}
}

// What a shop's people did may move another shop's predictions through the
// global part only, and that only where K shops contributed.
func TestIsolationOfShopsInModels(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k := rapid.IntRange(2, 4).Draw(rt, "k")
		cfg := Config{GlobalBits: 10, ShopBits: 8, K: k}
		with, without := trainer(t, cfg), trainer(t, cfg)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		place := func() []value.Feature { return []value.Feature{value.Number(value.FieldDomain, rng.Uint64N(5))} }
		for range rapid.IntRange(1, 300).Draw(rt, "examples") {
			e := Example{Shop: 1, Campaign: 1, Placement: place(), Own: []value.Feature{value.Number(value.FieldRecency, rng.Uint64N(4))}}
			y := rng.IntN(5) == 0
			with.Learn(value.Click, &e, y, 1)
			without.Learn(value.Click, &e, y, 1)
			// Fewer than k shops in all: whatever the others do changes no weight.
			for other := range k - 2 {
				o := Example{Shop: uint32(other + 2), Campaign: 9, Placement: place(), Own: []value.Feature{value.Number(value.FieldRecency, rng.Uint64N(4))}}
				with.Learn(value.Click, &o, rng.IntN(2) == 0, 1)
			}
		}
		a, b := with.Model(1), without.Model(1)
		for _, w := range a.Global[value.Click].Table {
			require.Zero(rt, w, "a weight of fewer than %d shops was given out", k)
		}
		require.Equal(rt, len(b.Shops[1].Table[value.Click]), len(a.Shops[1].Table[value.Click]))
	})
}

func TestBoundsHoldAndAreCounted(t *testing.T) {
	tr := trainer(t, Config{GlobalBits: 8, ShopBits: 8, MaxShown: 10, MaxClicked: 3, MaxShops: 1})
	e := Example{Shop: 1, Placement: []value.Feature{1}, Own: []value.Feature{2}}
	for i := range uint64(20) {
		tr.Impression(id(i), 0, &e)
	}
	assert.Equal(t, Counts{Shown: 10, Dropped: 10}, tr.Counts())
	for i := range uint64(5) {
		tr.Click(id(i), 1)
		tr.Click(id(i), 2)
	}
	assert.Equal(t, Counts{Shown: 5, Clicked: 3, Dropped: 12, Unknown: 2}, tr.Counts())
	tr.Click(id(99), 3)
	tr.Advance(40 * dayMS)
	assert.Equal(t, Counts{Dropped: 12, Unknown: 3}, tr.Counts())
	e.Shop = 2
	tr.Learn(value.Click, &e, true, 1)
	assert.Len(t, tr.Model(1).Shops, 1)
}

func TestConfigErrorsNameWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"bits":      {Config{GlobalBits: 40}, "2^40 weights"},
		"k":         {Config{K: 65}, "k is 65 shops"},
		"negatives": {Config{KeepNegatives: 2}, "share of negatives kept is 2"},
		"rates":     {Config{Rates: Rates{Alpha: -1}}, "learning rates alpha -1"},
		"delays":    {Config{Delay: DelayConfig{Prior: []float64{1}}}, "prior of delays has 1 shares"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func BenchmarkLearn(b *testing.B) {
	w, tr := newWorld(1, -3), trainer(b, Config{})
	examples := make([]Example, 1024)
	for i := range examples {
		w.draw(&examples[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tr.Learn(value.Click, &examples[i&1023], i%20 == 0, 1)
	}
}
