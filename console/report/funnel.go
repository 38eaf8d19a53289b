package report

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Funnel counts how far a shop's campaigns got, from visitors to orders.
type Funnel struct {
	Visitors    uint64 `json:"visitors" ch:"visitors" doc:"People with an event in the shop"`
	BidPeople   uint64 `json:"people_bid_on" ch:"bid_people" doc:"Known people for whom a bid was made"`
	Bids        uint64 `json:"bids" ch:"bids"`
	Wins        uint64 `json:"wins" ch:"wins"`
	Impressions uint64 `json:"impressions" ch:"impressions"`
	Clicks      uint64 `json:"clicks" ch:"clicks"`
	Orders      uint64 `json:"orders" ch:"orders" doc:"Orders attributed"`
}

const funnelSQL = `SELECT
	(SELECT uniqExact(user) FROM grosz.shop_events WHERE shop_id = {shop:UInt32} AND user != 0 AND day BETWEEN {from:Date} AND {to:Date}) AS visitors,
	(SELECT uniqExactIf(user, user != 0) FROM grosz.bids WHERE shop_id = {shop:UInt32} AND type = 'bid' AND NOT test AND day BETWEEN {from:Date} AND {to:Date}
		AND ({campaign:UInt32} = 0 OR campaign_id = {campaign:UInt32})) AS bid_people,
	sum(r.bids) AS bids, sum(r.wins) AS wins, sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.orders) AS orders
FROM grosz.cost_per_order AS r
WHERE r.shop = {shop:UInt32} AND r.day BETWEEN {from:Date} AND {to:Date} AND ({campaign:UInt32} = 0 OR r.campaign = {campaign:UInt32})`

// Funnel returns the funnel of a shop's days; q.By is not looked at.
func (r *Reader) Funnel(ctx context.Context, q Question) (Funnel, error) {
	rows := []Funnel{}
	err := r.ask(ctx, &rows, funnelSQL, map[string]any{"shop": q.Shop, "campaign": q.Campaign, "from": q.From, "to": q.To})
	if err != nil || len(rows) == 0 {
		return Funnel{}, fmt.Errorf("ask for the funnel of shop %d: %w", q.Shop, err)
	}
	return rows[0], nil
}

// Activity is what a campaign did of late. Money is nano-units of the shop's
// currency, fee included; times are ms UTC, 0 for never.
type Activity struct {
	Campaign   uint32 `ch:"campaign"`
	SpentDay   int64  `ch:"spent_day"`
	SpentWeek  int64  `ch:"spent_week"`
	SpentTotal int64  `ch:"spent_total"`
	LastBid    int64  `ch:"last_bid"` // within the last day
	LastWin    int64  `ch:"last_win"` // within the last day
	Bids       uint64 `ch:"bids"`     // of the last hour
}

const activitySQL = `SELECT campaign, toInt64(sum(d) * 1000000000) AS spent_day, toInt64(sum(w) * 1000000000) AS spent_week, toInt64(sum(t) * 1000000000) AS spent_total,
	max(lb) AS last_bid, max(lw) AS last_win, sum(n) AS bids
FROM (
	SELECT campaign, sumIf(shop_amount + shop_fee, bid_time >= fromUnixTimestamp64Milli({day:Int64})) AS d,
		sumIf(shop_amount + shop_fee, bid_time >= fromUnixTimestamp64Milli({week:Int64})) AS w, sum(shop_amount + shop_fee) AS t,
		toInt64(0) AS lb, max(toUnixTimestamp64Milli(time)) AS lw, toUInt64(0) AS n
	FROM grosz.settlements WHERE shop = {shop:UInt32} GROUP BY campaign
	UNION ALL
	SELECT campaign_id AS campaign, toDecimal128(0, 9) AS d, toDecimal128(0, 9) AS w, toDecimal128(0, 9) AS t,
		max(toUnixTimestamp64Milli(time)) AS lb, toInt64(0) AS lw, countIf(time >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 1 HOUR) AS n
	FROM grosz.bids WHERE shop_id = {shop:UInt32} AND type = 'bid' AND NOT test AND time >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 1 DAY GROUP BY campaign
)
GROUP BY campaign LIMIT 2000`

// Activity returns what a shop's campaigns did, by campaign. day and week are
// the beginnings of the shop's, ms UTC.
func (r *Reader) Activity(ctx context.Context, shop uint32, day, week, now int64) (map[uint32]Activity, error) {
	rows := []Activity{}
	err := r.ask(ctx, &rows, activitySQL, map[string]any{"shop": shop, "day": day, "week": week, "now": now})
	if err != nil {
		return nil, fmt.Errorf("ask what the campaigns of shop %d did: %w", shop, err)
	}
	out := make(map[uint32]Activity, len(rows))
	for _, a := range rows {
		out[a.Campaign] = a
	}
	return out, nil
}

const reachedSQL = `SELECT toUnixTimestamp64Milli(min(time)) AS at FROM (
	SELECT time, sum(shop_amount + shop_fee) OVER (ORDER BY time, bid) AS spent FROM grosz.settlements
	WHERE shop = {shop:UInt32} AND campaign = {campaign:UInt32} AND bid_time >= fromUnixTimestamp64Milli({since:Int64})
) WHERE spent * 1000000000 >= {amount:Int64}`

// Reached returns when a campaign's spending since a time came to an amount,
// nano-units; ms UTC.
func (r *Reader) Reached(ctx context.Context, shop, campaign uint32, since, amount int64) (int64, error) {
	var rows []struct {
		At int64 `ch:"at"`
	}
	err := r.ask(ctx, &rows, reachedSQL, map[string]any{"shop": shop, "campaign": campaign, "since": since, "amount": amount})
	if err != nil || len(rows) == 0 {
		return 0, fmt.Errorf("ask when campaign %d reached its budget: %w", campaign, err)
	}
	return rows[0].At, nil
}

// ask runs a bounded question with named parameters.
func (r *Reader) ask(ctx context.Context, into any, sql string, params map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	conn, err := r.connect()
	if err != nil {
		return err
	}
	named := clickhouse.Parameters{}
	for k, v := range params {
		named[k] = fmt.Sprint(v)
	}
	start := time.Now()
	if err := conn.Select(clickhouse.Context(ctx, clickhouse.WithParameters(named)), into, sql); err != nil {
		return fmt.Errorf("after %s: %w", time.Since(start).Round(time.Millisecond), err)
	}
	return nil
}
