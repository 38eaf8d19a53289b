package bidder

import (
	"fmt"
	"io"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// A bidder that is late is worse than one that is silent: exchanges throttle
// it for all. So a gate stands before the parser. It holds the number of
// requests in work below a bound, and sheds a share of them while the
// processor cannot keep up. What it turns away is answered 204 at once.
//
// The share follows the queueing delay: how long goroutines that could run
// waited for a processor, which the Go runtime measures. Every 100 ms somebody
// who comes through looks at it. After three looks in a row at which nine of
// ten waits were not below the target, or more than one request in fifty was
// late, a quarter of what still gets through is shed, and another quarter at
// each further one, up to nine in ten. Each look without pressure takes a
// quarter of the share back.

const (
	shedScale    = 1 << 16 // all requests
	shedMost     = shedScale * 9 / 10
	shedLeast    = shedScale / 100 // less than that is none
	looksToShed  = 3
	lookEvery    = 100 * time.Millisecond
	lateShare    = 50 // one in so many
	defaultDelay = 25 * time.Millisecond
	defaultWork  = 1024
)

// gate decides whether a request is worked on. Safe for many goroutines.
type gate struct {
	max    int64
	target time.Duration // no shedding by delay below it; negative: never
	delay  func() time.Duration

	work    atomic.Int64
	share   atomic.Uint32 // of shedScale
	debt    atomic.Uint32 // the shares of those who came, summed: at each whole one is shed
	next    atomic.Int64  // when somebody looks again, ns of the clock that enter is given
	looking atomic.Bool   // guards what follows
	looks   int           // with pressure, in a row

	handled, late  atomic.Uint64 // since the last look
	full, pressure atomic.Uint64 // turned away, ever
}

func newGate(maxWork int, target time.Duration) *gate {
	if maxWork == 0 {
		maxWork = defaultWork
	}
	if target == 0 {
		target = defaultDelay
	}
	return &gate{max: int64(maxWork), target: target, delay: new(schedulerDelay).last}
}

// enter lets a request in, which must leave, or turns it away.
func (g *gate) enter(now time.Time) bool {
	if ns := now.UnixNano(); ns >= g.next.Load() && g.looking.CompareAndSwap(false, true) {
		g.look(ns)
		g.looking.Store(false)
	}
	if share := g.share.Load(); share > 0 {
		if sum := g.debt.Add(share); sum/shedScale != (sum-share)/shedScale {
			g.pressure.Add(1)
			return false
		}
	}
	if g.work.Add(1) > g.max {
		g.work.Add(-1)
		g.full.Add(1)
		return false
	}
	g.handled.Add(1)
	return true
}

// leave ends what enter let in.
func (g *gate) leave() { g.work.Add(-1) }

// look adapts the share to the pressure since the last look.
func (g *gate) look(ns int64) {
	if ns < g.next.Load() || g.target < 0 {
		return
	}
	g.next.Store(ns + int64(lookEvery))
	handled, late := g.handled.Swap(0), g.late.Swap(0)
	share := g.share.Load()
	if g.delay() >= g.target || late*lateShare > handled {
		if g.looks++; g.looks >= looksToShed {
			share += (shedScale - share) / 4
		}
	} else {
		g.looks = 0
		share -= share / 4
	}
	if share = min(share, shedMost); share < shedLeast {
		share = 0
	}
	g.share.Store(share)
}

// write writes the gate's state in Prometheus' text format.
func (g *gate) write(w io.Writer) {
	fmt.Fprintf(w, "grosz_requests_in_work %d\ngrosz_requests_in_work_max %d\n", g.work.Load(), g.max)
	fmt.Fprintf(w, "grosz_shed_share %g\n", float64(g.share.Load())/shedScale)
	fmt.Fprintf(w, "grosz_requests_shed_total{cause=\"in_work\"} %d\n", g.full.Load())
	fmt.Fprintf(w, "grosz_requests_shed_total{cause=\"delay\"} %d\n", g.pressure.Load())
}

// schedulerDelay reads how long goroutines waited for a processor. One
// goroutine at a time.
type schedulerDelay struct {
	sample [1]metrics.Sample
	counts []uint64
}

// last is the 90th percentile of the waits since the last call, 0 if there
// were none. Nothing is allocated after the first call.
func (s *schedulerDelay) last() time.Duration {
	s.sample[0].Name = "/sched/latencies:seconds"
	metrics.Read(s.sample[:])
	if s.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0 // a runtime without it
	}
	h := s.sample[0].Value.Float64Histogram()
	if len(s.counts) != len(h.Counts) {
		s.counts = append([]uint64(nil), h.Counts...)
		return 0
	}
	total := uint64(0)
	for i, n := range h.Counts {
		s.counts[i], total = n-s.counts[i], total+n-s.counts[i]
	}
	delay, above := time.Duration(0), total/10
	for i := len(s.counts) - 1; i >= 0 && total > 0; i-- {
		if s.counts[i] > above {
			delay = time.Duration(max(h.Buckets[i], 0) * float64(time.Second)) // the bucket's lower end
			break
		}
		above -= s.counts[i]
	}
	copy(s.counts, h.Counts)
	return delay
}
