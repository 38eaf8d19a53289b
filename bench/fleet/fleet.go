package fleet

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/grosz/grosz/bench/pacesim"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/ledger"
	"github.com/grosz/grosz/pacing/plan"
)

const (
	tickMS = 1000
	dayMS  = 86_400_000
	// holdMS is how long a bid may be reported: the lease counts as spent for
	// as long.
	holdMS = 300_000
	// noticeMS is how long a balancer sends requests to a node that is gone.
	noticeMS = 2_000
	firstDay = 20_000
)

// Fleet is a Pacer. Make one with New; one goroutine uses it.
type Fleet struct {
	cfg   pacesim.Nodes
	rng   *rand.Rand
	plan  *plan.Controller
	nodes []*node
	log   log

	day       int32
	judged    bool
	budget    money.Nano
	beginMS   int64
	tickedMS  int64
	done      int // faults that have begun
	nextLease uint64
	bids      map[uint64]made
	leases    int
	report    Report
}

// made is a bid that was sent.
type made struct {
	node  int
	lease uint64
	atMS  int64
}

// New makes a fleet for one seed.
func New(cfg pacesim.Nodes, seed uint64) *Fleet {
	f := &Fleet{cfg: cfg, rng: rand.New(rand.NewPCG(seed, 0x666c656574)), plan: plan.New(plan.Config{Seed: seed}), bids: map[uint64]made{}}
	f.log = log{lagMS: int64(1000 * cfg.Lag), truth: ledger.New()}
	for range cfg.Count {
		n := &node{}
		n.begin()
		f.nodes = append(f.nodes, n)
	}
	return f
}

// Report tells of the day that is running or has ended.
func (f *Fleet) Report() Report {
	r := f.report
	s := f.log.truth.Campaign(theShop, theCampaign, f.day)
	r.Nodes, r.Budget, r.Billed, r.LeasedAtEnd, r.Leases = f.cfg.Count, f.budget, s.DayBilled, s.Leased, f.leases
	r.House = s.House - f.report.House
	return r
}

// String is the report as one line.
func (f *Fleet) String() string { return f.Report().String() }

// Start begins a day: of the log, too.
func (f *Fleet) Start(day int, budget float64, forecast []float64, auction int) error {
	f.day, f.judged = int32(firstDay+day), day == 1
	f.budget = money.Nano(math.Floor(budget * money.NanoUnit))
	f.beginMS, f.tickedMS = int64(f.day)*dayMS, int64(f.day)*dayMS
	f.report, f.leases, f.done = Report{House: f.log.truth.Campaign(theShop, theCampaign, f.day).House}, 0, 0
	f.log.write(f.beginMS, entry{Record: ledger.Record{Kind: ledger.Budget, Version: int64(day) + 1, Limits: ledger.Limits{Day: f.budget}}})
	for _, n := range f.nodes {
		n.least = max(n.least, f.budget/100_000)
	}
	return f.plan.Start(plan.Day{Budget: f.budget, Forecast: forecast, Auction: plan.Auction(auction)})
}

// Bid lets the node that the balancer chose bid, if it can pay.
func (f *Fleet) Bid(t float64, id int64, placement int, value float64) (float64, error) {
	nowMS := f.advance(t)
	at := f.choose(nowMS)
	if at < 0 {
		f.report.NoOne++
		return 0, nil
	}
	n := f.nodes[at]
	cpm := f.plan.Bid(t, uint64(id), uint64(placement), money.CPM(value*money.CPMUnit))
	if cpm <= 0 {
		return 0, nil
	}
	lease, err := n.book.ReserveLeased(n.book.Account(theCampaign), bidID(id), cpm.PerImpression(), f.day, nowMS, nowMS+holdMS, 0)
	if err != nil {
		f.report.NoLease++
		return 0, nil
	}
	f.report.Bids++
	f.bids[uint64(id)] = made{node: at, lease: lease, atMS: nowMS}
	return float64(cpm) / money.CPMUnit, nil
}

