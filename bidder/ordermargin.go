package bidder

import (
	"math"
	"math/bits"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// orderMargin is what an order leaves the shop, by the margins that its feed
// gives now: of each line the margin's share of what was paid for it, or of
// the feed's price where the line has none. Lines without a margin add
// nothing. It goes into the event, so that a profile stays a fold of the log.
func orderMargin(feed *campaigns.Catalogue, e *events.ShopEvent) money.Nano {
	sum := money.Nano(0)
	line := func(product string, pieces int64, price money.Nano) {
		p := feed.ByHash(segments.ProductHash(product))
		if p == nil || p.MarginBPS == 0 {
			return
		}
		if price <= 0 {
			price = p.Price
		}
		sum = money.Add(sum, marginOf(price, max(pieces, 1), p.MarginBPS))
	}
	for i := range e.Items {
		line(e.Items[i].Product, e.Items[i].Quantity, e.Items[i].Price)
	}
	if len(e.Items) == 0 && e.Product != "" {
		price := e.Price
		if price <= 0 && e.Value > 0 {
			price = e.Value / money.Nano(max(e.Quantity, 1))
		}
		line(e.Product, e.Quantity, price)
	}
	return sum
}

// marginOf is price × pieces × bps, rounded toward zero, saturating.
func marginOf(price money.Nano, pieces, bps int64) money.Nano {
	hi, lo := bits.Mul64(uint64(max(price, 0)), uint64(pieces))
	if hi != 0 || lo > math.MaxInt64 {
		lo = math.MaxInt64
	}
	const whole = 10_000
	hi, lo = bits.Mul64(lo, uint64(max(bps, -bps)))
	v := uint64(math.MaxInt64)
	if hi < whole {
		part, _ := bits.Div64(hi, lo, whole)
		v = min(v, part)
	}
	if bps < 0 {
		return -money.Nano(v)
	}
	return money.Nano(v)
}
