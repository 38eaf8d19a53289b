package ledger

import (
	"math"

	"github.com/grosz/grosz/internal/money"
)

// Fold holds the balances. The zero value is not ready: use New.
type Fold struct {
	shops     map[uint32]*shop
	campaigns map[uint32]*campaign
	leases    map[uint64]*lease
}

// New returns an empty Fold.
func New() *Fold {
	return &Fold{shops: map[uint32]*shop{}, campaigns: map[uint32]*campaign{}, leases: map[uint64]*lease{}}
}

type shop struct {
	account   Account
	terms     int64 // version of the account
	deposits  int64 // number of the last deposit
	deposited money.Nano
	billed    money.Nano
	leased    money.Nano
	house     money.Nano
	nowMS     int64 // the log's time: the latest of its records
	due       []*lease
}

type campaign struct {
	limits  Limits
	version int64 // of the limits, 0: none are known, and nothing is lent
	billed  money.Nano
	house   money.Nano
	leased  money.Nano
	days    map[int32]*day
}

type day struct {
	billed, leased money.Nano
	// Of bids whose click is billed: what their impressions cost the platform,
	// and what their clicks were billed, without the fee.
	media, clicks money.Nano
}

type lease struct {
	id        uint64
	shop      uint32
	campaign  uint32
	day       int32
	left      money.Nano // granted, neither settled nor given back
	expiresMS int64
}

// keepDays is how long a campaign's days are told apart: a billing token's
// life, and as much again for what an exchange's report corrects.
const keepDays = 40

// weekOf numbers weeks that begin on Monday; day 0 was a Thursday.
func weekOf(d int32) int32 { return (d + 3) / 7 }

func (f *Fold) shop(id uint32) *shop {
	s := f.shops[id]
	if s == nil {
		s = &shop{}
		f.shops[id] = s
	}
	return s
}

func (f *Fold) campaign(id uint32) *campaign {
	c := f.campaigns[id]
	if c == nil {
		c = &campaign{days: map[int32]*day{}}
		f.campaigns[id] = c
	}
	return c
}

func (c *campaign) day(n int32) *day {
	d := c.days[n]
	if d == nil {
		for k := range c.days {
			if k < n-keepDays {
				delete(c.days, k)
			}
		}
		d = &day{}
		c.days[n] = d
	}
	return d
}

func (c *campaign) week(n int32) (w day) {
	for d := weekOf(n)*7 - 3; d <= weekOf(n)*7+3; d++ {
		if x := c.days[d]; x != nil {
			w.billed, w.leased = w.billed+x.billed, w.leased+x.leased
		}
	}
	return w
}

// Apply folds the next record of its shop and appends the entries it makes.
func (f *Fold) Apply(r *Record, dst []Entry) []Entry {
	s := f.shop(r.Shop)
	s.nowMS = max(s.nowMS, r.AtMS)
	f.expire(s)
	if r.PerClick && (r.Kind == Settlement || r.Kind == Adjustment) {
		return f.perClick(s, r, dst)
	}
	switch r.Kind {
	case Settlement:
		return f.settle(s, r, dst)
	case Adjustment:
		return f.adjust(s, r, dst)
	case Deposit:
		if r.Version != 0 && r.Version <= s.deposits {
			return dst // sent again
		}
		s.deposits = max(s.deposits, r.Version)
		s.deposited += r.ShopAmount
		return append(dst, entry(r, Bank, Balance, r.ShopAmount, r.ShopCurrency))
	case Terms:
		if r.Version == 0 || r.Version > s.terms {
			s.account, s.terms = r.Terms, r.Version
		}
	case Budget:
		if c := f.campaign(r.Campaign); r.Version > c.version {
			c.limits, c.version = r.Limits, r.Version
		}
	case Lease:
		f.grant(s, r)
	case Return:
		if l := f.leases[r.LeaseID]; l != nil && r.ShopAmount > 0 {
			f.use(l, r.ShopAmount)
		}
	}
	return dst
}

