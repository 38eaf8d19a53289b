package bidder

import (
	"context"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/ledger"
)

// How leases are asked for. A lease is bid out of for its window; in the log
// it counts as spent until its bids can have been reported.
const (
	leaseTick   = 200 * time.Millisecond
	leaseGather = 10 * time.Millisecond // records that wake the desk are gathered for as long
	leaseAhead  = 10 * time.Second      // of spending that a lease is to last
	leaseWindow = 30 * time.Second
	// idleWindow is that of a campaign that nothing was bid for: it keeps a
	// little at hand, and the log is not filled with its renewals.
	idleWindow   = 10 * time.Minute
	leaseRenew   = 3 * time.Second // before its end
	leaseGrace   = 10 * time.Second
	leaseRetry   = 2 * time.Second // after nothing was free, or an answer stays away
	leaseBids    = 8               // a lease lasts for as many bids at least
	leaseWriters = 64              // records on their way to the spool at once: they share fsyncs
	leaseShare   = 100             // a lease is at most this part of the smallest limit
	// firstLeases bounds how long a start waits for its first leases: Kafka may
	// be slow, and campaigns without limits can bid.
	firstLeases = 5 * time.Second
)

// leaseDesk keeps this node's wallets filled: it folds the shops' money
// records, asks the log for leases ahead of demand and gives back what is
// over. Budgets so hold for any number of nodes, and through the death of any.
type leaseDesk struct {
	b *Bidder

	mu    sync.Mutex // of all below
	fold  *ledger.Fold
	asked map[uint64]ask   // this run's leases, until the log has let them go
	wants map[uint32]*want // by campaign
	told  map[uint32]int64 // version of limits written to the log, by campaign
	sched leaseSchedule    // who is looked at when
	woken chan struct{}    // something changed that is not to wait for the tick
	tick  time.Duration    // leaseTick

	requests, granted, refused, returned, looks atomic.Uint64
	watch                                       *clock.Watch // of run's goroutine
}

type ask struct {
	shop, campaign uint32
	day            int32
	untilMS, ttlMS int64
	answered       bool
}

// want is what a campaign's bids take.
type want struct {
	perSecond float64 // nano-units, smoothed
	least     money.Nano
	shop      uint32
	quietMS   int64 // nothing is asked for before
	open      uint64

	account *pacing.Account
	c       *campaigns.CompiledCampaign // nil: none that needs leases
	dearest money.Nano
	seenMS  int64 // when perSecond was brought up to date
	dueMS   int64 // when it is looked at; its place in the schedule follows
	place   int   // -1: none
	now     bool  // it is on the list of those that are looked at next
}

func newLeaseDesk(b *Bidder) *leaseDesk {
	return &leaseDesk{
		b: b, fold: ledger.New(), asked: map[uint64]ask{}, wants: map[uint32]*want{}, told: map[uint32]int64{}, sched: newLeaseSchedule(),
		woken: make(chan struct{}, 1), tick: leaseTick,
		watch: clock.NewWatch(b.clock),
	}
}

// limited tells whether a campaign needs leases: one without limits, of a
// shop that pays afterwards, does not.
func limited(c *campaigns.CompiledCampaign) bool {
	return c.Shop.Prepaid || c.Budget.Total > 0 || c.Budget.Week > 0 || c.Budget.Day > 0
}

// apply folds an event of the log; of a bid's settling events only the first.
func (d *leaseDesk) apply(e *events.Event) {
	r, ok := ledger.FromEvent(e)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.fold.Free(r.Shop)
	d.fold.Apply(&r, nil)
	d.sched.freeMoved(r.Shop, before, d.fold.Free(r.Shop))
	if r.PerClick {
		d.boundCampaign(r.Campaign)
	}
	switch r.Kind {
	case ledger.Lease:
	case ledger.Deposit, ledger.Terms, ledger.Budget:
		d.wake(r.Shop)
		return
	default:
		return
	}
	a, mine := d.asked[r.LeaseID]
	if !mine || a.answered {
		return
	}
	a.answered = true
	d.asked[r.LeaseID] = a
	w := d.wants[a.campaign]
	if w.open == r.LeaseID {
		w.open = 0
	}
	d.sched.soon(w)
	n := d.fold.Granted(r.LeaseID)
	if n > 0 {
		d.granted.Add(1)
		d.b.book.Account(a.campaign).Wallet().Grant(r.LeaseID, n, a.day, a.untilMS)
	} else {
		d.refused.Add(1)
	}
	if n > 0 && n >= w.least {
		return
	}
	// Nothing, or less than a bid: there is no more for now.
	w.quietMS = d.b.clock.NowMS() + leaseRetry.Milliseconds()
}

