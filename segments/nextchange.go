package segments

import "math"

// Never is a moment that does not come.
const Never = math.MaxUint32

// NextChange returns the first second after nowS at which time alone may
// change what Holds answers for p; Never if it cannot. An operation that it
// does not know may change with every second.
func (q *Predicate) NextChange(p *Profile, nowS int64) uint32 {
	switch q.Op {
	case OpVisited:
		return q.ends(p.Last, nowS)
	case OpViewed:
		return q.ends(p.LastView, nowS)
	case OpSearched:
		return q.ends(p.LastSearch, nowS)
	case OpCheckout:
		return q.ends(p.LastCheckout, nowS)
	case OpPurchased, OpPurchasedMargin:
		return q.ends(p.LastPurchase, nowS)
	case OpViewedProduct:
		for i, h := range p.Products {
			if h == q.Hash {
				return q.ends(p.ProductAt[i], nowS)
			}
		}
		return Never
	case OpViewedCategory:
		for i, h := range p.Categories {
			if uint64(h) == q.Hash {
				return q.ends(p.CategoryAt[i], nowS)
			}
		}
		return Never
	case OpSearchedTerm:
		for i, h := range p.Terms {
			if uint64(h) == q.Hash {
				return q.ends(p.TermAt[i], nowS)
			}
		}
		return Never
	case OpConverted: // the answer ends with the latest of them
		var latest uint32
		for i, h := range p.Conversions {
			if h != 0 && (q.Hash == 0 || uint64(h) == q.Hash) {
				latest = max(latest, p.ConversionAt[i])
			}
		}
		return q.ends(latest, nowS)
	case OpAbandoned:
		if p.Cart[0] == 0 || p.LastPurchase >= p.LastCart {
			return Never
		}
		if rests := int64(p.LastCart) + AbandonedAfterS; rests > nowS {
			return second(rests)
		}
		return q.ends(p.LastCart, nowS)
	case OpSameProduct, OpViewedMargin: // whichever of the views it is
		next := uint32(Never)
		for i := range p.Products {
			if p.Products[i] != 0 {
				next = min(next, q.ends(p.ProductAt[i], nowS))
			}
		}
		return next
	case OpSincePurchase:
		return q.nextDay(p.LastPurchase, nowS)
	case OpKnown, OpInCart, OpInCartProduct, OpPurchasedProduct, OpBuyer, OpCartValue, OpAvgBasket, OpRevenue, OpOrders, OpViews, OpVisits,
		OpInCartMargin, OpMargin:
		return Never
	}
	return second(nowS + 1)
}

// ends is when what happened at at is no longer within.
func (q *Predicate) ends(at uint32, nowS int64) uint32 {
	end := int64(at) + int64(q.Within) + 1
	if at == 0 || q.Within == 0 || end <= nowS {
		return Never
	}
	return second(end)
}

const dayS = 86_400

// nextDay is when the number of whole days since at grows.
func (q *Predicate) nextDay(at uint32, nowS int64) uint32 {
	if at == 0 {
		return Never
	}
	days := wholeDays(at, nowS)
	if days > q.Value {
		return Never // it only moves further away
	}
	return second(int64(at) + (days+1)*dayS)
}

// wholeDays is how many days of 24 hours have passed since at.
func wholeDays(at uint32, nowS int64) int64 { return max(nowS-int64(at), 0) / dayS }

func second(s int64) uint32 { return uint32(min(max(s, 0), Never)) }
