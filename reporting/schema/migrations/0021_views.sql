-- What a view does before it reads any figure: which units got rows is asked of
-- what came since all of them were worked out last, not of all years.

-- rollup_done also notes, for all units of a level at once and as units of
-- nobody, until when everything that was inserted has been worked out.
CREATE OR REPLACE VIEW grosz.rollup_dirty_hours
(
    part    UInt8                  COMMENT '0: what follows a bid; 1: adjustments; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS WITH (SELECT max(clean_until) FROM grosz.rollup_done WHERE level = 'all hours' AND clean_until <= now64(3)) AS mark
SELECT t.part AS part, t.shop_id AS shop_id, t.hour AS hour, t.last AS at
FROM (SELECT part, shop_id, hour, max(at) AS last FROM grosz.rollup_touched WHERE at > mark GROUP BY part, shop_id, hour) AS t
LEFT JOIN (SELECT part, shop_id, unit, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'hour' AND clean_until > mark GROUP BY part, shop_id, unit) AS d
    ON d.shop_id = t.shop_id AND d.part = t.part AND d.unit = t.hour
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Hours of bids that got rows since they were last worked out; views work them out from the events.';

CREATE OR REPLACE VIEW grosz.rollup_dirty_days
(
    part    UInt8                  COMMENT '0: what follows a bid; 1: adjustments; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    date    Date                   COMMENT 'date of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS WITH (SELECT max(clean_until) FROM grosz.rollup_done WHERE level = 'all days' AND clean_until <= now64(3)) AS mark
SELECT t.part AS part, t.shop_id AS shop_id, t.date AS date, t.last AS at
FROM (SELECT part, shop_id, toDate(hour) AS date, max(at) AS last FROM grosz.rollup_touched WHERE at > mark GROUP BY part, shop_id, date) AS t
LEFT JOIN (SELECT part, shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'day' AND clean_until > mark GROUP BY part, shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.part = t.part AND d.date = t.date
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Days of bids that got rows since they were last worked out; views work them out from the hours.';

CREATE OR REPLACE VIEW grosz.rollup_dirty_seen
(
    shop_id UInt32                 COMMENT 'shop',
    date    Date                   COMMENT 'date of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS WITH (SELECT max(clean_until) FROM grosz.rollup_done WHERE level = 'all seen' AND clean_until <= now64(3)) AS mark
SELECT t.shop_id AS shop_id, t.date AS date, t.last AS at
FROM (SELECT shop_id, toDate(hour) AS date, max(at) AS last FROM grosz.rollup_touched WHERE part = 0 AND at > mark GROUP BY shop_id, date) AS t
LEFT JOIN (SELECT shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'seen' AND clean_until > mark GROUP BY shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.date = t.date
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Days of bids that got events since grosz.rollup_seen_day was last worked out; grosz.viewability works them out from the events.';

CREATE OR REPLACE VIEW grosz.rollup_dirty_settled
(
    shop_id UInt32                 COMMENT 'shop',
    date    Date                   COMMENT 'date of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS WITH (SELECT max(clean_until) FROM grosz.rollup_done WHERE level = 'all settled' AND clean_until <= now64(3)) AS mark
SELECT t.shop_id AS shop_id, t.date AS date, t.last AS at
FROM (SELECT shop_id, toDate(hour) AS date, max(at) AS last FROM grosz.rollup_touched WHERE part = 0 AND at > mark GROUP BY shop_id, date) AS t
LEFT JOIN (SELECT shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'settled' AND clean_until > mark GROUP BY shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.date = t.date
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Days of bids that got events since grosz.rollup_settled_twice was last worked out; grosz.settlements groups their events.';

-- Events are read only if there is anything to be worked out, and the places of
-- bids are looked for once.
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
{{facts_lean}}
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
    (SELECT groupArray((part, shop_id, date)) FROM grosz.rollup_dirty_days) AS dirty_days,
    (SELECT groupArray((part, shop_id, hour)) FROM grosz.rollup_dirty_hours WHERE (part, shop_id, toDate(hour)) IN (SELECT arrayJoin(dirty_days))) AS dirty_hours,
{{facts_lean}}
SELECT f.shop_id AS shop, f.day AS day, f.campaign_id AS campaign, f.creative_id AS creative, f.exchange AS exchange, f.media AS media, f.device AS device, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_day WHERE (part, shop_id, date, version) IN (SELECT part, shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'day' AND (part, shop_id, toDate(unit)) NOT IN (SELECT arrayJoin(dirty_days)) GROUP BY part, shop_id, unit)
    UNION ALL
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' AND (part, shop_id, toDate(unit)) IN (SELECT arrayJoin(dirty_days)) AND (part, shop_id, unit) NOT IN (SELECT arrayJoin(dirty_hours)) GROUP BY part, shop_id, unit) AND notEmpty(dirty_days)
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
    (SELECT groupArray((part, shop_id, date)) FROM grosz.rollup_dirty_days) AS dirty_days,
    (SELECT groupArray((part, shop_id, hour)) FROM grosz.rollup_dirty_hours WHERE (part, shop_id, toDate(hour)) IN (SELECT arrayJoin(dirty_days))) AS dirty_hours,
{{facts_lean}}
SELECT f.shop_id AS shop, f.day AS day, f.campaign_id AS campaign, f.exchange AS exchange, f.domain AS domain, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_place_day WHERE (part, shop_id, date, version) IN (SELECT part, shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'day' AND (part, shop_id, toDate(unit)) NOT IN (SELECT arrayJoin(dirty_days)) GROUP BY part, shop_id, unit)
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_place_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' AND (part, shop_id, toDate(unit)) IN (SELECT arrayJoin(dirty_days)) AND (part, shop_id, unit) NOT IN (SELECT arrayJoin(dirty_hours)) GROUP BY part, shop_id, unit) AND notEmpty(dirty_days)
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM facts
) AS f
SETTINGS join_use_nulls = 0
COMMENT 'What happened, by day and site: bids to spend. Exact at any moment; add rows up as you like.';

-- A shop is noted as a whole, so its rows are looked at before they are grouped.
CREATE OR REPLACE VIEW grosz.attribution_dirty
(
    part    UInt8                  COMMENT '0: events; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS SELECT t.part AS part, t.shop_id AS shop_id, t.hour AS hour, max(t.at) AS at
FROM grosz.rollup_touched AS t
LEFT JOIN (SELECT shop_id, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'goals' GROUP BY shop_id) AS d ON d.shop_id = t.shop_id
WHERE t.part IN (0, 2) AND d.clean < t.at
GROUP BY t.part, t.shop_id, t.hour
SETTINGS join_use_nulls = 0
COMMENT 'Hours of bids that got rows since the goals of their shop were last worked out.';

-- Likewise the touches of goals.
CREATE OR REPLACE VIEW grosz.attribution_goals
(
    shop           UInt32                 COMMENT 'shop',
    goal           LowCardinality(String) COMMENT 'order, or the name of a conversion',
    id             String                 COMMENT 'the shop''s order id; of a conversion its event id',
    day            Date                   COMMENT 'date of the goal in the shop''s time zone',
    time           DateTime64(3, 'UTC')   COMMENT 'when the goal was reached, by the shop',
    user           UInt64                 COMMENT 'the shop''s own pseudonym of the person; 0: nobody',
    click_bid      UUID                   COMMENT 'bid whose click brought the person; all zeros: none known',
    status         LowCardinality(String) COMMENT 'of an order: placed, paid, cancelled or returned; of a conversion: placed',
    value          Decimal(38, 9)         COMMENT 'value as it was placed',
    net            Decimal(38, 9)         COMMENT 'value less what was cancelled or came back',
    value_currency LowCardinality(String) COMMENT 'currency of value and net',
    click_window   UInt32                 COMMENT 'how long before the goal a click counts, seconds',
    view_window    UInt32                 COMMENT 'how long before the goal a view counts, seconds',
    known          Bool                   COMMENT 'it was worked out from what is known of the goal now',
    clean          Bool                   COMMENT 'and no event came since that might be a touch of it',
    touches        {{touches_type}} COMMENT 'what was worked out'
)
AS WITH
    (SELECT groupArray((shop_id, hour)) FROM grosz.attribution_dirty WHERE part = 0) AS dirty,
    goals AS (
        SELECT 'order' AS goal, o.day AS day, o.time AS time, o.shop AS shop, o.order_id AS id, o.user AS user, o.click_bid AS click_bid,
            toString(o.status) AS status, o.value AS value, o.net AS net, toString(o.currency) AS value_currency
        FROM grosz.orders AS o
        UNION ALL
        SELECT toString(v.name) AS goal, v.day AS day, v.time AS time, v.shop AS shop, v.id AS id, v.user AS user, v.click_bid AS click_bid,
            'placed' AS status, v.value AS value, v.value AS net, toString(v.currency) AS value_currency
        FROM grosz.conversions AS v
    ),
    windows AS (
        SELECT s.shop_id AS shop, s.click_window AS click, s.view_window AS view
        FROM grosz.shops AS s FINAL
    ),
    -- The first time at which people, and clicks of bids, were met in the hours
    -- that got events: goals from then on may have another touch now.
    people AS (
        SELECT e.shop_id AS shop, e.user AS user, min(e.time) AS first
        FROM grosz.events AS e
        WHERE notEmpty(dirty) AND e.type IN ('click', 'viewable', 'impression') AND e.reason = '' AND NOT e.test AND e.user != 0
            AND e.bid_time >= arrayReduce('min', dirty.2) AND e.bid_time < arrayReduce('max', dirty.2) + INTERVAL 1 HOUR
            AND (e.shop_id, toDate(e.bid_time)) IN (SELECT arrayJoin(arrayMap(u -> (u.1, toDate(u.2)), dirty)))
            AND (e.shop_id, toStartOfHour(e.bid_time)) IN (SELECT arrayJoin(dirty))
            AND e.user IN (SELECT user FROM grosz.shop_events WHERE type IN ('purchase', 'conversion'))
        GROUP BY shop, user
    ),
    clicked AS (
        SELECT e.shop_id AS shop, e.bid_id AS bid, min(e.time) AS first
        FROM grosz.events AS e
        WHERE notEmpty(dirty) AND e.type = 'click' AND e.reason = '' AND NOT e.test
            AND e.bid_time >= arrayReduce('min', dirty.2) AND e.bid_time < arrayReduce('max', dirty.2) + INTERVAL 1 HOUR
            AND (e.shop_id, toDate(e.bid_time)) IN (SELECT arrayJoin(arrayMap(u -> (u.1, toDate(u.2)), dirty)))
            AND (e.shop_id, toStartOfHour(e.bid_time)) IN (SELECT arrayJoin(dirty))
            AND e.bid_id IN (SELECT click_bid FROM grosz.shop_events WHERE type IN ('purchase', 'conversion'))
        GROUP BY shop, bid
    ),
    -- Goals whose touch is of such an hour: it may count otherwise now.
    moved AS (
        SELECT m.shop_id, m.goal, m.id
        FROM (SELECT shop_id, goal, id, arrayJoin(touches.hour) AS hour FROM grosz.goal_touches) AS m
        WHERE notEmpty(dirty) AND (m.shop_id, m.hour) IN (SELECT arrayJoin(dirty))
    )
SELECT g.shop AS shop, g.goal AS goal, g.id AS id, g.day AS day, g.time AS time, g.user AS user, g.click_bid AS click_bid, g.status AS status, g.value AS value, g.net AS net,
    g.value_currency AS value_currency, g.wanted_click AS click_window, g.wanted_view AS view_window,
    g.version > 0 AND g.was_time = g.time AND g.was_user = g.user AND g.was_click_bid = g.click_bid AND g.was_click = g.wanted_click AND g.was_view = g.wanted_view AS known,
    known AND (p.shop = 0 OR p.first > g.time) AND (c.shop = 0 OR c.first > g.time) AND (g.shop, g.goal, g.id) NOT IN (SELECT shop_id, goal, id FROM moved) AS clean,
    g.touches AS touches
FROM (
    SELECT o.goal AS goal, o.day AS day, o.time AS time, o.shop AS shop, o.id AS id, o.user AS user, o.click_bid AS click_bid, o.status AS status, o.value AS value, o.net AS net, o.value_currency AS value_currency,
        if(w.click = 0, 2592000, w.click) AS wanted_click, if(w.view = 0, 86400, w.view) AS wanted_view,
        k.version AS version, k.time AS was_time, k.user AS was_user, k.click_bid AS was_click_bid, k.click_window AS was_click, k.view_window AS was_view, k.touches AS touches
    FROM goals AS o
    LEFT ANY JOIN windows AS w ON w.shop = o.shop
    LEFT ANY JOIN (SELECT * FROM grosz.goal_touches FINAL) AS k ON k.shop_id = o.shop AND k.goal = o.goal AND k.id = o.id
) AS g
LEFT ANY JOIN people AS p ON p.shop = g.shop AND p.user = g.user
LEFT ANY JOIN clicked AS c ON c.shop = g.shop AND c.bid = g.click_bid
SETTINGS join_use_nulls = 0
COMMENT 'Every order and conversion, and what was worked out of its touches. Read grosz.attributions.';

CREATE OR REPLACE VIEW grosz.attribution_touches
(
{{attribution_touches_columns}}
    touches        {{touches_type}} COMMENT 'the last touch of each model within its window'
)
AS WITH
    -- Which goals are worked out from the events is decided once.
    (SELECT groupArray((shop, goal, id, time, user, click_bid, click_window, view_window, toDate(day), toString(status), value, net, toString(value_currency))) FROM grosz.attribution_goals WHERE NOT clean) AS stale,
{{found_touches_lean}},
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
{{found_touches_lean}},
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
        SELECT k.shop_id AS shop, t.bid AS bid, t.hour AS hour FROM grosz.goal_touches AS k ARRAY JOIN k.touches AS t WHERE notEmpty(dirty_bids) AND (k.shop_id, t.hour) IN (SELECT arrayJoin(dirty_bids))
    )) AS sought
SELECT a.day AS day, a.time AS time, a.shop AS shop, a.id AS order_id, a.touch.6 AS campaign, a.touch.8 AS exchange, a.touch.10 AS currency, a.touch.11 AS shop_currency,
    a.value AS value, a.net AS net, a.value_currency AS order_currency, a.kept AS kept, b.device AS device, b.domain AS domain, b.country AS country
FROM orders AS a
LEFT ANY JOIN (
    SELECT shop_id, bid, max(device) AS device, max(domain) AS domain, max(country) AS country
    FROM (
        SELECT shop_id, bid, toString(device) AS device, toString(domain) AS domain, toString(country) AS country FROM grosz.touch_places
        UNION ALL
        SELECT shop_id, bid_id, toString(device), toString(domain), toString(country) FROM grosz.bids
        WHERE notEmpty(sought) AND type = 'bid' AND bid_id IN (SELECT arrayJoin(sought.2)) AND time >= arrayReduce('min', sought.3) AND time < arrayReduce('max', sought.3) + INTERVAL 1 HOUR
    )
    GROUP BY shop_id, bid
) AS b ON b.shop_id = a.shop AND b.bid = a.touch.5
SETTINGS join_use_nulls = 0
COMMENT 'Attributed orders with where their touch was.';

-- People of a window of 30 days are merged beforehand. Sets only grow, and one
-- that is merged twice is the same: so whoever asks merges what came since to
-- what was worked out, and is right at any moment.

CREATE TABLE IF NOT EXISTS grosz.reach_touched
(
    shop_id  UInt32                        COMMENT 'shop' CODEC(ZSTD(1)),
    day      Date                          COMMENT 'date in the shop''s time zone' CODEC(ZSTD(1)),
    at       SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'when people were last put in, by the server''s clock' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (shop_id, day)
TTL day + INTERVAL 60 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Which days of grosz.reach_people got people, and when last.';

CREATE TABLE IF NOT EXISTS grosz.reach_window
(
    part     UInt8                         COMMENT '0: all of it' CODEC(ZSTD(1)),
    shop_id  UInt32                        COMMENT 'shop' CODEC(ZSTD(1)),
    date     Date                          COMMENT 'the day on which its 30 days end' CODEC(ZSTD(1)),
    version  UInt64                        COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    exchange LowCardinality(String)        COMMENT 'exchange; empty of what happens at the shop',
    browser  LowCardinality(String)        COMMENT 'family of the browser',
    step     LowCardinality(String)        COMMENT 'visited, consented, matched (seen ones included), seen, bid, won, viewable, clicked',
    people   AggregateFunction(uniq, UInt64) COMMENT 'set of pseudonyms, of all days' CODEC(NONE),
    size     UInt64                        COMMENT 'how many these are' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY date
ORDER BY (shop_id, part, date, version, exchange, browser, step)
TTL date + INTERVAL 2 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 16
COMMENT 'Sets of grosz.reach_people, merged over the days that grosz.reach asks for. Read grosz.reach.';

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.reach_touched_by_people TO grosz.reach_touched
(
    shop_id  UInt32                        COMMENT 'shop',
    day      Date                          COMMENT 'date in the shop''s time zone',
    at       DateTime64(3, 'UTC')          COMMENT 'when people were put in'
)
AS SELECT r.shop_id AS shop_id, r.day AS day, now64(3, 'UTC') AS at
FROM grosz.reach_people AS r
GROUP BY shop_id, day
COMMENT 'Notes which days get people.';

-- What was there before.
INSERT INTO grosz.reach_touched SELECT shop_id, day, now64(3, 'UTC') AS at
FROM grosz.reach_people WHERE day > today() - 40 GROUP BY shop_id, day;

CREATE OR REPLACE VIEW grosz.rollup_dirty_reach
(
    shop_id UInt32                 COMMENT 'shop',
    date    Date                   COMMENT 'day on which 30 days end: today; and tomorrow, until it was worked out once',
    day     Date                   COMMENT 'one of the days, in the shop''s time zone',
    at      DateTime64(3, 'UTC')   COMMENT 'when people were last put in'
)
AS SELECT t.shop_id AS shop_id, t.date AS date, t.day AS day, t.last AS at
FROM (
    SELECT r.shop_id AS shop_id, r.day AS day, r.last AS last, arrayJoin([today(), today() + 1]) AS date
    FROM (SELECT shop_id, day, max(at) AS last FROM grosz.reach_touched WHERE day > today() - 30 GROUP BY shop_id, day) AS r
) AS t
LEFT JOIN (SELECT shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'reach' AND unit >= toDateTime(today(), 'UTC') GROUP BY shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.date = t.date
WHERE t.day > t.date - 30 AND d.clean < t.last AND (t.date = today() OR toUnixTimestamp(d.clean) = 0)
SETTINGS join_use_nulls = 0
COMMENT 'Days that got people since grosz.reach_window was last worked out; grosz.reach merges their sets itself.';

CREATE OR REPLACE VIEW grosz.reach
(
{{reach_columns}}
)
AS WITH
    -- Which days are merged here is decided once, and before what was worked out is read.
    (SELECT groupArray((shop_id, day)) FROM grosz.rollup_dirty_reach WHERE date = today()) AS fresh,
    arrayDistinct(arrayMap(f -> f.1, fresh)) AS fresh_shops,
    (SELECT groupUniqArray((shop_id, toString(exchange))) FROM grosz.reach_people WHERE exchange != '' AND day > today() - 30) AS met,
    sizes AS (
        -- Nobody came to these shops since: how many there are is known.
        SELECT w.shop_id AS shop, toString(w.exchange) AS exchange, toString(w.browser) AS browser, toString(w.step) AS step, w.size AS size
        FROM grosz.reach_window AS w
        WHERE w.date = today() AND (w.shop_id, w.version) IN (SELECT shop_id, max(version) FROM grosz.rollup_done
            WHERE level = 'reach' AND unit = toDateTime(today(), 'UTC') AND NOT has(fresh_shops, shop_id) GROUP BY shop_id)
        UNION ALL
        SELECT s.shop_id AS shop, toString(s.exchange) AS exchange, toString(s.browser) AS browser, s.step AS step, uniqMerge(s.people) AS size
        FROM (
            SELECT w.shop_id AS shop_id, w.exchange AS exchange, w.browser AS browser, toString(w.step) AS step, w.people AS people
            FROM grosz.reach_window AS w
            WHERE w.date = today() AND (w.shop_id, w.version) IN (SELECT shop_id, max(version) FROM grosz.rollup_done
                WHERE level = 'reach' AND unit = toDateTime(today(), 'UTC') AND has(fresh_shops, shop_id) GROUP BY shop_id)
            UNION ALL
            SELECT r.shop_id AS shop_id, r.exchange AS exchange, r.browser AS browser, arrayJoin(if(r.step = 'seen', ['seen', 'matched'], [toString(r.step)])) AS step, r.people AS people
            FROM grosz.reach_people AS r
            WHERE r.day > today() - 30 AND (r.shop_id, r.day) IN (SELECT arrayJoin(fresh))
        ) AS s
        GROUP BY shop, exchange, browser, step
    ),
    people AS (
        SELECT n.shop AS shop, n.exchange AS exchange, n.browser AS browser, sumIf(n.size, n.step = 'visited') AS visitors, sumIf(n.size, n.step = 'consented') AS consented,
            sumIf(n.size, n.step = 'matched') AS matched, sumIf(n.size, n.step = 'seen') AS seen, sumIf(n.size, n.step = 'bid') AS bid_on, sumIf(n.size, n.step = 'won') AS won,
            sumIf(n.size, n.step = 'viewable') AS viewable, sumIf(n.size, n.step = 'clicked') AS clicked
        FROM sizes AS n
        GROUP BY shop, exchange, browser
    ),
    -- A shop's visitors are the same at each exchange, so their number is put beside each.
    steps AS (
        SELECT p.shop AS shop, arrayJoin(multiIf(p.exchange != '', [p.exchange], empty(arrayFilter(m -> m.1 = p.shop, met)), [''], arrayMap(m -> m.2, arrayFilter(m -> m.1 = p.shop, met)))) AS exchange, p.browser AS browser,
            p.visitors AS visitors, p.consented AS consented, p.matched AS matched, p.seen AS seen, p.bid_on AS bid_on, p.won AS won, p.viewable AS viewable, p.clicked AS clicked, toUInt64(0) AS ordered
        FROM people AS p
        UNION ALL
        SELECT o.shop AS shop, toString(o.exchange) AS exchange, toString(b.browser) AS browser, 0, 0, 0, 0, 0, 0, 0, 0, uniqExact(o.user) AS ordered
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

-- A table is one group, which needs no key; both quantiles come from one sample.
CREATE OR REPLACE VIEW grosz.freshness
(
{{freshness_columns}}
)
AS WITH loaded AS (
    SELECT 'events' AS source, max(e.time) AS last_event, max(e.loaded_at) AS last_loaded, count() AS rows_loaded,
        quantiles(0.5, 0.99)(toUnixTimestamp64Milli(e.loaded_at) - toUnixTimestamp64Milli(e.time)) AS delay
    FROM grosz.events AS e WHERE e.loaded_at > now64(3) - INTERVAL 1 HOUR
    UNION ALL
    SELECT 'bids', max(b.time), max(b.loaded_at), count(), quantiles(0.5, 0.99)(toUnixTimestamp64Milli(b.loaded_at) - toUnixTimestamp64Milli(b.time))
    FROM grosz.bids AS b WHERE b.loaded_at > now64(3) - INTERVAL 1 HOUR
    UNION ALL
    SELECT 'shop_events', max(s.received), max(s.loaded_at), count(), quantiles(0.5, 0.99)(toUnixTimestamp64Milli(s.loaded_at) - toUnixTimestamp64Milli(s.received))
    FROM grosz.shop_events AS s WHERE s.loaded_at > now64(3) - INTERVAL 1 HOUR
)
SELECT l.source AS source, l.last_event AS last_event, l.last_loaded AS last_loaded, l.rows_loaded AS rows_loaded, l.delay[1] AS delay_p50_ms, l.delay[2] AS delay_p99_ms
FROM loaded AS l
WHERE l.rows_loaded > 0
COMMENT 'How far behind the tables are. A source without rows in the last hour has no row.';
