package pacing

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is left of many leases, each less than a bid, is not there to bid with:
// a node that counted it would wait until they end.
func TestRestsThatPayForNoBidAreNotLeft(t *testing.T) {
	var w Wallet
	for id := range uint64(20) {
		w.Grant(id+1, 150, 1, 1000)
		require.NotZero(t, w.Take(100, 1, 0))
	}
	require.EqualValues(t, 20*50, w.Left(1, 0, 50))
	require.Zero(t, w.Left(1, 0, 51))
	require.Zero(t, w.Take(100, 1, 0))
	require.NotZero(t, w.Take(50, 1, 0), "a smaller bid finds one")
}
