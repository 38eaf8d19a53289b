package bidder

import (
	"fmt"
	"io"
	"sync"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/pacing/plan"
)

// planRounds is how many of housekeeping's rounds of 50 ms are between two
// plans of a campaign; every round plans a part of them.
const planRounds = plan.PlanEveryMS / 50

// pacer is a campaign's plan, which outlives a State. live is housekeeping's;
// pace is everybody's.
type pacer struct {
	live *plan.Live
	pace *plan.Pace
}

// nodeShare is the part of what all nodes settle, of paced campaigns, that
// was bid by this one.
type nodeShare struct {
	mu       sync.Mutex
	own, all float64
}

const (
	shareMemory = 2000.0 // settlements
	sharePrior  = 20.0   // settlements, all this node's
)

func (n *nodeShare) count(own bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	const keep = 1 - 1/shareMemory
	n.own, n.all = n.own*keep, n.all*keep+1
	if own {
		n.own++
	}
}

func (n *nodeShare) get() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return (n.own + sharePrior) / (n.all + sharePrior)
}

// share is what this node plans for.
func (b *Bidder) share() float64 {
	if b.leases == nil {
		return 1
	}
	return min(1, b.settledHere.get()/max(b.outcomes.kept(), 0.01))
}

// countTraffic takes in this node's requests, and tells all nodes of hours
// that are over. Housekeeping calls it each second.
func (b *Bidder) countTraffic() {
	now := b.clock.NowMS()
	for i, x := range b.byNumber {
		n := x.counters.requests.Load()
		hour, over := b.demand.Seen(i, now, float64(n-b.counted[i]))
		b.counted[i] = n
		if over {
			b.tellTraffic(x, hour)
		}
	}
}

// tellTraffic writes an hour's count into the log. It has one id, however often
// it is written.
func (b *Bidder) tellTraffic(x *Exchange, c plan.HourCount) {
	e := events.Event{
		EventID: events.NamedID(0, "traffic", fmt.Sprintf("%s/%s/%d", b.cfg.Node, x.Name, c.HourMS)), Type: events.TypeTraffic, TimeMS: c.HourMS, BidMS: c.HourMS, Exchange: x.Name, Count: c.Count, Node: b.cfg.Node,
	}
	if err := b.spool.Append(spool.Record{Topic: kafka.SpoolEvents, Key: events.ShopKey(0), Value: e.AppendJSON(nil)}); err != nil {
		b.log.Warn("an hour's count of requests is not recorded", "exchange", x.Name, "err", err)
	}
}

// foldTraffic takes in what a node counted.
func (b *Bidder) foldTraffic(e *events.Event) {
	if x := b.exchanges[e.Exchange]; x != nil {
		b.demand.Told(plan.HourCount{Node: e.Node, Exchange: int(x.number), HourMS: e.TimeMS, Count: e.Count})
	}
}

// plan plans anew for the campaigns of a round whose day is paced.
func (b *Bidder) plan(round, rounds int) {
	s, now, share := b.state.Load(), b.clock.NowMS(), b.share()
	lost := b.lostShares(now)
	if round < len(s.Snapshot.Campaigns) {
		b.plans.Add(1)
		defer b.plans.Add(1)
	}
	for i := round; i < len(s.Snapshot.Campaigns); i += rounds {
		camp := s.Snapshot.Campaigns[i]
		p := b.refusals.pacerOf(camp.ID)
		if s.paces[i] == nil || p == nil || !camp.InFlight(now) {
			continue
		}
		today := b.days.at(camp.Shop.Location, now)
		a := s.accounts[i].State(today.number)
		p.live.Plan(plan.Moment{
			NowMS: now, Day: today.number, FromMS: max(today.fromMS, camp.StartMS), ToMS: campaignEnd(camp, today), Budget: camp.Budget.Day,
			Spent: a.DaySettled + max(a.Pending, 0), Share: share, Front: camp.Pacing == campaigns.PacingFront, Demand: b.demand, Prices: b.markets, Lost: lost,
		})
	}
}

// campaignEnd is when the campaign's day ends: at midnight, or with its flight.
func campaignEnd(c *campaigns.CompiledCampaign, today *day) int64 {
	if c.EndMS > 0 && c.EndMS < today.toMS {
		return c.EndMS
	}
	return today.toMS
}

// pricesRound learns from first-price auctions; each second, the fits rarer.
func (b *Bidder) pricesRound(second uint32) {
	for i, x := range b.byNumber {
		if v := x.market.View(); (second+uint32(i))%60 == 0 || (second%5 == 0 && v.Outcomes() < 5_000) {
			x.market.Refit()
		}
		x.market.Publish()
	}
}

// paced tells whether a campaign's day is spread.
func paced(c *campaigns.CompiledCampaign) bool {
	return c.Budget.Day > 0 && (c.Pacing == campaigns.PacingEven || c.Pacing == campaigns.PacingFront)
}

// paceOf is a campaign's plan, made if it is new.
func (r *refusalCounts) paceOf(campaign uint32, exchanges int) *plan.Pace {
	v, ok := r.paces.Load(campaign)
	if !ok {
		p := &pacer{live: plan.NewLive(uint64(campaign), exchanges)}
		p.pace = p.live.Pace()
		if s, ok := r.saved[campaign]; ok {
			p.live.Restore(s)
		}
		v, _ = r.paces.LoadOrStore(campaign, p)
	}
	return v.(*pacer).pace
}

// pacerOf is a campaign's plan, nil where its day was never paced here.
func (r *refusalCounts) pacerOf(campaign uint32) *pacer {
	v, ok := r.paces.Load(campaign)
	if !ok {
		return nil
	}
	return v.(*pacer)
}

// borrowPaces lets a shadow bid by the live multipliers.
func (s *State) borrowPaces(live *refusalCounts, exchanges int) {
	for i, c := range s.Snapshot.Campaigns {
		if s.paces[i] != nil {
			s.paces[i] = live.paceOf(c.ID, exchanges)
		}
	}
}

func (s *State) writePaces(w io.Writer) {
	for i, c := range s.Snapshot.Campaigns {
		p := s.paces[i]
		if p == nil {
			continue
		}
		fmt.Fprintf(w, "grosz_pace_factor{campaign=\"%d\"} %.4f\n", c.ID, p.K())
		if r := p.Report(); r != nil {
			fmt.Fprintf(w, "grosz_plan_left{campaign=\"%d\"} %.6f\n", c.ID, r.Left)
			fmt.Fprintf(w, "grosz_plan_open{campaign=\"%d\"} %.6f\n", c.ID, r.Open)
			fmt.Fprintf(w, "grosz_plan_impressions{campaign=\"%d\"} %.0f\n", c.ID, r.Impressions)
			fmt.Fprintf(w, "grosz_plan_correction{campaign=\"%d\"} %.4f\n", c.ID, r.Correction)
			fmt.Fprintf(w, "grosz_plan_lost{campaign=\"%d\"} %.5f\n", c.ID, r.Lost)
		}
	}
}

func (b *Bidder) writeTraffic(w io.Writer) {
	fmt.Fprintf(w, "grosz_node_share %.4f\n", b.share())
	for i, x := range b.byNumber {
		fmt.Fprintf(w, "grosz_traffic_level{exchange=%q} %.4f\n", x.Name, b.demand.Level(i))
	}
}
