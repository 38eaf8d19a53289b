-- Attribution as data: touches, windows per shop, and one row per goal and
-- model. What became of an order is in every view that counts orders.

ALTER TABLE grosz.shops
    ADD COLUMN IF NOT EXISTS click_window UInt32 COMMENT 'how long before an order a click counts, seconds; 0: 30 days' AFTER active,
    ADD COLUMN IF NOT EXISTS view_window UInt32 COMMENT 'how long before an order a view counts, seconds; 0: 1 day' AFTER click_window;

CREATE OR REPLACE VIEW grosz.conversions
(
    day       Date                   COMMENT 'date of the conversion in the shop''s time zone',
    time      DateTime64(3, 'UTC')   COMMENT 'when it happened, by the shop',
    shop      UInt32                 COMMENT 'shop',
    name      LowCardinality(String) COMMENT 'the goal, as the shop names it',
    id        String                 COMMENT 'id of the conversion''s event',
    user      UInt64                 COMMENT 'the shop''s own pseudonym of the person; 0: nobody',
    click_bid UUID                   COMMENT 'bid whose click brought the person; all zeros: none known',
    value     Decimal(38, 9)         COMMENT 'value that the shop gave it, in currency',
    currency  LowCardinality(String) COMMENT 'currency of value'
)
AS SELECT e.day AS day, e.time AS time, e.shop_id AS shop, e.name AS name, toString(e.event_id) AS id, e.user AS user, e.click_bid AS click_bid, e.value AS value, e.currency AS currency
FROM grosz.shop_events AS e FINAL
WHERE e.type = 'conversion'
COMMENT 'Goals other than orders that the shop names itself, each once.';

CREATE OR REPLACE VIEW grosz.attributions
(
{{attributions_columns}}
)
AS WITH
    goals AS (
        SELECT 'order' AS goal, o.day AS day, o.time AS time, o.shop AS shop, o.order_id AS id, o.user AS user, o.click_bid AS click_bid,
            toString(o.status) AS status, o.value AS value, o.net AS net, toString(o.currency) AS value_currency
        FROM grosz.orders AS o
        UNION ALL
        SELECT toString(v.name) AS goal, v.day AS day, v.time AS time, v.shop AS shop, v.id AS id, v.user AS user, v.click_bid AS click_bid,
            'placed' AS status, v.value AS value, v.value AS net, toString(v.currency) AS value_currency
        FROM grosz.conversions AS v
    ),
    -- Touches of those who reached a goal: the others need not be looked at.
    -- An event counts as it was first delivered; of several in one millisecond
    -- the highest event id counts.
    touches AS (
        SELECT t.type AS type, t.shop AS shop, t.user AS user, t.time AS time, argMax(t.fact, t.event_id) AS fact
        FROM (
            SELECT e.type AS type, e.shop_id AS shop, e.user AS user, e.event_id AS event_id, argMax(e.time, e.version) AS time,
                argMax((e.bid_id, e.campaign_id, e.creative_id, e.exchange, e.media, e.currency, e.shop_currency, e.product), e.version) AS fact
            FROM grosz.events AS e
            WHERE e.type IN ('click', 'viewable', 'impression') AND e.reason = '' AND NOT e.test AND e.user != 0
                AND e.user IN (SELECT user FROM grosz.shop_events WHERE type IN ('purchase', 'conversion'))
            GROUP BY type, shop, user, event_id
        ) AS t
        GROUP BY type, shop, user, time
    ),
    by_bid AS (
        SELECT t.shop AS shop, t.bid AS bid, t.time AS time, argMax(t.fact, t.event_id) AS fact
        FROM (
            SELECT e.shop_id AS shop, e.bid_id AS bid, e.event_id AS event_id, argMax(e.time, e.version) AS time,
                argMax((e.bid_id, e.campaign_id, e.creative_id, e.exchange, e.media, e.currency, e.shop_currency, e.product), e.version) AS fact
            FROM grosz.events AS e
            WHERE e.type = 'click' AND e.reason = '' AND NOT e.test
                AND e.bid_id IN (SELECT click_bid FROM grosz.shop_events WHERE type IN ('purchase', 'conversion'))
            GROUP BY shop, bid, event_id
        ) AS t
        GROUP BY shop, bid, time
    ),
    windows AS (
        SELECT s.shop_id AS shop, if(s.click_window = 0, 2592000, s.click_window) AS click, if(s.view_window = 0, 86400, s.view_window) AS view
        FROM grosz.shops AS s FINAL
    ),
    -- One row per goal and model, with the last touch at or before the goal.
    found AS (
        SELECT g.*, 'click' AS model, 'click_id' AS matched_by, t.time AS touch_time, t.fact AS fact
        FROM goals AS g ASOF INNER JOIN by_bid AS t ON t.shop = g.shop AND t.bid = g.click_bid AND g.time >= t.time
        UNION ALL
        SELECT g.* EXCEPT (kind), t.type AS model, 'user' AS matched_by, t.time AS touch_time, t.fact AS fact
        FROM (SELECT g.*, arrayJoin(['click', 'viewable', 'impression']) AS kind FROM goals AS g) AS g
        ASOF INNER JOIN touches AS t ON t.shop = g.shop AND t.user = g.user AND t.type = g.kind AND g.time >= t.time
    )
SELECT goal, model, day, time, shop, id, user, status, toBool(status NOT IN ('cancelled', 'returned')) AS kept, value, net, value_currency,
    matched_by, touch_time, fact.1 AS bid, fact.2 AS campaign, fact.3 AS creative, fact.4 AS exchange, fact.5 AS media,
    fact.6 AS currency, fact.7 AS shop_currency, fact.8 AS product
FROM (
    SELECT f.*, w.click AS click_window, w.view AS view_window
    FROM found AS f LEFT ANY JOIN windows AS w ON w.shop = f.shop
)
WHERE dateDiff('millisecond', touch_time, time) <= 1000 * toInt64(multiIf(model = 'click' AND click_window > 0, click_window, model = 'click', 2592000, view_window > 0, view_window, 86400))
-- A click id says more than the pseudonym.
ORDER BY matched_by
LIMIT 1 BY shop, goal, id, model
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
COMMENT 'Every order and conversion that an ad had a part in, with its last click, last seen impression and last impression apart. Worked out when it is read: late events and news of orders are in it.';

CREATE OR REPLACE VIEW grosz.attributed_orders
(
{{attributed_orders_columns}}
)
AS SELECT a.day AS day, a.time AS time, a.shop AS shop, a.id AS order_id, a.user AS user, a.value AS value, a.value_currency AS order_currency,
    if(a.model = 'click', 'click', 'view') AS touch, a.matched_by AS matched_by, a.touch_time AS touch_time, a.bid AS bid, a.campaign AS campaign,
    a.creative AS creative, a.exchange AS exchange, a.media AS media, a.currency AS currency, a.shop_currency AS shop_currency, a.product AS clicked_product,
    a.status AS status, a.kept AS kept, a.net AS net
FROM grosz.attributions AS a
WHERE a.goal = 'order' AND a.model IN ('click', 'impression')
ORDER BY a.model
LIMIT 1 BY shop, order_id
COMMENT 'Every order that an ad had a part in, once, with the one touch that it counts for.';
