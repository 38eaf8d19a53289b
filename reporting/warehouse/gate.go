package warehouse

import (
	"context"
	"sync/atomic"
	"time"
)

// gate bounds how many statements run and how many wait.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	maxWait int64
	timeout time.Duration
	what    string
}

func newGate(what string, slots, waiting int, timeout time.Duration) *gate {
	return &gate{what: what, slots: make(chan struct{}, slots), maxWait: int64(waiting), timeout: timeout}
}

func (g *gate) full(why string) *Error {
	return errorf(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous %s statements: %d run, %s.", g.what, cap(g.slots), why)
}

// enter takes a slot, waiting for one if fewer than the bound wait already.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.maxWait {
		g.waiting.Add(-1)
		return g.full("and as many as may wait")
	}
	defer g.waiting.Add(-1)
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return g.full("none ended in time")
	case <-ctx.Done():
		return errorf(codeAborted, "ABORTED", "The client or the server gave up before the statement began.")
	}
}

func (g *gate) leave() { <-g.slots }

// budget is a count of bytes that requests share.
type budget struct{ free atomic.Int64 }

func (b *budget) take(n int64) bool {
	if b.free.Add(-n) < 0 {
		b.free.Add(n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.free.Add(n) }
