-- Clicks that were judged, videos that were played, people who were forgotten.
ALTER TABLE grosz.events COMMENT COLUMN IF EXISTS reason 'of a rejection: forged, expired, malformed, unknown_shop; of a click: why it does not count';

CREATE TABLE IF NOT EXISTS grosz.erasures
(
    erase_id        UUID                     COMMENT 'the wish of a person to be forgotten; the person is not named',
    type            LowCardinality(String)   COMMENT 'erase: the wish; erased: the receipt of one who did it',
    time            DateTime64(3, 'UTC')     COMMENT 'of the wish: what was received until then goes; of a receipt: when it was done',
    node            LowCardinality(String)   COMMENT 'who took the wish, or did it: a bidder, or clickhouse',
    shop_id         UInt32                   COMMENT 'what this shop knows of the person; 0: everybody',
    opt_out         Bool                     COMMENT 'nothing is kept of the person from then on either',
    reason          LowCardinality(String)   COMMENT 'who asked: optout_page, shop, console',
    profiles        UInt64                   COMMENT 'profiles that were in a bidder''s memory',
    frequency       UInt64                   COMMENT 'counts of sightings that were in a bidder''s memory',
    matches         UInt64                   COMMENT 'exchange ids that were in a bidder''s match table',
    events          UInt64                   COMMENT 'rows of grosz.events that are nobody''s since',
    bids            UInt64                   COMMENT 'rows of grosz.bids that are nobody''s since',
    shop_events     UInt64                   COMMENT 'rows of grosz.shop_events that were deleted, or of orders, are nobody''s since',
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row'
)
ENGINE = ReplacingMergeTree
ORDER BY (erase_id, type, node, time)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Wishes of people to be forgotten, and which store did it when. Read with FINAL.';

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
        WHERE e.type = 'click' AND e.reason = '' AND NOT e.test -- a judged click brought nobody
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

CREATE OR REPLACE VIEW grosz.click_quality
(
    day             Date                   COMMENT 'date of the click in the shop''s time zone',
    shop            UInt32                 COMMENT 'shop',
    campaign        UInt32                 COMMENT 'campaign',
    exchange        LowCardinality(String) COMMENT 'exchange',
    clicks          UInt64                 COMMENT 'clicks that count, as in grosz.cost_per_order',
    invalid_clicks  UInt64                 COMMENT 'clicks that count nowhere else: the sum of what follows',
    double_click    UInt64                 COMMENT 'of a bid that was clicked within the last ten seconds',
    too_fast        UInt64                 COMMENT 'sooner after the impression than a person can',
    too_many_clicks UInt64                 COMMENT 'more of one bid than a person makes',
    not_won         UInt64                 COMMENT 'on a bid that the exchange said was lost',
    crawler         UInt64                 COMMENT 'by a known crawler or program',
    data_centre     UInt64                 COMMENT 'from a data centre''s address'
)
AS SELECT e.day AS day, e.shop_id AS shop, e.campaign_id AS campaign, e.exchange AS exchange,
    countIf(e.reason = '') AS clicks, countIf(e.reason != '') AS invalid_clicks,
    countIf(e.reason = 'double_click') AS double_click, countIf(e.reason = 'too_fast') AS too_fast,
    countIf(e.reason = 'too_many_clicks') AS too_many_clicks, countIf(e.reason = 'not_won') AS not_won,
    countIf(e.reason = 'crawler') AS crawler, countIf(e.reason = 'data_centre') AS data_centre
FROM grosz.events AS e FINAL
WHERE e.type = 'click' AND NOT e.test
GROUP BY day, shop, campaign, exchange
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Clicks that count, and those that were judged to be no person''s wish. The latter are never attributed.';

CREATE OR REPLACE VIEW grosz.video_plays
(
    day            Date                   COMMENT 'date of the event in the shop''s time zone',
    shop           UInt32                 COMMENT 'shop',
    campaign       UInt32                 COMMENT 'campaign',
    creative       UInt32                 COMMENT 'creative',
    exchange       LowCardinality(String) COMMENT 'exchange',
    started        UInt64                 COMMENT 'videos that began to play',
    first_quartile UInt64                 COMMENT 'played for a quarter',
    midpoint       UInt64                 COMMENT 'played for half',
    third_quartile UInt64                 COMMENT 'played for three quarters',
    completed      UInt64                 COMMENT 'played to the end',
    failed         UInt64                 COMMENT 'that a player could not play; grosz.events.reason has VAST''s error code'
)
AS SELECT e.day AS day, e.shop_id AS shop, e.campaign_id AS campaign, e.creative_id AS creative, e.exchange AS exchange,
    countIf(e.reason = 'start') AS started, countIf(e.reason = 'firstQuartile') AS first_quartile, countIf(e.reason = 'midpoint') AS midpoint,
    countIf(e.reason = 'thirdQuartile') AS third_quartile, countIf(e.reason = 'complete') AS completed, uniqExactIf(e.bid_id, startsWith(e.reason, 'error')) AS failed
FROM grosz.events AS e FINAL
WHERE e.type = 'video' AND NOT e.test
GROUP BY day, shop, campaign, creative, exchange
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How far videos were played, as players report it.';
