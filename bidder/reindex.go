package bidder

import (
	"sync"
	"time"

	"github.com/grosz/grosz/campaigns"
)

// reindexEvery is the least time between two readings of a large feed's words,
// and reindexShare how many times as long as one took the next one waits: a
// feed that changes all the time takes a tenth of a processor at most.
const (
	reindexEvery = 2 * time.Second
	reindexShare = 9
)

// reindexer makes the indexes that the compiler has put off, one at a time,
// beside it: seconds of work must not hold up a campaign that is paused. It
// belongs to the publisher's goroutine, which waits for wg.
type reindexer struct {
	made chan *campaigns.Reindex
	due  <-chan time.Time // when the next may begin; nil: none is planned
	busy bool
	took time.Duration // by the latest; whoever works on one writes it
	wg   sync.WaitGroup
}

// plan is called after each compilation: behind tells that an index is old.
func (x *reindexer) plan(behind bool) {
	if behind && !x.busy && x.due == nil {
		x.due = time.After(max(reindexEvery, reindexShare*x.took))
	}
}

// start makes an index; r may be nil, if nothing is behind any more.
func (x *reindexer) start(r *campaigns.Reindex) {
	if x.due = nil; r == nil {
		return
	}
	x.busy = true
	x.wg.Go(func() {
		began := time.Now()
		r.Run()
		x.took = time.Since(began)
		x.made <- r // has room for it
	})
}

// done takes note of what came by made.
func (x *reindexer) done() { x.busy = false }
