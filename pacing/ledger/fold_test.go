package ledger_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/ledger"
)

var (
	pln = money.MustCurrency("PLN")
	usd = money.MustCurrency("USD")
)

func settlement(campaign uint32, day int32, shopAmount, fee money.Nano) *ledger.Record {
	return &ledger.Record{
		Kind: ledger.Settlement, Shop: 1, Campaign: campaign, Exchange: "x", Day: day,
		Amount: shopAmount / 4, Currency: usd, ShopAmount: shopAmount, ShopFee: fee, ShopCurrency: pln,
	}
}

func apply(f *ledger.Fold, rs ...*ledger.Record) (out []ledger.Entry) {
	for _, r := range rs {
		out = f.Apply(r, out)
	}
	return out
}

var version int64 // of budgets, rising

func budget(l ledger.Limits) *ledger.Record {
	version++
	return &ledger.Record{Kind: ledger.Budget, Shop: 1, Campaign: 7, Limits: l, Version: version}
}

func TestASettlementIsDoubleEntry(t *testing.T) {
	got := apply(ledger.New(), settlement(7, 1, 400, 40))
	e := ledger.Entry{Day: 1, Shop: 1, Campaign: 7, Exchange: "x"}
	fee, out, in := e, e, e
	fee.From, fee.To, fee.Amount, fee.Currency = ledger.Balance, ledger.Fee, 40, pln
	out.From, out.To, out.Amount, out.Currency = ledger.Balance, ledger.Exchanged, 400, pln
	in.From, in.To, in.Amount, in.Currency = ledger.Exchanged, ledger.Media, 100, usd
	assert.Equal(t, []ledger.Entry{fee, out, in}, got)
}

func TestWhatDoesNotFitIsTheHouses(t *testing.T) {
	for name, c := range map[string]struct {
		before []*ledger.Record
		day    int32
		house  bool
	}{
		"no limit":           {nil, 5, false},
		"within the total":   {[]*ledger.Record{budget(ledger.Limits{Total: 440})}, 5, false},
		"over the total":     {[]*ledger.Record{budget(ledger.Limits{Total: 439})}, 5, true},
		"over the day":       {[]*ledger.Record{budget(ledger.Limits{Day: 600}), settlement(7, 5, 200, 0)}, 5, true},
		"another day":        {[]*ledger.Record{budget(ledger.Limits{Day: 600}), settlement(7, 4, 200, 0)}, 5, false},
		"over the week":      {[]*ledger.Record{budget(ledger.Limits{Week: 600}), settlement(7, 4, 200, 0)}, 10, true},
		"another week":       {[]*ledger.Record{budget(ledger.Limits{Week: 600}), settlement(7, 3, 200, 0)}, 4, false},
		"lowered afterwards": {[]*ledger.Record{settlement(7, 5, 200, 0), budget(ledger.Limits{Total: 100})}, 5, true},
		"prepaid, not paid":  {[]*ledger.Record{{Kind: ledger.Terms, Shop: 1, Terms: ledger.Account{Prepaid: true}}}, 5, true},
		"on credit":          {[]*ledger.Record{{Kind: ledger.Terms, Shop: 1, Terms: ledger.Account{Prepaid: true, Credit: 440}}}, 5, false},
		"deposited": {[]*ledger.Record{
			{Kind: ledger.Terms, Shop: 1, Terms: ledger.Account{Prepaid: true}}, {Kind: ledger.Deposit, Shop: 1, ShopAmount: 440, ShopCurrency: pln},
		}, 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := ledger.New()
			apply(f, c.before...)
			before := f.Campaign(1, 7, c.day)
			got := apply(f, settlement(7, c.day, 400, 40))
			after := f.Campaign(1, 7, c.day)
			if c.house {
				assert.Equal(t, ledger.House, got[0].From)
				assert.Equal(t, money.Nano(400), after.House)
				assert.Equal(t, before.Billed, after.Billed)
			} else {
				assert.Equal(t, before.Billed+440, after.Billed)
				assert.Zero(t, after.House)
			}
		})
	}
}

func TestAReportCorrectsWhatWasBookedAtTheBid(t *testing.T) {
	f := ledger.New()
	r := settlement(7, 1, 400, 40)
	r.Provisional = true
	all := apply(f, r, &ledger.Record{
		Kind: ledger.Adjustment, Shop: 1, Campaign: 7, Exchange: "x", Day: 1, Provisional: true, Owed: 75,
		Amount: -25, Currency: usd, ShopAmount: -100, ShopFee: -10, ShopCurrency: pln,
	})
	sum := balances(all)
	assert.Equal(t, money.Nano(75), sum[key{ledger.Media, usd}])
	assert.Zero(t, sum[key{ledger.Unread, usd}])
	assert.Equal(t, money.Nano(30), sum[key{ledger.Fee, pln}])
	assert.Equal(t, money.Nano(330), f.Campaign(1, 7, 1).Billed)
}

