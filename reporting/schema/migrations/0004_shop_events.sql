-- Orders that are paid, cancelled or returned, purchases off the site, named
-- conversions, and who is identified.

ALTER TABLE grosz.shop_events
    MODIFY COLUMN type LowCardinality(String) COMMENT 'visit, category_view, product_view, search, cart_add, cart_remove, checkout, purchase, order_status, conversion, identify, opt_out',
    ADD COLUMN IF NOT EXISTS offline Bool COMMENT 'a purchase that was not made on the site' CODEC(ZSTD(1)) AFTER url,
    ADD COLUMN IF NOT EXISTS status LowCardinality(String) COMMENT 'of an order_status: paid, cancelled or returned' AFTER offline,
    ADD COLUMN IF NOT EXISTS name LowCardinality(String) COMMENT 'of a conversion; of an identify: visitor or customer, what kind of id alias_user is of' AFTER status,
    ADD COLUMN IF NOT EXISTS alias_user UInt64 COMMENT 'of an identify: the pseudonym that is the same person as user' CODEC(ZSTD(1)) AFTER name,
    ADD COLUMN IF NOT EXISTS order_event UUID COMMENT 'of an order_status: event_id of the order''s purchase' CODEC(ZSTD(1)) AFTER alias_user;

CREATE OR REPLACE VIEW grosz.orders
(
    day       Date                   COMMENT 'date of the order in the shop''s time zone',
    time      DateTime64(3, 'UTC')   COMMENT 'when it was placed, by the shop',
    shop      UInt32                 COMMENT 'shop',
    order_id  String                 COMMENT 'the shop''s order id',
    user      UInt64                 COMMENT 'the shop''s own pseudonym of the buyer; 0: nobody',
    click_bid UUID                   COMMENT 'bid whose click brought the buyer; all zeros: none known',
    value     Decimal(38, 9)         COMMENT 'value of the order as it was placed, in currency',
    currency  LowCardinality(String) COMMENT 'currency of value',
    offline   Bool                   COMMENT 'not made on the site',
    status    LowCardinality(String) COMMENT 'placed, paid, cancelled or returned: the latest news of it',
    returned  Decimal(38, 9)         COMMENT 'what came back, in currency: parts, or all of a returned order',
    net       Decimal(38, 9)         COMMENT 'value less what was cancelled or came back; never below 0',
    status_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when that was; NULL while it is placed'
)
AS WITH
    -- An order_status that was sent twice has one event id: one row by FINAL.
    news AS (
        SELECT e.shop_id AS shop, e.order_event AS order_event,
            argMaxIf(toString(e.status), (e.time, e.status), e.status != 'returned' OR e.value = 0) AS status,
            maxIf(e.time, e.status != 'returned' OR e.value = 0) AS status_at,
            sumIf(e.value, e.status = 'returned') AS part
        FROM grosz.shop_events AS e FINAL
        WHERE e.type = 'order_status'
        GROUP BY shop, order_event
    ),
    placed AS (
        -- Reports of one order may lie in different partitions (the pixel's and the
        -- server's name the person differently), so the one received first counts;
        -- a click is taken from whichever report knows one.
        SELECT
            argMin(e.day, (e.received, -e.version))      AS day,
            argMin(e.time, (e.received, -e.version))     AS time,
            e.shop_id                                    AS shop,
            if(e.order_id = '', toString(e.event_id), e.order_id) AS order_id,
            any(e.event_id)                              AS order_event,
            argMin(e.user, (e.received, -e.version))     AS user,
            argMinIf(e.click_bid, (e.received, -e.version), e.click_bid != toUUID('00000000-0000-0000-0000-000000000000')) AS click_bid,
            argMin(e.value, (e.received, -e.version))    AS value,
            argMin(e.currency, (e.received, -e.version)) AS currency,
            argMin(e.offline, (e.received, -e.version))  AS offline
        FROM grosz.shop_events AS e
        WHERE e.type = 'purchase'
        GROUP BY shop, order_id
    )
SELECT p.day AS day, p.time AS time, p.shop AS shop, p.order_id AS order_id, p.user AS user, p.click_bid AS click_bid,
    p.value AS value, p.currency AS currency, p.offline AS offline,
    if(n.status = '', 'placed', n.status) AS status,
    if(n.status = 'returned', p.value, least(n.part, p.value)) AS returned,
    if(n.status IN ('cancelled', 'returned'), toDecimal128(0, 9), p.value - least(n.part, p.value)) AS net,
    if(n.status = '', NULL, n.status_at) AS status_at
FROM placed AS p
LEFT ANY JOIN news AS n ON n.shop = p.shop AND n.order_event = p.order_event
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
COMMENT 'Every order once, as it was first reported, whether or not an ad had a part in it, and what became of it.';
