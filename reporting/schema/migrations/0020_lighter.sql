-- Views that took longer than they must: they touch fewer values, and the same
-- value once.

CREATE OR REPLACE VIEW grosz.attribution_touches
(
{{attribution_touches_columns}}
    touches        {{touches_type}} COMMENT 'the last touch of each model within its window'
)
AS WITH
    -- Which goals are worked out from the events is decided once.
    (SELECT groupArray((shop, goal, id, time, user, click_bid, click_window, view_window, toDate(day), toString(status), value, net, toString(value_currency))) FROM grosz.attribution_goals WHERE NOT clean) AS stale,
{{found_touches}},
{{touched_goals}}
SELECT shop, goal, id, day, time, user, status, value, net, value_currency, live, touches FROM touched
SETTINGS join_use_nulls = 0
COMMENT 'Orders and conversions that have touches, as they are at this moment. Read grosz.attributions.';

CREATE OR REPLACE VIEW grosz.order_places
(
{{order_places_columns}}
)
AS WITH
    (SELECT groupArray((shop_id, hour)) FROM grosz.attribution_dirty WHERE part = 2) AS dirty_bids,
    (SELECT groupArray((shop, goal, id, time, user, click_bid, click_window, view_window, toDate(day), toString(status), value, net, toString(value_currency))) FROM grosz.attribution_goals WHERE NOT clean) AS stale,
{{found_touches}},
{{touched_goals}},
    -- The fields of a touch go by their places: what was found has no names.
    orders AS (
        SELECT g.day AS day, g.time AS time, g.shop AS shop, g.id AS id, g.value AS value, g.net AS net, g.value_currency AS value_currency, toBool(g.status NOT IN ('cancelled', 'returned')) AS kept,
            arraySort(x -> x.1, arrayFilter(x -> x.1 IN ('click', 'impression'), g.touches))[1] AS touch
        FROM touched AS g
        WHERE g.goal = 'order' AND notEmpty(arrayFilter(x -> x.1 IN ('click', 'impression'), g.touches))
    ),
    -- Bids of touches that were not looked for yet, or whose hour got bids since.
    (SELECT groupUniqArray((shop, bid, hour)) FROM (
        SELECT u.1 AS shop, t.5 AS bid, t.4 AS hour FROM (SELECT arrayJoin(found_now) AS u) ARRAY JOIN u.4 AS t
        UNION ALL
        SELECT k.shop_id AS shop, t.bid AS bid, t.hour AS hour FROM grosz.goal_touches AS k ARRAY JOIN k.touches AS t WHERE (k.shop_id, t.hour) IN (SELECT u.1, u.2 FROM (SELECT arrayJoin(dirty_bids) AS u))
    )) AS sought,
    seek AS (SELECT u.1 AS shop, u.2 AS bid, u.3 AS hour FROM (SELECT arrayJoin(sought) AS u))
SELECT a.day AS day, a.time AS time, a.shop AS shop, a.id AS order_id, a.touch.6 AS campaign, a.touch.8 AS exchange, a.touch.10 AS currency, a.touch.11 AS shop_currency,
    a.value AS value, a.net AS net, a.value_currency AS order_currency, a.kept AS kept, b.device AS device, b.domain AS domain, b.country AS country
FROM orders AS a
LEFT ANY JOIN (
    SELECT shop_id, bid, max(device) AS device, max(domain) AS domain, max(country) AS country
    FROM (
        SELECT shop_id, bid, toString(device) AS device, toString(domain) AS domain, toString(country) AS country FROM grosz.touch_places
        UNION ALL
        SELECT shop_id, bid_id, toString(device), toString(domain), toString(country) FROM grosz.bids
        WHERE type = 'bid' AND bid_id IN (SELECT bid FROM seek) AND time >= (SELECT if(count() = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), min(hour)) FROM seek) AND time < (SELECT max(hour) + INTERVAL 1 HOUR FROM seek)
    )
    GROUP BY shop_id, bid
) AS b ON b.shop_id = a.shop AND b.bid = a.touch.5
SETTINGS join_use_nulls = 0
COMMENT 'Attributed orders with where their touch was.';