func TestLeasesAreGrantedWhatIsFree(t *testing.T) {
	lease := func(id uint64, n money.Nano, at int64) *ledger.Record {
		return &ledger.Record{Kind: ledger.Lease, Shop: 1, Campaign: 7, LeaseID: id, ShopAmount: n, TTLMS: 1000, AtMS: at, Day: 1}
	}
	f := ledger.New()
	apply(f, budget(ledger.Limits{Total: 100, Day: 90}), lease(1, 60, 0), lease(2, 60, 0), lease(3, 60, 0), lease(1, 60, 0))
	assert.Equal(t, []money.Nano{60, 30, 0}, []money.Nano{f.Granted(1), f.Granted(2), f.Granted(3)})
	apply(f, &ledger.Record{Kind: ledger.Return, Shop: 1, Campaign: 7, LeaseID: 2, ShopAmount: 10}, lease(4, 60, 500))
	assert.Equal(t, money.Nano(10), f.Granted(4))
	s := settlement(7, 1, 25, 0)
	s.LeaseID = 1
	apply(f, s)
	assert.Equal(t, money.Nano(35), f.Granted(1))
	apply(f, lease(5, 60, 1000)) // the first two are over
	st := f.Campaign(1, 7, 1)
	assert.Equal(t, money.Nano(25), st.Billed)
	assert.Equal(t, money.Nano(55), f.Granted(5))
	assert.Equal(t, money.Nano(65), st.Leased)
	assert.Zero(t, st.Free)
}

type key struct {
	place ledger.Place
	cur   money.Currency
}

func balances(entries []ledger.Entry) map[key]money.Nano {
	out := map[key]money.Nano{}
	for _, e := range entries {
		out[key{e.From, e.Currency}] -= e.Amount
		out[key{e.To, e.Currency}] += e.Amount
	}
	return out
}

// node is a bidder in a simulation: its wallet, how far it has read the log,
// and the holds of its bids.
type node struct {
	wallet *pacing.Wallet
	read   int
	stop   int64 // stands still until then (SIGSTOP)
	cut    int64 // cannot reach the log until then; what it writes waits in its spool
	spool  []*ledger.Record
	skew   int64 // of its clock
	asked  int64
}

type openBid struct {
	node   int
	lease  uint64
	hold   money.Nano
	born   int // of its node: a crash forgets holds
	dueMS  int64
	cost   money.Nano
	wins   bool
	expire int64
}

const (
	window   = 10_000 // how long a lease is bid out of, ms
	reported = 60_000 // the latest notice after a bid, ms
	grace    = 10_000 // how far two nodes' clocks may be apart
	leaseTTL = window + reported + grace
)

