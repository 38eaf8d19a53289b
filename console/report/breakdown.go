package report

import (
	"context"
	"fmt"
	"math"
)

// Breakdown is what a part of a shop's results is: all of one day, domain,
// hour … Money is of the shop's currency, fee included.
type Breakdown struct {
	Key         string `json:"key" ch:"key" doc:"Value of the dimension; empty where it is not known"`
	Name        string `json:"name,omitempty" ch:"-" doc:"Of by=campaign and by=segment: the name that it has now"`
	Campaign    uint32 `json:"campaign,omitempty" ch:"campaign_id" doc:"Of by=campaign and by=creative: the campaign"`
	Bids        uint64 `json:"bids" ch:"bids"`
	Wins        uint64 `json:"wins" ch:"wins"`
	Impressions uint64 `json:"impressions" ch:"impressions"`
	Clicks      uint64 `json:"clicks" ch:"clicks"`
	Spend       string `json:"spend" ch:"spend" doc:"Media cost and fee, in the shop's currency"`
	Orders      uint64 `json:"orders" ch:"orders" doc:"Orders attributed"`
	Revenue     string `json:"revenue" ch:"revenue" doc:"Value of the orders in the shop's currency"`
}

// dimensions are the ways to break results down, as expressions over a fact f
// and its bid b. The shop's time zone is the parameter in them.
func dimensions() map[string]string {
	return map[string]string{
		"day":      "toString(toDate(toTimeZone(f.time, {zone:String})))",
		"hour":     "leftPad(toString(toHour(toTimeZone(f.time, {zone:String}))), 2, '0')",
		"weekhour": "concat(toString(toDayOfWeek(toTimeZone(f.time, {zone:String}))), '-', leftPad(toString(toHour(toTimeZone(f.time, {zone:String}))), 2, '0'))",
		"campaign": "toString(f.campaign)",
		"creative": "toString(f.creative)",
		"exchange": "toString(f.exchange)",
		"media":    "toString(f.media)",
		"domain":   "toString(b.domain)",
		"device":   "toString(b.device)",
		"country":  "toString(b.country)",
		// A person may be in several segments: each has the whole fact.
		"segment": "arrayJoin(if(empty(b.segments), [''], arrayMap(s -> toString(s), b.segments)))",
		"size":    "if(b.w = 0, '', concat(toString(b.w), '×', toString(b.h)))",
	}
}

// MaxParts bounds the rows of a breakdown; those that cost most are kept.
const MaxParts = 2_000

// Question is what a breakdown is asked for.
type Question struct {
	Shop uint32
	// Campaign narrows it to one; 0 means all.
	Campaign uint32
	// By is a key of dimensions.
	By string
	// From and To are days, inclusive, YYYY-MM-DD, of Zone, an IANA name.
	From, To, Zone string
}

