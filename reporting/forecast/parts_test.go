package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is won under caps is what playing it gives: the probability of any win
// for a cap of one, and of each win while there is room.
func TestCapsArePlayedOut(t *testing.T) {
	const hour, people, p = 3_600_000, 20_000, 0.5
	for _, c := range []struct {
		name string
		caps []Cap
		at   []int64
		want float64 // impressions of a person
	}{
		{"none", nil, []int64{0, 1, 2}, 1.5},
		{"one a day", []Cap{{1, 24 * time.Hour}}, []int64{0, hour, 2 * hour}, 1 - 0.125},
		{"one an hour, and time goes by", []Cap{{1, time.Hour}}, []int64{0, hour, 2 * hour}, 1.5},
		{"two a day", []Cap{{2, 24 * time.Hour}}, []int64{0, hour, 2 * hour}, 1.5 - 0.125},
		{"two caps", []Cap{{5, time.Hour}, {1, 24 * time.Hour}}, []int64{0, hour, 25 * hour}, 0.75 + 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			left, sum, any := newCapped(c.caps), 0.0, 0.0
			for person := range people {
				left.next(int32(person))
				none := 1.0
				for _, at := range c.at {
					sum += p * left.pass(at, p, &none)
				}
				any += 1 - none
			}
			assert.InDelta(t, c.want, sum/people, 0.01)
			assert.InDelta(t, 1-0.125, any/people, 0.01, "who saw it at all, whatever the caps")
		})
	}
}

// Days that hardly differ promise days that hardly do; weekdays that differ
// are known after two weeks.
func TestTrafficLearnsDays(t *testing.T) {
	spread := func(day func(d int) float64, days float64) (mean, sd float64) {
		const window, people = 14, 4000.0
		var totals, squares []float64
		for d := range window {
			totals, squares = append(totals, people*day(-1-d)), append(squares, people*day(-1-d))
		}
		tr, r := newTraffic(window, totals, squares), rand.New(rand.NewPCG(2, 3))
		var s, q float64
		const n = 2000
		for range n {
			x := math.Log(tr.draw(r, days))
			s, q = s+x, q+x*x
		}
		return s / n, math.Sqrt(max(q/n-s*s/n/n, 0))
	}
	flat, narrow := spread(func(int) float64 { return 1 }, 7)
	require.InDelta(t, math.Log(7.0/14), flat, 0.03)
	wild := []float64{1, 1.6, 0.7, 1.1, 0.5, 1.4, 0.9, 0.6, 1.5, 1, 0.8, 1.7, 0.6, 1.2}
	_, wide := spread(func(d int) float64 { return wild[-1-d] }, 7)
	require.Greater(t, wide, 2*narrow)
	// The day to come is of the weekday of seven days ago, twice the others.
	doubled, _ := spread(func(d int) float64 {
		if d%7 == 0 {
			return 2
		}
		return 1
	}, 1)
	require.Greater(t, doubled-math.Log(1.0/16), 0.3, "more than a day like the others")
	nothing := newTraffic(0.01, []float64{0}, []float64{0})
	x := nothing.draw(rand.New(rand.NewPCG(1, 1)), 30)
	require.False(t, math.IsNaN(x) || math.IsInf(x, 0))
}

// Whatever was won, a market's curve rises, and costs no more than is bid.
func TestCurvesRise(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		var prices []Price
		for range r.IntN(12) {
			n := math.Floor(math.Exp(8 * r.Float64()))
			prices = append(prices, Price{"m", math.Exp(2 * r.NormFloat64()), n, math.Floor(n * r.Float64())})
		}
		m := fit(prices, math.Exp(r.NormFloat64()), math.Exp(2+r.NormFloat64()))
		for _, c := range []curve{m.central(), m.draw(r)} {
			last := 0.0
			for x := -5.0; x < 5; x += 0.05 {
				win, _ := c.at(x)
				require.True(t, win >= last-1e-12 && win <= 1 && !math.IsNaN(win), "%v after %v at %v of %v", win, last, x, prices)
				last = win
				paid := c.paid(x, x-1)
				require.True(t, paid >= -1e-9 && paid <= math.Exp(x)*win*1.001+1e-9, "%v for %v", paid, math.Exp(x)*win)
			}
		}
	}
}
