package bidder

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// raise publishes the nodes' campaign with another budget, as its next version.
func (l *leasedNodes) raise(budget money.Nano) {
	l.t.Helper()
	for _, w := range l.nodes {
		c := *w.in.Campaigns[0]
		c.Budget.Total, c.Version = budget, c.Version+1
		w.in.Campaigns[0], w.in.Version = &c, w.in.Version+1
		require.Empty(l.t, w.b.Publish(w.in))
	}
}

// A budget that is used up and then raised is bid for after one look of the
// desk: the new limits and the request for a lease go to the log together,
// although a request was refused a moment ago.
func TestARaisedBudgetIsAskedForAtOnce(t *testing.T) {
	const bidCost = 13_200_000
	l := newLeasedNodes(t, 2, 8*bidCost)
	id := 0
	next := func(w *world) string { id++; return fmt.Sprintf(leasedRequest, id) }
	l.turn()
	l.turn()
	for _, w := range l.nodes {
		for { // all that was granted
			code, _, _ := w.post("burl", next(w))
			if code != 200 {
				break
			}
			require.Less(t, id, 50)
		}
	}
	l.turn()
	l.turn() // refused: nothing is free
	require.Equal(t, "lease", l.nodes[0].noBid("burl", next(l.nodes[0])))
	l.raise(100 * bidCost)
	l.turn()
	for i, w := range l.nodes {
		code, _, _ := w.post("burl", next(w))
		assert.Equal(t, 200, code, "node %d", i)
	}
}

// What changes money wakes the desk: here its tick never comes.
func TestTheDeskDoesNotWaitForItsTick(t *testing.T) {
	l := newLeasedNodes(t, 1, money.NanoUnit)
	w := l.nodes[0]
	d := w.b.leases
	d.tick = time.Hour
	w.b.ready[2].Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	written := func(n uint64, why string) {
		require.Eventually(t, func() bool { return w.spool.Stats().Records >= n }, time.Minute, 5*time.Millisecond, why)
	}
	written(2, "limits and a request at the start")
	l.raise(2 * money.NanoUnit)
	written(3, "a new State has other limits")
	looks := d.looks.Load()
	d.apply(&events.Event{Type: events.TypeTerms, ShopID: 7, EventID: w.b.randomID(), TimeMS: w.clock.NowMS(), Version: 1, ShopCurrency: w.in.Shops[0].Currency})
	require.Eventually(t, func() bool { return d.looks.Load() > looks }, time.Minute, 5*time.Millisecond, "terms from the log")
}
