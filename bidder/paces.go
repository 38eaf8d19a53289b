package bidder

import (
	"fmt"
	"io"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/pacing"
)

// planRounds is how many of housekeeping's rounds of 50 ms are between plans.
const planRounds = pacing.PlanEveryMS / 50

// dayShape is how this node's requests are spread over the day, by quarters of
// an hour UTC, learned as they come; flat before.
type dayShape struct {
	quarters [96]float64 // mean of requests on days past
	running  int64       // quarter since 1970 that is being counted
	before   uint64      // requests when it began
}

const (
	quarterMS  = 15 * 60 * 1000
	shapeBlend = 0.3 // of what a day teaches about its quarters
)

// count moves the shape on; total is all requests so far.
func (d *dayShape) count(nowMS int64, total uint64) {
	q := nowMS / quarterMS
	if q == d.running {
		return
	}
	if q == d.running+1 && total > d.before {
		slot, n := &d.quarters[d.running%96], float64(total-d.before)
		if *slot == 0 {
			*slot = n
		} else {
			*slot += shapeBlend * (n - *slot)
		}
	}
	d.running, d.before = q, total
}

// weight of a quarter since 1970; the mean where it was never seen.
func (d *dayShape) weight(q int64) float64 {
	if w := d.quarters[q%96]; w > 0 {
		return w
	}
	sum, n := 0.0, 0.0
	for _, w := range d.quarters {
		if w > 0 {
			sum, n = sum+w, n+1
		}
	}
	if n == 0 {
		return 1
	}
	return sum / n
}

// shares is what part of a day's weighed traffic comes within the next plan,
// and what part from now on.
func (d *dayShape) shares(nowMS int64, today *day, front bool) (next, left float64) {
	length := float64(today.toMS - today.fromMS)
	total := 0.0
	for at := today.fromMS; at < today.toMS; at += quarterMS {
		w := d.weight(at / quarterMS)
		if front { // from four thirds to two thirds
			w *= 4.0/3 - 2.0/3*float64(at-today.fromMS)/length
		}
		total += w
		switch end := at + quarterMS; {
		case nowMS >= end:
		case nowMS >= at:
			left += w * float64(end-nowMS) / quarterMS
			next = w * pacing.PlanEveryMS / quarterMS
		default:
			left += w
		}
	}
	return next / total, left / total
}

// plan moves the factors of all campaigns whose day is paced.
func (b *Bidder) plan() {
	s, now := b.state.Load(), b.clock.NowMS()
	var total uint64
	for _, x := range s.Exchanges {
		total += x.counters.requests.Load()
	}
	b.shape.count(now, total)
	for i, camp := range s.Snapshot.Campaigns {
		p := s.paces[i]
		if p == nil || !camp.InFlight(now) {
			continue
		}
		today := b.days.at(camp.Shop.Location, now)
		next, left := b.shape.shares(now, today, camp.Pacing == campaigns.PacingFront)
		p.Plan(pacing.Moment{
			Day: today.number, Budget: camp.Budget.Day, Settled: s.accounts[i].State(today.number).DaySettled, Next: next, Left: left,
		})
	}
}

// paced tells whether a campaign's day is spread.
func paced(c *campaigns.CompiledCampaign) bool {
	return c.Budget.Day > 0 && (c.Pacing == campaigns.PacingEven || c.Pacing == campaigns.PacingFront)
}

// paceOf is a campaign's factor, which outlives a State.
func (r *refusalCounts) paceOf(campaign uint32) *pacing.Pace {
	v, ok := r.paces.Load(campaign)
	if !ok {
		v, _ = r.paces.LoadOrStore(campaign, pacing.NewPace())
	}
	return v.(*pacing.Pace)
}

// borrowPaces lets a shadow bid by the live factors.
func (s *State) borrowPaces(live *refusalCounts) {
	for i, c := range s.Snapshot.Campaigns {
		if s.paces[i] != nil {
			s.paces[i] = live.paceOf(c.ID)
		}
	}
}

func (s *State) writePaces(w io.Writer) {
	for i, c := range s.Snapshot.Campaigns {
		if p := s.paces[i]; p != nil {
			fmt.Fprintf(w, "grosz_pace_factor{campaign=\"%d\"} %.4f\n", c.ID, p.K())
		}
	}
}
