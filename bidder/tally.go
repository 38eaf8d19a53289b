package bidder

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
)

// What analysts want to know of requests that were not bid on is counted, and
// the counts are recorded once a minute: a row per count, never per request.

const (
	// tallyRounds is how many rounds of housekeeping make a minute.
	tallyRounds = 1200
	// maxTallies bounds the rows of one minute. What is left over stays counted
	// and is told the next time.
	maxTallies = 20_000
	// tallyRecord is about how many bytes of rows make a record of the spool.
	tallyRecord = 128 << 10
	// latencyBuckets reach to 34 s, four to each doubling of microseconds.
	latencyBuckets = 100
)

// How well a request's person is known.
const (
	knownNobody = iota
	knownConsented
	knownMatched
	knownVisitor
	numKnown
)

var knownNames = [numKnown]string{events.KnownNobody, events.KnownConsented, events.KnownMatched, events.KnownVisitor}

// count is a running total and what was told of it; told belongs to
// housekeeping.
type count struct {
	n    atomic.Uint64
	told uint64
}

// exchangeTallies are an exchange's counts that are recorded.
type exchangeTallies struct {
	requests [events.NumBrowsers][numKnown]count
	latency  [latencyBuckets]count
	noBids   [numReasons]uint64 // told of exchangeCounters.reasons
}

// countRequest counts a request that was read: who asked for how well known a
// person.
func (c *bidContext) countRequest() {
	known := knownNobody
	switch {
	case len(c.facts.Profiles) > 0:
		known = knownVisitor
	case !c.user.IsZero():
		known = knownMatched
	case c.basis.Profile || c.basis.Identify:
		known = knownConsented
	}
	c.exchange.tallies.requests[c.browser][known].n.Add(1)
}

// latencyBucket is the bucket of a duration, and latencyBound the most that
// falls into one, µs: both within a quarter.
func latencyBucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 4 {
		return int(us)
	}
	n := bits.Len64(us) // at least 3
	return min((n-2)*4+int(us>>(n-3)&3), latencyBuckets-1)
}

func latencyBound(bucket int) int {
	if bucket < 4 {
		return bucket
	}
	n, part := bucket/4+2, bucket%4
	return 1<<(n-1) + (part+1)<<(n-3) - 1
}

// tallyBatch gathers what a minute counted.
type tallyBatch struct {
	b    *Bidder
	now  int64
	left int
	recs []spool.Record
	buf  []byte
	done []func() // notes what was told, once it is durable
}

// add makes a row of what was counted since told. It says false when there is
// room for no more.
func (t *tallyBatch) add(e events.Event, n uint64, told *uint64) bool {
	if n == *told {
		return true
	}
	if t.left == 0 {
		return false
	}
	t.left--
	e.EventID, e.Type, e.TimeMS, e.BidMS, e.Node = t.b.randomID(), events.TypeTally, t.now, t.now, t.b.cfg.Node
	e.Day = t.b.days.at(t.b.location(e.ShopID), t.now).text
	e.Count = int64(n - *told)
	t.buf = e.AppendJSON(t.buf)
	t.done = append(t.done, func() { *told = n })
	if len(t.buf) >= tallyRecord {
		t.cut()
	}
	return true
}

func (t *tallyBatch) cut() {
	if len(t.buf) > 0 {
		t.recs = append(t.recs, spool.Record{Topic: kafka.SpoolBids, Value: t.buf})
		t.buf = nil
	}
}

// recordTallies makes what was counted since the last time durable; only
// housekeeping calls it. What cannot be recorded now stays counted.
func (b *Bidder) recordTallies() {
	t := &tallyBatch{b: b, now: b.clock.NowMS(), left: maxTallies}
	for _, x := range b.exchanges {
		x.tally(t)
	}
	b.refusals.tally(t)
	t.cut()
	if len(t.recs) == 0 {
		return
	}
	if err := b.spool.Append(t.recs...); err != nil {
		b.log.Error("counts of requests not recorded yet", "rows", len(t.done), "err", err)
		return
	}
	for _, note := range t.done {
		note()
	}
}

func (x *Exchange) tally(t *tallyBatch) {
	for browser := range x.tallies.requests {
		for known := range x.tallies.requests[browser] {
			c := &x.tallies.requests[browser][known]
			t.add(events.Event{Raw: events.TallyRequests, Exchange: x.Name, Browser: events.BrowserName(uint8(browser)), Reason: knownNames[known]}, c.n.Load(), &c.told)
		}
	}
	for i := range x.tallies.latency {
		c := &x.tallies.latency[i]
		t.add(events.Event{Raw: events.TallyLatency, Exchange: x.Name, W: latencyBound(i)}, c.n.Load(), &c.told)
	}
	for r := range x.tallies.noBids {
		t.add(events.Event{Raw: events.TallyNoBids, Exchange: x.Name, Reason: NoBidReason(r).String()}, x.counters.reasons[r].Load(), &x.tallies.noBids[r])
	}
}
