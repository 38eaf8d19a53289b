package report

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Side is what the ads of one side of a moment cost and brought. Money is of
// the shop's currency, fee included.
type Side struct {
	After   bool   `json:"-" ch:"after"`
	Wins    uint64 `json:"wins" ch:"wins" doc:"Impressions that were settled"`
	Spend   string `json:"spend" ch:"spend" doc:"Media cost and fee of bids made on this side"`
	Orders  uint64 `json:"orders" ch:"orders" doc:"Orders attributed to an ad of this side, whenever they came"`
	Revenue string `json:"revenue" ch:"revenue" doc:"Value of these orders"`
}

// Moment is what a comparison is asked for: what a part of a shop's ads did
// before At and since, within From and To, all ms UTC.
type Moment struct {
	Shop uint32
	// Campaign narrows it to one; 0 means all.
	Campaign uint32
	// By, a key of dimensions, and Key narrow it to a part; empty means all. Zone
	// is the shop's, for parts that are hours or days.
	By, Key, Zone string
	From, At, To  int64
}

// compareSQL counts by the bid and by the touch, not by the money's or the
// order's own time: what an ad from before the change still costs and brings
// says nothing of the change. Settlements and orders are looked for from a day
// before on, for a day is of the shop's time zone.
const compareSQL = `WITH
facts AS (
	SELECT bid, bid_time AS time, campaign, creative, exchange, media, 1 AS wins, shop_amount + shop_fee AS spend, 0 AS orders, toDecimal128(0, 9) AS revenue
	FROM grosz.settlements
	WHERE shop = {shop:UInt32} AND day >= {from:Date} AND bid_time >= fromUnixTimestamp64Milli({begin:Int64}) AND bid_time < fromUnixTimestamp64Milli({end:Int64})
	UNION ALL
	SELECT bid, touch_time AS time, campaign, creative, exchange, media, 0 AS wins, toDecimal128(0, 9) AS spend, 1 AS orders,
		if(order_currency = shop_currency OR order_currency = '' OR shop_currency = '', value, toDecimal128(0, 9)) AS revenue
	FROM grosz.attributed_orders
	WHERE shop = {shop:UInt32} AND day >= {from:Date} AND touch_time >= fromUnixTimestamp64Milli({begin:Int64}) AND touch_time < fromUnixTimestamp64Milli({end:Int64})
)
SELECT f.time >= fromUnixTimestamp64Milli({at:Int64}) AS after, sum(f.wins) AS wins, toString(sum(f.spend)) AS spend, sum(f.orders) AS orders, toString(sum(f.revenue)) AS revenue
FROM facts AS f %s
WHERE ({campaign:UInt32} = 0 OR f.campaign = {campaign:UInt32}) AND ({key:String} = '' OR %s = {key:String})
GROUP BY after`

// Compare returns what was before a moment and what has been since.
func (r *Reader) Compare(ctx context.Context, m Moment) (before, after Side, err error) {
	before, after = Side{Spend: "0", Revenue: "0"}, Side{After: true, Spend: "0", Revenue: "0"}
	expr, join := "''", ""
	if m.By != "" {
		var ok bool
		if expr, ok = dimensions()[m.By]; !ok {
			return before, after, fmt.Errorf("compare results: there is no dimension %q", m.By)
		}
		if m.By == "segment" { // one of several: no fact is to be there twice
			expr = "if(has(b.segments, toUInt32OrZero({key:String})), {key:String}, '')"
		}
		join = joinOf(m.By)
	}
	day := func(ms int64, move int) string {
		return time.UnixMilli(ms).UTC().AddDate(0, 0, move).Format(time.DateOnly)
	}
	rows := []Side{}
	err = r.ask(ctx, &rows, fmt.Sprintf(compareSQL, join, expr), map[string]any{
		"shop": m.Shop, "campaign": m.Campaign, "key": m.Key, "zone": m.Zone, "at": m.At, "begin": m.From, "end": m.To,
		"from": day(m.From, -1), "to": day(m.To, 1),
	})
	if err != nil {
		return before, after, fmt.Errorf("compare results of shop %d: %w", m.Shop, err)
	}
	for _, s := range rows {
		if s.After {
			after = s
		} else {
			before = s
		}
	}
	return before, after, nil
}

// SameRate is how likely so uneven a split of orders is, or a more uneven one,
// when an order costs the same on both sides: given their sum, the orders of
// one side are binomial with its share of the spend. Two-sided, exact up to
// many orders. 1 where nothing can be said.
func SameRate(spendA, spendB float64, ordersA, ordersB uint64) float64 {
	n := float64(ordersA + ordersB)
	if n == 0 || spendA <= 0 || spendB <= 0 {
		return 1
	}
	p, k := spendB/(spendA+spendB), float64(ordersB)
	if n > 2000 { // the normal law, with continuity correction
		z := math.Max(0, math.Abs(k-n*p)-0.5) / math.Sqrt(n*p*(1-p))
		return math.Erfc(z / math.Sqrt2)
	}
	all, _ := math.Lgamma(n + 1)
	chance := func(i float64) float64 {
		a, _ := math.Lgamma(i + 1)
		b, _ := math.Lgamma(n - i + 1)
		return math.Exp(all - a - b + i*math.Log(p) + (n-i)*math.Log1p(-p))
	}
	low, high := 0.0, 0.0
	for i := 0.0; i <= n; i++ {
		c := chance(i)
		if i <= k {
			low += c
		}
		if i >= k {
			high += c
		}
	}
	return math.Min(1, 2*math.Min(low, high))
}
