package volume

import (
	"fmt"
	"strings"
	"time"
)

// days of the synthetic traffic, up to the day before it is made: bids are
// kept for thirty days, so that a few more would vanish while one measures.
const days = 28

// base are columns of bid number n, drawn from hashes of it.
const base = `
	fromUnixTimestamp64Milli(toInt64(%[1]d + n * %[2]f), 'UTC') AS bt,
	toUInt32(1 + cityHash64(n, 1) %% 20) AS shop, toUInt32(shop * 10 + cityHash64(n, 2) %% 3) AS camp, toUInt32(camp * 10 + cityHash64(n, 3) %% 3) AS cr,
	['alpha', 'beta', 'gamma', 'delta'][1 + cityHash64(n, 4) %% 4] AS ex, ['banner', 'banner', 'native', 'video'][1 + cityHash64(n, 5) %% 4] AS med,
	cityHash64(n %% 3000017, 6) AS usr, ['chrome', 'chrome', 'safari', 'firefox', 'edge'][1 + cityHash64(usr) %% 5] AS br, reinterpretAsUUID(sipHash128(n)) AS bid, toDecimal64(1 + (cityHash64(n, 7) %% 2000) / 1000, 6) AS bp
FROM (SELECT number AS n FROM numbers(%[3]d, %[4]d))`

const won = "cityHash64(n, 10) % 100 < 30"

// kinds of events that follow a bid: which bids have one, and how many
// milliseconds later.
var kinds = []struct{ name, has, after string }{
	{"win", won, "200"},
	{"billing", won, "1000 + n % 2000"},
	{"impression", won + " AND cityHash64(n, 11) % 100 < 95", "1100 + n % 2000"},
	{"viewable", won + " AND cityHash64(n, 12) % 100 < 60", "2500 + n % 2000"},
	{"click", won + " AND cityHash64(n, 13) % 1000 < 12", "5000 + cityHash64(n, 14) % 60000 + if(cityHash64(n, 15) % 20 = 0, cityHash64(n, 16) % 86400000, 0)"},
	{"loss", "cityHash64(n, 10) % 100 BETWEEN 40 AND 69", "300"},
}

