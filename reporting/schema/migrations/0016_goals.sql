-- Attribution is worked out once for each goal and kept. What it was worked out
-- from is kept beside it, and an hour of bids that got events since is known
-- from grosz.rollup_touched: so a view sees which goals it must work out anew
-- from the events, and is right at any moment.

CREATE TABLE IF NOT EXISTS grosz.goal_touches
(
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    goal            LowCardinality(String)   COMMENT 'order, or the name of a conversion',
    id              String                   COMMENT 'the shop''s order id; of a conversion its event id' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out; the highest counts' CODEC(ZSTD(1)),
    time            DateTime64(3, 'UTC')     COMMENT 'when the goal was reached, as it was known then' CODEC(ZSTD(1)),
    user            UInt64                   COMMENT 'the shop''s own pseudonym of the person, as it was known then' CODEC(ZSTD(1)),
    click_bid       UUID                     COMMENT 'bid whose click brought the person, as it was known then' CODEC(ZSTD(1)),
    click_window    UInt32                   COMMENT 'seconds, as the shop had it then' CODEC(ZSTD(1)),
    view_window     UInt32                   COMMENT 'seconds, as the shop had it then' CODEC(ZSTD(1)),
    known_from      DateTime64(3, 'UTC')     COMMENT 'the earliest of what the row says: of the goal, its touches and their bids' CODEC(ZSTD(1)),
    touches         {{touches_type}} COMMENT 'the last touch of each model within its window; hour is the bid''s' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop_id, goal, id)
COMMENT 'Goals and their last touches, as they were worked out. Read grosz.attributions.';

CREATE TABLE IF NOT EXISTS grosz.touch_places
(
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    bid             UUID                     COMMENT 'bid of a touch' CODEC(NONE),
    version         UInt64                   COMMENT 'of the working out; the highest counts' CODEC(ZSTD(1)),
    device          LowCardinality(String)   COMMENT 'device class',
    domain          LowCardinality(String)   COMMENT 'site domain or app bundle',
    country         LowCardinality(String)   COMMENT 'country of the request'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop_id, bid)
COMMENT 'Where the touches of goals were, kept after their bids are gone. Read grosz.order_places.';

