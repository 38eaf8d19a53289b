package pacing

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/internal/money"
)

// Wallet is what this node may still bid with for one campaign: what is left
// of the leases that the log has granted it. Holds are taken out of a lease
// and what they did not cost is put back, so that at every moment, for each
// lease, what the log counts as leased = what is left here + open holds.
// Safe for many goroutines; Take and Put do not allocate.
type Wallet struct {
	mu     sync.Mutex
	leases []walletLease
	back   []LeaseReturn
	taken  int64 // taken and not put back since the last Demand
	missed int64 // the largest amount that no lease had since then
	poor   atomic.Bool
	costly atomic.Bool

	// Whoever keeps the wallet filled is told once when slack is used up, and
	// then not again before the next Watch; and of what is to be given back.
	slack, least int64
	told, listed bool
	list         *stirredList // nil: nobody is told
	account      *Account
}

// stirredList are the accounts whose wallets have something to tell: each is
// on it once.
type stirredList struct {
	mu       sync.Mutex
	accounts []*Account
}

// stir puts the account on the list; w.mu is held.
func (w *Wallet) stir() {
	if w.listed || w.list == nil {
		return
	}
	w.listed = true
	w.list.mu.Lock()
	w.list.accounts = append(w.list.accounts, w.account)
	w.list.mu.Unlock()
}

// low tells, once, that bids may find too little; w.mu is held.
func (w *Wallet) low() {
	if !w.told {
		w.told = true
		w.stir()
	}
}

// use takes from what may go before it is told of; w.mu is held.
func (w *Wallet) use(amount int64) {
	if w.slack -= amount; w.slack < 0 {
		w.low()
	}
}

// Stirred appends the accounts whose wallets run low, have refused a bid or
// have something to give back since the last Stirred. One that runs low says
// so once, until it is watched again. Whoever calls it looks at them then.
func (b *Book) Stirred(dst []*Account) []*Account {
	from := len(dst)
	b.stirred.mu.Lock()
	dst = append(dst, b.stirred.accounts...)
	clear(b.stirred.accounts)
	b.stirred.accounts = b.stirred.accounts[:0]
	b.stirred.mu.Unlock()
	for _, a := range dst[from:] {
		a.wallet.mu.Lock()
		a.wallet.listed = false
		a.wallet.mu.Unlock()
	}
	return dst
}

// Watch is Left, and when the first of the leases that it counts ends, in
// least's amounts. Where low or more is left, the account is Stirred as soon as
// less may be.
func (w *Wallet) Watch(day int32, atMS int64, least, low money.Nano) (left money.Nano, untilMS int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	untilMS = math.MaxInt64
	for i := range w.leases {
		if l := &w.leases[i]; l.day == day && l.untilMS > atMS && l.left >= int64(least) {
			left += money.Nano(max(l.left, 0))
			untilMS = min(untilMS, l.untilMS)
		}
	}
	w.slack, w.least, w.told = int64(left-low), int64(least), left < low
	return left, untilMS
}

// Ends is when the first lease ends, MaxInt64 for none.
func (w *Wallet) Ends() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	ends := int64(math.MaxInt64)
	for i := range w.leases {
		ends = min(ends, w.leases[i].untilMS)
	}
	return ends
}

type walletLease struct {
	id      uint64
	left    int64
	day     int32
	untilMS int64 // no bid is made out of it from then on
}

// LeaseReturn is a part of a lease that is not needed any more.
type LeaseReturn struct {
	Lease  uint64
	Amount money.Nano
}

// Grant adds a lease for bids of a day, until untilMS by this node's clock:
// early enough before the log takes it back that what was bid can be
// reported.
func (w *Wallet) Grant(id uint64, amount money.Nano, day int32, untilMS int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leases = append(w.leases, walletLease{id: id, left: int64(amount), day: day, untilMS: untilMS})
}

// Take holds an amount out of one lease of the day. It returns that lease, or
// 0 if none has as much.
func (w *Wallet) Take(amount money.Nano, day int32, nowMS int64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.leases {
		l := &w.leases[i]
		if l.day == day && l.untilMS > nowMS && l.left >= int64(amount) {
			l.left -= int64(amount)
			w.taken += int64(amount)
			if l.left < w.least {
				w.use(int64(amount) + l.left) // the rest pays for no bid
			} else {
				w.use(int64(amount))
			}
			return l.id
		}
	}
	w.missed = max(w.missed, int64(amount))
	w.low()
	return 0
}

// Demand is what bids took since the last call, less what was put back, and
// the largest amount that was asked for and not there.
func (w *Wallet) Demand() (taken, missed money.Nano) {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken, missed = money.Nano(max(w.taken, 0)), money.Nano(w.missed)
	w.taken, w.missed = 0, 0
	return taken, missed
}

// Put gives back what a hold did not cost; a negative amount is what came
// late, beyond the hold. Of a lease that is over, what is given back goes back
// to the log.
func (w *Wallet) Put(lease uint64, amount money.Nano) {
	if lease == 0 || amount == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken -= int64(amount)
	for i := range w.leases {
		if w.leases[i].id == lease {
			w.leases[i].left += int64(amount)
			if amount < 0 {
				w.use(-int64(amount))
			}
			return
		}
	}
	if amount > 0 {
		w.back = append(w.back, LeaseReturn{lease, amount})
		w.stir()
	}
}

// SetCostly notes that the platform has lost on the campaign's billed clicks
// what it may lose.
func (w *Wallet) SetCostly(costly bool) { w.costly.Store(costly) }

// Costly tells what SetCostly noted.
func (w *Wallet) Costly() bool { return w.costly.Load() }

// SetPoor notes whether the shop that pays has too little for one more lease,
// so that who finds none here can be told why.
func (w *Wallet) SetPoor(poor bool) { w.poor.Store(poor) }

// Poor tells what SetPoor noted.
func (w *Wallet) Poor() bool { return w.poor.Load() }

// Left is what can be taken on a day at a moment, now or to come, in amounts
// of least: a lease that has less left is of no use to a bid, and however many
// there are of such, more is to be asked for.
func (w *Wallet) Left(day int32, atMS int64, least money.Nano) money.Nano {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := int64(0)
	for i := range w.leases {
		if l := &w.leases[i]; l.day == day && l.untilMS > atMS && l.left >= int64(least) {
			left += max(l.left, 0)
		}
	}
	return money.Nano(left)
}

// Close ends the leases whose time is over and appends what goes back to the
// log: it is to be made durable there.
func (w *Wallet) Close(nowMS int64, dst []LeaseReturn) []LeaseReturn {
	w.mu.Lock()
	defer w.mu.Unlock()
	keep := w.leases[:0]
	for _, l := range w.leases {
		switch {
		case l.untilMS > nowMS:
			keep = append(keep, l)
		case l.left > 0:
			dst = append(dst, LeaseReturn{l.id, money.Nano(l.left)})
		}
	}
	w.leases = keep
	dst = append(dst, w.back...)
	w.back = w.back[:0]
	return dst
}

// Wallet of the account.
func (a *Account) Wallet() *Wallet { return &a.wallet }
