package bidder

import (
	"fmt"
	"io"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/internal/waitprobe"
)

// A bidder that is late is worse than one that is silent: exchanges throttle
// it for all. So a gate stands before the parser. It holds the number of
// requests in work below a bound, and sheds a share of them while the
// processor cannot keep up. What it turns away is answered 204 at once.
//
// The share follows the queueing delay: how long a byte waited that stood in
// line with the requests (internal/waitprobe), and how long goroutines that could run
// waited for a processor. Every 100 ms somebody who comes through looks at it.
// From the third look in a row at which it was the target or more, or more
// than one request in fifty was late, the share rises, by a quarter of what
// still gets through at most, and the more the delay is above the target; up
// to nine in ten. Below the target it falls alike, so that the delay settles
// there: no more is shed than makes the others come in time, since reading
// and shedding a request costs a good part of answering it. The target leaves
// an answer within 100 ms time enough. A pause counts as looks without delay.

const (
	shedScale    = 1 << 16 // all requests
	shedMost     = shedScale * 9 / 10
	shedLeast    = shedScale / 100 // less than that is none
	looksToShed  = 3
	shedStep     = 4 // a look moves the share by one in so many, at most
	lookEvery    = 100 * time.Millisecond
	probeEvery   = 10 * time.Millisecond
	lateShare    = 50 // one in so many
	defaultDelay = 40 * time.Millisecond
	defaultWork  = 1024
)

// gate decides whether a request is worked on. Safe for many goroutines.
type gate struct {
	max    int64
	target time.Duration        // no shedding by delay below it; negative: never
	delay  func() time.Duration // since it was last asked
	probe  *waitprobe.Probe

	work    atomic.Int64
	share   atomic.Uint32 // of shedScale
	debt    atomic.Uint32 // the shares of those who came, summed: at each whole one is shed
	send    atomic.Int64  // when the probe's next byte is due, alike
	next    atomic.Int64  // when somebody looks again, ns of the clock that enter is given
	looking atomic.Bool   // guards what follows
	looks   int           // with pressure, in a row

	handled, late  atomic.Uint64 // since the last look
	waited         atomic.Int64  // the delay at the last look, ns
	full, pressure atomic.Uint64 // turned away, ever
}

func newGate(maxWork int, target time.Duration) *gate {
	if maxWork == 0 {
		maxWork = defaultWork
	}
	if target == 0 {
		target = defaultDelay
	}
	probe, scheduler := waitprobe.New(), new(schedulerDelay)
	return &gate{max: int64(maxWork), target: target, probe: probe, delay: func() time.Duration { return max(probe.Last(), scheduler.last()) }}
}

// enter lets a request in, which must leave, or turns it away.
func (g *gate) enter(now time.Time) bool {
	ns := now.UnixNano()
	if ns >= g.next.Load() && g.looking.CompareAndSwap(false, true) {
		g.look(ns)
		g.looking.Store(false)
	}
	if ns >= g.send.Load() {
		g.send.Store(ns + int64(probeEvery))
		g.probe.Send()
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
	due := g.next.Load()
	if ns < due || g.target < 0 {
		return
	}
	g.next.Store(ns + int64(lookEvery))
	handled, late := g.handled.Swap(0), g.late.Swap(0)
	delay, share := g.delay(), g.share.Load()
	g.waited.Store(int64(delay))
	for missed := (ns - due) / int64(lookEvery); missed > 0 && share >= shedLeast; missed-- {
		share -= share / shedStep // nobody came
	}
	over := min(float64(delay-g.target)/float64(g.target), 1)
	if late*lateShare > handled {
		over = 1
	}
	switch {
	case over < 0:
		g.looks = 0
		share -= uint32(float64(share) * -over / shedStep)
	default:
		if g.looks++; g.looks >= looksToShed {
			share += uint32(float64(shedScale-share) * over / shedStep)
		}
	}
	if share = min(share, shedMost); share < shedLeast {
		share = 0
	}
	g.share.Store(share)
}

// write writes the gate's state in Prometheus' text format.
func (g *gate) write(w io.Writer) {
	fmt.Fprintf(w, "grosz_requests_in_work %d\ngrosz_requests_in_work_max %d\n", g.work.Load(), g.max)
	fmt.Fprintf(w, "grosz_queue_delay_seconds %g\n", time.Duration(g.waited.Load()).Seconds())
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