CREATE OR REPLACE VIEW grosz.attribution_dirty
(
    part    UInt8                  COMMENT '0: events; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS SELECT t.part AS part, t.shop_id AS shop_id, t.hour AS hour, t.last AS at
FROM (SELECT part, shop_id, hour, max(at) AS last FROM grosz.rollup_touched WHERE part IN (0, 2) GROUP BY part, shop_id, hour) AS t
LEFT JOIN (SELECT shop_id, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'goals' GROUP BY shop_id) AS d ON d.shop_id = t.shop_id
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Hours of bids that got rows since the goals of their shop were last worked out.';

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
    units AS (SELECT u.1 AS shop_id, u.2 AS hour FROM (SELECT arrayJoin(dirty) AS u)),
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
        WHERE e.type IN ('click', 'viewable', 'impression') AND e.reason = '' AND NOT e.test AND e.user != 0
            AND e.bid_time >= (SELECT min(hour) FROM units) AND e.bid_time < (SELECT max(hour) + INTERVAL 1 HOUR FROM units)
            AND (e.shop_id, toDate(e.bid_time)) IN (SELECT shop_id, toDate(hour) FROM units)
            AND (e.shop_id, toStartOfHour(e.bid_time)) IN (SELECT shop_id, hour FROM units)
            AND e.user IN (SELECT user FROM grosz.shop_events WHERE type IN ('purchase', 'conversion'))
        GROUP BY shop, user
    ),
    clicked AS (
        SELECT e.shop_id AS shop, e.bid_id AS bid, min(e.time) AS first
        FROM grosz.events AS e
        WHERE e.type = 'click' AND e.reason = '' AND NOT e.test
            AND e.bid_time >= (SELECT min(hour) FROM units) AND e.bid_time < (SELECT max(hour) + INTERVAL 1 HOUR FROM units)
            AND (e.shop_id, toDate(e.bid_time)) IN (SELECT shop_id, toDate(hour) FROM units)
            AND (e.shop_id, toStartOfHour(e.bid_time)) IN (SELECT shop_id, hour FROM units)
            AND e.bid_id IN (SELECT click_bid FROM grosz.shop_events WHERE type IN ('purchase', 'conversion'))
        GROUP BY shop, bid
    ),
    -- Goals whose touch is of such an hour: it may count otherwise now.
    moved AS (
        SELECT m.shop_id, m.goal, m.id
        FROM (SELECT shop_id, goal, id, arrayJoin(touches.hour) AS hour FROM grosz.goal_touches) AS m
        WHERE (m.shop_id, m.hour) IN (SELECT shop_id, hour FROM units)
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
    (SELECT groupArray((shop, goal, id, time, user, click_bid, click_window, view_window)) FROM grosz.attribution_goals WHERE NOT clean) AS stale,
{{found_touches}}
SELECT g.shop AS shop, g.goal AS goal, g.id AS id, g.day AS day, g.time AS time, g.user AS user, g.status AS status, g.value AS value, g.net AS net, g.value_currency AS value_currency,
    toBool((g.shop, g.goal, g.id) IN (SELECT shop, goal, id FROM wanted)) AS live,
    if(live, l.touches, g.touches) AS touches
FROM grosz.attribution_goals AS g
LEFT ANY JOIN found AS l ON l.shop = g.shop AND l.goal = g.goal AND l.id = g.id
SETTINGS join_use_nulls = 0
COMMENT 'Every order and conversion with its last touches, as they are at this moment. Read grosz.attributions.';

CREATE OR REPLACE VIEW grosz.attributions
(
{{attributions_columns}}
)
AS SELECT g.goal AS goal, t.model AS model, g.day AS day, g.time AS time, g.shop AS shop, g.id AS id, g.user AS user, g.status AS status, toBool(g.status NOT IN ('cancelled', 'returned')) AS kept,
    g.value AS value, g.net AS net, g.value_currency AS value_currency, t.matched_by AS matched_by, t.time AS touch_time, t.bid AS bid, t.campaign AS campaign, t.creative AS creative,
    t.exchange AS exchange, t.media AS media, t.currency AS currency, t.shop_currency AS shop_currency, t.product AS product
FROM grosz.attribution_touches AS g
ARRAY JOIN g.touches AS t
COMMENT 'Every order and conversion that an ad had a part in, with its last click, last seen impression and last impression apart. Late events and news of orders are in it at once.';

CREATE OR REPLACE VIEW grosz.attributed_orders
(
{{attributed_orders_columns}}
)
AS SELECT a.day AS day, a.time AS time, a.shop AS shop, a.id AS order_id, a.user AS user, a.value AS value, a.value_currency AS order_currency,
    if(a.touch.model = 'click', 'click', 'view') AS touch, a.touch.matched_by AS matched_by, a.touch.time AS touch_time, a.touch.bid AS bid, a.touch.campaign AS campaign,
    a.touch.creative AS creative, a.touch.exchange AS exchange, a.touch.media AS media, a.touch.currency AS currency, a.touch.shop_currency AS shop_currency, a.touch.product AS clicked_product,
    a.status AS status, a.kept AS kept, a.net AS net
FROM (
    SELECT g.*, toBool(g.status NOT IN ('cancelled', 'returned')) AS kept, arraySort(x -> x.model, arrayFilter(x -> x.model IN ('click', 'impression'), g.touches)) AS counted, counted[1] AS touch
    FROM grosz.attribution_touches AS g
    WHERE g.goal = 'order'
) AS a
WHERE notEmpty(a.counted)
COMMENT 'Every order that an ad had a part in, once, with the one touch that it counts for.';

CREATE OR REPLACE VIEW grosz.order_places
(
{{order_places_columns}}
)
AS WITH
    (SELECT groupArray((shop_id, hour)) FROM grosz.attribution_dirty WHERE part = 2) AS dirty_bids,
    orders AS (
        SELECT g.day AS day, g.time AS time, g.shop AS shop, g.id AS id, g.value AS value, g.net AS net, g.value_currency AS value_currency, toBool(g.status NOT IN ('cancelled', 'returned')) AS kept,
            arraySort(x -> x.model, arrayFilter(x -> x.model IN ('click', 'impression'), g.touches))[1] AS touch
        FROM grosz.attribution_touches AS g
        WHERE g.goal = 'order' AND notEmpty(arrayFilter(x -> x.model IN ('click', 'impression'), g.touches))
    ),
    -- Bids of touches that were not looked for yet, or whose hour got bids since.
    (SELECT groupArray((shop, goal, id, time, user, click_bid, click_window, view_window)) FROM grosz.attribution_goals WHERE NOT clean) AS stale,
{{found_touches}},
    (SELECT groupUniqArray((shop, bid, hour)) FROM (
        SELECT f.shop AS shop, t.5 AS bid, t.4 AS hour FROM found AS f ARRAY JOIN f.touches AS t
        UNION ALL
        SELECT k.shop_id AS shop, t.bid AS bid, t.hour AS hour FROM grosz.goal_touches AS k ARRAY JOIN k.touches AS t WHERE (k.shop_id, t.hour) IN (SELECT u.1, u.2 FROM (SELECT arrayJoin(dirty_bids) AS u))
    )) AS sought,
    seek AS (SELECT u.1 AS shop, u.2 AS bid, u.3 AS hour FROM (SELECT arrayJoin(sought) AS u))
SELECT a.day AS day, a.time AS time, a.shop AS shop, a.id AS order_id, a.touch.campaign AS campaign, a.touch.exchange AS exchange, a.touch.currency AS currency, a.touch.shop_currency AS shop_currency,
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
) AS b ON b.shop_id = a.shop AND b.bid = a.touch.bid
SETTINGS join_use_nulls = 0
COMMENT 'Attributed orders with where their touch was.';