// breakdownSQL adds facts of one kind each. What is known of the page and the
// device is the bid's, which are kept for 30 days.
const breakdownSQL = `WITH
facts AS (
	SELECT bid_id AS bid, time, campaign_id AS campaign, creative_id AS creative, exchange, media,
		1 AS bids, 0 AS wins, 0 AS impressions, 0 AS clicks, toDecimal128(0, 9) AS spend, 0 AS orders, toDecimal128(0, 9) AS revenue
	FROM grosz.bids FINAL
	WHERE shop_id = {shop:UInt32} AND type = 'bid' AND NOT test AND day BETWEEN {from:Date} AND {to:Date}
	UNION ALL
	SELECT e.bid_id AS bid, min(e.time) AS time, any(e.campaign_id) AS campaign, any(e.creative_id) AS creative, any(e.exchange) AS exchange, any(e.media) AS media,
		0 AS bids, toUInt8(countIf(e.price_status != 'audit') > 0) AS wins, toUInt8(countIf(e.type = 'impression') > 0) AS impressions, 0 AS clicks,
		toDecimal128(0, 9) AS spend, 0 AS orders, toDecimal128(0, 9) AS revenue
	FROM grosz.events AS e
	WHERE e.shop_id = {shop:UInt32} AND (e.type IN ('win', 'billing', 'impression') OR e.settles) AND NOT e.test AND e.day BETWEEN {from:Date} AND {to:Date}
	GROUP BY e.bid_id
	UNION ALL
	SELECT bid, time, campaign, creative, exchange, media,
		0 AS bids, 0 AS wins, 0 AS impressions, 0 AS clicks, shop_amount + shop_fee AS spend, 0 AS orders, toDecimal128(0, 9) AS revenue
	FROM grosz.settlements
	WHERE shop = {shop:UInt32} AND day BETWEEN {from:Date} AND {to:Date}
	UNION ALL
	SELECT bid_id AS bid, time, campaign_id AS campaign, creative_id AS creative, exchange, media,
		0 AS bids, 0 AS wins, 0 AS impressions, 1 AS clicks, toDecimal128(0, 9) AS spend, 0 AS orders, toDecimal128(0, 9) AS revenue
	FROM grosz.events FINAL
	WHERE shop_id = {shop:UInt32} AND type = 'click' AND reason = '' AND NOT test AND day BETWEEN {from:Date} AND {to:Date}
	UNION ALL
	SELECT bid, time, campaign, creative, exchange, media,
		0 AS bids, 0 AS wins, 0 AS impressions, 0 AS clicks, toDecimal128(0, 9) AS spend, 1 AS orders,
		if(order_currency = shop_currency OR order_currency = '' OR shop_currency = '', value, toDecimal128(0, 9)) AS revenue
	FROM grosz.attributed_orders
	WHERE shop = {shop:UInt32} AND day BETWEEN {from:Date} AND {to:Date}
)
SELECT %s AS key, %s AS campaign_id, sum(f.bids) AS bids, sum(f.wins) AS wins, sum(f.impressions) AS impressions, sum(f.clicks) AS clicks,
	toString(sum(f.spend)) AS spend, sum(f.orders) AS orders, toString(sum(f.revenue)) AS revenue
FROM facts AS f %s
WHERE {campaign:UInt32} = 0 OR f.campaign = {campaign:UInt32}
GROUP BY key
ORDER BY sum(f.spend) DESC, bids DESC, key
LIMIT {most:UInt32}`

// ofBids joins what only the bid knows.
const ofBids = `LEFT ANY JOIN (
	SELECT bid_id, %s FROM grosz.bids
	WHERE shop_id = {shop:UInt32} AND type = 'bid' AND day BETWEEN {from:Date} - 31 AND {to:Date}
) AS b ON b.bid_id = f.bid`

// joinOf is the join that a dimension needs.
func joinOf(by string) string {
	switch by {
	case "domain", "device", "country":
		return fmt.Sprintf(ofBids, by)
	case "segment":
		return fmt.Sprintf(ofBids, "segments")
	case "size":
		return fmt.Sprintf(ofBids, "w, h")
	}
	return ""
}

// Breakdown returns the parts of a shop's results, those that cost most first.
func (r *Reader) Breakdown(ctx context.Context, q Question) ([]Breakdown, error) {
	expr, ok := dimensions()[q.By]
	if !ok {
		return nil, fmt.Errorf("ask for results: there is no dimension %q", q.By)
	}
	campaign, join := "toUInt32(0)", ""
	switch q.By {
	case "campaign", "creative":
		campaign = "any(f.campaign)"
	default:
		join = joinOf(q.By)
	}
	out := []Breakdown{}
	err := r.ask(ctx, &out, fmt.Sprintf(breakdownSQL, expr, campaign, join), map[string]any{
		"shop": q.Shop, "campaign": q.Campaign, "from": q.From, "to": q.To, "zone": q.Zone, "most": MaxParts,
	})
	if err != nil {
		return nil, fmt.Errorf("ask for results of shop %d by %s: %w", q.Shop, q.By, err)
	}
	return out, nil
}

// orderZ is the normal quantile of a 90 % interval.
const orderZ = 1.6448536

// OrderBounds is an interval that holds the expected number of orders with
// 90 %, when so many came: Byar's approximation of the exact Poisson limits,
// within 1 % of them from one order on.
func OrderBounds(orders uint64) (low, high float64) {
	if orders == 0 {
		return 0, -math.Log(0.05) // exact
	}
	n := float64(orders)
	low = n * math.Pow(1-1/(9*n)-orderZ/(3*math.Sqrt(n)), 3)
	m := n + 1
	high = m * math.Pow(1-1/(9*m)+orderZ/(3*math.Sqrt(m)), 3)
	return max(0, low), high
}
