package plan

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// A log of bids at changing multipliers holds the spend at each of them.
func TestCurveLearnsFromCensoredCosts(t *testing.T) {
	rng, c := random(), &curve{}
	truth := func(k float64) (sum float64) { // of a critical multiplier that is log-normal around 0.5
		r := rand.New(rand.NewPCG(3, 4))
		for range 200_000 {
			if critical := 0.5 * math.Exp(0.8*r.NormFloat64()); critical <= k {
				sum += critical * 0.002 / 200_000
			}
		}
		return sum
	}
	for range 150_000 {
		k := math.Exp(-2 * rng.Float64())
		c.tried(k, 1)
		if critical := 0.5 * math.Exp(0.8*rng.NormFloat64()); critical <= k {
			c.won(critical, critical*0.002)
		}
	}
	c.rebuild()
	for _, k := range []float64{0.15, 0.3, 0.5, 0.8, 0.95} {
		mean, _ := c.at(k)
		assert.InEpsilon(t, truth(k), mean, 0.06, "k %v", k)
		assert.InDelta(t, k, c.solve(mean), 0.03, "k %v", k)
	}
}

func TestCurveGoesOnBeyondWhatWasTried(t *testing.T) {
	rng, c := random(), &curve{}
	for range 50_000 {
		c.tried(0.3, 1)
		if critical := 0.5 * math.Exp(0.8*rng.NormFloat64()); critical <= 0.3 {
			c.won(critical, critical*0.002)
		}
	}
	c.rebuild()
	at3, _ := c.at(0.3)
	at6, _ := c.at(0.6)
	assert.Greater(t, at6, 1.8*at3) // truth: about 3.6 times
	assert.Less(t, at6, 8*at3)
}

func TestCurveRisesAndIsInverted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		c := &curve{}
		for range rapid.IntRange(0, 3000).Draw(t, "requests") {
			k := rng.Float64()
			c.tried(k, 1)
			if critical := rng.Float64(); critical < k {
				c.won(critical, rng.Float64())
			}
		}
		c.rebuild()
		last := 0.0
		for k := 0.01; k <= 1; k += 0.01 {
			s, _ := c.at(k)
			require.GreaterOrEqual(t, s, last)
			last = s
		}
		target := rapid.Float64Range(-1, 1).Draw(t, "target")
		k := c.solve(target)
		require.GreaterOrEqual(t, k, 0.0)
		require.LessOrEqual(t, k, 1.0)
	})
}

func TestDelaysAreLearned(t *testing.T) {
	d := newDelays()
	rng := random()
	for range 10_000 {
		d.observe(30 + 2*rng.ExpFloat64())
	}
	assert.Less(t, d.reported(29), 0.02)
	assert.Greater(t, d.reported(60), 0.97)
	for range 10_000 { // the exchange became slower
		late := 5.0
		if rng.Float64() < 0.1 {
			late = 600
		}
		d.observe(late)
	}
	assert.InDelta(t, 0.9, d.reported(120), 0.05)
	assert.Greater(t, d.reported(900), 0.98)
	assert.InDelta(t, 600, d.quantile(0.99), 80)
}

// play sends minutes of a rate from m on.
func play(f *traffic, from, to int, perMinute func(m int) int) {
	for m := from; m < to; m++ {
		n := perMinute(m)
		for i := range n {
			f.request(float64(m)*60 + 60*float64(i)/float64(n))
		}
	}
}

