package fleet

import (
	"fmt"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/ledger"
)

const (
	theShop     = 1
	theCampaign = 7
)

var currency = money.MustCurrency("USD")

// entry is a record of the log, and what of it the plan and the books want.
type entry struct {
	ledger.Record
	seenMS int64 // when nodes that follow the log have it
	bid    uint64
	settle pacing.Settlement
}

// log is the shop's partition.
type log struct {
	lagMS   int64
	list    []entry
	truth   *ledger.Fold
	waiting int // first entry that the plan has not seen
}

func (l *log) write(nowMS int64, e entry) {
	e.Shop, e.Campaign, e.AtMS, e.seenMS = theShop, theCampaign, nowMS, nowMS+l.lagMS
	l.truth.Apply(&e.Record, nil)
	l.list = append(l.list, e)
}

// Report is what the ledger says of the judged day.
type Report struct {
	Nodes                int
	Faults               int
	Billed, House        money.Nano
	Budget               money.Nano
	Bids, NoLease, NoOne int // bids made; refused for want of a lease; requests that reached no living node
	Leases               int
	LeasedAtEnd          money.Nano
}

// String is one line for people.
func (r Report) String() string {
	part := func(n money.Nano) float64 { return 100 * float64(n) / float64(max(r.Budget, 1)) }
	return fmt.Sprintf("%d nodes, %d faults: billed %.3f %% of the budget, the house paid %.3f %%; %d leases, %.2f %% of the budget lent at the end; no lease for %.2f %% of bids, no node for %d requests",
		r.Nodes, r.Faults, part(r.Billed), part(r.House), r.Leases, part(r.LeasedAtEnd), 100*float64(r.NoLease)/float64(max(r.Bids+r.NoLease, 1)), r.NoOne)
}
