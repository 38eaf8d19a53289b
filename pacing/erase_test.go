package pacing

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEraseForgetsThePeopleAndNobodyElse(t *testing.T) {
	f := NewFrequency(0)
	for user := uint64(0); user < 5000; user++ {
		for campaign := uint32(1); campaign <= 3; campaign++ {
			f.Add(user, campaign, 1_000_000_000)
		}
	}
	gone := map[uint64]struct{}{0: {}, 7: {}, 71: {}, 4999: {}, 1 << 60: {}}
	var wg sync.WaitGroup
	wg.Go(func() { // counting goes on
		for i := range 20_000 {
			f.Add(10_000+uint64(i), 1, 1_000_000_000)
		}
	})
	require.Equal(t, 9, f.Erase(gone))
	wg.Wait()
	require.Zero(t, f.Erase(gone))
	for user := uint64(1); user < 5000; user++ {
		want := 1
		if _, out := gone[user]; out {
			want = 0
		}
		require.Equal(t, want, f.Count(user, 2, 0), user)
	}
	n, _, _ := f.Stats()
	require.EqualValues(t, 4999*3-9+20_000, n)
}
