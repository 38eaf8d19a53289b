package rollup

import (
	"fmt"
	"strings"

	"github.com/grosz/grosz/reporting/schema"
)

// level is a step of the roll-ups.
type level struct {
	name string
	// all is what its units are together; empty: that is not noted of them.
	all string
	// pick chooses units that have been quiet until clean_until.
	pick string
	// fill makes the units' rows.
	fill []string
}

const measures = "sum(f.bids), sum(f.dropped), sum(f.wins), sum(f.impressions), sum(f.viewable), sum(f.clicks), sum(f.invalid_clicks), sum(f.spend), sum(f.shop_spend), sum(f.shop_fee)"

const (
	measureColumns = "bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee"
	mainColumns    = "day, at_hour, campaign_id, creative_id, exchange, media, device, currency"
	dayColumns     = "day, campaign_id, creative_id, exchange, media, device, currency"
	placeColumns   = "day, campaign_id, exchange, domain, currency"
	priceColumns   = "day, campaign_id, exchange, media, currency, bucket, loss_reason"
	priceMeasures  = "bids, wins, losses, won_at, paid, paid_known, min_to_win, min_known"
)

// current is the version of a unit's rows that counts.
const currentHours = `(f.part, f.shop_id, f.hour, f.version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour'
			AND (part, shop_id, toDate(unit)) IN (SELECT part, shop_id, toDate(unit) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'day') GROUP BY part, shop_id, unit)`

// hourWork is what a working out is of, as schema.Facts and schema.PriceFacts
// want it.
const hourWork = `
	(SELECT groupArray((part, shop_id, unit)) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'hour') AS dirty_hours,
	units AS (SELECT u.1 AS part, u.2 AS shop_id, u.3 AS hour FROM (SELECT arrayJoin(dirty_hours) AS u)),
`

// dayWork names the dirty hours of the days; what is clean comes from the
// hours' roll-up. Both are decided once, by one scalar.
const dayWork = `
	(SELECT groupArray((part, shop_id, unit)) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'day') AS days,
	(SELECT groupArray((part, shop_id, hour)) FROM grosz.rollup_dirty_hours
		WHERE (part, shop_id, toDate(hour)) IN (SELECT part, shop_id, toDate(unit) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'day')) AS dirty_hours,
	units AS (SELECT u.1 AS part, u.2 AS shop_id, u.3 AS hour FROM (SELECT arrayJoin(dirty_hours) AS u)),
`

func hourLevel() level {
	fill := func(table, columns string) string {
		return "INSERT INTO grosz." + table + " (part, shop_id, hour, version, " + columns + ", shop_currency, " + measureColumns + ")\nWITH " + hourWork + schema.Facts + `
SELECT f.part, f.shop_id, f.hour, %[1]d AS version, ` + columns + `, max(f.shop_currency), ` + measures + `
FROM facts AS f
GROUP BY f.part, f.shop_id, f.hour, ` + columns + `
SETTINGS join_use_nulls = 0`
	}
	return level{
		name: "hour", all: "hours",
		// Of neighbouring hours, so that little is read.
		pick: `INSERT INTO grosz.rollup_work (version, level, part, shop_id, unit)
SELECT %[1]d, 'hour', part, shop_id, hour FROM grosz.rollup_dirty_hours WHERE at <= fromUnixTimestamp64Milli(%[2]d) ORDER BY hour LIMIT %[3]d`,
		fill: []string{fill("rollup_hour", mainColumns), fill("rollup_place_hour", placeColumns), withPriceFacts(fillPriceHour)},
	}
}

func dayLevel() level {
	fill := func(table, from, columns string) string {
		return "INSERT INTO grosz." + table + " (part, shop_id, date, version, " + columns + ", shop_currency, " + measureColumns + ")\nWITH " + dayWork + schema.Facts + `
SELECT f.part, f.shop_id, f.date, %[1]d AS version, ` + columns + `, max(f.shop_currency), ` + measures + `
FROM (
	SELECT f.part AS part, f.shop_id AS shop_id, toDate(f.hour) AS date, ` + columns + `, shop_currency, ` + measureColumns + `
	FROM grosz.` + from + ` AS f
	WHERE (f.part, f.shop_id, toDate(f.hour)) IN (SELECT part, shop_id, toDate(unit) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'day')
		AND ` + currentHours + ` AND (f.part, f.shop_id, f.hour) NOT IN (SELECT arrayJoin(dirty_hours))
	UNION ALL
	SELECT f.part AS part, f.shop_id AS shop_id, toDate(f.hour) AS date, ` + columns + `, shop_currency, ` + measureColumns + `
	FROM facts AS f
) AS f
GROUP BY f.part, f.shop_id, f.date, ` + columns + `
SETTINGS join_use_nulls = 0`
	}
	return level{
		name: "day", all: "days",
		// A day whose hours still change is read from its hours until it is over.
		pick: `INSERT INTO grosz.rollup_work (version, level, part, shop_id, unit)
SELECT %[1]d, 'day', part, shop_id, toDateTime(date, 'UTC') FROM grosz.rollup_dirty_days WHERE at <= fromUnixTimestamp64Milli(%[2]d) ORDER BY date LIMIT %[3]d`,
		fill: []string{fill("rollup_day", "rollup_hour", dayColumns), fill("rollup_place_day", "rollup_place_hour", placeColumns), withPriceFacts(fillPriceDay)},
	}
}

