package lift

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
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

// group is of people of whom some bought once, for 100 each.
func group(users float64, buyers int) Group {
	g := Group{Users: users}
	for range buyers {
		g.Buyers = append(g.Buyers, Buyer{1, 100})
	}
	return g
}

// What is said fits the numbers: nothing below none, no more than there is,
// and how many people are missing where there are too few.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		name             string
		exposed, holdout Group
		en, pl, not      string
	}{
		{"nobody", Group{}, Group{}, "Nothing can be compared yet", "Nie ma jeszcze czego porównać", "0"},
		{"wrong sizes", group(1000, 5), group(1000, 5), "Do not trust", "nie należy ufać", "anyway"},
		{"nobody bought", group(900, 0), group(100, 0), "Nobody has bought yet", "Nikt jeszcze nie kupił", "more people"},
		{"few, and fewer than held out", group(900, 3), group(100, 1), "brought none of them, or up to 3", "najwyżej 3", "-"},
		{"few: how many more", group(900, 3), group(100, 1), "more people are needed", "potrzeba jeszcze około", "about -"},
		{"hardly any", group(9000, 40), group(1000, 16), "these would have been bought anyway", "te kupiono by i tak", "-"},
		{"clear", group(90_000, 1800), group(10_000, 100), "about 900 would have been bought anyway. About 900 came because of the campaign", "Około 900 z nich kupiono by i tak", "cannot be told"},
		{"clear: worth", group(90_000, 1800), group(10_000, 100), "worth about 90000 PLN", "warte około 90000 PLN", "needed"},
		{"many, no difference", group(9_000_000, 90_000), group(1_000_000, 10_000), "probably less", "zapewne mniej", "needed"},
		{"nobody held out bought", group(900, 2), group(100, 0), "up to 2", "najwyżej 2", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(c.exposed, c.holdout, 0.1, 1)
			w := got.Say(c.exposed, c.holdout, "PLN")
			require.Contains(t, w.EN, c.en)
			require.Contains(t, w.PL, c.pl)
			require.NotContains(t, w.EN, c.not)
		})
	}
	require.Equal(t, "1300", about(1234))
	require.Equal(t, "7", about(6.2))
}

// Whatever the groups, no sentence has a negative number of orders, or more
// than there were.
func TestWordsAreOfWhatThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := group(rapid.Float64Range(1, 1e5).Draw(t, "exposed"), 0), group(rapid.Float64Range(1, 1e4).Draw(t, "held"), 0)
		a, b = group(math.Ceil(a.Users), rapid.IntRange(0, int(min(a.Users, 50))).Draw(t, "buy")), group(math.Ceil(b.Users), rapid.IntRange(0, int(min(b.Users, 50))).Draw(t, "held buy"))
		got := Compare(a, b, rapid.Float64Range(0, 0.5).Draw(t, "share"), 1)
		w := got.Say(a, b, "PLN")
		for _, s := range []string{w.EN, w.PL} {
			for _, bad := range []string{" -", "NaN", "Inf", "%!"} {
				if strings.Contains(s, bad) {
					t.Fatalf("%q", s)
				}
			}
		}
	})
}