func entry(r *Record, from, to Place, n money.Nano, cur money.Currency) Entry {
	return Entry{
		ID: r.ID, AtMS: r.AtMS, Day: r.Day, Shop: r.Shop, Campaign: r.Campaign, Exchange: r.Exchange,
		From: from, To: to, Amount: n, Currency: cur,
	}
}

// free is what may still be billed to a campaign on a day; its leases are
// spent already where they are asked about.
func (f *Fold) free(s *shop, c *campaign, n int32, leases bool) money.Nano {
	used := func(d day) money.Nano {
		if leases {
			return d.billed + d.leased
		}
		return d.billed
	}
	left := money.Nano(math.MaxInt64)
	if l := c.limits.Total; l > 0 {
		left = min(left, l-used(day{billed: c.billed, leased: c.leased}))
	}
	if l := c.limits.Week; l > 0 {
		left = min(left, l-used(c.week(n)))
	}
	if l := c.limits.Day; l > 0 {
		left = min(left, l-used(*c.day(n)))
	}
	if s.account.Prepaid {
		left = min(left, s.deposited+s.account.Credit-used(day{billed: s.billed, leased: s.leased}))
	}
	return max(left, 0)
}

// settle bills a settlement to the shop if it fits, else to the house.
func (f *Fold) settle(s *shop, r *Record, dst []Entry) []Entry {
	c, gross := f.campaign(r.Campaign), money.Add(r.ShopAmount, r.ShopFee)
	if l := f.leases[r.LeaseID]; l != nil && l.campaign == r.Campaign {
		f.use(l, gross)
	}
	owed := Media
	if r.Provisional {
		owed = Unread
	}
	from := Balance
	if gross > f.free(s, c, r.Day, false) {
		from = House
		f.absorb(s, c, r.ShopAmount)
	} else {
		f.bill(s, c, r.Day, gross)
		if r.ShopFee != 0 {
			dst = append(dst, entry(r, Balance, Fee, r.ShopFee, r.ShopCurrency))
		}
	}
	dst = across(dst, r, from, owed)
	if r.Disputed != 0 {
		dst = append(dst, entry(r, Dispute, Media, r.Disputed, r.Currency))
	}
	return dst
}

// across moves a media cost from the shop's currency to the exchange's.
func across(dst []Entry, r *Record, from, to Place) []Entry {
	if r.Currency == r.ShopCurrency && r.Amount == r.ShopAmount {
		return append(dst, entry(r, from, to, r.Amount, r.Currency))
	}
	return append(dst, entry(r, from, Exchanged, r.ShopAmount, r.ShopCurrency), entry(r, Exchanged, to, r.Amount, r.Currency))
}

func (f *Fold) bill(s *shop, c *campaign, n int32, gross money.Nano) {
	s.billed += gross
	c.billed += gross
	c.day(n).billed += gross
}

// absorb books a media cost to the house.
func (f *Fold) absorb(s *shop, c *campaign, net money.Nano) {
	s.house += net
	c.house += net
}

// adjust corrects a settlement. What is taken back was the shop's or the
// house's; what is added goes to the shop as far as it fits.
func (f *Fold) adjust(s *shop, r *Record, dst []Entry) []Entry {
	c, gross := f.campaign(r.Campaign), money.Add(r.ShopAmount, r.ShopFee)
	from := Balance
	switch {
	case gross > 0 && gross > f.free(s, c, r.Day, false):
		from = House
		f.absorb(s, c, r.ShopAmount)
	case gross < 0 && c.billed+gross < 0:
		from = House // more than the shop ever paid: it was never its own
		f.absorb(s, c, r.ShopAmount)
	default:
		f.bill(s, c, r.Day, gross)
		if r.ShopFee != 0 {
			dst = append(dst, entry(r, Balance, Fee, r.ShopFee, r.ShopCurrency))
		}
	}
	if !r.Provisional {
		return across(dst, r, from, Media)
	}
	// What stood at the bid is put right, and is then owed like any other.
	return append(across(dst, r, from, Unread), entry(r, Unread, Media, r.Owed, r.Currency))
}