-- Which units stand is asked of the units, not of every row of theirs.
CREATE OR REPLACE VIEW grosz.hourly
(
    shop           UInt32                 COMMENT 'shop',
    day            Date                   COMMENT 'date of the fact in the shop''s time zone',
    at_hour        DateTime('UTC')        COMMENT 'hour of the fact, UTC',
{{fact_columns}}
)
AS WITH
    -- Which hours are worked out from the events is decided once.
    (SELECT groupArray((part, shop_id, hour)) FROM grosz.rollup_dirty_hours) AS dirty_hours,
    units AS (SELECT u.1 AS part, u.2 AS shop_id, u.3 AS hour FROM (SELECT arrayJoin(dirty_hours) AS u)),
{{facts_within}}
SELECT f.shop_id AS shop, f.day AS day, f.at_hour AS at_hour, f.campaign_id AS campaign, f.creative_id AS creative, f.exchange AS exchange, f.media AS media, f.device AS device, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, at_hour, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' AND (part, shop_id, unit) NOT IN (SELECT arrayJoin(dirty_hours)) GROUP BY part, shop_id, unit)
    UNION ALL
    SELECT shop_id, day, at_hour, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM facts
) AS f
SETTINGS join_use_nulls = 0
COMMENT 'What happened, by hour: bids to spend. Exact at any moment; add rows up as you like.';

CREATE OR REPLACE VIEW grosz.daily
(
    shop           UInt32                 COMMENT 'shop',
    day            Date                   COMMENT 'date of the fact in the shop''s time zone',
{{fact_columns}}
)
AS WITH
    (SELECT groupArray((part, shop_id, hour)) FROM grosz.rollup_dirty_hours) AS dirty_hours,
    (SELECT groupArray((part, shop_id, date)) FROM grosz.rollup_dirty_days) AS dirty_days,
    units AS (SELECT u.1 AS part, u.2 AS shop_id, u.3 AS hour FROM (SELECT arrayJoin(dirty_hours) AS u) WHERE (u.1, u.2, toDate(u.3)) IN (SELECT arrayJoin(dirty_days))),
{{facts_within}}
SELECT f.shop_id AS shop, f.day AS day, f.campaign_id AS campaign, f.creative_id AS creative, f.exchange AS exchange, f.media AS media, f.device AS device, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_day WHERE (part, shop_id, date, version) IN (SELECT part, shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'day' AND (part, shop_id, toDate(unit)) NOT IN (SELECT arrayJoin(dirty_days)) GROUP BY part, shop_id, unit)
    UNION ALL
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' AND (part, shop_id, unit) NOT IN (SELECT arrayJoin(dirty_hours)) GROUP BY part, shop_id, unit) AND (part, shop_id, toDate(hour)) IN (SELECT arrayJoin(dirty_days))
    UNION ALL
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM facts
) AS f
SETTINGS join_use_nulls = 0
COMMENT 'What happened, by day: bids to spend. Exact at any moment; add rows up as you like.';

CREATE OR REPLACE VIEW grosz.places
(
{{places_columns}}
)
AS WITH
    (SELECT groupArray((part, shop_id, hour)) FROM grosz.rollup_dirty_hours) AS dirty_hours,
    (SELECT groupArray((part, shop_id, date)) FROM grosz.rollup_dirty_days) AS dirty_days,
    units AS (SELECT u.1 AS part, u.2 AS shop_id, u.3 AS hour FROM (SELECT arrayJoin(dirty_hours) AS u) WHERE (u.1, u.2, toDate(u.3)) IN (SELECT arrayJoin(dirty_days))),
{{facts_within}}
SELECT f.shop_id AS shop, f.day AS day, f.campaign_id AS campaign, f.exchange AS exchange, f.domain AS domain, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_place_day WHERE (part, shop_id, date, version) IN (SELECT part, shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'day' AND (part, shop_id, toDate(unit)) NOT IN (SELECT arrayJoin(dirty_days)) GROUP BY part, shop_id, unit)
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_place_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' AND (part, shop_id, unit) NOT IN (SELECT arrayJoin(dirty_hours)) GROUP BY part, shop_id, unit) AND (part, shop_id, toDate(hour)) IN (SELECT arrayJoin(dirty_days))
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM facts
) AS f
SETTINGS join_use_nulls = 0
COMMENT 'What happened, by day and site: bids to spend. Exact at any moment; add rows up as you like.';

