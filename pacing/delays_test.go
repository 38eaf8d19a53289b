package pacing

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

func TestDelayStepsRise(t *testing.T) {
	last := -1
	for ms := int64(0); ms < 40*hourMS; ms += 1 + ms/200 {
		s := delayStep(ms)
		require.GreaterOrEqual(t, s, last)
		require.LessOrEqual(t, s, last+1, "no step is left out at %d ms", ms)
		last = s
	}
	assert.Equal(t, 0, delayStep(-5))
	assert.Equal(t, delaySteps-1, delayStep(math.MaxInt64))
}

// learnedDelays knows an exchange with a tenth of the bids won, settled after
// ten seconds on average.
func learnedDelays(win, meanMS float64) *Delays {
	d, rng := NewDelays(1), rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		d.Bid(0)
		if rng.Float64() < win {
			d.Settled(0, int64(rng.ExpFloat64()*meanMS))
		}
	}
	d.Learn(1000)
	return d
}

func TestAFullBidIsHeldUntilNearlyAllHasCome(t *testing.T) {
	d := learnedDelays(0.1, 10_000)
	assert.Equal(t, 1.0, d.Share(0, 0))
	assert.Equal(t, 1.0, d.Share(0, 40_000), "2 % are still to come")
	assert.Less(t, d.Share(0, 120_000), 0.02)
	assert.Equal(t, 1.0, NewDelays(1).Share(0, 10*hourMS), "nothing is known: hold all")
}

func TestWhatIsHeldCoversWhatStillComes(t *testing.T) {
	for _, win := range []float64{0.02, 0.1, 0.5, 0.95} {
		d, rng := learnedDelays(win, 10_000), rand.New(rand.NewPCG(2, 2))
		for _, age := range []int64{60_000, 90_000, 150_000} {
			held, cost := 0.0, 0.0
			for range 100_000 {
				delay := int64(math.MaxInt64)
				if rng.Float64() < win {
					delay = int64(rng.ExpFloat64() * 10_000)
				}
				if delay > age { // still open
					held += d.Share(0, age)
					if delay != math.MaxInt64 {
						cost++
					}
				}
			}
			assert.GreaterOrEqual(t, held, cost, "win rate %v, age %d ms", win, age)
		}
	}
}

// A day of bids at a win rate of a tenth and holds of half an hour: the sum of
// holds falls to a small part, and the sum of what is settled and held never
// passes the budget.
func TestHoldsShrinkAsTheirTimePasses(t *testing.T) {
	frozen := func(learn bool) (most money.Nano) {
		rng := rand.New(rand.NewPCG(3, 3))
		b := NewBook(Config{Classes: 1})
		a := b.Account(1)
		a.SetLimits(Limits{Total: 1 << 50})
		type win struct {
			at int64
			n  int
		}
		var wins []win
		n := 0
		for now := int64(startMS); now < startMS+hourMS*3/2; now += 250 {
			n++
			require.True(t, b.ReserveClass(a, bidID(n), 1000, startDay, now, now+hourMS/2, 0))
			if rng.IntN(10) == 0 {
				wins = append(wins, win{now + int64(rng.ExpFloat64()*10_000), n})
			}
			keep := wins[:0]
			for _, w := range wins {
				if w.at > now {
					keep = append(keep, w)
					continue
				}
				b.Settle(Settlement{BidID: bidID(w.n), Campaign: 1, Amount: 1000, Day: startDay, BidMS: startMS + int64(w.n)*250, AtMS: w.at})
			}
			wins = keep
			if learn && n%10 == 0 {
				b.Learn(1000)
			}
			b.Sweep(now)
			if now > startMS+hourMS {
				most = max(most, a.State(startDay).Held)
			}
		}
		return most
	}
	without, with := frozen(false), frozen(true)
	t.Logf("held at most: %v without, %v with what was learned", without, with)
	assert.Less(t, with, without/8)
}