// wake lets a shop's campaigns ask at once: there may be more to have.
func (d *leaseDesk) wake(shop uint32) {
	for _, w := range d.sched.of(shop) {
		if w.open == 0 {
			w.quietMS = 0
		}
		d.sched.soon(w)
	}
	d.poke()
}

// poke has the desk take a turn now: a changed budget, a deposit or a new
// State is not to wait for the tick.
func (d *leaseDesk) poke() {
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// run asks and gives back until ctx ends, and then gives all back.
func (d *leaseDesk) run(ctx context.Context) {
	if !d.b.waitReady(ctx, 2) {
		return
	}
	until := d.b.clock.NowMS() + firstLeases.Milliseconds()
	tick := time.NewTicker(d.tick)
	defer tick.Stop()
	for {
		now, by := d.watch.Look()
		if by != 0 {
			until += by
			d.clockSet(by)
		}
		d.write(d.turn(now))
		if !d.b.ready[3].Load() && (d.answered() || now >= until) {
			d.b.ready[3].Store(true)
		}
		select {
		case <-ctx.Done():
			d.write(d.giveBack())
			return
		case <-tick.C:
		case <-d.woken:
			select {
			case <-ctx.Done():
			case <-time.After(leaseGather):
			}
		}
	}
}

// clockSet moves the ends of this node's leases along with a clock that was
// set, so that they last as long as was said. Set back, it would ask for none
// until the clock has caught up; set forth, all would be over.
func (d *leaseDesk) clockSet(by int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, a := range d.asked {
		a.untilMS += by
		d.asked[id] = a
	}
	for _, w := range d.wants {
		w.quietMS += by
		w.dueMS += by // of all, so that the heap's order stays
		if w.seenMS != 0 {
			w.seenMS += by
		}
		d.sched.soon(w)
	}
	for _, a := range d.b.book.Accounts() {
		a.Wallet().ClockSet(by)
	}
}

// answered tells whether the log has answered all that was asked.
func (d *leaseDesk) answered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if !a.answered {
			return false
		}
	}
	return true
}

// write makes records durable; those of one slice together, in their order.
func (d *leaseDesk) write(groups [][]events.Event) {
	var g errgroup.Group
	g.SetLimit(leaseWriters)
	for _, group := range groups {
		g.Go(func() error {
			recs := make([]*events.Event, len(group))
			for i := range group {
				recs[i] = &group[i]
			}
			if err := d.b.appendAll(recs...); err != nil {
				d.b.log.Warn("lease not asked for or given back: the spool does not take it", "err", err)
				d.unwritten(group) // what is not given back returns when its time is over
			}
			return nil
		})
	}
	_ = g.Wait() // its functions return no error
}

// unwritten has limits told again that the spool did not take.
func (d *leaseDesk) unwritten(group []events.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range group {
		if group[i].Type == events.TypeBudget {
			delete(d.told, group[i].CampaignID)
			d.sched.soon(d.wants[group[i].CampaignID])
		}
	}
}

func (d *leaseDesk) record(t events.Type, shop, campaign uint32, now int64) events.Event {
	return events.Event{
		EventID: d.b.randomID(), Type: t, TimeMS: now, BidMS: now, ShopID: shop, CampaignID: campaign, Node: d.b.cfg.Node,
		Day: d.b.days.at(d.b.location(shop), now).text,
	}
}

// dearestBid is what one bid of a campaign may have to hold, before any was made.
func dearestBid(c *campaigns.CompiledCampaign) money.Nano {
	cpm := c.Bid.MaxCPM
	if cpm == 0 {
		cpm = c.Bid.CPM
	}
	return c.Shop.Fee().Gross(cpm.PerImpression())
}

// smallest of the limits that are set.
func smallest(b campaigns.Budget) money.Nano {
	least := money.Nano(math.MaxInt64)
	for _, n := range [...]money.Nano{b.Total, b.Week, b.Day} {
		if n > 0 {
			least = min(least, n)
		}
	}
	return least
}

// longestHold of all exchanges and media types.
func (b *Bidder) longestHold() time.Duration {
	longest := time.Duration(0)
	for _, x := range b.exchanges {
		for media := events.MediaBanner; media <= events.MediaNative; media++ {
			longest = max(longest, x.holdFor(media))
		}
	}
	return longest
}

// open counts the leases of this node that the log may still count as spent.
func (d *leaseDesk) open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

// snapshot writes the fold behind the book, if there is one.
func (d *leaseDesk) snapshot(w io.Writer) error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fold.Snapshot(w)
}

func (d *leaseDesk) restore(r io.Reader) error {
	if d == nil {
		return nil
	}
	fold, err := ledger.Restore(r)
	if err == nil {
		d.fold = fold
	}
	return err
}