// Random days of one to eight nodes on one budget: bids, notices late, out of
// order and at other nodes, crashes, pauses, cuts from the log,
// clocks that step, budget edits. A shop is never
// billed over its budget, the equation holds at each record, and as long as
// notices come within the lease's time nothing is left for the house.
func TestNeverBilledOverBudgetWithManyNodes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		rng := rand.New(rand.NewPCG(seed, 2))
		nodes := make([]node, rapid.IntRange(1, 8).Draw(rt, "nodes"))
		born := make([]int, len(nodes))
		for i := range nodes {
			nodes[i].wallet = &pacing.Wallet{}
		}
		late := rapid.Bool().Draw(rt, "some notices come after their lease's time")
		limit := money.Nano(rapid.IntRange(500, 20_000).Draw(rt, "budget"))
		edits := rapid.Bool().Draw(rt, "budget edits")
		cuts := rapid.Bool().Draw(rt, "nodes are cut off")
		steps := rapid.Bool().Draw(rt, "clocks step")
		var log []*ledger.Record
		truth := ledger.New()
		var entries []ledger.Entry
		lowered := money.Nano(0)
		write := func(r *ledger.Record) {
			log = append(log, r)
			before := truth.Campaign(1, 7, 1)
			if r.Kind == ledger.Budget { // what is lent and billed already may be more than is left to be spent
				lowered += max(0, before.Billed+before.Leased-r.Limits.Total)
			}
			entries = truth.Apply(r, entries)
			s := truth.Campaign(1, 7, 1)
			if s.Billed > before.Billed {
				require.LessOrEqual(rt, s.Billed, limit, "billed over the budget that is in force")
			}
			require.GreaterOrEqual(rt, s.Free, money.Nano(0))
			if !edits {
				require.LessOrEqual(rt, s.Billed, limit, "billed over the budget")
				require.Equal(rt, s.Total, s.Billed+s.Leased+s.Free+min(0, s.Total-s.Billed-s.Leased), "budget = settled + leased + free")
			}
		}
		write(budget(ledger.Limits{Total: limit}))
		// send is a node's write: while it is cut off, it waits.
		send := func(n *node, now int64, r *ledger.Record) {
			if r.AtMS = now + n.skew; now < n.cut {
				n.spool = append(n.spool, r)
				return
			}
			write(r)
		}
		var open []openBid
		lateSum, leases := money.Nano(0), uint64(0)
		pending := map[uint64]int64{} // lease: its node's last moment
		owner := map[uint64]int{}
		folds := make([]*ledger.Fold, len(nodes))
		for i := range folds {
			folds[i] = ledger.New()
		}
		for now := int64(0); now < 200_000; now += 250 {
			for i := range nodes {
				n := &nodes[i]
				if now < n.stop {
					continue
				}
				switch rng.IntN(400) {
				case 0: // kill -9: the wallet and the holds are gone
					n.wallet, n.read, folds[i] = &pacing.Wallet{}, 0, ledger.New()
					born[i]++
				case 1: // stopped
					n.stop = now + rng.Int64N(40_000)
					continue
				case 2:
					if cuts {
						n.cut = now + rng.Int64N(90_000)
					}
				case 3:
					if steps {
						n.skew = rng.Int64N(grace) - grace/2
					}
				}
				own := now + n.skew
				if now >= n.cut {
					for _, r := range n.spool {
						write(r)
					}
					n.spool = nil
				}
				for ; now >= n.cut && n.read < len(log); n.read++ { // the node reads what there is
					r := log[n.read]
					folds[i].Apply(r, nil)
					if until, mine := pending[r.LeaseID]; r.Kind == ledger.Lease && mine && owner[r.LeaseID] == i*1000+born[i] {
						if g := folds[i].Granted(r.LeaseID); g > 0 {
							n.wallet.Grant(r.LeaseID, g, 1, until)
						}
					}
				}
				for _, r := range n.wallet.Close(own, nil) {
					send(n, now, &ledger.Record{Kind: ledger.Return, Shop: 1, Campaign: 7, LeaseID: r.Lease, ShopAmount: r.Amount})
				}
				if n.wallet.Left(1, own, 1) < 100 && now-n.asked > 1000 {
					leases++
					pending[leases], owner[leases], n.asked = own+window, i*1000+born[i], now
					send(n, now, &ledger.Record{Kind: ledger.Lease, Shop: 1, Campaign: 7, LeaseID: leases, ShopAmount: limit/20 + 50, TTLMS: leaseTTL, Day: 1})
				}
				hold := money.Nano(1 + rng.IntN(60))
				if id := n.wallet.Take(hold, 1, own); id != 0 {
					delay := rng.Int64N(reported)
					if late && rng.IntN(20) == 0 {
						delay += leaseTTL
					}
					open = append(open, openBid{
						node: i, lease: id, hold: hold, born: born[i], dueMS: now + delay, expire: now + reported,
						cost: 1 + money.Nano(rng.Int64N(int64(hold))), wins: rng.IntN(3) == 0,
					})
				}
			}
			keep := open[:0]
			for _, b := range open {
				n := &nodes[b.node]
				known := born[b.node] == b.born
				switch {
				case b.wins && b.dueMS <= now: // its notice reaches some node, and so the log
					r := settlement(7, 1, b.cost, 0)
					r.Amount, r.Currency, r.LeaseID = b.cost, pln, b.lease
					taker := &nodes[rng.IntN(len(nodes))]
					if now < taker.cut || b.dueMS-b.expire > 0 {
						lateSum += b.cost // its lease may be over when the log has it
					}
					send(taker, now, r)
					if b.dueMS-b.expire <= 0 && known {
						n.wallet.Put(b.lease, b.hold-b.cost)
					}
				case !b.wins && b.expire <= now:
					if known {
						n.wallet.Put(b.lease, b.hold)
					}
				case b.wins && b.expire <= now && b.hold > 0: // not reported in time: let go
					if known {
						n.wallet.Put(b.lease, b.hold)
					}
					b.hold = 0
					keep = append(keep, b)
				default:
					keep = append(keep, b)
				}
			}
			open = keep
			if edits && rng.IntN(200) == 0 {
				limit = limit/2 + money.Nano(rng.Int64N(int64(limit)+1))
				write(budget(ledger.Limits{Total: limit}))
			}
		}
		for i := range nodes { // what waits on those that are cut off comes in the end
			for _, r := range nodes[i].spool {
				write(r)
			}
		}
		s := truth.Campaign(1, 7, 1)
		require.LessOrEqual(rt, s.House, lateSum+lowered,
			"the house pays for notices only that came, or reached the log, after their lease, and for what was lent when a budget was lowered")
		sum := balances(entries)
		require.Equal(rt, s.Billed+s.House, sum[key{ledger.Media, pln}], "every nano-unit that exchanges are owed has a payer")
		require.Equal(rt, -s.Billed, sum[key{ledger.Balance, pln}])
		// A node that reads it all again has the same.
		again := ledger.New()
		for _, r := range log {
			again.Apply(r, nil)
		}
		require.Equal(rt, s, again.Campaign(1, 7, 1))
	})
}

func BenchmarkApply(b *testing.B) {
	f := ledger.New()
	f.Apply(budget(ledger.Limits{Total: 1 << 60}), nil)
	r := settlement(7, 1, 400, 40)
	var dst []ledger.Entry
	b.ReportAllocs()
	for b.Loop() {
		dst = f.Apply(r, dst[:0])
	}
	if len(dst) == 0 {
		b.Fatal("no entries")
	}
}
