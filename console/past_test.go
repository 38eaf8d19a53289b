package console

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console/report"
)

// slowPast answers when it is let.
type slowPast struct {
	fakeReports
	let chan error

	mu     sync.Mutex
	market int
	shops  []uint32
}

func (f *slowPast) Landscape(context.Context, int64) ([]report.Landscape, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.market++
	return []report.Landscape{{Market: "m", CPM: float64(f.market), Bids: 2, Wins: 1}}, nil
}

func (f *slowPast) Predicted(ctx context.Context, shop uint32, _ int64) (report.Predicted, error) {
	f.mu.Lock()
	f.shops = append(f.shops, shop)
	f.mu.Unlock()
	select {
	case err := <-f.let:
		return report.Predicted{Clicks: float64(shop)}, err
	case <-ctx.Done():
		return report.Predicted{}, ctx.Err()
	}
}

func (f *slowPast) asked() (market, shops int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.market, len(f.shops)
}

// The first forecast of a shop waits for the past, the next ones do not; what
// is old is used while it is asked for anew; what fails is asked for again.
func TestForecastsRememberThePast(t *testing.T) {
	reports := &slowPast{let: make(chan error, 1)}
	b := start(t, func(_ *Config, d *Deps) { d.Reports = reports })
	ctx := context.Background()
	reports.let <- nil
	in := b.s.experience(ctx, 1)
	require.Equal(t, 1.0, in.Clicks.Seen)
	require.Equal(t, 1.0, in.Landscape[0].CPM)
	require.Equal(t, in, b.s.experience(ctx, 1), "nothing lets it ask again")
	reports.let <- nil
	require.Equal(t, 2.0, b.s.experience(ctx, 2).Clicks.Seen, "another shop's is its own")
	market, shops := reports.asked()
	require.Equal(t, []int{1, 2}, []int{market, shops}, "the markets are asked for once")

	b.clock.Advance(pastFreshMS * time.Millisecond)
	require.Equal(t, in, b.s.experience(ctx, 1), "old, at once")
	require.Equal(t, in, b.s.experience(ctx, 1), "and not asked for twice")
	reports.let <- nil
	require.Eventually(t, func() bool { return b.s.experience(ctx, 1).Landscape[0].CPM == 2 }, time.Minute, time.Millisecond, "until the new is there")

	b.clock.Advance(pastOldMS * time.Millisecond)
	reports.let <- errors.New("ClickHouse is away")
	require.Empty(t, b.s.experience(ctx, 1).Landscape, "too old to speak")
	reports.let <- nil
	require.NotEmpty(t, b.s.experience(ctx, 1).Landscape)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	require.Empty(t, b.s.experience(gone, 3).Landscape, "who asked has gone")
	require.NoError(t, b.s.Close(), "and nobody is left asking")
	require.Empty(t, b.s.pasts.asking)
}
