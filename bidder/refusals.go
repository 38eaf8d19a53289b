package bidder

import (
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing/plan"
)

// refusalCounts counts refusals by campaign, exchange and reason. It is
// bounded by the number of campaigns and exchanges.
type refusalCounts struct {
	goals sync.Map                  // campaign id → *goalCounts
	paces sync.Map                  // campaign id → *pacer
	saved map[uint32]plan.LiveState // of before a restart

	mu   sync.Mutex
	byID map[refusalKey]*reasonCounts
	// Most are for the floor, a few dozen a request: those counts stand beside
	// each other, so that they stay in the processor's cache.
	floors map[refusalKey]*atomic.Uint64
	room   []atomic.Uint64
	names  map[uint16]string // of exchanges, by number
	shops  map[uint32]uint32 // by campaign
	from   int               // where the next minute's rows begin
}

type refusalKey struct {
	campaign uint32
	exchange uint16
}

// reasonCounts are a campaign's refusals at an exchange; told is what was
// recorded, and belongs to housekeeping.
type reasonCounts struct {
	n    [numReasons]atomic.Uint64
	told [numReasons]uint64
}

// floorOf is where a campaign's refusals for the floor are counted.
func (r *refusalCounts) floorOf(campaign, shop uint32, x *Exchange) *atomic.Uint64 {
	r.of(campaign, shop, x) // what is counted is told with the others
	r.mu.Lock()
	defer r.mu.Unlock()
	k := refusalKey{campaign, x.number}
	if c := r.floors[k]; c != nil {
		return c
	}
	if r.floors == nil {
		r.floors = make(map[refusalKey]*atomic.Uint64)
	}
	if len(r.room) == 0 {
		r.room = make([]atomic.Uint64, 1024)
	}
	c := &r.room[0]
	r.room = r.room[1:]
	r.floors[k] = c
	return c
}

func (r *refusalCounts) of(campaign, shop uint32, x *Exchange) *reasonCounts {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := refusalKey{campaign, x.number}
	c := r.byID[k]
	if c == nil {
		if r.byID == nil {
			r.byID, r.names, r.shops = make(map[refusalKey]*reasonCounts), make(map[uint16]string), make(map[uint32]uint32)
		}
		c = new(reasonCounts)
		r.byID[k], r.names[x.number], r.shops[campaign] = c, x.Name, shop
	}
	return c
}

// goalOf counts how a campaign with goals fares.
func (r *refusalCounts) goalOf(campaign uint32) *goalCounts {
	v, _ := r.goals.LoadOrStore(campaign, new(goalCounts))
	return v.(*goalCounts)
}

// keys are what is counted, in order.
func (r *refusalCounts) keys() []refusalKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]refusalKey, 0, len(r.byID))
	for k := range r.byID {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b refusalKey) int {
		if a.campaign != b.campaign {
			return int(int64(a.campaign) - int64(b.campaign))
		}
		return int(a.exchange) - int(b.exchange)
	})
	return list
}

// each calls fn with the counts of a key.
func (r *refusalCounts) each(k refusalKey, fn func(reason NoBidReason, n uint64, told *uint64)) {
	r.mu.Lock()
	c, floor := r.byID[k], r.floors[k]
	r.mu.Unlock()
	for reason := range numReasons {
		n := c.n[reason].Load()
		if reason == ReasonFloor && floor != nil {
			n = floor.Load()
		}
		fn(reason, n, &c.told[reason])
	}
}

func (r *refusalCounts) write(w io.Writer) {
	var sums [numReasons]uint64
	var buf []byte
	list := r.keys()
	for i, k := range list {
		r.each(k, func(reason NoBidReason, n uint64, _ *uint64) { sums[reason] += n })
		if i+1 < len(list) && list[i+1].campaign == k.campaign {
			continue
		}
		for reason, n := range sums {
			if n > 0 { // there are many: fmt would take a share of the processor
				buf = strconv.AppendUint(append(buf, `grosz_campaign_refused_total{campaign="`...), uint64(k.campaign), 10)
				buf = append(append(append(buf, `",reason="`...), NoBidReason(reason).String()...), `"} `...)
				buf = append(strconv.AppendUint(buf, n, 10), '\n')
			}
		}
		sums = [numReasons]uint64{}
		if len(buf) >= 32<<10 {
			_, _ = w.Write(buf) // who asks sees what was cut off
			buf = buf[:0]
		}
	}
	_, _ = w.Write(buf)
}

// tally adds what was counted of campaigns. Where a minute has no room for
// all, the next one begins where it ended.
func (r *refusalCounts) tally(t *tallyBatch) {
	list := r.keys()
	for i := range list {
		at := (r.from + i) % len(list)
		k, room := list[at], true
		r.mu.Lock()
		e := events.Event{Raw: events.TallyRefused, ShopID: r.shops[k.campaign], CampaignID: k.campaign, Exchange: r.names[k.exchange]}
		r.mu.Unlock()
		r.each(k, func(reason NoBidReason, n uint64, told *uint64) {
			e.Reason = reason.String()
			room = t.add(e, n, told) && room
		})
		if !room {
			r.from = at
			return
		}
	}
}

// campaignRefused counts a refusal n times. The first of a campaign at an exchange
// since the State was published looks its counts up.
func (b *Bidder) campaignRefused(s *State, x *Exchange, campaign int32, r NoBidReason, n uint64) {
	at := int(x.number)*len(s.accounts) + int(campaign)
	if r == ReasonFloor {
		c := s.floors[at].Load()
		if c == nil {
			camp := s.Snapshot.Campaigns[campaign]
			c = s.counts.floorOf(camp.ID, camp.ShopID, x)
			s.floors[at].Store(c)
		}
		c.Add(n)
		return
	}
	c := s.refusals[at].Load()
	if c == nil {
		camp := s.Snapshot.Campaigns[campaign]
		c = s.counts.of(camp.ID, camp.ShopID, x)
		s.refusals[at].Store(c)
	}
	c.n[r].Add(n)
}
