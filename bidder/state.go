package bidder

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/plan"
)

// State is all configuration that a bid reads, immutable once published.
type State struct {
	Snapshot  *campaigns.Snapshot
	Exchanges map[string]*Exchange
	Rates     *money.Rates
	// accounts of the campaigns, by their dense index in Snapshot.
	accounts []*pacing.Account
	goals    []*goalCounts // nil for a campaign without goals
	paces    []*plan.Pace  // nil where the day is not paced
	// Refusals, and those for the floor, by exchange and campaign: number of the
	// exchange × campaigns + index. Nil until the first one.
	refusals []atomic.Pointer[reasonCounts]
	floors   []atomic.Pointer[atomic.Uint64]
	counts   *refusalCounts
	tops     []topsIn
	versions map[*campaigns.Creative]int64 // creatives.Version
	// limited are the campaigns that are bid for out of leases.
	limited []bool
	// capped are the campaigns whose shop caps anything: their bids are counted.
	capped []bool
	// cappedProducts are those whose shop caps products.
	cappedProducts []bool
}

// newState resolves what the hot path would otherwise look up. Exchanges have
// numbers below numbers, also those that are not in the map.
func newState(snap *campaigns.Snapshot, exchanges map[string]*Exchange, numbers int, rates *money.Rates, book *pacing.Book, refusals *refusalCounts) *State {
	n := len(snap.Campaigns)
	s := &State{
		Snapshot: snap, Exchanges: exchanges, Rates: rates,
		accounts: make([]*pacing.Account, n), goals: make([]*goalCounts, n), paces: make([]*plan.Pace, n), refusals: make([]atomic.Pointer[reasonCounts], n*numbers), floors: make([]atomic.Pointer[atomic.Uint64], n*numbers), counts: refusals,
		versions: make(map[*campaigns.Creative]int64, n),
	}
	s.limited = make([]bool, n)
	s.tops = newTops(snap, exchanges, rates)
	s.capped, s.cappedProducts = cappedShops(snap), productCappedShops(snap)
	for i, c := range snap.Campaigns {
		s.limited[i] = limited(c)
		a := book.Account(c.ID)
		a.SetLimits(pacing.Limits{Total: c.Budget.Total, Day: c.Budget.Day})
		if goal, _ := snap.HasGoal(int32(i)); goal {
			s.goals[i] = refusals.goalOf(c.ID)
		}
		if paced(c) {
			s.paces[i] = refusals.paceOf(c.ID, numbers)
		}
		s.accounts[i] = a
		for _, list := range [...][]*campaigns.Creative{c.Banners, c.Videos, c.Natives} {
			for _, cr := range list {
				s.versions[cr] = creatives.Version(cr)
			}
		}
	}
	return s
}

// day is one calendar day of a time zone.
type day struct {
	fromMS, toMS int64
	number       int32  // days since the epoch, by the calendar
	text         string // YYYY-MM-DD
}

func dayAt(loc *time.Location, ms int64) *day {
	t := time.UnixMilli(ms).In(loc)
	y, m, d := t.Date()
	return &day{
		fromMS: time.Date(y, m, d, 0, 0, 0, 0, loc).UnixMilli(),
		toMS:   time.Date(y, m, d+1, 0, 0, 0, 0, loc).UnixMilli(),
		number: int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)),
		text:   t.Format(time.DateOnly),
	}
}

// dayCache knows each time zone's current day, so that the hot path does no
// calendar arithmetic. Bounded by the number of time zones.
type dayCache struct{ zones sync.Map } // *time.Location → *atomic.Pointer[day]

// at returns the day of ms in loc.
func (c *dayCache) at(loc *time.Location, ms int64) *day {
	v, ok := c.zones.Load(loc)
	if !ok {
		v, _ = c.zones.LoadOrStore(loc, new(atomic.Pointer[day]))
	}
	p := v.(*atomic.Pointer[day])
	if d := p.Load(); d != nil && ms >= d.fromMS && ms < d.toMS {
		return d
	}
	d := dayAt(loc, ms)
	if old := p.Load(); old == nil || old.fromMS < d.fromMS {
		p.Store(d) // a late notice of yesterday does not push today out
	}
	return d
}
