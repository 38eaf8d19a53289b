package bidder

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowd is an exchange with a pool of connections in front of one processor,
// in a time of its own.
type crowd struct {
	rate    float64 // requests per second, of the top load
	pool    int
	patient time.Duration // an exchange waits so long for a free connection
}

// outcome of a crowd.
type outcome struct {
	useful float64 // answers within tmax that were not shed, of the top load
	p99    time.Duration
	shed   float64
	late   float64 // of what was sent
}

// What a request costs, on a machine whose HTTP server needs 12 µs.
const (
	simShed = 12 * time.Microsecond
	simWork = 30 * time.Microsecond
)

func (c crowd) play(g *gate, seconds int) outcome {
	r := rand.New(rand.NewPCG(1, uint64(c.rate*1000)+uint64(c.pool)))
	type req struct{ due, sent, tmax time.Duration }
	var queue []req // sent, in order
	var took, waits []time.Duration
	g.delay = func() time.Duration {
		if len(waits) == 0 {
			return 0
		}
		sum := time.Duration(0)
		for _, w := range waits {
			sum += w
		}
		sum /= time.Duration(len(waits))
		waits = waits[:0]
		return sum
	}
	top := float64(time.Second) / float64(simWork)
	gap := float64(time.Second) / (c.rate * top)
	now, next, end := time.Duration(0), time.Duration(0), time.Duration(seconds)*time.Second
	var pending []req // due, without a connection
	useful, shed, late, sent := 0, 0, 0, 0
	begin := end / 4
	for now < end {
		for next <= now {
			pending = append(pending, req{due: next, tmax: time.Duration([]int{120, 200, 300}[r.IntN(3)]) * time.Millisecond})
			next += time.Duration(r.ExpFloat64() * gap)
		}
		for len(pending) > 0 && (len(queue) < c.pool || now-pending[0].due > c.patient) {
			if q := pending[0]; now-q.due <= c.patient {
				q.sent = max(now, q.due)
				queue = append(queue, q)
			}
			pending = pending[1:]
		}
		if len(queue) == 0 {
			now = next
			continue
		}
		q := queue[0]
		queue = queue[1:]
		if r.IntN(40) == 0 {
			waits = append(waits, now-q.sent)
		}
		start := now
		in := g.enter(time.Unix(0, 0).Add(now))
		now += simShed
		if in {
			now += time.Duration(r.ExpFloat64() * float64(simWork-simShed))
			g.leave()
		}
		if start < begin {
			continue
		}
		sent++
		took = append(took, now-q.due)
		switch {
		case now-q.due > q.tmax:
			late++
		case in:
			useful++
		}
		if !in {
			shed++
		}
	}
	slices.Sort(took)
	return outcome{
		useful: float64(useful) / (end - begin).Seconds() / top, p99: took[len(took)*99/100],
		shed: float64(shed) / float64(sent), late: float64(late) / float64(sent),
	}
}

// TestOverloadDoesNotCollapse plays crowds against the gate in simulated time:
// whatever comes, answers come in time, and the useful ones stay as many as
// the cost of turning the others away allows. top is 33,333 requests a second.
func TestOverloadDoesNotCollapse(t *testing.T) {
	for _, c := range []struct {
		crowd
		useful, shed float64 // at least, at most
	}{
		{crowd{rate: 0.8, pool: 1024}, 0.78, 0},
		{crowd{rate: 1.5, pool: 64}, 0.98, 0},
		{crowd{rate: 3, pool: 1024}, 0.98, 0},
		{crowd{rate: 1.5, pool: 2048}, 0.60, 0.6},
		{crowd{rate: 3, pool: 2048}, 0.60, 0.6},
		{crowd{rate: 1.5, pool: 4096}, 0.60, 0.6},
		// Reading alone takes 12 µs for each of 4,096, which is more than the
		// target: little is left for bids, and still nothing comes late.
		{crowd{rate: 3, pool: 4096}, 0.20, 0.91},
	} {
		c.patient = 10 * time.Millisecond
		o := c.play(newGate(0, 0), 3)
		name := fmt.Sprintf("%g of the top load by %d connections: %+v", c.rate, c.pool, o)
		require.GreaterOrEqual(t, o.useful, c.useful, name)
		require.LessOrEqual(t, o.shed, c.shed, name)
		require.Zero(t, o.late, name)
		require.Less(t, o.p99, 115*time.Millisecond, name)
	}
	o := crowd{rate: 3, pool: 4096, patient: 10 * time.Millisecond}.play(newGate(0, -1), 3)
	require.Greater(t, o.late, 0.3, "without a gate this crowd is answered too late: %+v", o)
}
