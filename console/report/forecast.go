package report

import (
	"context"
	"fmt"
)

// Landscape is what became of the bids of about one price in a market.
type Landscape struct {
	Market string  `ch:"market"` // exchange/media/currency
	CPM    float64 `ch:"cpm"`
	Bids   float64 `ch:"bids"`
	Wins   float64 `ch:"wins"`
}

// Every eighth bid when there are many: what is sought is a rate. Bids of the
// last ten minutes are not settled yet.
const landscapeSQL = `SELECT concat(toString(b.exchange), '/', toString(b.media), '/', toString(b.currency)) AS market,
	exp2((step + 0.5) / 4) AS cpm, toFloat64(count()) AS bids, toFloat64(countIf(b.bid_id IN (
		SELECT bid_id FROM grosz.events WHERE settles AND NOT test AND bid_time >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 7 DAY
	))) AS wins, toInt32(floor(log2(toFloat64(b.bid_price)) * 4)) AS step
FROM grosz.bids AS b
WHERE b.type = 'bid' AND NOT b.test AND b.bid_price > 0
	AND b.time BETWEEN fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 7 DAY AND fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 10 MINUTE
	AND (reinterpretAsUInt8(substring(toString(b.bid_id), 36, 1)) % 8 = 0 OR {whole:UInt8})
GROUP BY b.exchange, b.media, b.currency, step
ORDER BY market, step LIMIT 5000`

// Landscape tells what prices win where, from the bids of all shops of a
// week: a market's prices are nobody's own, and no shop's bids can be told
// from them.
func (r *Reader) Landscape(ctx context.Context, now int64) ([]Landscape, error) {
	var n []struct {
		Bids uint64 `ch:"bids"`
	}
	err := r.ask(ctx, &n, `SELECT count() AS bids FROM grosz.bids WHERE type = 'bid' AND time >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 7 DAY`, map[string]any{"now": now})
	if err != nil {
		return nil, fmt.Errorf("ask how many bids there are: %w", err)
	}
	whole := 1
	if len(n) > 0 && n[0].Bids > 2_000_000 {
		whole = 0
	}
	var rows []struct {
		Landscape
		Step int32 `ch:"step"`
	}
	if err := r.ask(ctx, &rows, landscapeSQL, map[string]any{"now": now, "whole": whole}); err != nil {
		return nil, fmt.Errorf("ask what prices win: %w", err)
	}
	out := make([]Landscape, len(rows))
	for i := range rows {
		out[i] = rows[i].Landscape
	}
	return out, nil
}

// Predicted is how a shop's predictions came out: what was expected of its
// impressions and clicks, and what there was.
type Predicted struct {
	Clicks         float64 `ch:"clicks"`
	ClicksExpected float64 `ch:"clicks_expected"`
	Orders         float64 `ch:"orders"`
	OrdersExpected float64 `ch:"orders_expected"`
	PixelEvents    uint64  `ch:"pixel_events"`
}

const predictedSQL = `WITH won AS (
	SELECT b.bid_id AS bid, any(b.click_ppb) / 1e9 AS click, any(b.order_ppb) / 1e9 AS order_
	FROM grosz.bids AS b
	WHERE b.shop_id = {shop:UInt32} AND b.type = 'bid' AND NOT b.test AND b.time >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 28 DAY
		AND b.bid_id IN (SELECT bid_id FROM grosz.events WHERE shop_id = {shop:UInt32} AND settles AND NOT test)
	GROUP BY b.bid_id
), clicked AS (
	SELECT bid_id AS bid, any(time) AS at FROM grosz.events
	WHERE shop_id = {shop:UInt32} AND type = 'click' AND reason = '' AND NOT test AND bid_time >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 28 DAY
	GROUP BY bid_id
)
SELECT (SELECT toFloat64(count()) FROM clicked) AS clicks, (SELECT toFloat64(sum(click)) FROM won) AS clicks_expected,
	-- Of clicks of the last day most orders have not come yet.
	(SELECT toFloat64(countDistinct(a.order_id)) FROM grosz.attributed_orders AS a WHERE a.shop = {shop:UInt32} AND a.touch = 'click'
		AND a.bid IN (SELECT bid FROM clicked WHERE at < fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 1 DAY)) AS orders,
	(SELECT toFloat64(sum(order_)) FROM won WHERE bid IN (SELECT bid FROM clicked WHERE at < fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 1 DAY)) AS orders_expected,
	(SELECT count() FROM grosz.shop_events WHERE shop_id = {shop:UInt32}) AS pixel_events`

// Predicted tells how a shop's predictions of four weeks came out.
func (r *Reader) Predicted(ctx context.Context, shop uint32, now int64) (Predicted, error) {
	var rows []Predicted
	if err := r.ask(ctx, &rows, predictedSQL, map[string]any{"shop": shop, "now": now}); err != nil || len(rows) == 0 {
		return Predicted{}, fmt.Errorf("ask how the predictions of shop %d came out: %w", shop, err)
	}
	return rows[0], nil
}
