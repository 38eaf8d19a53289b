package forecast

import (
	"math"
	"math/rand/v2"
)

// Shop is what a shop without our pixel says of itself.
type Shop struct {
	Visits         float64 // in a month of 30 days
	ConversionRate float64 // orders by visits
}

// FiguresInput of a forecast from a shop's own figures.
type FiguresInput struct {
	Shop   Shop
	Days   float64
	Budget float64 // for all of the days, in the shop's currency; 0: none
	CPM    float64 // that is bid, fee included, in the shop's currency
	// PerClick is what a click is billed, fee included, where clicks are paid
	// for and not impressions; 0: they are not.
	PerClick float64
	// Visitors says that only the shop's own visitors are bid on; else anybody
	// may be, and the budget alone bounds how many.
	Visitors bool
	Seed     uint64
}

// What is assumed of a shop of which only figures are known: from and to, with
// probability 0.9. Wide, for shops, exchanges and ads differ that much.
const (
	peopleLow, peopleHigh       = 0.45, 0.8     // people by visits
	reachLow, reachHigh         = 0.12, 0.6     // of them consented, matched and seen in traffic
	offeredLow, offeredHigh     = 8.0, 60.0     // impressions offered of each in 30 days
	wonLow, wonHigh             = 0.1, 0.6      // of them won
	paidLow, paidHigh           = 0.4, 0.95     // price by bid
	clickLow, clickHigh         = 0.0012, 0.008 // clicks by impressions
	returnLow, returnHigh       = 0.5, 2.2      // conversion after a click by the shop's, of visitors
	strangerLow, strangerHigh   = 0.2, 1.1      // the same, of strangers
	perStrangerLow, perStranger = 1.5, 6.0      // impressions of one stranger
	figureDraws                 = 4000
)

// Figures forecasts from a shop's own figures and general experience.
func Figures(in FiguresInput) Result {
	r := rand.New(rand.NewPCG(in.Seed, 0xf16))
	out := Result{Days: in.Days, Budget: in.Budget}
	var reach, imps, clicks, orders, cost, cpo, free, expected []float64
	for range figureDraws {
		paid, ctr := in.CPM/1000*min(spread(r, paidLow, paidHigh), 1), spread(r, clickLow, clickHigh)
		if in.PerClick > 0 {
			paid = ctr * in.PerClick
		}
		people, n := 0.0, math.Inf(1)
		if in.Visitors {
			people = in.Shop.Visits * min(spread(r, peopleLow, peopleHigh), 1) * min(spread(r, reachLow, reachHigh), 1) * max(math.Pow(in.Days/30, 0.8), 0)
			n = people * spread(r, offeredLow, offeredHigh) * min(spread(r, wonLow, wonHigh), 1) * min(in.Days/30, math.Pow(in.Days/30, 0.2))
			free = append(free, n*paid)
		}
		if in.Budget > 0 {
			n = min(n, in.Budget/max(paid, 1e-12))
		}
		per := spread(r, perStrangerLow, perStranger)
		if !in.Visitors {
			people = n / per
		}
		back := spread(r, returnLow, returnHigh)
		if !in.Visitors {
			back = spread(r, strangerLow, strangerHigh)
		}
		cvr := min(in.Shop.ConversionRate*back, 0.5)
		k := poisson(r, n*ctr)
		o := poisson(r, n*ctr*cvr)
		imps, clicks, orders, cost = append(imps, n), append(clicks, k), append(orders, o), append(cost, n*paid)
		reach = append(reach, min(people, n))
		expected = append(expected, n*ctr*cvr)
		cpo = append(cpo, paid/(ctr*cvr))
	}
	out.Reach, out.Impressions, out.Clicks, out.Orders, out.Cost = intervalOf(reach), intervalOf(imps), intervalOf(clicks), intervalOf(orders), intervalOf(cost)
	out.CostPerOrder = intervalOf(cpo)
	most := math.Inf(1)
	if in.Visitors {
		most = intervalOf(free).Mid
	}
	out.Limits = []string{LimitAudience}
	if in.Budget > 0 && in.Budget < most {
		out.Limits = []string{LimitBudget}
	}
	out.settle(expected, most, func(budget float64) (float64, float64) {
		spent := min(budget, most)
		return spent, spent
	})
	return out
}
