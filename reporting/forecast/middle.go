package forecast

import "math"

// leastOrders is hardly an order: one in twenty such spans brings one.
const leastOrders = 0.05

// costPer is +Inf where hardly an order comes.
func costPer(cost, orders float64) float64 {
	if orders < leastOrders {
		return math.Inf(1)
	}
	return cost / orders
}

// budgets are the parts of a budget that the curve shows.
var budgets = [...]float64{0.25, 0.5, 0.75, 1, 1.5, 2, 3}

// settle sets the middle of the answer, and draws the curve through it: what
// each budget would bring, the next euro's worth. So both say the same of one
// budget. expected are the draws of the orders to be expected within the
// budget; they need not be whole, as the ends of the interval are. free is
// what would be spent without a budget, share the part of all orders and of
// all money that a budget brings.
func (o *Result) settle(expected []float64, free float64, share func(budget float64) (orders, cost float64)) {
	o.Orders.Mid = min(max(intervalOf(expected).Mid, o.Orders.Low), o.Orders.High)
	o.CostPerOrder.Mid = min(max(costPer(o.Cost.Mid, o.Orders.Mid), o.CostPerOrder.Low), o.CostPerOrder.High)
	base := o.Budget
	if base <= 0 || base > free { // more than can be spent
		base = free
	}
	if base <= 0 || math.IsInf(base, 0) {
		return
	}
	here, _ := share(base)
	for _, f := range budgets {
		of, cost := share(base * f)
		p := Point{Budget: base * f, Orders: ratio(o.Orders.Mid*of, here)}
		p.CostPerOrder = costPer(cost, p.Orders)
		o.Curve = append(o.Curve, p)
		if base*f >= free { // more is not spent
			break
		}
	}
}
