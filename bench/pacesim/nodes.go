package pacesim

import (
	"fmt"
	"math"
	"sort"
)

// Nodes are the bidders that share the campaign.
type Nodes struct {
	Count  int     `yaml:"count"`  // 1 to 64
	Lag    float64 `yaml:"lag"`    // seconds until what is in the log is known everywhere; 0.2
	Faults []Fault `yaml:"faults"` // on the judged day
}

// Fault is what happens to one node.
type Fault struct {
	What string  `yaml:"what"` // kill, stop or partition
	Node int     `yaml:"node"` // from 1
	From float64 `yaml:"from"` // hours of the day
	To   float64 `yaml:"to"`   // hours
}

// What happens to a node.
const (
	FaultKill      = "kill"      // kill -9; it comes back at To with nothing but its spool
	FaultStop      = "stop"      // SIGSTOP until To
	FaultPartition = "partition" // it bids, and cannot reach the log until To
)

// Orders are what follows a won impression: the truth that estimates are
// about. An impression's P(order) is its true value ÷ the value of an order.
type Orders struct {
	Value float64   `yaml:"value"` // of an order to the campaign, currency
	CTR   []float64 `yaml:"ctr"`   // P(click), of each of the four segments, or one for all
	Kept  float64   `yaml:"kept"`  // share that is neither cancelled nor returned; 1
	Delay float64   `yaml:"delay"` // hours from click to order, exponential mean
}

// Bought is what a judged day's impressions led to.
type Bought struct {
	Clicks, Orders, Kept int
	InTime               int     // kept orders that came before the day's end
	Expected             float64 // kept orders, by the truth
	BestCost             float64 // cost per kept order of the best in hindsight, by the truth
}

func (s *Scenario) checkNodes(bad func(cond bool, format string, args ...any)) {
	if n := s.Nodes; n != nil {
		bad(n.Count < 1 || n.Count > 64, "nodes.count %d: from 1 to 64", n.Count)
		bad(n.Lag < 0 || n.Lag > 600, "nodes.lag %v: from 0 to 600 seconds", n.Lag)
		for i, f := range n.Faults {
			bad(f.What != FaultKill && f.What != FaultStop && f.What != FaultPartition, "nodes.faults[%d].what %q: kill, stop or partition", i, f.What)
			bad(f.Node < 1 || f.Node > n.Count, "nodes.faults[%d].node %d: from 1 to %d", i, f.Node, n.Count)
			bad(f.From < 0 || f.To > 24 || f.From >= f.To, "nodes.faults[%d]: from %v to %v is no part of a day", i, f.From, f.To)
		}
	}
	if o := s.Orders; o != nil {
		bad(!(o.Value > 0), "orders.value %v: above 0", o.Value)
		bad(len(o.CTR) != 1 && len(o.CTR) != 4, "orders.ctr: one for all, or one for each of the four segments")
		for i, c := range o.CTR {
			bad(!(c > 0 && c <= 1), "orders.ctr[%d] %v: above 0, at most 1", i, c)
		}
		bad(!(o.Kept > 0 && o.Kept <= 1), "orders.kept %v: above 0, at most 1", o.Kept)
		bad(!(o.Delay >= 0), "orders.delay %v: not below 0", o.Delay)
	}
}

func (s *Scenario) nodeDefaults() {
	if n := s.Nodes; n != nil {
		if n.Lag == 0 {
			n.Lag = 0.2
		}
		sort.SliceStable(n.Faults, func(i, j int) bool { return n.Faults[i].From < n.Faults[j].From })
	}
	if o := s.Orders; o != nil && o.Kept == 0 {
		o.Kept = 1
	}
}

// follow draws what follows a won impression at second t.
func (g *game) follow(r *request) {
	o := g.orders
	if o == nil {
		return
	}
	ctr := o.CTR[min(r.segment, len(o.CTR)-1)]
	order := math.Min(ctr, r.value/1000/o.Value)
	g.bought.Expected += order * o.Kept
	if g.fate.Float64() >= ctr {
		return
	}
	g.bought.Clicks++
	if g.fate.Float64() >= order/ctr {
		return
	}
	g.bought.Orders++
	late := o.Delay * 3600 * g.fate.ExpFloat64()
	if g.fate.Float64() >= o.Kept {
		return
	}
	g.bought.Kept++
	if r.t+late < secondsDay {
		g.bought.InTime++
	}
}

// bestCost is what a kept order costs who knew the best multiplier.
func (o *Orders) bestCost(best outcome) float64 {
	return best.spend / (best.value / o.Value * o.Kept)
}

// uneven is how far the money spent was from the requests that had come, at
// most, in percent of what was spent in all: 0 is perfectly even.
func uneven(series []Minute) (worst float64) {
	total := 0
	for i := range series {
		total += series[i].Requests
	}
	if total == 0 || series[len(series)-1].Spend <= 0 {
		return 0
	}
	come := 0
	for i := range series {
		come += series[i].Requests
		worst = math.Max(worst, math.Abs(series[i].Spend/series[len(series)-1].Spend-float64(come)/float64(total)))
	}
	return 100 * worst
}

// Notes are lines about a result beside its row in the table.
func (r *Result) Notes() (out []string) {
	if r.Fleet != "" {
		out = append(out, r.Fleet)
	}
	if r.Charged != nil {
		out = append(out, r.Charged.String())
	}
	if b := r.Bought; b != nil && b.Kept > 0 {
		out = append(out, fmt.Sprintf("%d clicks, %d orders, %d of them kept (%d before the day's end): a kept order cost %.4g, by the truth %.4g; the best in hindsight %.4g",
			b.Clicks, b.Orders, b.Kept, b.InTime, r.Spend/float64(b.Kept), r.Spend/b.Expected, b.BestCost))
	}
	return append(out, fmt.Sprintf("spent at most %.2f %% ahead of or behind the requests", r.Uneven))
}
