package campaigns

import (
	"slices"

	"github.com/grosz/grosz/internal/money"
)

// hot is what is read of every campaign that is tried: one cache line. Most
// code is one long and, and short: then it stands in line. Longer ones stand
// in index.line, those with branches in index.code.
type hot struct {
	sig  uint64
	from uint32 // in index.line or index.code; and the flags
	n    uint32 // instructions
	line [inHot]uint32
}

const (
	inHot     = 12
	isLine    = 1 << 31 // the code is in line, or in index.line if it is longer
	onImp     = 1 << 30 // it asks about the impression
	isTimed   = 1 << 29 // it starts or ends
	fromMask  = isTimed - 1
	notInLine = 1 // of an instruction in line: it must not hold
)

// flight is when a campaign starts and ends, ms UTC; 0 is no end.
type flight struct{ startMS, endMS int64 }

// price is what a campaign bids; the boosts that hold multiply it.
type price struct {
	cpm, most money.CPM // most: 0 is no bound
	from      uint32
	boosts    uint32
	goal      *goal // nil: the price is cpm alone
}

// bound is what a campaign never bids more than: all that is asked of most
// that match. How its price is made stands beside it.
type bound struct {
	top      money.CPM
	currency money.Currency
	made     uint8
}

const (
	byGoal   = 1 << iota // by GoalCPM
	byOrders             // that asks about orders
	byWeary              // less for people who have seen it: Frequency.Fatigue
)

type boost struct {
	bps       int64
	from, end uint32 // in code
}

// used tells which predicates the campaigns ask.
func used(all []*CompiledCampaign, n int) []bool {
	out := make([]bool, n)
	mark := func(e *compiledExpr) {
		for i := range e.code {
			out[e.code[i].pid] = true
		}
	}
	for _, cc := range all {
		mark(cc.expr)
		for i := range cc.boosts {
			mark(cc.boosts[i].expr)
		}
	}
	return out
}

// flatten lays out by campaign what the hot path reads.
func (x *index) flatten(all []*CompiledCampaign) {
	x.hot, x.times, x.prices = make([]hot, len(all)), make([]flight, len(all)), make([]price, len(all))
	x.bounds = make([]bound, len(all))
	for i, cc := range all {
		e := cc.expr
		h := hot{sig: e.sig, n: uint32(len(e.code))}
		switch {
		case !isLinear(e.code):
			h.from = x.addCode(e.code)
		case len(e.code) <= inHot: // what is asked of attributes goes first
			x.setLine(h.line[:0], e)
			h.from = isLine
		default:
			h.from = isLine | uint32(len(x.line))
			x.line = x.setLine(x.line, e)
		}
		if slices.ContainsFunc(e.code, func(in instr) bool { return x.preds[in.pid].onImp() }) {
			h.from |= onImp
		}
		if cc.StartMS > 0 || cc.EndMS > 0 {
			h.from |= isTimed
		}
		x.hot[i], x.times[i] = h, flight{cc.StartMS, cc.EndMS}
		x.prices[i], x.bounds[i] = x.addPrice(cc)
	}
}

// isLinear tells whether code is one long and: every instruction goes on to
// the next, or refuses.
func isLinear(code []instr) bool {
	for i, in := range code {
		next := int16(i + 1)
		if !(in.t == next && in.f == refuse || in.f == next && in.t == refuse) {
			return false
		}
	}
	return true
}

// setLine appends an expression's code as a line: what it asks of attributes
// first, which is cheap and refuses most.
func (x *index) setLine(dst []uint32, e *compiledExpr) []uint32 {
	for _, part := range [...][]instr{e.code[e.dense:], e.code[:e.dense]} {
		for _, in := range part {
			w := x.slots.of[in.pid] << 1
			if in.t == refuse {
				w |= notInLine
			}
			dst = append(dst, w)
		}
	}
	return dst
}

func (x *index) addCode(code []instr) (from uint32) {
	from = uint32(len(x.code))
	for _, in := range code {
		x.code = append(x.code, instr{x.slots.of[in.pid], in.t, in.f})
	}
	return from
}

func (x *index) addPrice(cc *CompiledCampaign) (price, bound) {
	p := price{cpm: cc.Bid.CPM, most: cc.Bid.MaxCPM, from: uint32(len(x.boosts)), boosts: uint32(len(cc.boosts))}
	if p.goal = newGoal(cc); p.goal != nil && p.cpm == 0 {
		p.cpm = p.most // the value is what it is; this is its bound
	}
	top := p.cpm
	for _, b := range cc.boosts {
		from := x.addCode(b.expr.code)
		x.boosts = append(x.boosts, boost{b.bps, from, uint32(len(x.code))})
		top = max(top, top.Scale(b.bps))
	}
	top, most := cc.Shop.Segments.top(top, p.most)
	if most > 0 {
		top = min(top, most)
	}
	x.raised = x.raised || cc.Shop.Segments != nil && len(cc.Shop.Segments.effects) > 0
	b := bound{top: top, currency: cc.Shop.Currency}
	if p.goal != nil {
		b.made = byGoal
		if p.goal.neededOrders {
			b.made |= byOrders
		}
	}
	if cc.Frequency.Fatigue != nil {
		b.made |= byWeary
	}
	return p, b
}