CREATE OR REPLACE VIEW grosz.cost_by_domain
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
    domain                   LowCardinality(String)   COMMENT 'site domain or app bundle; of an order its touch''s; empty: the bid was not recorded, or its touch is over 30 days old',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, f.shop AS shop, f.campaign AS campaign, f.domain AS domain, f.exchange AS exchange, f.currency AS currency, f.shop_currency AS shop_currency,
            f.bids AS bids, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee,
            toUInt64(0) AS orders, toUInt64(0) AS kept_orders, toDecimal128(0, 9) AS revenue, toDecimal128(0, 9) AS kept_revenue
        FROM grosz.places AS f
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.campaign AS campaign, a.domain AS domain, {{cost_orders}}
        FROM grosz.order_places AS a
        GROUP BY day, shop, campaign, domain, exchange, currency
    ),
    report AS (
        SELECT day, shop, campaign, domain, {{cost_sums}}
        GROUP BY day, shop, campaign, domain, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.shop AS shop, r.campaign AS campaign, r.domain AS domain, {{cost_select}}
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by site or app.';


CREATE OR REPLACE VIEW grosz.cost_by_hour
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    hour                     UInt8                    COMMENT 'hour of the day in the shop''s time zone, 0 to 23',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, toHour(toTimeZone(f.at_hour, if(z.zone = '', 'UTC', z.zone))) AS hour, f.shop AS shop, f.campaign AS campaign, f.exchange AS exchange, f.currency AS currency, f.shop_currency AS shop_currency,
            f.bids AS bids, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee,
            f.orders AS orders, f.kept_orders AS kept_orders, f.revenue AS revenue, f.kept_revenue AS kept_revenue
        FROM (
            -- Hours are added up before their time zone is looked for.
            SELECT f.day AS day, f.at_hour AS at_hour, f.shop AS shop, f.campaign AS campaign, {{cost_facts}}
            FROM grosz.hourly AS f
            GROUP BY day, at_hour, shop, campaign, exchange, currency
        ) AS f
        LEFT ANY JOIN (SELECT shop_id, if(time_zone = '', 'UTC', toString(time_zone)) AS zone FROM grosz.shops FINAL) AS z ON z.shop_id = f.shop
        UNION ALL
        SELECT a.day AS day, toHour(toTimeZone(a.time, if(a.zone = '', 'UTC', a.zone))) AS hour, a.shop AS shop, a.campaign AS campaign, {{cost_orders}}
        FROM (SELECT o.*, z.zone AS zone FROM grosz.attributed_orders AS o LEFT ANY JOIN (SELECT shop_id, if(time_zone = '', 'UTC', toString(time_zone)) AS zone FROM grosz.shops FINAL) AS z ON z.shop_id = o.shop) AS a
        GROUP BY day, hour, shop, campaign, exchange, currency
    ),
    report AS (
        SELECT day, hour, shop, campaign, {{cost_sums}}
        GROUP BY day, hour, shop, campaign, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.hour AS hour, r.shop AS shop, r.campaign AS campaign, {{cost_select}}
SETTINGS join_use_nulls = 0, allow_nonconst_timezone_arguments = 1
COMMENT 'What an order cost, by hour of the day in the shop''s time zone.';


CREATE OR REPLACE VIEW grosz.pacing
(
{{pacing_columns}}
)
AS SELECT p.day AS day, p.hour AS hour, p.shop AS shop, p.campaign AS campaign, p.currency AS currency, p.spent AS spent,
    sum(p.spent) OVER (PARTITION BY p.shop, p.campaign, p.currency, p.day ORDER BY p.hour ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spent_so_far,
    c.budget_day AS budget, toFloat64(spent_so_far) / nullIf(toFloat64(budget), 0) AS share_of_budget, (p.hour + 1) / 24 AS share_of_day, share_of_budget / share_of_day AS pace
FROM (
    SELECT f.day AS day, toHour(toTimeZone(f.at_hour, if(f.zone = '', 'UTC', f.zone))) AS hour, f.shop AS shop, f.campaign AS campaign, f.shop_currency AS currency, sum(f.shop_spend + f.shop_fee) AS spent
    FROM (
        SELECT h.*, z.zone AS zone
        FROM (
            SELECT f.day AS day, f.at_hour AS at_hour, f.shop AS shop, f.campaign AS campaign, f.shop_currency AS shop_currency, sum(f.shop_spend) AS shop_spend, sum(f.shop_fee) AS shop_fee
            FROM grosz.hourly AS f
            GROUP BY day, at_hour, shop, campaign, shop_currency
        ) AS h
        LEFT ANY JOIN (SELECT shop_id, if(time_zone = '', 'UTC', toString(time_zone)) AS zone FROM grosz.shops FINAL) AS z ON z.shop_id = h.shop
    ) AS f
    GROUP BY day, hour, shop, campaign, currency
    HAVING spent != 0
) AS p
LEFT ANY JOIN (SELECT shop_id, campaign_id, budget_day FROM grosz.campaigns FINAL) AS c ON c.shop_id = p.shop AND c.campaign_id = p.campaign
SETTINGS join_use_nulls = 0, allow_nonconst_timezone_arguments = 1
COMMENT 'How a campaign''s day budget goes through the day. An hour without spending has no row.';


CREATE OR REPLACE VIEW grosz.reach
(
{{reach_columns}}
)
AS WITH
    (SELECT groupUniqArray((shop_id, toString(exchange))) FROM grosz.reach_people WHERE exchange != '' AND day > today() - 30) AS met,
    -- Sets are merged in one pass and become numbers at once. A shop's visitors
    -- are the same at each exchange, so their number is put beside each.
    people AS (
        SELECT r.shop_id AS shop, toString(r.exchange) AS exchange, r.browser AS browser, uniqMergeIf(r.people, r.step = 'visited') AS visitors, uniqMergeIf(r.people, r.step = 'consented') AS consented,
            uniqMergeIf(r.people, r.step IN ('matched', 'seen')) AS matched, uniqMergeIf(r.people, r.step = 'seen') AS seen, uniqMergeIf(r.people, r.step = 'bid') AS bid_on, uniqMergeIf(r.people, r.step = 'won') AS won,
            uniqMergeIf(r.people, r.step = 'viewable') AS viewable, uniqMergeIf(r.people, r.step = 'clicked') AS clicked
        FROM grosz.reach_people AS r
        WHERE r.day > today() - 30
        GROUP BY shop, exchange, browser
    ),
    steps AS (
        SELECT p.shop AS shop, arrayJoin(multiIf(p.exchange != '', [p.exchange], empty(arrayFilter(m -> m.1 = p.shop, met)), [''], arrayMap(m -> m.2, arrayFilter(m -> m.1 = p.shop, met)))) AS exchange, p.browser AS browser,
            p.visitors AS visitors, p.consented AS consented, p.matched AS matched, p.seen AS seen, p.bid_on AS bid_on, p.won AS won, p.viewable AS viewable, p.clicked AS clicked, toUInt64(0) AS ordered
        FROM people AS p
        UNION ALL
        SELECT o.shop AS shop, toString(o.exchange) AS exchange, b.browser AS browser, 0, 0, 0, 0, 0, 0, 0, 0, uniqExact(o.user) AS ordered
        FROM grosz.attributed_orders AS o
        LEFT ANY JOIN (SELECT e.shop_id AS shop, e.order_id AS order_id, max(e.browser) AS browser FROM grosz.shop_events AS e WHERE e.type = 'purchase' GROUP BY shop, order_id) AS b ON b.shop = o.shop AND b.order_id = o.order_id
        WHERE o.day > today() - 30 AND o.user != 0
        GROUP BY shop, exchange, browser
    )
SELECT s.shop AS shop, s.exchange AS exchange, s.browser AS browser, sum(s.visitors) AS visitors, sum(s.consented) AS consented, sum(s.matched) AS matched, sum(s.seen) AS seen,
    sum(s.bid_on) AS bid_on, sum(s.won) AS won, sum(s.viewable) AS viewable, sum(s.clicked) AS clicked, sum(s.ordered) AS ordered
FROM steps AS s
GROUP BY s.shop, s.exchange, s.browser
SETTINGS join_use_nulls = 0
COMMENT 'How many people got how far in the last 30 days, by exchange and browser. People do not add up: over other periods merge grosz.reach_people.';