// slice are the inserts of bids [from, from+n) out of all, whose first was
// made at start.
func slice(start time.Time, all, from, n int) []string {
	step := float64(days*24*time.Hour/time.Millisecond) / float64(all)
	rows := fmt.Sprintf(base, start.UnixMilli(), step, from, n)
	var events []string
	for i, k := range kinds {
		settles := k.name == "billing"
		amount := func(share string) string {
			if !settles {
				return "toDecimal128(0, 9)"
			}
			return "toDecimal128(bp, 9) * toDecimal64(" + share + ", 5)"
		}
		events = append(events, fmt.Sprintf(`SELECT reinterpretAsUUID(sipHash128(n, '%[1]s')) AS event_id, '%[1]s' AS type, bt + toIntervalMillisecond(%[2]s) AS time, bt AS bid_time, toDate(time) AS day,
	bid AS bid_id, shop AS shop_id, camp AS campaign_id, cr AS creative_id, ex AS exchange, med AS media, br AS browser, usr AS user, %[3]t AS settles, if(%[3]t, bp, 0) AS price, if(%[3]t, 'ok', '') AS price_status,
	bp AS bid_price, 'EUR' AS currency, %[4]s AS amount, 'PLN' AS shop_currency, 4.3 AS rate, %[5]s AS shop_amount, %[6]s AS shop_fee, if(type = 'loss', [100, 102, 102, 203][1 + n %% 4], 0) AS loss_reason, if(type = 'loss', bp * toDecimal64('1.2', 1), 0) AS min_to_win,
	if(type = 'click', concat('p', toString(n %% 500)), '') AS product, 'n1' AS node, shop %% 4 AS kafka_partition, n AS kafka_offset, %[7]d AS seq, now64(3) AS loaded_at
FROM (SELECT n, %[8]s) WHERE %[9]s`, k.name, k.after, settles, amount("0.001"), amount("0.0043"), amount("0.00043"), i, rows, k.has))
	}
	const settings = "\nSETTINGS throw_on_max_partitions_per_insert_block = 0"
	return []string{
		`INSERT INTO grosz.events (event_id, type, time, bid_time, day, bid_id, shop_id, campaign_id, creative_id, exchange, media, browser, user, settles, price, price_status,
	bid_price, currency, amount, shop_currency, rate, shop_amount, shop_fee, loss_reason, min_to_win, product, node, kafka_partition, kafka_offset, seq, loaded_at)
` + strings.Join(events, "\nUNION ALL ") + settings,
		`INSERT INTO grosz.bids (event_id, type, time, day, bid_id, shop_id, campaign_id, creative_id, exchange, media, user, bid_price, currency, shop_currency, rate, node,
	request_id, imp_id, domain, device, browser, country, w, h, kafka_partition, kafka_offset, loaded_at)
SELECT reinterpretAsUUID(sipHash128(n, 'bid')), 'bid', bt, toDate(bt), bid, shop, camp, cr, ex, med, usr, bp, 'EUR', 'PLN', 4.3, 'n1', hex(sipHash64(n)), '1',
	concat('site', toString(cityHash64(n, 20) % 300), '.example'), ['mobile', 'mobile', 'desktop', 'tablet'][1 + cityHash64(n, 21) % 4], br, 'POL', 300, 250, shop % 4, n, now64(3)
FROM (SELECT n, ` + rows + ")" + settings,
		`INSERT INTO grosz.shop_events (event_id, type, time, received, day, shop_id, user, order_id, value, currency, url, browser, page, product, node, kafka_partition, kafka_offset, loaded_at)
SELECT reinterpretAsUUID(sipHash128(n, 'visit')), if(cityHash64(n, 31) % 100 < 3, 'purchase', 'product_view') AS type, bt + toIntervalHour(1) AS time, time, toDate(time), shop, usr,
	if(type = 'purchase', concat('o', toString(n)), ''), if(type = 'purchase', 150, 0), 'PLN', 'https://shop.example/p', br, true, concat('p', toString(n % 500)), 'n1', shop % 4, n, now64(3)
FROM (SELECT n, ` + rows + ") WHERE cityHash64(n, 30) % 10 = 0" + settings,
		`INSERT INTO grosz.bids (event_id, type, time, day, bid_id, shop_id, exchange, user, browser, node, kafka_partition, kafka_offset, loaded_at)
SELECT reinterpretAsUUID(sipHash128(n, 'seen')), 'seen', bt, toDate(bt), toUUID('00000000-0000-0000-0000-000000000000'), shop, ex, usr, br, 'n1', shop % 4, n, now64(3)
FROM (SELECT n, ` + rows + ") WHERE cityHash64(n, 40) % 10 = 0" + settings,
	}
}

// tallies are the counts that one node would have recorded in these days.
func tallies(start time.Time) string {
	return fmt.Sprintf(`INSERT INTO grosz.tallies (event_id, kind, time, day, shop_id, campaign_id, exchange, browser, reason, up_to_us, count, node, kafka_offset, loaded_at)
SELECT reinterpretAsUUID(sipHash128(n, 'tally')), ['requests', 'no_bids', 'refused', 'latency'][1 + n %% 4] AS kind, fromUnixTimestamp64Milli(toInt64(%d + intDiv(n, 40) * 60000), 'UTC') AS time, toDate(time),
	if(kind = 'refused', 1 + cityHash64(n, 2) %% 20, 0) AS shop_id, if(kind = 'refused', shop_id * 10 + cityHash64(n, 3) %% 3, 0), ['alpha', 'beta', 'gamma', 'delta'][1 + cityHash64(n, 4) %% 4],
	if(kind = 'requests', ['chrome', 'safari', 'firefox', 'edge'][1 + cityHash64(n, 5) %% 4], ''), ['floor', 'frequency', 'budget', 'no_campaign'][1 + cityHash64(n, 6) %% 4], if(kind = 'latency', exp2(1 + cityHash64(n, 7) %% 16), 0),
	1 + cityHash64(n, 8) %% 1000, 'n1', n, now64(3)
FROM (SELECT number AS n FROM numbers(%d))
SETTINGS throw_on_max_partitions_per_insert_block = 0`, start.UnixMilli(), days*24*60*40)
}
