-- Adjustments: what an exchange's report of what it bills, or its credit for
-- invalid traffic, changed of what was booked. They are dated by the day on
-- which they were booked, so that a day that was reported stays as it was; the
-- settlement that they correct shows them too. Conflicts: a settling notice
-- that came again with another price.

CREATE OR REPLACE VIEW grosz.adjustments
(
    day           Date                   COMMENT 'date on which it was booked, in the shop''s time zone',
    time          DateTime64(3, 'UTC')   COMMENT 'when it was booked',
    bid_time      DateTime64(3, 'UTC')   COMMENT 'when the bid was made',
    bid           UUID                   COMMENT 'the bid whose settlement it corrects',
    shop          UInt32                 COMMENT 'shop',
    campaign      UInt32                 COMMENT 'campaign',
    creative      UInt32                 COMMENT 'creative',
    exchange      LowCardinality(String) COMMENT 'exchange',
    media         LowCardinality(String) COMMENT 'banner, video, native or audio',
    kind          LowCardinality(String) COMMENT 'report: the exchange''s report of what it bills; clawback: its credit for invalid traffic',
    reason        LowCardinality(String) COMMENT 'why; of a clawback with the exchange''s words',
    reference     String                 COMMENT 'the exchange''s reference, or the name of its report',
    price         Decimal(18, 6)         COMMENT 'CPM as the report has it, in currency; 0 for a clawback',
    currency      LowCardinality(String) COMMENT 'the exchange''s currency',
    amount        Decimal(38, 9)         COMMENT 'change of the media cost, in currency',
    shop_currency LowCardinality(String) COMMENT 'the shop''s currency',
    shop_amount   Decimal(38, 9)         COMMENT 'change of the media cost, in shop_currency',
    shop_fee      Decimal(38, 9)         COMMENT 'change of the platform''s fee, in shop_currency',
    node          LowCardinality(String) COMMENT 'who booked it'
)
AS SELECT e.day AS day, e.time AS time, e.bid_time AS bid_time, e.bid_id AS bid, e.shop_id AS shop, e.campaign_id AS campaign, e.creative_id AS creative,
    e.exchange AS exchange, e.media AS media, if(startsWith(e.reason, 'clawback'), 'clawback', 'report') AS kind, e.reason AS reason, e.raw AS reference,
    e.price AS price, e.currency AS currency, e.amount AS amount, e.shop_currency AS shop_currency, e.shop_amount AS shop_amount, e.shop_fee AS shop_fee, e.node AS node
FROM grosz.events AS e FINAL
WHERE e.type = 'adjustment' AND NOT e.test
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What exchanges corrected or credited, one row each.';

CREATE OR REPLACE VIEW grosz.settlements
(
{{settlements_columns}}
)
AS SELECT
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
    WHERE e.settles AND NOT e.test
    GROUP BY e.shop_id, e.bid_id
) AS s
LEFT JOIN
(
    -- Few bids have any.
    SELECT e.shop_id AS shop, e.bid_id AS bid,
        sumIf(e.amount, e.type = 'adjustment' AND NOT startsWith(e.reason, 'clawback')) AS corrected,
        sumIf(e.amount, e.type = 'adjustment' AND startsWith(e.reason, 'clawback')) AS clawed_back,
        sumIf(e.shop_amount, e.type = 'adjustment') AS shop_amount, sumIf(e.shop_fee, e.type = 'adjustment') AS shop_fee,
        groupUniqArrayIf(e.price, e.type = 'conflict') AS prices
    FROM grosz.events AS e FINAL
    WHERE e.type IN ('adjustment', 'conflict') AND NOT e.test
    GROUP BY e.shop_id, e.bid_id
) AS m ON m.shop = s.shop AND m.bid = s.bid
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per settled bid: the first settling event in the log decides, the exchange''s reports and credits correct it.';

CREATE OR REPLACE VIEW grosz.conflicts
(
    day            Date                   COMMENT 'date of the notice in the shop''s time zone',
    time           DateTime64(3, 'UTC')   COMMENT 'when it came',
    bid            UUID                   COMMENT 'the bid, which another notice had settled',
    type           LowCardinality(String) COMMENT 'type of the notice: billing, win or impression',
    shop           UInt32                 COMMENT 'shop',
    campaign       UInt32                 COMMENT 'campaign',
    exchange       LowCardinality(String) COMMENT 'exchange',
    currency       LowCardinality(String) COMMENT 'the exchange''s currency',
    price          Decimal(18, 6)         COMMENT 'CPM that this notice reported, in currency; it moved nothing',
    settled_price  Decimal(18, 6)         COMMENT 'CPM that the notice reported which settled',
    settled_status LowCardinality(String) COMMENT 'how that one was read',
    node           LowCardinality(String) COMMENT 'the node that took this one'
)
AS SELECT e.day AS day, e.time AS time, e.bid_id AS bid, e.reason AS type, e.shop_id AS shop, e.campaign_id AS campaign, e.exchange AS exchange, e.currency AS currency,
    e.price AS price, s.price AS settled_price, s.price_status AS settled_status, e.node AS node
FROM grosz.events AS e FINAL
INNER JOIN grosz.settlements AS s ON s.shop = e.shop_id AND s.bid = e.bid_id
WHERE e.type = 'conflict' AND NOT e.test AND e.price != s.price
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Settling notices that came again with another price than the one that stands.';
