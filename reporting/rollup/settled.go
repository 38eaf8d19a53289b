package rollup

// fillTwice finds the bids of which there are several rows that settle, by day
// and all at once, from the events themselves.
const fillTwice = `INSERT INTO grosz.rollup_settled_twice (part, shop_id, date, version, bid)
WITH units AS (SELECT shop_id, toDate(unit) AS date FROM grosz.rollup_work WHERE version = %[1]d AND level = 'settled')
SELECT 0 AS part, e.shop_id, toDate(any(e.bid_time)), %[1]d AS version, e.bid_id
FROM grosz.events AS e
WHERE e.settles AND NOT e.test
	AND e.bid_time >= (SELECT min(date) FROM units) AND e.bid_time < (SELECT max(date) + INTERVAL 1 DAY FROM units)
	AND (e.shop_id, toDate(e.bid_time)) IN (SELECT shop_id, date FROM units)
GROUP BY e.shop_id, e.bid_id
HAVING count() > 1`

// settledLevel is which bids settled more than once, by day: all others' rows
// can be read as they are.
func settledLevel() level {
	return level{
		name: "settled", all: "settled",
		pick: `INSERT INTO grosz.rollup_work (version, level, part, shop_id, unit)
SELECT %[1]d, 'settled', 0, shop_id, toDateTime(date, 'UTC') FROM grosz.rollup_dirty_settled WHERE at <= fromUnixTimestamp64Milli(%[2]d) ORDER BY date LIMIT %[3]d`,
		fill: []string{fillTwice},
	}
}
