-- Views. Test events count nowhere. Their column lists carry the types and
-- the comments that DESCRIBE shows.

CREATE OR REPLACE VIEW grosz.settlements
(
    day           Date                   COMMENT 'date of the settling event in the shop''s time zone',
    time          DateTime64(3, 'UTC')   COMMENT 'when the settling event happened',
    bid_time      DateTime64(3, 'UTC')   COMMENT 'when the bid was made',
    bid           UUID                   COMMENT 'the bid',
    type          LowCardinality(String) COMMENT 'type of the event that settled: billing, win or impression',
    shop          UInt32                 COMMENT 'shop',
    campaign      UInt32                 COMMENT 'campaign',
    creative      UInt32                 COMMENT 'creative',
    exchange      LowCardinality(String) COMMENT 'exchange',
    media         LowCardinality(String) COMMENT 'banner, video, native or audio',
    user          UInt64                 COMMENT 'the shop''s own pseudonym of the person; 0: nobody',
    currency      LowCardinality(String) COMMENT 'the exchange''s currency',
    price         Decimal(18, 6)         COMMENT 'CPM as reported, in currency',
    price_status  LowCardinality(String) COMMENT 'how the price macro was read',
    bid_price     Decimal(18, 6)         COMMENT 'CPM that was bid, in currency',
    amount        Decimal(38, 9)         COMMENT 'media cost in currency: the exchange''s invoice line',
    disputed      Decimal(38, 9)         COMMENT 'part of the report above the bid, in currency; not in amount',
    shop_currency LowCardinality(String) COMMENT 'the shop''s currency',
    rate          Decimal(18, 9)         COMMENT 'units of shop_currency for one of currency',
    shop_amount   Decimal(38, 9)         COMMENT 'amount in shop_currency',
    shop_fee      Decimal(38, 9)         COMMENT 'the platform''s fee, in shop_currency',
    late          Bool                   COMMENT 'came after the hold had been let go',
    conflicts     UInt64                 COMMENT 'further settling events of the bid with another id; they moved nothing'
)
AS SELECT
    argMax(e.day, e.version)           AS day,
    argMax(e.time, e.version)          AS time,
    argMax(e.bid_time, e.version)      AS bid_time,
    e.bid_id                           AS bid,
    argMax(e.type, e.version)          AS type,
    e.shop_id                          AS shop,
    argMax(e.campaign_id, e.version)   AS campaign,
    argMax(e.creative_id, e.version)   AS creative,
    argMax(e.exchange, e.version)      AS exchange,
    argMax(e.media, e.version)         AS media,
    argMax(e.user, e.version)          AS user,
    argMax(e.currency, e.version)      AS currency,
    argMax(e.price, e.version)         AS price,
    argMax(e.price_status, e.version)  AS price_status,
    argMax(e.bid_price, e.version)     AS bid_price,
    argMax(e.amount, e.version)        AS amount,
    argMax(e.disputed, e.version)      AS disputed,
    argMax(e.shop_currency, e.version) AS shop_currency,
    argMax(e.rate, e.version)          AS rate,
    argMax(e.shop_amount, e.version)   AS shop_amount,
    argMax(e.shop_fee, e.version)      AS shop_fee,
    argMax(e.late, e.version)          AS late,
    uniqExact(e.event_id) - 1          AS conflicts
FROM grosz.events AS e
WHERE e.settles AND NOT e.test
GROUP BY e.shop_id, e.bid_id
COMMENT 'One row per settled bid: the first settling event in the log decides.';

