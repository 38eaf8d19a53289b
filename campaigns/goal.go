package campaigns

import (
	"errors"
	"fmt"
	"math"

	"github.com/grosz/grosz/internal/money"
)

// Goal says what a click or an order may cost, in the shop's currency, fee
// included. Zero is no such goal. With any of them the bid is the least of
// what each allows and of bid.cpm, where that is set; at most bid.max_cpm.
type Goal struct {
	// MaxCPC is what a click may cost at most: P(click) × MaxCPC. A segment's
	// max_bps raises it.
	MaxCPC money.Nano `json:"max_cpc,omitempty"`
	// TargetCPO is what an order is to cost on average.
	TargetCPO money.Nano `json:"target_cpo,omitempty"`
	// TargetROASBPS is the turnover for each unit that is spent, in basis
	// points: 50,000 is five times.
	TargetROASBPS int64 `json:"target_roas_bps,omitempty"`
	// ShareBPS is the part of the expected turnover that is bid, in basis
	// points: the margin that the shop gives for an order.
	ShareBPS int64 `json:"share_bps,omitempty"`
}

// Any tells whether a goal is set.
func (g Goal) Any() bool { return g != Goal{} }

// NeedsOrders tells whether a goal asks how likely an order is.
func (g Goal) NeedsOrders() bool { return g.TargetCPO > 0 || g.TargetROASBPS > 0 || g.ShareBPS > 0 }

// NeedsOrderValue tells whether a goal asks what an order is worth.
func (g Goal) NeedsOrderValue() bool { return g.TargetROASBPS > 0 || g.ShareBPS > 0 }

// How a day's budget is spread.
const (
	PacingASAP  = "asap"         // bid in full until the budget is gone
	PacingEven  = "even"         // as the day's traffic comes
	PacingFront = "front_loaded" // twice as much in the day's first hours as in its last
)

// Bounds of goals.
const (
	MaxGoal    = 1_000_000 * money.NanoUnit
	MaxGoalBPS = 100_000_000 // ten thousand times
)

func (c *Campaign) checkGoal() []error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	g := c.Goal
	bad(g.MaxCPC < 0 || g.MaxCPC > MaxGoal, "goal.max_cpc %s must be 0 to %s", g.MaxCPC, money.Nano(MaxGoal))
	bad(g.TargetCPO < 0 || g.TargetCPO > MaxGoal, "goal.target_cpo %s must be 0 to %s", g.TargetCPO, money.Nano(MaxGoal))
	bad(g.TargetROASBPS < 0 || g.TargetROASBPS > MaxGoalBPS, "goal.target_roas_bps %d must be 0 to %d", g.TargetROASBPS, MaxGoalBPS)
	bad(g.ShareBPS < 0 || g.ShareBPS > MaxBoostBPS, "goal.share_bps %d must be 0 to %d", g.ShareBPS, MaxBoostBPS)
	errs = append(errs, c.checkBilling()...)
	if (g.Any() || c.PerClick()) && c.Bid.CPM == 0 && c.Bid.MaxCPM == 0 {
		errs = append(errs, errors.New("a goal or billing by clicks without bid.cpm needs bid.max_cpm: no prediction may bid more"))
	}
	switch c.Pacing {
	case "", PacingASAP, PacingEven, PacingFront:
	default:
		errs = append(errs, fmt.Errorf("pacing %q is not %s, %s or %s", c.Pacing, PacingEven, PacingFront, PacingASAP))
	}
	return errs
}

// goal is a Goal as the hot path reads it: what a limit allows, less the fee,
// is the media cost that may be bid.
type goal struct {
	Goal
	cpc, cpo     float64 // nano-units, without a fee that is a share
	roas, share  float64 // part of an order's value, likewise
	fee          float64 // micro-CPM, where the fee is so much a thousand
	click        float64 // nano-units that a click brings the platform, where clicks are billed
	hasCPM       bool
	neededOrders bool
}

func newGoal(cc *CompiledCampaign) *goal {
	g := cc.Goal
	if !g.Any() && !cc.PerClick() {
		return nil
	}
	fee := cc.Shop.Fee()
	net := 1 / (1 + float64(max(fee.Share().BPS, 0))/10_000)
	out := &goal{Goal: g, fee: float64(max(fee.CPM, 0)), cpc: float64(g.MaxCPC) * net, cpo: float64(g.TargetCPO) * net, hasCPM: cc.Bid.CPM > 0, neededOrders: g.NeedsOrders()}
	if g.TargetROASBPS > 0 {
		out.roas = 10_000 / float64(g.TargetROASBPS) * net
	}
	out.share = float64(g.ShareBPS) / 10_000 * net
	if cc.PerClick() {
		out.click = float64(cc.CPC)
	}
	return out
}

