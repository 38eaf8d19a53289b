package check

import (
	"github.com/grosz/grosz/internal/money"
)

// price judges deal and floor: a deal's own floor counts, never the imp's;
// for video and audio a floor by duration goes before the imp's (I 7.11).
func (j *judge) price(seat string, b *Bid, imp, media obj) {
	pmp := imp.obj("pmp")
	if b.DealID == "" {
		if pmp.intOr("private_auction", 0) == 1 {
			j.add(RulePrivate, "private_auction, and the bid names no deal")
		}
		j.floor(RuleFloor, b, imp, media)
		return
	}
	for _, d := range pmp.objs("deals") {
		if d.text("id") != b.DealID {
			continue
		}
		if w := d.strs("wseat"); len(w) > 0 && !contains(w, seat) {
			j.add(RuleDealSeat, "seat %q is not in the deal's wseat %v", seat, w)
		}
		if w := d.strs("wadomain"); len(w) > 0 {
			for _, a := range b.ADomain {
				if !containsFold(w, a) {
					j.add(RuleDealSeat, "adomain %q is not in the deal's wadomain %v", a, w)
				}
			}
		}
		j.floor(RuleDealFloor, b, d, d)
		return
	}
	j.add(RuleDeal, "dealid %q is not offered", b.DealID)
}

// floor compares with from's bidfloor, or with the floor by duration and by
// second that durs states.
func (j *judge) floor(rule Rule, b *Bid, from, durs obj) {
	floor, _ := micros(from.text("bidfloor"), true)
	if f, ok := durationFloor(durs.objs("durfloors"), b.Dur); ok {
		floor = f
	}
	if perSec, ok := micros(durs.text("mincpmpersec"), true); ok && b.Dur > 0 && perSec > 0 {
		floor = max(floor, perSec*money.CPM(b.Dur))
	}
	cur := from.text("bidfloorcur")
	if cur == "" {
		cur = "USD"
	}
	c, err := money.ParseCurrency(cur)
	if err != nil || floor <= 0 {
		return
	}
	if c != j.res.Currency {
		rate, ok := j.opt.Rates.Rate(c, j.res.Currency)
		if !ok {
			return
		}
		floor = floor.ConvertUp(rate)
	}
	if b.Price < floor {
		j.add(rule, "price %v %s is below the floor of %v %s", b.Price, j.cur, floor, j.cur)
	}
}

// durationFloor is the lowest floor among the ranges that hold dur seconds;
// where ranges overlap the standard leaves the choice open.
func durationFloor(ranges []obj, dur int64) (money.CPM, bool) {
	best, found := money.CPM(0), false
	for _, r := range ranges {
		lo, hasLo := r.int("mindur")
		hi, hasHi := r.int("maxdur")
		if dur <= 0 || (hasLo && dur < lo) || (hasHi && dur > hi) {
			continue
		}
		f, _ := micros(r.text("bidfloor"), true)
		if !found || f < best {
			best, found = f, true
		}
	}
	return best, found
}