CREATE OR REPLACE VIEW grosz.orders
(
    day       Date                   COMMENT 'date of the order in the shop''s time zone',
    time      DateTime64(3, 'UTC')   COMMENT 'when it was placed, by the shop',
    shop      UInt32                 COMMENT 'shop',
    order_id  String                 COMMENT 'the shop''s order id',
    user      UInt64                 COMMENT 'the shop''s own pseudonym of the buyer; 0: nobody',
    click_bid UUID                   COMMENT 'bid whose click brought the buyer; all zeros: none known',
    value     Decimal(38, 9)         COMMENT 'value of the order, in currency',
    currency  LowCardinality(String) COMMENT 'currency of value'
)
AS SELECT
    -- Reports of one order may lie in different partitions (the pixel's and the
    -- server's name the person differently), so the one received first counts;
    -- a click is taken from whichever report knows one.
    argMin(e.day, (e.received, -e.version))      AS day,
    argMin(e.time, (e.received, -e.version))     AS time,
    e.shop_id                                    AS shop,
    if(e.order_id = '', toString(e.event_id), e.order_id) AS order_id,
    argMin(e.user, (e.received, -e.version))     AS user,
    argMinIf(e.click_bid, (e.received, -e.version), e.click_bid != toUUID('00000000-0000-0000-0000-000000000000')) AS click_bid,
    argMin(e.value, (e.received, -e.version))    AS value,
    argMin(e.currency, (e.received, -e.version)) AS currency
FROM grosz.shop_events AS e
WHERE e.type = 'purchase'
GROUP BY shop, order_id
COMMENT 'Every order once, as it was first reported, whether or not an ad had a part in it.';

CREATE OR REPLACE VIEW grosz.attributed_orders
(
    day             Date                   COMMENT 'date of the order in the shop''s time zone',
    time            DateTime64(3, 'UTC')   COMMENT 'when the order was placed, by the shop',
    shop            UInt32                 COMMENT 'shop',
    order_id        String                 COMMENT 'the shop''s order id',
    user            UInt64                 COMMENT 'the shop''s own pseudonym of the buyer; 0: nobody',
    value           Decimal(38, 9)         COMMENT 'value of the order, in order_currency',
    order_currency  LowCardinality(String) COMMENT 'currency of value',
    touch           LowCardinality(String) COMMENT 'click: last click within 30 days; view: no such click, last impression within 1 day',
    matched_by      LowCardinality(String) COMMENT 'click_id: the signed click id in the landing URL; user: the same pseudonym',
    touch_time      DateTime64(3, 'UTC')   COMMENT 'when the click or impression happened',
    bid             UUID                   COMMENT 'bid of the touch',
    campaign        UInt32                 COMMENT 'campaign of the touch',
    creative        UInt32                 COMMENT 'creative of the touch',
    exchange        LowCardinality(String) COMMENT 'exchange of the touch',
    media           LowCardinality(String) COMMENT 'media type of the touch',
    currency        LowCardinality(String) COMMENT 'the exchange''s currency at the touch',
    shop_currency   LowCardinality(String) COMMENT 'the shop''s currency at the touch',
    clicked_product String                 COMMENT 'product of the clicked ad; empty: none'
)
AS WITH
    -- Touches of buyers only: the other users' need not be looked at. Of
    -- touches in the same millisecond the highest event id counts.
    clicks AS (
        SELECT e.shop_id AS shop, e.user AS user, e.bid_id AS bid, e.time AS time, e.event_id AS event_id,
            (e.bid_id, e.campaign_id, e.creative_id, e.exchange, e.media, e.currency, e.shop_currency, e.product) AS fact
        FROM grosz.events AS e FINAL
        WHERE e.type = 'click' AND NOT e.test
    ),
    by_bid AS (
        SELECT shop, bid, time, argMax(fact, event_id) AS fact, true AS hit
        FROM clicks
        WHERE bid IN (SELECT click_bid FROM grosz.shop_events WHERE type = 'purchase')
        GROUP BY shop, bid, time
    ),
    by_user AS (
        SELECT shop, user, time, argMax(fact, event_id) AS fact, true AS hit
        FROM clicks
        WHERE user != 0 AND (shop, user) IN (SELECT shop_id, user FROM grosz.shop_events WHERE type = 'purchase')
        GROUP BY shop, user, time
    ),
    by_view AS (
        SELECT e.shop_id AS shop, e.user AS user, e.time AS time, true AS hit,
            argMax((e.bid_id, e.campaign_id, e.creative_id, e.exchange, e.media, e.currency, e.shop_currency, e.product), e.event_id) AS fact
        FROM grosz.events AS e FINAL
        WHERE e.type = 'impression' AND NOT e.test AND e.user != 0
            AND (e.shop_id, e.user) IN (SELECT shop_id, user FROM grosz.shop_events WHERE type = 'purchase')
        GROUP BY shop, user, time
    ),
    -- The last touch of each kind at or before the order.
    touched AS (
        SELECT o.day AS day, o.time AS time, o.shop AS shop, o.order_id AS order_id, o.user AS user, o.value AS value, o.currency AS order_currency,
            c.hit AND o.time <= c.time + INTERVAL 30 DAY AS by_click_id,
            u.hit AND o.time <= u.time + INTERVAL 30 DAY AS by_click,
            v.hit AND o.time <= v.time + INTERVAL 1 DAY AS by_impression,
            multiIf(by_click_id, c.time, by_click, u.time, v.time) AS touch_time,
            multiIf(by_click_id, c.fact, by_click, u.fact, v.fact) AS fact
        FROM grosz.orders AS o
        ASOF LEFT JOIN by_bid AS c ON c.shop = o.shop AND c.bid = o.click_bid AND o.time >= c.time
        ASOF LEFT JOIN by_user AS u ON u.shop = o.shop AND u.user = o.user AND o.time >= u.time
        ASOF LEFT JOIN by_view AS v ON v.shop = o.shop AND v.user = o.user AND o.time >= v.time
    )
SELECT day, time, shop, order_id, user, value, order_currency,
    if(by_click_id OR by_click, 'click', 'view') AS touch,
    if(by_click_id, 'click_id', 'user') AS matched_by,
    touch_time,
    fact.1 AS bid, fact.2 AS campaign, fact.3 AS creative, fact.4 AS exchange, fact.5 AS media,
    fact.6 AS currency, fact.7 AS shop_currency, fact.8 AS clicked_product
FROM touched
WHERE by_click_id OR by_click OR by_impression
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
COMMENT 'Every order that an ad had a part in, once, with the one touch that it counts for.';

CREATE OR REPLACE VIEW grosz.cost_per_order
(
    day                 Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                UInt32                   COMMENT 'shop',
    campaign            UInt32                   COMMENT 'campaign; of an order its touch''s',
    exchange            LowCardinality(String)   COMMENT 'exchange; of an order its touch''s',
    currency            LowCardinality(String)   COMMENT 'the exchange''s currency; of spend and cost_per_order',
    bids                UInt64                   COMMENT 'bids recorded, of the last 30 days; those not recorded are in grosz.dropped',
    wins                UInt64                   COMMENT 'bids won: a billing event or an impression implies the win',
    impressions         UInt64                   COMMENT 'impressions rendered',
    clicks              UInt64                   COMMENT 'clicks',
    spend               Decimal(38, 9)           COMMENT 'media cost in currency: equal to the exchange''s invoice',
    orders              UInt64                   COMMENT 'orders attributed: last click within 30 days, else last impression within 1 day',
    revenue             Decimal(38, 9)           COMMENT 'value of the orders, in shop_currency; an order in another currency adds nothing here',
    cost_per_order      Nullable(Decimal(38, 9)) COMMENT 'spend / orders, in currency; NULL without orders',
    shop_currency       LowCardinality(String)   COMMENT 'the shop''s currency',
    shop_spend          Decimal(38, 9)           COMMENT 'media cost in shop_currency',
    shop_fee            Decimal(38, 9)           COMMENT 'the platform''s fee, in shop_currency',
    shop_cost_per_order Nullable(Decimal(38, 9)) COMMENT '(shop_spend + shop_fee) / orders, in shop_currency; NULL without orders',
    shop_name           String                   COMMENT 'name of the shop',
    campaign_name       String                   COMMENT 'name of the campaign'
)
AS WITH
    -- One group per bid that was won, one row per fact about it.
    won AS (
        SELECT e.shop_id AS shop, e.bid_id AS bid,
            any(e.campaign_id) AS campaign, any(e.exchange) AS exchange, any(e.currency) AS currency, any(e.shop_currency) AS shop_currency,
            argMaxIf(e.day, e.version, e.price_status != 'audit') AS win_day,
            argMaxIf(e.day, e.version, e.type = 'impression') AS view_day,
            argMaxIf(e.day, e.version, e.settles) AS spend_day,
            argMaxIf(e.amount, e.version, e.settles) AS amount,
            argMaxIf(e.shop_amount, e.version, e.settles) AS shop_amount,
            argMaxIf(e.shop_fee, e.version, e.settles) AS fee
        FROM grosz.events AS e
        WHERE (e.type IN ('win', 'billing', 'impression') OR e.settles) AND NOT e.test
        GROUP BY e.shop_id, e.bid_id
    ),
    facts AS (
        SELECT day, shop_id AS shop, campaign_id AS campaign, exchange, currency, max(shop_currency) AS shop_currency,
            count() AS bids, 0 AS wins, 0 AS impressions, 0 AS clicks, toDecimal128(0, 9) AS spend, toDecimal128(0, 9) AS shop_spend, toDecimal128(0, 9) AS shop_fee, 0 AS orders, toDecimal128(0, 9) AS revenue
        FROM grosz.bids FINAL WHERE type = 'bid' AND NOT test
        GROUP BY day, shop, campaign, exchange, currency
        UNION ALL
        SELECT fact_day AS day, shop, campaign, exchange, currency, max(shop_currency) AS shop_currency,
            0 AS bids, countIf(fact = 'win') AS wins, countIf(fact = 'view') AS impressions, 0 AS clicks,
            sumIf(amount, fact = 'spend') AS spend, sumIf(shop_amount, fact = 'spend') AS shop_spend, sumIf(fee, fact = 'spend') AS shop_fee, 0 AS orders, toDecimal128(0, 9) AS revenue
        FROM won
        ARRAY JOIN ['win', 'view', 'spend'] AS fact, [win_day, view_day, spend_day] AS fact_day
        WHERE fact_day != toDate(0) -- the fact is there
        GROUP BY day, shop, campaign, exchange, currency
        UNION ALL
        SELECT day, shop_id AS shop, campaign_id AS campaign, exchange, currency, max(shop_currency) AS shop_currency,
            0 AS bids, 0 AS wins, 0 AS impressions, count() AS clicks, toDecimal128(0, 9) AS spend, toDecimal128(0, 9) AS shop_spend, toDecimal128(0, 9) AS shop_fee, 0 AS orders, toDecimal128(0, 9) AS revenue
        FROM grosz.events FINAL WHERE type = 'click' AND NOT test
        GROUP BY day, shop, campaign, exchange, currency
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.campaign AS campaign, a.exchange AS exchange, a.currency AS currency, max(a.shop_currency) AS shop_currency,
            0 AS bids, 0 AS wins, 0 AS impressions, 0 AS clicks, toDecimal128(0, 9) AS spend, toDecimal128(0, 9) AS shop_spend, toDecimal128(0, 9) AS shop_fee,
            count() AS orders, sumIf(a.value, a.order_currency = a.shop_currency OR a.order_currency = '' OR a.shop_currency = '') AS revenue
        FROM grosz.attributed_orders AS a
        GROUP BY day, shop, campaign, exchange, currency
    ),
    report AS (
        SELECT day, shop, campaign, exchange, currency, sum(bids) AS bids, sum(wins) AS wins, sum(impressions) AS impressions, sum(clicks) AS clicks,
            sum(spend) AS spend, sum(orders) AS orders, sum(revenue) AS revenue, max(shop_currency) AS shop_currency,
            sum(shop_spend) AS shop_spend, sum(shop_fee) AS shop_fee
        FROM facts
        GROUP BY day, shop, campaign, exchange, currency
    )
SELECT r.day AS day, r.shop AS shop, r.campaign AS campaign, r.exchange AS exchange, r.currency AS currency,
    r.bids AS bids, r.wins AS wins, r.impressions AS impressions, r.clicks AS clicks, r.spend AS spend, r.orders AS orders, r.revenue AS revenue,
    r.spend / nullIf(r.orders, 0) AS cost_per_order,
    r.shop_currency AS shop_currency, r.shop_spend AS shop_spend, r.shop_fee AS shop_fee,
    (r.shop_spend + r.shop_fee) / nullIf(r.orders, 0) AS shop_cost_per_order,
    s.name AS shop_name, c.name AS campaign_name
FROM report AS r
LEFT ANY JOIN (SELECT shop_id, name FROM grosz.shops FINAL) AS s ON s.shop_id = r.shop
LEFT ANY JOIN (SELECT shop_id, campaign_id, name FROM grosz.campaigns FINAL) AS c ON c.shop_id = r.shop AND c.campaign_id = r.campaign
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
COMMENT 'What an order cost, by day, shop, campaign and exchange. A day with spend and no order has a row, and so has one with an order and no spend.';

CREATE OR REPLACE VIEW grosz.rejections
(
    day      Date                   COMMENT 'date of the notice in the shop''s time zone; in UTC where no shop was readable',
    time     DateTime64(3, 'UTC')   COMMENT 'when the notice came',
    exchange LowCardinality(String) COMMENT 'exchange, if readable',
    shop     UInt32                 COMMENT 'shop, if readable; else 0',
    campaign UInt32                 COMMENT 'campaign, if readable; else 0',
    bid      UUID                   COMMENT 'bid, if readable; else all zeros',
    reason   LowCardinality(String) COMMENT 'forged, expired or malformed, then _ and the kind of notice, such as forged_billing',
    raw      String                 COMMENT 'the price macro as it came',
    node     LowCardinality(String) COMMENT 'the node that refused it'
)
AS SELECT e.day AS day, e.time AS time, e.exchange AS exchange, e.shop_id AS shop, e.campaign_id AS campaign, e.bid_id AS bid, e.reason AS reason, e.raw AS raw, e.node AS node
FROM grosz.events AS e FINAL
WHERE e.type = 'rejection'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Notices that were refused; they moved no money.';

CREATE OR REPLACE VIEW grosz.dropped
(
{{dropped_columns}}
)
AS SELECT b.day AS day, b.shop_id AS shop, b.campaign_id AS campaign,
    countIf(b.type = 'bid' AND NOT b.test) AS recorded, sumIf(b.count, b.type = 'dropped') AS dropped, recorded + dropped AS bids
FROM grosz.bids AS b FINAL
GROUP BY day, shop, campaign
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Bids made, recorded and dropped, of the last 30 days.';

CREATE OR REPLACE VIEW grosz.freshness
(
{{freshness_columns}}
)
AS SELECT source, max(time) AS last_event, max(loaded_at) AS last_loaded, count() AS rows_loaded,
    quantile(0.5)(delay) AS delay_p50_ms, quantile(0.99)(delay) AS delay_p99_ms
FROM (
    SELECT 'events' AS source, time, loaded_at, toInt64(toUnixTimestamp64Milli(loaded_at)) - toUnixTimestamp64Milli(time) AS delay
    FROM grosz.events WHERE loaded_at > now64(3) - INTERVAL 1 HOUR
    UNION ALL
    SELECT 'bids' AS source, time, loaded_at, toInt64(toUnixTimestamp64Milli(loaded_at)) - toUnixTimestamp64Milli(time) AS delay
    FROM grosz.bids WHERE loaded_at > now64(3) - INTERVAL 1 HOUR
    UNION ALL
    SELECT 'shop_events' AS source, received AS time, loaded_at, toInt64(toUnixTimestamp64Milli(loaded_at)) - toUnixTimestamp64Milli(received) AS delay
    FROM grosz.shop_events WHERE loaded_at > now64(3) - INTERVAL 1 HOUR
)
GROUP BY source
COMMENT 'How far behind the tables are. A source without rows in the last hour has no row.';
