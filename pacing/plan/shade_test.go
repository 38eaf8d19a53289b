package plan

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The best bid is found by trying all of them.
func TestShadeIsTheBestBid(t *testing.T) {
	r := newRatios()
	rapid.Check(t, func(t *rapid.T) {
		mu := rapid.Float64Range(-2, 2).Draw(t, "mu")
		sigma := rapid.Float64Range(0.1, 1.5).Draw(t, "sigma")
		logValue := mu + sigma*rapid.Float64Range(-2, 5).Draw(t, "value")
		surplus := func(logBid float64) float64 {
			return (math.Exp(logValue) - math.Exp(logBid)) * normalCDF((logBid-mu)/sigma)
		}
		best := 0.0
		for x := logValue; x > logValue-8; x -= 0.01 {
			best = math.Max(best, surplus(x))
		}
		logBid, win := r.shade(logValue, mu, sigma)
		require.LessOrEqual(t, logBid, logValue)
		require.GreaterOrEqual(t, surplus(logBid), 0.995*best)
		require.InDelta(t, normalCDF((logBid-mu)/sigma), win, 0.01)
	})
}
