package value

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExpIsNearlyExact(t *testing.T) {
	for x := -30.0; x < 30; x += 0.00137 {
		require.InEpsilon(t, math.Exp(x), exp(x), 2e-7, "%v", x)
	}
	for _, x := range []float64{-800, 800, 0, -699.9, 699.9, math.Inf(1), math.Inf(-1)} {
		if want := math.Exp(x); want == 0 || math.IsInf(want, 0) {
			require.Equal(t, want, exp(x))
		} else {
			require.InEpsilon(t, want, exp(x), 2e-7)
		}
	}
	require.True(t, math.IsNaN(exp(math.NaN())))
}
