package ledger_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/ledger"
)

// ledgerPlay is a shop with three campaigns over three weeks: limits of every
// sort are set, lowered and taken away, money comes in and is paid back, terms
// change, notices come twice as dear as what is left, days late and corrected.
type ledgerPlay struct {
	rng     *rand.Rand
	f       *ledger.Fold
	day     int32
	atMS    int64
	version int64
	deposit int64
	leases  uint64
	entries []ledger.Entry
}

func (p *ledgerPlay) record() *ledger.Record {
	r := &ledger.Record{
		Shop: 1, Campaign: uint32(1 + p.rng.IntN(3)), Day: p.day - int32(p.rng.IntN(3)), AtMS: p.atMS, Exchange: "x",
		Currency: pln, ShopCurrency: pln,
	}
	some := func(n int64) money.Nano { return money.Nano(p.rng.Int64N(n)) }
	switch k := p.rng.IntN(20); {
	case k == 0:
		p.version++
		r.Kind, r.Version = ledger.Budget, p.version
		for _, l := range []*money.Nano{&r.Limits.Total, &r.Limits.Week, &r.Limits.Day} {
			if p.rng.IntN(2) == 0 {
				*l = 1 + some(5000)
			}
		}
	case k == 1:
		p.deposit++
		r.Kind, r.Version, r.ShopAmount = ledger.Deposit, p.deposit, some(3000)-800
	case k == 2 && p.rng.IntN(4) == 0:
		p.version++
		r.Kind, r.Version, r.Terms = ledger.Terms, p.version, ledger.Account{Prepaid: p.rng.IntN(4) > 0, Credit: some(500)}
	case k < 8:
		p.leases++
		r.Kind, r.LeaseID, r.ShopAmount, r.TTLMS = ledger.Lease, p.leases, 1+some(400), 1+int64(some(3_000_000))
	case k < 10:
		r.Kind, r.LeaseID, r.ShopAmount = ledger.Return, 1+p.rng.Uint64N(p.leases+1), some(100)
	case k < 12:
		r.Kind, r.Provisional = ledger.Adjustment, p.rng.IntN(2) == 0
		r.ShopAmount = some(60) - 40
		r.Amount, r.Owed = r.ShopAmount, some(50)
	case k == 12: // an impression whose click is billed: the platform's to pay
		r.Kind, r.PerClick, r.LeaseID, r.Provisional = ledger.Settlement, true, p.rng.Uint64N(p.leases+2), p.rng.IntN(9) == 0
		r.Amount = some(200)
		r.ShopMedia = r.Amount
	case k == 13: // its click
		r.Kind, r.PerClick, r.LeaseID = ledger.Adjustment, true, p.rng.Uint64N(p.leases+2)
		r.ShopAmount = 1 + some(300)
		r.ShopFee = r.ShopAmount / 10
	case k == 14 && p.rng.IntN(3) == 0: // a credit or a report of its impression
		r.Kind, r.PerClick, r.Provisional = ledger.Adjustment, true, p.rng.IntN(2) == 0
		r.ShopAmount, r.Amount, r.Owed = -some(100), -some(40), some(50)
		r.ShopMedia = r.Amount
	default:
		r.Kind, r.LeaseID, r.Provisional = ledger.Settlement, p.rng.Uint64N(p.leases+2), p.rng.IntN(9) == 0
		r.ShopAmount = some(200)
		r.Amount, r.ShopFee = r.ShopAmount, r.ShopAmount/10
	}
	return r
}

// TestTheEquationHoldsWhateverIsWritten: after each record each limit that is
// set is settled + held + free, a settlement is billed only where it fits all
// limits and the balance that are in force, the sums of the double entries are
// the balances, and a reader that begins with a snapshot has the same.
func TestTheEquationHoldsWhateverIsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &ledgerPlay{rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3)), f: ledger.New(), day: 20_000}
		restoreAt := rapid.IntRange(0, 600).Draw(rt, "a reader begins at")
		var second *ledger.Fold
		for i := range 600 {
			if i%30 == 29 {
				p.day++
			}
			p.atMS += p.rng.Int64N(200_000) - 20_000 // clocks of several nodes: not in order
			r := p.record()
			before, shop := p.f.Campaign(1, r.Campaign, r.Day), p.f.Shop(1)
			p.entries = p.f.Apply(r, p.entries)
			s, after := p.f.Campaign(1, r.Campaign, r.Day), p.f.Shop(1)
			if (r.Kind == ledger.Settlement || r.PerClick) && s.Billed > before.Billed {
				for limit, billed := range map[money.Nano]money.Nano{s.Total: s.Billed, s.Week: s.WeekBilled, s.Day: s.DayBilled} {
					if limit > 0 {
						require.LessOrEqual(rt, billed, limit, "billed over a limit")
					}
				}
				if after.Prepaid {
					require.LessOrEqual(rt, after.Billed, after.Deposited+after.Credit, "billed over the balance")
				}
			}
			if g := p.f.Granted(r.LeaseID); r.Kind == ledger.Lease && g > 0 {
				require.LessOrEqual(rt, g, r.ShopAmount)
				if s.Total > 0 {
					require.LessOrEqual(rt, s.Billed+s.Leased, s.Total, "lent more than was free")
				}
				if after.Prepaid {
					require.LessOrEqual(rt, after.Billed+after.Leased, after.Deposited+after.Credit, "lent more than was paid")
				}
			}
			require.Equal(rt, after.Balance, after.Deposited-after.Billed)
			if s.Total > 0 && s.Billed+s.Leased <= s.Total {
				require.LessOrEqual(rt, s.Free, s.Total-s.Billed-s.Leased, "settled + held + free")
			} else if s.Total > 0 {
				require.Zero(rt, s.Free)
			}
			require.GreaterOrEqual(rt, shop.Leased, money.Nano(0))
			if second != nil {
				second.Apply(r, nil)
			} else if i == restoreAt {
				var buf bytes.Buffer
				require.NoError(rt, p.f.Snapshot(&buf))
				var err error
				second, err = ledger.Restore(&buf)
				require.NoError(rt, err)
			}
		}
		p.sums(rt)
		if second != nil {
			for c := uint32(1); c <= 3; c++ {
				require.Equal(rt, p.f.Campaign(1, c, p.day), second.Campaign(1, c, p.day))
			}
			require.Equal(rt, p.f.Shop(1), second.Shop(1))
		}
	})
}

// sums holds the entries against the balances: no nano-unit has no payer.
func (p *ledgerPlay) sums(rt *rapid.T) {
	sum, shop, all := balances(p.entries), p.f.Shop(1), money.Nano(0)
	for _, n := range sum {
		all += n
	}
	require.Zero(rt, all, "double entry")
	require.Equal(rt, shop.Deposited, -sum[key{ledger.Bank, pln}])
	require.Equal(rt, shop.Balance, sum[key{ledger.Balance, pln}])
	require.Equal(rt, shop.House, -sum[key{ledger.House, pln}])
	require.Equal(rt, shop.Billed+shop.House, sum[key{ledger.Media, pln}]+sum[key{ledger.Unread, pln}]+sum[key{ledger.Fee, pln}]+sum[key{ledger.Margin, pln}], "what exchanges and the platform get was paid")
	billed, leased := money.Nano(0), money.Nano(0)
	for c := uint32(1); c <= 3; c++ {
		s := p.f.Campaign(1, c, p.day)
		billed, leased = billed+s.Billed, leased+s.Leased
	}
	require.Equal(rt, []money.Nano{shop.Billed, shop.Leased}, []money.Nano{billed, leased}, "a shop is its campaigns")
}
