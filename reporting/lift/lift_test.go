package lift

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// people draws a group whose members buy with a probability: a first order,
// now and then a second.
func people(r *rand.Rand, n int, buys float64) Group {
	g := Group{Users: float64(n)}
	// The gaps between buyers are geometric: most people need no draw.
	for i := int(math.Log(1-r.Float64()) / math.Log1p(-buys)); i < n; i += 1 + int(math.Log(1-r.Float64())/math.Log1p(-buys)) {
		b := Buyer{Orders: 1}
		if r.Float64() < 0.15 {
			b.Orders = 2
		}
		b.Revenue = b.Orders * 100 * math.Exp(0.8*r.NormFloat64())
		g.Buyers = append(g.Buyers, b)
	}
	return g
}

// divide sends everybody to a group by chance, as the bidder's hash does.
func divide(r *rand.Rand, n int, share float64) (exposed, holdout int) {
	holdout = int(math.Round(float64(n)*share + math.Sqrt(float64(n)*share*(1-share))*r.NormFloat64()))
	return n - holdout, holdout
}

func TestNothingPlantedIsNotFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const runs = 1000
	found, alarms, revenue := 0, 0, 0
	for i := range runs {
		n1, n2 := divide(r, 30_000, 0.2)
		got := Compare(people(r, n1, 0.01), people(r, n2, 0.01), 0.2, uint64(i))
		if got.P < 0.05 {
			found++
		}
		if !got.Ratio.OK {
			alarms++
		}
		if got.Revenue.Low > 0 || got.Revenue.High < 0 {
			revenue++
		}
	}
	t.Logf("of %d runs with nothing to find: %d found, %d of the revenue, %d alarms", runs, found, revenue, alarms)
	assert.InDelta(t, 50, found, 15, "5 ± 1.5 %%")
	assert.InDelta(t, 50, revenue, 25)
	assert.LessOrEqual(t, alarms, 5, "one in a thousand is expected")
}

func TestPlantedLiftIsCovered(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const runs, base, share = 600, 0.01, 0.3
	orders, revenue := 0, 0
	perBuyer, worth := 1.15, 100*math.Exp(0.32)
	for i := range runs {
		n1, n2 := divide(r, 40_000, share)
		got := Compare(people(r, n1, base*1.1), people(r, n2, base), share, uint64(i))
		true1 := base * 0.1 * perBuyer * float64(n1)
		if got.Orders.Low <= true1 && true1 <= got.Orders.High {
			orders++
		}
		if v := true1 * worth; got.Revenue.Low <= v && v <= got.Revenue.High {
			revenue++
		}
	}
	t.Logf("of %d runs the interval holds the truth: orders %d, revenue %d", runs, orders, revenue)
	assert.GreaterOrEqual(t, float64(orders)/runs, 0.93)
	assert.GreaterOrEqual(t, float64(revenue)/runs, 0.93)
}

func TestPower(t *testing.T) {
	assert.InDelta(t, 326_000, Needed(0.01, 0.1, 0.5), 3_000)
	assert.InEpsilon(t, 872_000, Needed(0.01, 0.1, 0.1), 0.07, "exposed and held out, 90/10")
	for _, c := range [][3]float64{{0, 0.1, 0.5}, {0.01, 0, 0.5}, {0.01, 0.1, 0}, {1, 0.1, 0.5}} {
		assert.True(t, math.IsInf(Needed(c[0], c[1], c[2]), 1), c)
	}
}

// The power that is promised is there.
func TestNeededIsEnough(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	n, found := int(Needed(0.05, 0.2, 0.5)), 0
	const runs = 400
	for range runs {
		n1, n2 := divide(r, n, 0.5)
		a, b := people(r, n1, 0.06), people(r, n2, 0.05)
		if TwoProportions(float64(len(a.Buyers)), a.Users, float64(len(b.Buyers)), b.Users) < 0.05 {
			found++
		}
	}
	assert.InDelta(t, 0.8, float64(found)/runs, 0.06)
}

func TestSampleRatio(t *testing.T) {
	for _, c := range []struct {
		name                    string
		exposed, holdout, share float64
		ok                      bool
	}{
		{"as it should be", 9000, 1000, 0.1, true},
		{"by chance", 9000, 1060, 0.1, true},
		{"too few held out", 9500, 800, 0.1, false},
		{"too many", 9000, 1300, 0.1, false},
		{"nobody", 0, 0, 0.1, true},
		{"no holdout", 500, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := SampleRatio(c.exposed, c.holdout, c.share)
			require.Equal(t, c.ok, got.OK, got.P)
			require.True(t, got.P >= 0 && got.P <= 1)
		})
	}
}

func TestWords(t *testing.T) {
	none := Compare(Group{}, Group{}, 0.1, 1)
	require.Contains(t, none.Say(Group{}, Group{}, "PLN").EN, "Nothing can be compared")
	require.Equal(t, 1.0, none.P)
	off := Group{Users: 1000}
	bad := Compare(off, off, 0.1, 1)
	require.Contains(t, bad.Say(off, off, "PLN").PL, "nie należy ufać")
	r := rand.New(rand.NewPCG(7, 8))
	a, b := people(r, 9000, 0.02), people(r, 1000, 0.02)
	same := Compare(a, b, 0.1, 1)
	w := same.Say(a, b, "PLN")
	require.Contains(t, w.EN, "would have been bought anyway")
	require.Contains(t, w.EN, "may be chance")
	require.Contains(t, w.PL, "i tak byłoby złożonych")
}
