// Package waitprobe measures how long what comes in by a connection waits
// until it is read: a byte in a pipe stands in the same line as the
// connections, first for the runtime to ask the kernel who can be read, 128 at
// a time, then for a processor. What the runtime tells of waits
// (/sched/latencies) is the second part only, which stays at some
// milliseconds however long the first grows.
//
// Send is for the hot path, some times a second, from any goroutine: a system
// call of about a microsecond that does not block, and no allocation. Run's goroutine is the caller's. Imports nothing of Grosz.
package waitprobe

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Probe is one such line. Nothing is measured while Run does not run.
type Probe struct {
	pipe atomic.Pointer[os.File] // to write to; nil while nobody reads
	sent atomic.Int64            // when the byte that is under way was sent, ns since born; 0: none is
	sum  atomic.Int64            // of the waits since Last, ns
	n    atomic.Int64
	born time.Time
}

// New returns a probe.
func New() *Probe { return &Probe{born: time.Now()} }

func (p *Probe) since() int64 { return int64(time.Since(p.born)) + 1 }

// Send sends a byte if none is under way. It does not block: a
// pipe has room for many. Nothing is allocated.
func (p *Probe) Send() {
	w := p.pipe.Load()
	if w == nil {
		return
	}
	if !p.sent.CompareAndSwap(0, p.since()) {
		return
	}
	if _, err := w.Write(oneByte[:]); err != nil {
		p.sent.Store(0) // it is being closed
	}
}

var oneByte = [1]byte{1}

// Last is the mean wait since the last call, or of the byte that is under way
// if that is more; 0 if there was none.
func (p *Probe) Last() time.Duration {
	n, sum := p.n.Swap(0), p.sum.Swap(0)
	mean := sum / max(n, 1)
	if sent := p.sent.Load(); sent != 0 {
		mean = max(mean, p.since()-sent)
	}
	return time.Duration(mean)
}

// Run reads the bytes until ctx ends.
func (p *Probe) Run(ctx context.Context) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("measure how long requests wait: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	defer r.Close()
	p.sent.Store(0)
	p.pipe.Store(w)
	defer func() { p.pipe.Store(nil); w.Close() }()
	var b [1]byte
	for {
		if _, err := r.Read(b[:]); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("measure how long requests wait: %w", err)
		}
		p.sum.Add(p.since() - p.sent.Load())
		p.n.Add(1)
		p.sent.Store(0)
	}
}
