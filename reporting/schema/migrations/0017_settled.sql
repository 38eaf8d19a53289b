-- Nearly every bid settles once, so that its row can be read as it is. The others
-- are known by day, as roll-ups are.

CREATE TABLE IF NOT EXISTS grosz.rollup_settled_twice
(
    part            UInt8                    COMMENT '0: what follows a bid' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    date            Date                     COMMENT 'date of the bid, UTC' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    bid             UUID                     COMMENT 'a bid of which there is more than one row that settles' CODEC(NONE)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (shop_id, part, date, version, bid)
COMMENT 'Bids with several settling rows, duplicates included. Read grosz.settlements.';

CREATE OR REPLACE VIEW grosz.rollup_dirty_settled
(
    shop_id UInt32                 COMMENT 'shop',
    date    Date                   COMMENT 'date of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS SELECT t.shop_id AS shop_id, t.date AS date, t.last AS at
FROM (SELECT shop_id, toDate(hour) AS date, max(at) AS last FROM grosz.rollup_touched WHERE part = 0 GROUP BY shop_id, date) AS t
LEFT JOIN (SELECT shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'settled' GROUP BY shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.date = t.date
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Days of bids that got events since grosz.rollup_settled_twice was last worked out; grosz.settlements groups their events.';

CREATE OR REPLACE VIEW grosz.settlements
(
{{settlements_columns}}
)
AS WITH
    -- Which days are grouped is decided once.
    (SELECT groupArray((shop_id, date)) FROM grosz.rollup_dirty_settled) AS dirty,
    -- Corrections, credits and conflicts, each once. Few bids have any.
    told AS (
        SELECT n.shop AS shop, n.bid AS bid, any(n.date) AS date,
            sumIf(n.amount, n.type = 'adjustment' AND NOT startsWith(n.reason, 'clawback')) AS corrected,
            sumIf(n.amount, n.type = 'adjustment' AND startsWith(n.reason, 'clawback')) AS clawed_back,
            sumIf(n.shop_amount, n.type = 'adjustment') AS shop_amount, sumIf(n.shop_fee, n.type = 'adjustment') AS shop_fee,
            groupUniqArrayIf(n.price, n.type = 'conflict') AS prices
        FROM (
            SELECT e.shop_id AS shop, toDate(e.bid_time) AS date, toString(e.type) AS type, e.event_id AS event, argMax(e.bid_id, e.version) AS bid, toString(argMax(e.reason, e.version)) AS reason, argMax(e.amount, e.version) AS amount,
                argMax(e.shop_amount, e.version) AS shop_amount, argMax(e.shop_fee, e.version) AS shop_fee, argMax(e.price, e.version) AS price, argMax(e.test, e.version) AS test
            FROM grosz.events AS e
            WHERE e.type IN ('adjustment', 'conflict')
            GROUP BY shop, date, type, event
        ) AS n
        WHERE NOT n.test
        GROUP BY shop, bid
    ),
    -- All others' rows can be read as they are.
    odd AS (
        SELECT shop_id, date, bid FROM grosz.rollup_settled_twice
        WHERE (shop_id, date, version) IN (SELECT shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'settled' GROUP BY shop_id, unit)
        UNION ALL
        SELECT shop, date, bid FROM told
    )
SELECT e.day AS day, e.time AS time, e.bid_time AS bid_time, e.bid_id AS bid, e.type AS type, e.shop_id AS shop, e.campaign_id AS campaign, e.creative_id AS creative, e.exchange AS exchange, e.media AS media,
    e.user AS user, e.currency AS currency, e.price AS price, e.price_status AS price_status, e.bid_price AS bid_price, e.amount AS amount, e.disputed AS disputed, e.shop_currency AS shop_currency, e.rate AS rate,
    e.shop_amount AS shop_amount, e.shop_fee AS shop_fee, e.late AS late, toUInt64(0) AS conflicts, e.amount AS booked, toDecimal128(0, 9) AS corrected, toDecimal128(0, 9) AS clawed_back
FROM grosz.events AS e
WHERE e.settles AND NOT e.test AND (e.shop_id, toDate(e.bid_time)) NOT IN (SELECT arrayJoin(dirty)) AND (e.shop_id, e.bid_id) NOT IN (SELECT shop_id, bid FROM odd)
UNION ALL
SELECT
    s.day AS day, s.time AS time, s.bid_time AS bid_time, s.bid AS bid, s.type AS type, s.shop AS shop, s.campaign AS campaign, s.creative AS creative,
    s.exchange AS exchange, s.media AS media, s.user AS user, s.currency AS currency, s.price AS price, s.price_status AS price_status, s.bid_price AS bid_price,
    s.amount + m.corrected + m.clawed_back AS amount, s.disputed AS disputed, s.shop_currency AS shop_currency, s.rate AS rate,
    s.shop_amount + m.shop_amount AS shop_amount, s.shop_fee + m.shop_fee AS shop_fee, s.late AS late,
    s.others + arrayCount(p -> p != s.price, m.prices) AS conflicts,
    s.amount AS booked, m.corrected AS corrected, m.clawed_back AS clawed_back
FROM
(
    SELECT
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
        uniqExact(e.event_id) - 1          AS others
    FROM grosz.events AS e
    WHERE e.settles AND NOT e.test AND (e.shop_id, toDate(e.bid_time)) IN (SELECT arrayJoin(dirty) UNION ALL SELECT (shop_id, date) FROM odd)
        AND ((e.shop_id, toDate(e.bid_time)) IN (SELECT arrayJoin(dirty)) OR (e.shop_id, e.bid_id) IN (SELECT shop_id, bid FROM odd))
    GROUP BY e.shop_id, e.bid_id
) AS s
LEFT JOIN told AS m ON m.shop = s.shop AND m.bid = s.bid
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per settled bid: the first settling event in the log decides, the exchange''s reports and credits correct it.';
