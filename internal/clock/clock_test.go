package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestManualStandsUntilItIsMoved(t *testing.T) {
	require.Zero(t, new(Manual).NowMS())
	c := NewManual(1000)
	require.Equal(t, int64(1000), c.NowMS())
	c.Advance(1500 * time.Millisecond)
	require.Equal(t, int64(2500), c.NowMS())
	c.Advance(-time.Second)
	require.Equal(t, int64(1500), c.NowMS())
	c.Set(7)
	require.Equal(t, int64(7), c.NowMS())
}

func TestSystemIsTheMachinesTime(t *testing.T) {
	before := time.Now().UnixMilli()
	got := System{}.NowMS()
	require.GreaterOrEqual(t, got, before)
	require.LessOrEqual(t, got, time.Now().UnixMilli())
}
