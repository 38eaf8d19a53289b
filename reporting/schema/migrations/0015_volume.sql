-- Views that grew with the events: they read roll-ups now, or fewer columns.

CREATE TABLE IF NOT EXISTS grosz.rollup_seen_day
(
    part            UInt8                    COMMENT '0: what follows a bid' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    date            Date                     COMMENT 'date of the bid, UTC' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of the impression in the shop''s time zone' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    media           LowCardinality(String)   COMMENT 'banner, video or native',
    impressions     UInt64                   COMMENT 'impressions shown' CODEC(ZSTD(1)),
    viewable        UInt64                   COMMENT 'of them, those of which we heard that they were seen' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (shop_id, part, date, version, day, campaign_id, exchange, media)
COMMENT 'Impressions and how many of them were seen, by day of the bid. Read grosz.viewability.';

CREATE OR REPLACE VIEW grosz.rollup_dirty_seen
(
    shop_id UInt32                 COMMENT 'shop',
    date    Date                   COMMENT 'date of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS SELECT t.shop_id AS shop_id, t.date AS date, t.last AS at
FROM (SELECT shop_id, toDate(hour) AS date, max(at) AS last FROM grosz.rollup_touched WHERE part = 0 GROUP BY shop_id, date) AS t
LEFT JOIN (SELECT shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'seen' GROUP BY shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.date = t.date
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Days of bids that got events since grosz.rollup_seen_day was last worked out; grosz.viewability works them out from the events.';

CREATE OR REPLACE VIEW grosz.viewability
(
{{viewability_columns}}
)
AS WITH
    -- Which days are worked out from the events is decided once.
    (SELECT groupArray((shop_id, date)) FROM grosz.rollup_dirty_seen) AS dirty_seen,
    units AS (SELECT u.1 AS shop_id, u.2 AS date FROM (SELECT arrayJoin(dirty_seen) AS u))
SELECT f.day AS day, f.shop_id AS shop, f.campaign_id AS campaign, f.exchange AS exchange, f.media AS media,
    sum(f.impressions) AS impressions, sum(f.viewable) AS viewable, if(impressions = 0, 0, viewable / impressions) AS share
FROM (
    SELECT shop_id, day, campaign_id, exchange, media, impressions, viewable
    FROM grosz.rollup_seen_day
    WHERE (shop_id, date, version) IN (SELECT shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'seen' GROUP BY shop_id, unit)
        AND (shop_id, date) NOT IN (SELECT arrayJoin(dirty_seen))
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, media, impressions, viewable
    FROM ({{seen_facts}})
) AS f
GROUP BY f.day, f.shop_id, f.campaign_id, f.exchange, f.media
COMMENT 'Impressions and how many of them were seen, by day, campaign and exchange.';

CREATE OR REPLACE VIEW grosz.frequency
(
    day         Date   COMMENT 'date in the shop''s time zone; of the last 7 days',
    shop        UInt32 COMMENT 'shop',
    campaign    UInt32 COMMENT 'campaign',
    impressions UInt64 COMMENT 'how many impressions of the campaign a person had on that day',
    people      UInt64 COMMENT 'how many people had as many'
)
AS SELECT f.day AS day, f.shop AS shop, f.campaign AS campaign, f.impressions AS impressions, count() AS people
FROM (
    -- Each impression once, then by person: cheaper than a set of ids for each.
    SELECT i.day AS day, i.shop AS shop, i.campaign AS campaign, i.user AS user, count() AS impressions
    FROM (
        SELECT e.shop_id AS shop, e.event_id AS event, min(e.day) AS day, any(e.campaign_id) AS campaign, any(e.user) AS user
        FROM grosz.events AS e
        WHERE e.type = 'impression' AND NOT e.test AND e.user != 0 AND e.day > today() - 8 AND e.bid_time > now() - INTERVAL 16 DAY
        GROUP BY shop, event
    ) AS i
    GROUP BY day, shop, campaign, user
) AS f
GROUP BY f.day, f.shop, f.campaign, f.impressions
COMMENT 'How often people see a campaign on a day, of the last 7 days.';
