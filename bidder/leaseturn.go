package bidder

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// A campaign is looked at when its wallet says that it runs low or has
// something to give back, when a record of the log changes what it may have,
// when a moment comes at which something ends, and every idleLook. One for
// which nothing of that happens costs nothing, so that ten thousand idle
// campaigns are as cheap as none.
const (
	// leaseLook is how often a campaign that is bid for is looked at, so that
	// what its bids take a second is known; idleLook bounds how long what nobody
	// told of goes unseen.
	leaseLook = 2 * time.Second
	idleLook  = 20 * time.Second
	// forgetEvery is how many turns pass between two looks for old leases.
	forgetEvery = 25
)

// turn collects what is due at a moment: leases that go back, limits that the
// log does not know, and leases to ask for. Records of one campaign keep their
// order.
func (d *leaseDesk) turn(now int64) (out [][]events.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.adopt(d.b.state.Load())
	d.sched.stirred = d.b.book.Stirred(d.sched.stirred[:0])
	for _, a := range d.sched.stirred {
		d.sched.soon(d.wants[a.ID()])
	}
	due := d.sched.take(now)
	d.looks.Add(uint64(len(due)))
	for _, w := range due {
		out = d.back(out, w, now, now)
	}
	for _, w := range due {
		if group := d.needs(w, now); len(group) > 0 {
			out = append(out, group)
		}
	}
	d.forgetOld(now)
	if d.sched.turns%clickLossEvery == 0 {
		d.boundAllClicks(now)
	}
	return out
}

// giveBack ends all leases and collects what is left of them.
func (d *leaseDesk) giveBack() (out [][]events.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.b.clock.NowMS()
	for _, w := range d.wants {
		out = d.back(out, w, math.MaxInt64, now)
		d.sched.soon(w)
	}
	return out
}

// back appends what goes back of a campaign's leases that are over at until.
func (d *leaseDesk) back(out [][]events.Event, w *want, until, now int64) [][]events.Event {
	if d.fold.Free(w.shop) < 0 {
		until = math.MaxInt64 // the shop's money went, by its terms or a payment back: at once
	}
	d.sched.closed = w.account.Wallet().Close(until, d.sched.closed[:0])
	for _, r := range d.sched.closed {
		if k, ok := d.asked[r.Lease]; ok {
			e := d.record(events.TypeReturn, k.shop, k.campaign, now)
			e.Lease, e.BidDay, e.ShopAmount = r.Lease, k.day, r.Amount
			out = append(out, []events.Event{e})
			d.returned.Add(1)
		}
	}
	return out
}

// forgetOld lets go of leases that the log has let go of; now and then.
func (d *leaseDesk) forgetOld(now int64) {
	if d.sched.turns++; d.sched.turns%forgetEvery != 0 {
		return
	}
	for id, a := range d.asked {
		if now > a.untilMS+a.ttlMS {
			delete(d.asked, id)
		}
	}
}

// needs collects the records that a campaign needs: its limits, where the log
// has an older version, and a lease where less than half of what is wanted is
// left. It says when to look at the campaign again.
func (d *leaseDesk) needs(w *want, now int64) (group []events.Event) {
	c := w.c
	ends := w.account.Wallet().Ends() // what is left goes back then, whatever the campaign does
	switch {
	case c == nil || c.EndMS != 0 && now >= c.EndMS:
		d.sched.at(w, ends)
		return nil
	case now < c.StartMS:
		d.sched.at(w, min(ends, c.StartMS))
		return nil
	}
	if v := max(d.fold.Version(c.ID), d.told[c.ID]); v < c.Version {
		d.told[c.ID] = c.Version
		if w.open == 0 {
			w.quietMS = 0 // what nothing was free for may be had now, behind the new limits
		}
		e := d.record(events.TypeBudget, c.ShopID, c.ID, now)
		e.Version, e.ShopCurrency = c.Version, c.Shop.Currency
		e.LimitTotal, e.LimitWeek, e.LimitDay = c.Budget.Total, c.Budget.Week, c.Budget.Day
		group = append(group, e)
	}
	e, again, ok := d.request(w, now)
	if ok {
		group = append(group, e)
	}
	look := idleLook
	if w.perSecond >= 1 {
		look = leaseLook
	}
	d.sched.at(w, min(again, ends, now+look.Milliseconds()))
	return group
}

// spending brings up to date what a campaign's bids take a second: each tick
// counts a tenth, however many have passed since the last look.
func (w *want) spending(taken money.Nano, now int64) {
	passed := max(now-w.seenMS, leaseTick.Milliseconds())
	if w.seenMS == 0 {
		passed = leaseTick.Milliseconds()
	}
	w.seenMS = now
	keep := math.Pow(0.9, float64(passed)/float64(leaseTick.Milliseconds()))
	w.perSecond = keep*w.perSecond + (1-keep)*float64(taken)*1000/float64(passed)
}

// request asks for a lease if the campaign's wallet runs low, and says when
// to look again if nothing stirs.
func (d *leaseDesk) request(w *want, now int64) (e events.Event, again int64, ok bool) {
	c, wallet := w.c, w.account.Wallet()
	taken, missed := wallet.Demand()
	w.spending(taken, now)
	w.least = max(w.least, missed, w.dearest)
	prepaid, free := d.fold.Prepaid(c.ShopID), d.fold.Free(c.ShopID)
	wallet.SetPoor(c.Shop.Prepaid && prepaid && free < w.dearest)
	if now < w.quietMS {
		return e, w.quietMS, false
	}
	if a, ok := d.asked[w.open]; ok && !a.answered && now < w.quietMS+leaseRetry.Milliseconds() {
		return e, w.quietMS + leaseRetry.Milliseconds(), false
	}
	target := max(money.Nano(w.perSecond*leaseAhead.Seconds()), leaseBids*w.least)
	bound := smallest(c.Budget)
	if c.Shop.Prepaid {
		if !prepaid || free <= 0 {
			return e, math.MaxInt64, false // its terms are still on their way, or its balance is used up
		}
		bound = min(bound, free)
	}
	target = min(target, max(bound/leaseShare, leaseBids*w.least))
	day := d.b.days.at(c.Shop.Location, now)
	left, until := wallet.Watch(day.number, now+leaseRenew.Milliseconds(), w.least, target/2)
	if left >= target/2 {
		return e, min(until-leaseRenew.Milliseconds(), day.toMS), false
	}
	window := idleWindow
	if w.perSecond >= 1 {
		window = leaseWindow
	}
	id := d.b.randomID()
	a := ask{shop: c.ShopID, campaign: c.ID, day: day.number, untilMS: min(now+window.Milliseconds(), day.toMS)}
	a.ttlMS = (window + d.b.longestHold() + leaseGrace).Milliseconds()
	w.open = max(binary.LittleEndian.Uint64(id[:]), 1)
	w.quietMS = now // an answer is awaited
	d.asked[w.open] = a
	d.requests.Add(1)
	e = d.record(events.TypeLease, c.ShopID, c.ID, now)
	e.Lease, e.BidDay, e.TTLMS, e.ShopAmount, e.ShopCurrency = w.open, a.day, a.ttlMS, target-left, c.Shop.Currency
	return e, now + leaseRetry.Milliseconds(), true
}
