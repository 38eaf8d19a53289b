package bidder

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// leasingWorld is one node with n campaigns of limited budgets, which have
// their first leases.
func leasingWorld(t testing.TB, n int) *world {
	var camps []*campaigns.Campaign
	for i := range n {
		c := openCampaign(uint32(i + 1))
		c.Budget.Total = 1000 * money.NanoUnit
		if i%3 == 0 {
			c.Budget = campaigns.Budget{Day: money.NanoUnit}
		}
		camps = append(camps, c)
	}
	w := newWorld(t, camps...)
	w.b.leases = newLeaseDesk(w.b)
	w.leaseTurn()
	w.leaseTurn()
	return w
}

// leaseTurn is a turn of the desk, and what the log makes of it.
func (w *world) leaseTurn() {
	w.b.leases.write(w.b.leases.turn(w.clock.NowMS()))
	w.foldSpooled()
}

func (w *world) foldSpooled() {
	log := w.spooled()
	for i := range log {
		w.b.fold(&log[i])
	}
}

// Campaigns for which nothing happens cost nothing; one that is bid for is
// looked at when it runs low, not at each bid.
func TestIdleCampaignsAreNotLookedAt(t *testing.T) {
	const n = 300
	w := leasingWorld(t, n)
	d := w.b.leases
	before := d.looks.Load()
	for range 50 { // ten seconds
		w.clock.Advance(leaseTick)
		w.leaseTurn()
	}
	require.LessOrEqual(t, d.looks.Load()-before, uint64(n), "polled they would be %d", 50*n)
	asked := d.requests.Load()
	for range 3 * 60 { // three minutes, over the ends of the first leases' renewal and no day
		w.clock.Advance(time.Second)
		w.leaseTurn()
	}
	require.Equal(t, asked, d.requests.Load(), "leases last")
	before = d.looks.Load()
	a := w.b.book.Account(1)
	day := w.b.days.at(w.b.location(7), w.clock.NowMS()).number
	for range 3 {
		require.NotZero(t, a.Wallet().Take(1_000_000, day, w.clock.NowMS()))
		w.leaseTurn()
	}
	require.LessOrEqual(t, d.looks.Load()-before, uint64(n/10), "enough is left")
}

// Whatever happens to the wallets, after each turn every campaign has what a
// look at all of them would have wanted, or has asked for it, and nothing that
// is over is kept.
func TestNothingIsMissedBetweenLooks(t *testing.T) {
	const n = 40
	w := leasingWorld(t, n)
	d := w.b.leases
	rng := rand.New(rand.NewPCG(5, 6))
	type held struct {
		campaign uint32
		lease    uint64
		amount   money.Nano
	}
	var out []held
	bids := 0
	for range 800 {
		w.clock.Advance(time.Duration(rng.IntN(1500)) * time.Millisecond)
		if rng.IntN(200) == 0 {
			w.clock.Advance(time.Duration(rng.IntN(12)) * time.Minute)
		}
		now := w.clock.NowMS()
		day := w.b.days.at(w.b.location(7), now).number
		for range rng.IntN(12) {
			id, amount := uint32(rng.IntN(n)/(1+rng.IntN(n))+1), money.Nano(1+rng.IntN(30_000_000))
			if lease := w.b.book.Account(id).Wallet().Take(amount, day, now); lease != 0 {
				out = append(out, held{id, lease, amount})
				bids++
			}
		}
		for range rng.IntN(12) {
			if len(out) > 0 {
				i := rng.IntN(len(out))
				h := out[i]
				out[i] = out[len(out)-1]
				out = out[:len(out)-1]
				w.b.book.Account(h.campaign).Wallet().Put(h.lease, []money.Nano{h.amount, h.amount / 2, -h.amount / 10}[rng.IntN(3)])
			}
		}
		if rng.IntN(300) == 0 {
			w.in.Version++
			w.in.Campaigns[rng.IntN(n)].Version++
			require.Empty(t, w.b.Publish(w.in))
		}
		w.b.leases.write(d.turn(now))
		for id, want := range d.wants {
			wallet := want.account.Wallet()
			require.Greater(t, wallet.Ends(), now, "campaign %d keeps a lease that is over", id)
			require.Empty(t, wallet.Close(0, nil), "campaign %d keeps something to give back", id)
			a := d.asked[want.open]
			if now < want.quietMS || want.open != 0 && !a.answered && now < want.quietMS+leaseRetry.Milliseconds() {
				continue
			}
			target := max(money.Nano(want.perSecond*leaseAhead.Seconds()), leaseBids*want.least)
			target = min(target, max(smallest(want.c.Budget)/leaseShare, leaseBids*want.least))
			left := wallet.Left(day, now+leaseRenew.Milliseconds(), want.least)
			require.GreaterOrEqual(t, left, target/2, "campaign %d runs low unseen", id)
		}
		if rng.IntN(3) > 0 { // the log may be slow
			w.foldSpooled()
		}
	}
	require.Greater(t, bids, 300)
	for i, x := range d.sched.heap {
		require.Equal(t, i, x.place)
		require.GreaterOrEqual(t, x.dueMS, d.sched.heap[0].dueMS)
	}
	require.LessOrEqual(t, len(d.sched.heap), n)
}

// Limits that the spool did not take are told again.
func TestLimitsAreToldAgainWhenTheyWereNotWritten(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.in.Campaigns[0].Budget.Total = money.NanoUnit
	w.in.Version++
	require.Empty(t, w.b.Publish(w.in))
	d := newLeaseDesk(w.b)
	now := w.clock.NowMS()
	for range 3 {
		out := d.turn(now)
		require.NotEmpty(t, out)
		require.Equal(t, events.TypeBudget, out[0][0].Type)
		d.unwritten(out[0])
	}
}

// BenchmarkLeaseTurn is a turn with campaigns of which one in a hundred was
// bid for.
func BenchmarkLeaseTurn(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := leasingWorld(b, n)
			day := w.b.days.at(w.b.location(7), w.clock.NowMS()).number
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for k := range n / 100 {
					id := uint32((i*n/100+k)%n + 1)
					wallet := w.b.book.Account(id).Wallet()
					wallet.Put(wallet.Take(1000, day, w.clock.NowMS()), 1000)
				}
				w.b.leases.turn(w.clock.NowMS())
			}
		})
	}
}
