package forecast

import "math"

// run goes through each person's bids in their order, at a factor k of the
// price, and sums what is expected of them by group of people. Caps let pass
// what is left of them after the impressions before.
func (r *replayer) run(curves []curve, k float64) []sums {
	b, groups := r.b, make([]sums, r.groups)
	logK := math.Log(k)
	left := newCapped(r.in.Caps)
	for i := 0; i < len(r.order); {
		person := b.Person[r.order[i]]
		g := &groups[r.groupOf(person)]
		left.next(person)
		none, weight, n := 1.0, 0.0, 0.0
		for ; i < len(r.order) && b.Person[r.order[i]] == person; i++ {
			x := r.order[i]
			p, paid := r.expect(&curves[b.Market[x]], int(x), k, logK)
			if p <= 0 {
				continue
			}
			part := left.pass(b.AtMS[x], p, &none)
			w := b.Weight[x]
			g.imps += w * p * part
			g.clicks += w * p * part * b.Click[x]
			g.orders += w * p * part * b.Click[x] * b.Order[x]
			if b.PerClick > 0 { // the shop pays for the click, whatever the impression costs
				paid = p * b.Click[x] * float64(b.PerClick) / 1e9
			}
			g.cost += w * paid * part
			weight, n = weight+w, n+1
		}
		if n > 0 {
			g.vary = math.Sqrt(max(1-(1-turnover)*n/max(weight, n), 0))
		}
		if n > 0 && person >= 0 {
			g.reach += weight / n * (1 - none)
		}
	}
	return groups
}

// expect is the probability that a bid at a factor of its price becomes an
// impression, and what it then costs the shop, together.
func (r *replayer) expect(c *curve, i int, k, logK float64) (p, cost float64) {
	b := r.b
	bid := float64(b.Bid[i]) * k
	if bid <= 0 || bid < float64(b.Floor[i]) {
		return 0, 0
	}
	x := r.logBid[i] + logK
	p, _ = c.at(x)
	part := p * k // of the bid's full price
	if !b.First[i] {
		part = c.paid(x, r.logMin[i]) / bid * 1e6 * k
	}
	return p * b.Ads, part * float64(b.Gross[i]) / 1e9 * b.Ads
}

// part is what is left of a campaign when it may spend only a part of what it
// could.
type part struct{ imps, clicks, orders, cost, reach float64 }

// paces are the factors at which an even campaign is tried.
var paces = [...]float64{1, 0.85, 0.7, 0.55, 0.45, 0.35, 0.27, 0.2, 0.14, 0.1, 0.06, 0.03}

// pacing returns what a budget leaves of a campaign that could spend more: as
// large a part of everything as of the money, or where bids are lowered until
// the money lasts, the cheaper part.
func (r *replayer) pacing(curves []curve, all sums) func(cost, budget float64) part {
	points := []part{{1, 1, 1, 1, 1}}
	if r.in.Even && all.cost > 0 {
		for _, k := range paces[1:] {
			t := r.total(curves, k)
			points = append(points, part{ratio(t.imps, all.imps), ratio(t.clicks, all.clicks), ratio(t.orders, all.orders), t.cost / all.cost, ratio(t.reach, all.reach)})
		}
	}
	points = append(points, part{})
	return func(cost, budget float64) part {
		if budget <= 0 || cost <= budget {
			return points[0]
		}
		f := budget / cost
		for i := 1; i < len(points); i++ {
			hi, lo := points[i-1], points[i]
			if f < lo.cost || hi.cost <= lo.cost {
				continue
			}
			s := (f - lo.cost) / (hi.cost - lo.cost)
			mix := func(a, b float64) float64 { return b + s*(a-b) }
			out := part{mix(hi.imps, lo.imps), mix(hi.clicks, lo.clicks), mix(hi.orders, lo.orders), f, mix(hi.reach, lo.reach)}
			if !r.in.Even {
				// Money gone early ends impressions; of the people most have seen one.
				out.reach = math.Sqrt(f)
			}
			return out
		}
		return part{}
	}
}

func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// growth is the power by which reach grows with time, from the sample's own
// halves: 1 if always others are met, 0 if always the same.
func (r *replayer) growth(curves []curve) float64 {
	all := r.total(curves, 1).reach
	mid := (r.b.FromMS + r.b.ToMS) / 2
	half := *r
	half.order = nil
	for _, x := range r.order {
		if r.b.AtMS[x] <= mid {
			half.order = append(half.order, x)
		}
	}
	first := half.total(curves, 1).reach
	if first <= 0 || all <= first {
		return 0.5
	}
	return min(math.Log2(all/first), 1)
}

func (o *Result) limits(free float64, b *Bids) {
	if o.Budget > 0 && free > o.Budget*1.02 {
		o.Limits = append(o.Limits, LimitBudget)
		return
	}
	sum := 0.0
	for _, w := range b.Weight {
		sum += w
	}
	if sum > 0 && (o.WinRate < 0.5 || b.Below > sum/2) || sum == 0 && b.Below > 0 {
		o.Limits = append(o.Limits, LimitBids)
	}
	if o.WinRate >= 0.5 || sum == 0 && b.Below == 0 || len(o.Limits) == 0 {
		o.Limits = append(o.Limits, LimitAudience)
	}
}