// grant gives a lease what is free, at most what it asks for. The same lease
// asked for twice is granted once.
func (f *Fold) grant(s *shop, r *Record) {
	if f.leases[r.LeaseID] != nil || r.LeaseID == 0 || r.ShopAmount <= 0 || r.TTLMS <= 0 {
		return
	}
	c := f.campaign(r.Campaign)
	if c.version == 0 {
		return
	}
	n := min(r.ShopAmount, f.free(s, c, r.Day, true))
	if n <= 0 {
		return
	}
	l := &lease{id: r.LeaseID, shop: r.Shop, campaign: r.Campaign, day: r.Day, left: n, expiresMS: s.nowMS + r.TTLMS}
	f.leases[r.LeaseID] = l
	s.due = append(s.due, l)
	f.lend(s, c, l.day, n)
}

func (f *Fold) lend(s *shop, c *campaign, n int32, amount money.Nano) {
	s.leased += amount
	c.leased += amount
	c.day(n).leased += amount
}

// use takes from a lease what was settled out of it or given back.
func (f *Fold) use(l *lease, n money.Nano) {
	n = min(n, l.left)
	l.left -= n
	f.lend(f.shops[l.shop], f.campaign(l.campaign), l.day, -n)
}

// expire gives back what is left of leases whose time is over.
func (f *Fold) expire(s *shop) {
	keep := s.due[:0]
	for _, l := range s.due {
		if l.expiresMS > s.nowMS && l.left > 0 {
			keep = append(keep, l)
			continue
		}
		f.use(l, l.left)
		delete(f.leases, l.id)
	}
	clear(s.due[len(keep):])
	s.due = keep
}

// Version of a campaign's limits, 0 for none.
func (f *Fold) Version(campaign uint32) int64 {
	if c := f.campaigns[campaign]; c != nil {
		return c.version
	}
	return 0
}

// Granted is what is left of a lease; 0 if there is none.
func (f *Fold) Granted(id uint64) money.Nano {
	if l := f.leases[id]; l != nil {
		return l.left
	}
	return 0
}

// CampaignState is a campaign's money on a day, in the shop's currency, fee
// included: budget = Billed + Leased + Free for each limit that is set.
type CampaignState struct {
	Limits
	Billed, Leased, Free  money.Nano
	DayBilled, WeekBilled money.Nano
	House                 money.Nano // media cost beyond the budget, not billed
}

// Campaign reads a campaign's state for one of its shop's days.
func (f *Fold) Campaign(shopID, id uint32, n int32) CampaignState {
	c, s := f.campaigns[id], f.shops[shopID]
	if c == nil || s == nil {
		return CampaignState{}
	}
	return CampaignState{
		Limits: c.limits, Billed: c.billed, Leased: c.leased, Free: f.free(s, c, n, true),
		DayBilled: c.day(n).billed, WeekBilled: c.week(n).billed, House: c.house,
	}
}

// ShopState is a shop's money.
type ShopState struct {
	Account
	Deposited, Billed, Leased money.Nano
	// Balance is Deposited − Billed.
	Balance money.Nano
	House   money.Nano // media cost beyond its budgets and its balance, not billed
	// Free may still be lent; below zero more is lent or billed than the shop
	// may owe by now. Unlimited for shops that are not prepaid.
	Free money.Nano
}

// Shop reads a shop's state.
func (f *Fold) Shop(id uint32) ShopState {
	s := f.shops[id]
	if s == nil {
		return ShopState{}
	}
	st := ShopState{
		Account: s.account, Deposited: s.deposited, Billed: s.billed, Leased: s.leased,
		Balance: s.deposited - s.billed, House: s.house, Free: math.MaxInt64,
	}
	if s.account.Prepaid {
		st.Free = s.deposited + s.account.Credit - s.billed - s.leased
	}
	return st
}

// Free is ShopState.Free alone.
func (f *Fold) Free(shop uint32) money.Nano {
	s := f.shops[shop]
	if s == nil || !s.account.Prepaid {
		return math.MaxInt64
	}
	return s.deposited + s.account.Credit - s.billed - s.leased
}

// Prepaid tells whether the shop's terms, as far as the log has them, say that
// it pays before.
func (f *Fold) Prepaid(shop uint32) bool {
	s := f.shops[shop]
	return s != nil && s.account.Prepaid
}
