package sim

import (
	"context"
	"time"

	"github.com/grosz/grosz/internal/clock"
)

// Timer is a clock that can be waited on.
type Timer interface {
	clock.Clock
	// Sleep waits until the clock shows ms or ctx ends.
	Sleep(ctx context.Context, ms int64) error
}

// Real is the machine's clock.
type Real struct{ clock.System }

// Sleep waits until ms.
func (r Real) Sleep(ctx context.Context, ms int64) error {
	d := time.Duration(ms-r.NowMS()) * time.Millisecond
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Fast is a clock on which waiting takes no time: whoever waits moves it.
type Fast struct{ *clock.Manual }

// NewFast returns a fast clock that starts at ms.
func NewFast(ms int64) Fast { return Fast{clock.NewManual(ms)} }

// Sleep moves the clock to ms, never back.
func (f Fast) Sleep(ctx context.Context, ms int64) error {
	if ms > f.NowMS() {
		f.Set(ms)
	}
	return ctx.Err()
}