func bidID(id int64) (out events.ID) {
	binary.LittleEndian.PutUint64(out[:], uint64(id))
	out[15] = 1
	return out
}

// choose draws a node; −1 if the one drawn is gone, and the balancer has not
// noticed it, or nobody is left.
func (f *Fleet) choose(nowMS int64) int {
	at := f.rng.IntN(len(f.nodes))
	for range f.nodes {
		n := f.nodes[at]
		if n.here(nowMS) {
			return at
		}
		if f.goneFor(at, nowMS) < noticeMS {
			return -1
		}
		at = (at + 1) % len(f.nodes)
	}
	return -1
}

// goneFor is how long a node has not answered, ms.
func (f *Fleet) goneFor(at int, nowMS int64) int64 {
	since := int64(0)
	for _, x := range f.cfg.Faults[:f.done] {
		if x.Node == at+1 && x.What != pacesim.FaultPartition {
			since = max(since, f.beginMS+int64(x.From*3_600_000))
		}
	}
	return nowMS - since
}

// Win takes a notice at some node that lives.
func (f *Fleet) Win(t float64, id int64, cost float64) error {
	nowMS := f.advance(t)
	b, ok := f.bids[uint64(id)]
	if !ok {
		return nil
	}
	delete(f.bids, uint64(id))
	amount := money.Nano(math.Round(cost * money.NanoUnit))
	e := entry{bid: uint64(id)}
	e.Record = ledger.Record{Kind: ledger.Settlement, LeaseID: b.lease, Day: f.day, Exchange: "x", Amount: amount, Currency: currency, ShopAmount: amount, ShopCurrency: currency}
	e.settle = pacing.Settlement{BidID: bidID(id), Campaign: theCampaign, Amount: amount, Day: f.day, BidMS: b.atMS, Lease: b.lease, AtMS: nowMS}
	to := f.nodes[f.rng.IntN(len(f.nodes))]
	for _, n := range f.nodes {
		if to.here(nowMS) {
			break
		}
		to = n // exchanges send it again until somebody takes it
	}
	if to == f.nodes[b.node] {
		to.book.Settle(e.settle)
	}
	f.put(to, nowMS, e)
	return nil
}

// put writes a record of a node, or keeps it while the log is out of reach.
func (f *Fleet) put(n *node, nowMS int64, e entry) {
	if nowMS < n.cutMS {
		n.spool = append(n.spool, e)
		return
	}
	f.log.write(nowMS, e)
}

// advance lets the nodes work until t.
func (f *Fleet) advance(t float64) (nowMS int64) {
	nowMS = f.beginMS + int64(t*1000)
	for f.tickedMS+tickMS <= nowMS {
		f.tickedMS += tickMS
		f.fail(f.tickedMS)
		for _, n := range f.nodes {
			f.tick(n, f.tickedMS)
		}
		l := &f.log
		for ; l.waiting < len(l.list) && l.list[l.waiting].seenMS <= f.tickedMS; l.waiting++ {
			if e := &l.list[l.waiting]; e.Kind == ledger.Settlement && e.Day == f.day {
				f.plan.Win(float64(f.tickedMS-f.beginMS)/1000, e.bid, e.ShopAmount)
			}
		}
	}
	return nowMS
}

// fail begins the faults that are due, on the judged day.
func (f *Fleet) fail(nowMS int64) {
	for f.judged && f.done < len(f.cfg.Faults) {
		x := f.cfg.Faults[f.done]
		if nowMS < f.beginMS+int64(x.From*3_600_000) {
			return
		}
		n, until := f.nodes[x.Node-1], f.beginMS+int64(x.To*3_600_000)
		f.done++
		f.report.Faults++
		switch x.What {
		case pacesim.FaultKill: // what it held in memory is gone; its spool is on disk
			n.begin()
			n.downMS = until
		case pacesim.FaultStop:
			n.stopMS = until
		case pacesim.FaultPartition:
			n.cutMS = until
		}
	}
}

// End ends the day.
func (f *Fleet) End() error {
	f.advance(86_400)
	f.plan.End()
	clear(f.bids)
	return nil
}
