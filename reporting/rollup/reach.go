package rollup

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// People of the 30 days of grosz.reach are merged beforehand, a set for each
// shop, exchange, browser and step. Sets only grow, so what is worked out stays
// a part of the truth: a view adds the days that got people since. Tomorrow's
// window is worked out once a day, so that it is there at midnight.

// reachShops are worked out at once, at most: a shop's sets may be some tens of
// megabytes.
const reachShops = 4

// pickReach chooses shops with a day that was quiet until clean_until; all of
// them are of one date, today's first.
const pickReach = `INSERT INTO grosz.rollup_work (version, level, part, shop_id, unit)
WITH (SELECT min(date) FROM grosz.rollup_dirty_reach WHERE at <= fromUnixTimestamp64Milli(%[2]d)) AS until
SELECT DISTINCT %[1]d, 'reach', 0, shop_id, toDateTime(until, 'UTC') FROM grosz.rollup_dirty_reach
WHERE date = until AND at <= fromUnixTimestamp64Milli(%[2]d) ORDER BY shop_id LIMIT %[3]d`

// fillReach merges a window's sets. Who was seen was matched, too.
const fillReach = `INSERT INTO grosz.reach_window (part, shop_id, date, version, exchange, browser, step, people, size)
WITH (SELECT toDate(max(unit)) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'reach') AS until
SELECT 0 AS part, m.shop_id, until, %[1]d AS version, m.exchange, m.browser, m.got, m.people, finalizeAggregation(m.people)
FROM (
	SELECT r.shop_id AS shop_id, r.exchange AS exchange, r.browser AS browser, arrayJoin(if(r.step = 'seen', ['seen', 'matched'], [toString(r.step)])) AS got, uniqMergeState(r.people) AS people
	FROM grosz.reach_people AS r
	WHERE r.day > until - 30 AND r.shop_id IN (SELECT shop_id FROM grosz.rollup_work WHERE version = %[1]d AND level = 'reach')
	GROUP BY shop_id, exchange, browser, got
) AS m`

func reachLevel() level { return level{name: "reach", pick: pickReach, fill: []string{fillReach}} }

// Reach merges the windows of some shops, as Round works out the roll-ups, and
// returns how many those were.
func (r *Roller) Reach(ctx context.Context, conn driver.Conn) (int, error) {
	began := time.Now()
	n, err := r.work(ctx, conn, r.reach, min(reachShops, r.cfg.Days))
	r.reachTook, r.reachDone = time.Since(began), time.Now()
	if err != nil {
		return 0, fmt.Errorf("roll-up by reach: %w", err)
	}
	if n > 0 {
		r.windows.Add(n)
		r.seconds.Update(r.reachTook.Seconds())
	}
	return n, nil
}

// reachShare bounds the part of the time that goes into sets: a shop that is
// seldom quiet for long would be merged again and again.
const reachShare = 10

// reachDue tells whether sets may be merged again.
func (r *Roller) reachDue() bool { return time.Since(r.reachDone) >= reachShare*r.reachTook }