// fillPriceHour and fillPriceDay do the same for what became of bids by price.
// Adjustments are of none.
const fillPriceHour = `INSERT INTO grosz.rollup_price_hour (part, shop_id, hour, version, ` + priceColumns + `, ` + priceMeasures + `)
WITH ` + hourWork + `%[2]s
SELECT f.part, f.shop_id, f.hour, %[1]d AS version, ` + priceColumns + `, ` + priceSums + `
FROM facts AS f
GROUP BY f.part, f.shop_id, f.hour, ` + priceColumns + `
SETTINGS join_use_nulls = 0`

const fillPriceDay = `INSERT INTO grosz.rollup_price_day (part, shop_id, date, version, ` + priceColumns + `, ` + priceMeasures + `)
WITH ` + dayWork + `%[2]s
SELECT f.part, f.shop_id, f.date, %[1]d AS version, ` + priceColumns + `, ` + priceSums + `
FROM (
	SELECT f.part AS part, f.shop_id AS shop_id, toDate(f.hour) AS date, ` + priceColumns + `, ` + priceMeasures + `
	FROM grosz.rollup_price_hour AS f
	WHERE (f.part, f.shop_id, toDate(f.hour)) IN (SELECT part, shop_id, toDate(unit) FROM grosz.rollup_work WHERE version = %[1]d AND level = 'day')
		AND ` + currentHours + ` AND (f.part, f.shop_id, f.hour) NOT IN (SELECT arrayJoin(dirty_hours))
	UNION ALL
	SELECT f.part AS part, f.shop_id AS shop_id, toDate(f.hour) AS date, ` + priceColumns + `, ` + priceMeasures + `
	FROM facts AS f
) AS f
GROUP BY f.part, f.shop_id, f.date, ` + priceColumns + `
SETTINGS join_use_nulls = 0`

const priceSums = "sum(f.bids), sum(f.wins), sum(f.losses), sum(f.won_at), sum(f.paid), sum(f.paid_known), sum(f.min_to_win), sum(f.min_known)"

func withPriceFacts(text string) string { return strings.Replace(text, "%[2]s", schema.PriceFacts, 1) }

// done is written last: until then nobody looks at the version's rows.
const done = `INSERT INTO grosz.rollup_done (level, part, shop_id, unit, version, clean_until)
SELECT level, part, shop_id, unit, version, fromUnixTimestamp64Milli(%[2]d) FROM grosz.rollup_work WHERE version = %[1]d AND level = '%[3]s'`

// sweeps remove rows that no longer count, an hour after they did.
func sweeps(before uint64) []string {
	var out []string
	for _, t := range []struct{ table, unit, level string }{
		{"rollup_hour", "hour", "hour"}, {"rollup_place_hour", "hour", "hour"},
		{"rollup_day", "date", "day"}, {"rollup_place_day", "date", "day"},
		{"rollup_price_hour", "hour", "hour"}, {"rollup_price_day", "date", "day"},
		{"rollup_seen_day", "date", "seen"}, {"rollup_settled_twice", "date", "settled"},
		{"reach_window", "date", "reach"},
	} {
		out = append(out, fmt.Sprintf(`ALTER TABLE grosz.%s DELETE WHERE version < %d AND (part, shop_id, toDateTime(%s, 'UTC'), version) NOT IN
	(SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = '%s' GROUP BY part, shop_id, unit)`, t.table, before, t.unit, t.level))
	}
	return out
}

// sql fills in a statement's version and more; SQL has no other percent signs.
func sql(text string, args ...any) string {
	if !strings.Contains(text, "%[2]") {
		args = args[:1]
	}
	return fmt.Sprintf(text, args...)
}