// Limit names what bounds a bid.
type Limit uint8

// The limits of a bid with goals, in the order in which ties are told.
const (
	LimitNone Limit = iota
	LimitCPM
	LimitCPC
	LimitCPO
	LimitROAS
	LimitShare
	LimitMaxCPM
	LimitBilled // what a billed click brings, less the platform's margin
	NumLimits
)

var limitNames = [NumLimits]string{"", "cpm", "max_cpc", "target_cpo", "target_roas", "share", "max_cpm", "billed_cpc"}

// String is the limit's name in explanations and metrics.
func (l Limit) String() string {
	if l < NumLimits {
		return limitNames[l]
	}
	return "unknown"
}

// Worth is what is to be expected of one impression, and what follows.
type Worth struct {
	Click float64 // P(click)
	Order float64 // P(order | click)
	// OrderValue is what an order is likely to be worth, nano-units of the
	// shop's currency; 0: not known, and then nothing is bid for it.
	OrderValue float64
	// Control multiplies what orders are worth: it brings their average cost
	// to the target. 0 is 1.
	Control float64
	// Margin is the platform's part of what clicks bring that are billed.
	Margin float64

	Values [NumLimits]money.CPM // by limit; NoLimit where it does not count
	Bound  Limit                // the least of them
}

// NoLimit is the value of a limit that is not set.
const NoLimit money.CPM = math.MaxInt64

var unlimited = [NumLimits]money.CPM{NoLimit, NoLimit, NoLimit, NoLimit, NoLimit, NoLimit, NoLimit, NoLimit}

// HasGoal tells whether the campaign's bid is made by GoalCPM, and whether
// that asks about orders.
func (s *Snapshot) HasGoal(campaign int32) (goal, orders bool) {
	made := s.index.bounds[campaign].made
	return made&byGoal != 0, made&byOrders != 0
}

// GoalCPM is the price of a campaign with goals, in the shop's currency: the
// least that one of them allows, rounded down; boosts and segments multiply
// what orders are worth and raise the greatest cost of a click. It says in w
// what each allowed. It never exceeds TopCPM.
func (s *Snapshot) GoalCPM(campaign int32, m *Matcher, w *Worth) money.CPM {
	q := &s.index.prices[campaign]
	g := q.goal
	w.Values, w.Bound = unlimited, LimitCPM
	least := NoLimit
	factor, raise, p, most := s.factors(campaign, m)
	if g.hasCPM {
		least = w.allow(LimitCPM, p, least)
	}
	if g.MaxCPC > 0 {
		least = w.allow(LimitCPC, floorCPM(w.Click*g.cpc*raise-g.fee), least)
	}
	if g.neededOrders {
		orders := w.Click * w.Order * factor
		if w.Control > 0 {
			orders *= w.Control
		}
		if g.TargetCPO > 0 {
			least = w.allow(LimitCPO, floorCPM(orders*g.cpo-g.fee), least)
		}
		if g.TargetROASBPS > 0 {
			least = w.allow(LimitROAS, floorCPM(orders*w.OrderValue*g.roas-g.fee), least)
		}
		if g.ShareBPS > 0 {
			least = w.allow(LimitShare, floorCPM(orders*w.OrderValue*g.share-g.fee), least)
		}
	}
	if most > 0 {
		least = w.allow(LimitMaxCPM, most, least)
	}
	if g.click > 0 {
		least = w.allow(LimitBilled, floorCPM(w.Click*g.click*(1-w.Margin)), least)
	}
	return least
}

// allow notes what a limit allows, in the order in which ties are told.
func (w *Worth) allow(l Limit, v, least money.CPM) money.CPM {
	if w.Values[l] = v; v < least {
		w.Bound = l
		return v
	}
	return least
}

// factors is what boosts and segments multiply the value by, by how much they
// raise a bound, and the campaign's own price and its bound after them.
func (s *Snapshot) factors(campaign int32, m *Matcher) (factor, raise float64, p, most money.CPM) {
	q := &s.index.prices[campaign]
	p, most = s.raised(campaign, m, q.cpm)
	factor, raise = 1, 1
	if q.cpm > 0 && p != q.cpm {
		factor = float64(p) / float64(q.cpm)
	}
	if s.index.raised {
		_, up := m.withSegments(s.Campaigns[campaign].Shop, 0, money.CPMUnit)
		raise = float64(up) / float64(money.CPMUnit)
	}
	return factor, raise, p, most
}

// floorCPM rounds down; what is no number or beyond any price is none.
func floorCPM(v float64) money.CPM {
	if !(v > 0) {
		return 0
	}
	if v >= float64(MaxCPM) {
		return MaxCPM
	}
	return money.CPM(v)
}
