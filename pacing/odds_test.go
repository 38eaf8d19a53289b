package pacing

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Against all outcomes one by one.
func TestOddsAgainstEnumeration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o odds
		ps := rapid.SliceOfN(rapid.Float32Range(0, 1), 0, 8).Draw(t, "chances")
		for _, p := range ps {
			o.add(p)
		}
		k := rapid.IntRange(-1, 9).Draw(t, "at least")
		want := 0.0
		for outcome := range uint(1) << len(ps) {
			if bits.OnesCount(outcome) < k {
				continue
			}
			chance := 1.0
			for i, p := range ps {
				if outcome>>i&1 == 1 {
					chance *= float64(p)
				} else {
					chance *= 1 - float64(p)
				}
			}
			want += chance
		}
		require.InDelta(t, want, o.atLeast(k), 1e-9)
	})
}

func TestAllowedTakesOffWhatIsExceeded(t *testing.T) {
	for _, most := range []int{1, 2, 3, 8, 150} {
		sum := 0
		const people = 200_000
		for u := range uint64(people) {
			n := Allowed(u+1, WhatCampaign(3), most, false)
			require.GreaterOrEqual(t, n, 1)
			require.Equal(t, n, Allowed(u+1, WhatCampaign(3), most, false), "always the same people")
			require.Equal(t, most, Allowed(u+1, WhatCampaign(3), most, true))
			sum += n
		}
		want := float64(most)
		if most > 1 {
			want *= 1 - capExcess
		}
		require.InDelta(t, want, float64(sum)/people, 0.005)
	}
}
