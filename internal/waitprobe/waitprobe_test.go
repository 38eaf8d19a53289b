package waitprobe

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheProbeTellsHowLongItWaits(t *testing.T) {
	p := New()
	p.Send()
	require.Zero(t, p.Last(), "nobody reads yet")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	require.Eventually(t, func() bool { p.Send(); return p.n.Load() >= 3 }, 20*time.Second, time.Millisecond)
	require.Positive(t, p.Last())
	require.Zero(t, testing.AllocsPerRun(50, p.Send))
	cancel()
	require.NoError(t, <-done)
	p.Send() // to nobody
	require.Nil(t, p.pipe.Load())
}

// TestTheProbeTellsOfAByteUnderWay: a line that does not move is told of
// before it has moved.
func TestTheProbeTellsOfAByteUnderWay(t *testing.T) {
	p := New()
	p.sent.Store(p.since())
	require.Eventually(t, func() bool { return p.Last() > 20*time.Millisecond }, 20*time.Second, time.Millisecond)
	p.sum.Store(int64(time.Hour))
	p.n.Store(2)
	require.Equal(t, 30*time.Minute, p.Last(), "what has come through waited longer")
}
