package fleet

import (
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/ledger"
)

// How leases are asked for: as the bidder's lease desk does.
const (
	leaseAheadMS  = 10_000
	leaseWindowMS = 30_000
	leaseGraceMS  = 10_000
	leaseRetryMS  = 2_000
	leaseBids     = 8
	leaseShare    = 100
)

// node is one bidder.
type node struct {
	book *pacing.Book
	fold *ledger.Fold
	read int // entries of the log

	downMS, stopMS, cutMS int64 // until when it is dead, stands still, or cannot reach the log
	spool                 []entry

	asked     map[uint64]int64 // own leases: until when they are bid out of
	open      uint64           // a lease that is awaited
	askedMS   int64
	perTick   float64
	least     money.Nano
	quietMS   int64 // nothing is asked for before
	learnedMS int64
}

func (n *node) begin() {
	n.book = pacing.NewBook(pacing.Config{Classes: 1})
	n.fold, n.read, n.asked, n.open, n.askedMS, n.perTick, n.learnedMS, n.quietMS = ledger.New(), 0, map[uint64]int64{}, 0, 0, 0, 0, 0
}

// here tells whether the node takes requests and notices.
func (n *node) here(nowMS int64) bool { return nowMS >= n.downMS && nowMS >= n.stopMS }

// tick is what a node does between bids.
func (f *Fleet) tick(n *node, nowMS int64) {
	if !n.here(nowMS) {
		return
	}
	if nowMS >= n.cutMS {
		for _, e := range n.spool {
			f.log.write(nowMS, e)
		}
		n.spool = n.spool[:0]
		n.follow(f, nowMS)
	}
	n.book.Sweep(nowMS)
	if nowMS-n.learnedMS >= 10_000 {
		n.book.Learn(10_000)
		n.learnedMS = nowMS
	}
	w := n.wallet()
	for _, r := range w.Close(nowMS, nil) {
		f.put(n, nowMS, entry{Record: ledger.Record{Kind: ledger.Return, LeaseID: r.Lease, ShopAmount: r.Amount}})
		delete(n.asked, r.Lease)
	}
	n.ask(f, nowMS)
}

func (n *node) wallet() *pacing.Wallet { return n.book.Account(theCampaign).Wallet() }

// follow reads what there is of the log.
func (n *node) follow(f *Fleet, nowMS int64) {
	for ; n.read < len(f.log.list) && f.log.list[n.read].seenMS <= nowMS; n.read++ {
		e := &f.log.list[n.read]
		n.fold.Apply(&e.Record, nil)
		switch e.Kind {
		case ledger.Settlement:
			n.book.Fold(e.settle)
		case ledger.Lease:
			until, mine := n.asked[e.LeaseID]
			if !mine {
				continue
			}
			if n.open == e.LeaseID {
				n.open = 0
			}
			g := n.fold.Granted(e.LeaseID)
			if g > 0 {
				n.wallet().Grant(e.LeaseID, g, e.Day, until)
				f.leases++
			}
			if g < e.ShopAmount/4 { // nothing or little is free
				n.quietMS = nowMS + leaseRetryMS
			}
		}
	}
}

// ask asks for a lease if the wallet runs low.
func (n *node) ask(f *Fleet, nowMS int64) {
	w := n.wallet()
	taken, missed := w.Demand()
	n.perTick += 0.05 * (float64(taken) - n.perTick)
	n.least = max(n.least, missed)
	if n.open != 0 && nowMS-n.askedMS < leaseRetryMS || nowMS < n.quietMS {
		return
	}
	want := max(money.Nano(n.perTick*leaseAheadMS/tickMS), leaseBids*n.least)
	want = min(want, max(f.budget/leaseShare, leaseBids*n.least))
	left := w.Left(f.day, nowMS+3000, n.least)
	if want <= 0 || left >= want/2 {
		return
	}
	f.nextLease++
	n.open, n.askedMS = f.nextLease, nowMS
	n.asked[n.open] = nowMS + leaseWindowMS
	f.put(n, nowMS, entry{Record: ledger.Record{
		Kind: ledger.Lease, LeaseID: n.open, ShopAmount: want - left, ShopCurrency: currency, Day: f.day, TTLMS: leaseWindowMS + holdMS + leaseGraceMS,
	}})
}