func TestTrafficForetells(t *testing.T) {
	flat := make([]float64, dayMinutes)
	for i := range flat {
		flat[i] = 100
	}
	at := func(n int) func(int) int { return func(int) int { return n } }
	for _, c := range []struct {
		name     string
		forecast []float64
		play     func(f *traffic)
		at, want float64 // second of the day, requests still to come
		within   float64
	}{
		{"as foretold", flat, func(f *traffic) { play(f, 0, 600, at(100)) }, 36000, 84000, 0.08},
		{"three times as much", flat, func(f *traffic) { play(f, 0, 600, at(300)) }, 36000, 252000, 0.08},
		{"a third", flat, func(f *traffic) { play(f, 0, 600, at(33)) }, 36000, 27700, 0.08},
		{"an outage tells nothing of the evening", flat, func(f *traffic) { play(f, 0, 600, at(100)); play(f, 720, 730, at(100)) }, 43800, 71000, 0.08},
		{"nor does a crowd that is over", flat, func(f *traffic) {
			play(f, 0, 600, at(100))
			play(f, 600, 620, at(2000))
			play(f, 620, 660, at(100))
		}, 39600, 78000, 0.08},
		{"a crowd that is here stays a while", flat, func(f *traffic) { play(f, 0, 600, at(100)); play(f, 600, 605, at(2000)) }, 36300, 83500 + 9000, 0.08},
		{"nothing foretold: the rate so far, with quiet nights", nil, func(f *traffic) { play(f, 0, 720, at(100)) }, 43200, 110000, 0.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &traffic{}
			f.start(c.forecast)
			c.play(f)
			assert.InEpsilon(t, c.want, f.remaining(c.at), c.within)
		})
	}
}

func TestYesterdayIsTheForecastWhereThereIsNone(t *testing.T) {
	f := &traffic{}
	f.start(nil)
	play(f, 0, dayMinutes, func(m int) int { return 50 + 100*(m/720) })
	f.start(nil)
	assert.InEpsilon(t, 50*720+150*720, f.remaining(0), 0.05)
}

// The share of notices that never come is found, although nobody says so,
// and none is seen where none is lost.
func TestSurveyFindsLostNotices(t *testing.T) {
	for _, c := range []struct {
		name          string
		lost, rivalry float64
		within        float64
	}{
		{"none", 0, 0, 0.003},
		{"one in a hundred", 0.01, 0, 0.004},
		{"two in a hundred", 0.02, 0, 0.006},
		{"rivals see the value too", 0.01, 0.25, 0.007},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := random()
			s := newSurvey(newRatios())
			const places = 20
			s.placement(places - 1)
			for i := range 300_000 {
				p := i % places
				worth := 0.8 * rng.NormFloat64()
				logValue := 0.3 + worth
				logPrice := 0.05*float64(p) + c.rivalry*worth + 0.6*rng.NormFloat64()
				logBid := logValue
				if !s.sure(int32(p), logValue, logValue) {
					logBid -= 0.7
				}
				price := 0.0
				if logPrice < logBid && rng.Float64() >= c.lost {
					price = math.Exp(logPrice)
				}
				s.note(int32(p), logValue, logBid, price)
				if i%20_000 == 0 {
					s.fit()
				}
			}
			s.fit()
			assert.InDelta(t, c.lost, 1-s.reported, c.within)
			assert.InDelta(t, c.lost, s.lost(0), c.within+s.margin*s.doubt)
		})
	}
}

// Win rates are learned from wins and losses alone, and followed when all
// prices jump.
func TestMarketLearnsWinRates(t *testing.T) {
	rng := random()
	m := newMarket(rng, newRatios())
	const places = 12
	m.placement(places - 1)
	bidOn := func(n int, jump float64) {
		for i := range n {
			p := int32(i % places)
			logBid := -1 + 2*rng.Float64() + jump
			won := 0.1*float64(p)-0.5+jump+0.5*rng.NormFloat64() < logBid
			m.learn(p, logBid, won, 1)
			if i%5000 == 0 {
				m.refit()
			}
		}
	}
	worst := func(jump float64) (worst float64) {
		for p := range int32(places) {
			for x := -1.0; x < 1; x += 0.1 {
				truth := normalCDF((x - 0.1*float64(p) + 0.5) / 0.5)
				worst = math.Max(worst, math.Abs(truth-m.chance(p, x+jump)))
			}
		}
		return worst
	}
	bidOn(60_000, 0)
	m.refit()
	assert.Less(t, worst(0), 0.045)
	bidOn(3_000, 0.7)
	assert.Less(t, worst(0.7), 0.08)
}
