package rollup

import (
	"strings"

	"github.com/grosz/grosz/reporting/schema"
)

// fillSeen works days out from the events themselves, all at once: a day's
// hours would say nothing of what was shown in one and seen in the next.
const fillSeen = `INSERT INTO grosz.rollup_seen_day (part, shop_id, date, version, day, campaign_id, exchange, media, impressions, viewable)
WITH units AS (SELECT shop_id, toDate(unit) AS date FROM grosz.rollup_work WHERE version = %[1]d AND level = 'seen')
SELECT 0 AS part, f.shop_id, f.date, %[1]d AS version, f.day, f.campaign_id, f.exchange, f.media, f.impressions, f.viewable
FROM (%[2]s) AS f`

// seenLevel is how many impressions were seen, by day. It is a level of its
// own: days older than bids are kept can be worked out, too.
func seenLevel() level {
	return level{
		name: "seen", all: "seen",
		pick: `INSERT INTO grosz.rollup_work (version, level, part, shop_id, unit)
SELECT %[1]d, 'seen', 0, shop_id, toDateTime(date, 'UTC') FROM grosz.rollup_dirty_seen WHERE at <= fromUnixTimestamp64Milli(%[2]d) ORDER BY date LIMIT %[3]d`,
		fill: []string{strings.Replace(fillSeen, "%[2]s", schema.SeenFacts, 1)},
	}
}
