-- Roll-ups by hour and day that are exact whatever is delivered twice, late or
-- again. A unit is an hour of bids of a shop: all events of a bid carry the
-- bid's time, so what a unit adds up to depends on its own rows only. A unit
-- is worked out anew from the events once nothing has been inserted into it
-- for a while, and its row in rollup_done says until when. A view takes a unit
-- from the roll-up if nothing was inserted since, else from the events: so it
-- is right at any moment, and what works out roll-ups decides only how fast.

CREATE TABLE IF NOT EXISTS grosz.rollup_touched
(
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    hour            DateTime('UTC')          COMMENT 'hour of the bid, UTC' CODEC(ZSTD(1)),
    at              SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'when rows were last inserted, by the server''s clock' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (shop_id, part, hour)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Which hours of bids got rows, and when last.';

CREATE TABLE IF NOT EXISTS grosz.rollup_done
(
    level           LowCardinality(String)   COMMENT 'hour or day',
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    unit            DateTime('UTC')          COMMENT 'the hour, or the start of the day, of the bid, UTC' CODEC(ZSTD(1)),
    version         SimpleAggregateFunction(max, UInt64) COMMENT 'whose rows count' CODEC(ZSTD(1)),
    clean_until     SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'what was inserted until then is in them' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (level, shop_id, part, unit)
COMMENT 'Which units were worked out, and which version of their rows counts.';

CREATE TABLE IF NOT EXISTS grosz.rollup_work
(
    version         UInt64                   COMMENT 'of the working out' CODEC(ZSTD(1)),
    level           LowCardinality(String)   COMMENT 'hour or day',
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    unit            DateTime('UTC')          COMMENT 'the hour, or the start of the day, of the bid, UTC' CODEC(ZSTD(1)),
    made_at         DateTime DEFAULT now()   COMMENT 'when the work was begun' CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (version, level, shop_id, part, unit)
TTL made_at + INTERVAL 1 DAY
COMMENT 'Units that are being worked out.';

CREATE TABLE IF NOT EXISTS grosz.rollup_hour
(
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    hour            DateTime('UTC')          COMMENT 'hour of the bid, UTC; of part 1 and 2 too' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of the fact in the shop''s time zone' CODEC(ZSTD(1)),
    at_hour         DateTime('UTC')          COMMENT 'hour of the fact, UTC' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    creative_id     UInt32                   COMMENT 'creative' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    media           LowCardinality(String)   COMMENT 'banner, video, native or audio',
    device          LowCardinality(String)   COMMENT 'device class of the bid; empty: the bid was not recorded',
    currency        LowCardinality(String)   COMMENT 'the exchange''s currency',
    shop_currency   LowCardinality(String)   COMMENT 'the shop''s currency',
    bids            UInt64                   COMMENT 'bids recorded' CODEC(ZSTD(1)),
    dropped         UInt64                   COMMENT 'bids made but not recorded, because a queue was full' CODEC(ZSTD(1)),
    wins            UInt64                   COMMENT 'bids won: a billing event or an impression implies the win' CODEC(ZSTD(1)),
    impressions     UInt64                   COMMENT 'impressions rendered' CODEC(ZSTD(1)),
    viewable        UInt64                   COMMENT 'impressions that were seen' CODEC(ZSTD(1)),
    clicks          UInt64                   COMMENT 'clicks that count' CODEC(ZSTD(1)),
    invalid_clicks  UInt64                   COMMENT 'clicks that were judged and count nowhere else' CODEC(ZSTD(1)),
    spend           Decimal(38, 9)           COMMENT 'media cost in currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_spend      Decimal(38, 9)           COMMENT 'media cost in shop_currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_fee        Decimal(38, 9)           COMMENT 'the platform''s fee in shop_currency, adjustments of the day included' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (shop_id, part, hour, version, day, at_hour, campaign_id, creative_id, exchange, media, device, currency)
COMMENT 'What happened, by hour of the bid and of the fact. Read grosz.hourly.';

CREATE TABLE IF NOT EXISTS grosz.rollup_day
(
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    date            Date                     COMMENT 'date of the bid, UTC' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of the fact in the shop''s time zone' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    creative_id     UInt32                   COMMENT 'creative' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    media           LowCardinality(String)   COMMENT 'banner, video, native or audio',
    device          LowCardinality(String)   COMMENT 'device class of the bid; empty: the bid was not recorded',
    currency        LowCardinality(String)   COMMENT 'the exchange''s currency',
    shop_currency   LowCardinality(String)   COMMENT 'the shop''s currency',
    bids            UInt64                   COMMENT 'bids recorded' CODEC(ZSTD(1)),
    dropped         UInt64                   COMMENT 'bids made but not recorded, because a queue was full' CODEC(ZSTD(1)),
    wins            UInt64                   COMMENT 'bids won: a billing event or an impression implies the win' CODEC(ZSTD(1)),
    impressions     UInt64                   COMMENT 'impressions rendered' CODEC(ZSTD(1)),
    viewable        UInt64                   COMMENT 'impressions that were seen' CODEC(ZSTD(1)),
    clicks          UInt64                   COMMENT 'clicks that count' CODEC(ZSTD(1)),
    invalid_clicks  UInt64                   COMMENT 'clicks that were judged and count nowhere else' CODEC(ZSTD(1)),
    spend           Decimal(38, 9)           COMMENT 'media cost in currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_spend      Decimal(38, 9)           COMMENT 'media cost in shop_currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_fee        Decimal(38, 9)           COMMENT 'the platform''s fee in shop_currency, adjustments of the day included' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (shop_id, part, date, version, day, campaign_id, creative_id, exchange, media, device, currency)
COMMENT 'What happened, by day of the bid and of the fact. Read grosz.daily.';

CREATE TABLE IF NOT EXISTS grosz.rollup_place_hour
(
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    hour            DateTime('UTC')          COMMENT 'hour of the bid, UTC; of part 1 and 2 too' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of the fact in the shop''s time zone' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    domain          LowCardinality(String)   COMMENT 'site domain or app bundle of the bid; empty: the bid was not recorded',
    currency        LowCardinality(String)   COMMENT 'the exchange''s currency',
    shop_currency   LowCardinality(String)   COMMENT 'the shop''s currency',
    bids            UInt64                   COMMENT 'bids recorded' CODEC(ZSTD(1)),
    dropped         UInt64                   COMMENT 'bids made but not recorded, because a queue was full' CODEC(ZSTD(1)),
    wins            UInt64                   COMMENT 'bids won: a billing event or an impression implies the win' CODEC(ZSTD(1)),
    impressions     UInt64                   COMMENT 'impressions rendered' CODEC(ZSTD(1)),
    viewable        UInt64                   COMMENT 'impressions that were seen' CODEC(ZSTD(1)),
    clicks          UInt64                   COMMENT 'clicks that count' CODEC(ZSTD(1)),
    invalid_clicks  UInt64                   COMMENT 'clicks that were judged and count nowhere else' CODEC(ZSTD(1)),
    spend           Decimal(38, 9)           COMMENT 'media cost in currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_spend      Decimal(38, 9)           COMMENT 'media cost in shop_currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_fee        Decimal(38, 9)           COMMENT 'the platform''s fee in shop_currency, adjustments of the day included' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (shop_id, part, hour, version, day, campaign_id, exchange, domain, currency)
TTL hour + INTERVAL 45 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'What happened on which site, by hour of the bid; a step on the way to rollup_place_day.';

CREATE TABLE IF NOT EXISTS grosz.rollup_place_day
(
    part            UInt8                    COMMENT '0: what follows a bid; 1: adjustments; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    date            Date                     COMMENT 'date of the bid, UTC' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of the fact in the shop''s time zone' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    domain          LowCardinality(String)   COMMENT 'site domain or app bundle of the bid; empty: the bid was not recorded',
    currency        LowCardinality(String)   COMMENT 'the exchange''s currency',
    shop_currency   LowCardinality(String)   COMMENT 'the shop''s currency',
    bids            UInt64                   COMMENT 'bids recorded' CODEC(ZSTD(1)),
    dropped         UInt64                   COMMENT 'bids made but not recorded, because a queue was full' CODEC(ZSTD(1)),
    wins            UInt64                   COMMENT 'bids won: a billing event or an impression implies the win' CODEC(ZSTD(1)),
    impressions     UInt64                   COMMENT 'impressions rendered' CODEC(ZSTD(1)),
    viewable        UInt64                   COMMENT 'impressions that were seen' CODEC(ZSTD(1)),
    clicks          UInt64                   COMMENT 'clicks that count' CODEC(ZSTD(1)),
    invalid_clicks  UInt64                   COMMENT 'clicks that were judged and count nowhere else' CODEC(ZSTD(1)),
    spend           Decimal(38, 9)           COMMENT 'media cost in currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_spend      Decimal(38, 9)           COMMENT 'media cost in shop_currency, adjustments of the day included' CODEC(ZSTD(1)),
    shop_fee        Decimal(38, 9)           COMMENT 'the platform''s fee in shop_currency, adjustments of the day included' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (shop_id, part, date, version, day, campaign_id, exchange, domain, currency)
COMMENT 'What happened on which site, by day of the bid and of the fact. Read grosz.places.';

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.rollup_touched_by_events TO grosz.rollup_touched
(
    part    UInt8                  COMMENT '0: what follows a bid; 1: adjustments; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were inserted'
)
AS SELECT toUInt8(e.type = 'adjustment') AS part, e.shop_id AS shop_id, toStartOfHour(e.bid_time) AS hour, now64(3, 'UTC') AS at
FROM grosz.events AS e
WHERE e.type IN ('win', 'billing', 'impression', 'viewable', 'click', 'adjustment') OR e.settles
GROUP BY part, shop_id, hour
COMMENT 'Notes which hours of bids get events.';

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.rollup_touched_by_bids TO grosz.rollup_touched
(
    part    UInt8                  COMMENT '0: what follows a bid; 1: adjustments; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were inserted'
)
AS SELECT toUInt8(2) AS part, b.shop_id AS shop_id, toStartOfHour(b.time) AS hour, now64(3, 'UTC') AS at
FROM grosz.bids AS b
GROUP BY part, shop_id, hour
COMMENT 'Notes which hours get bids.';

-- What was there before.
INSERT INTO grosz.rollup_touched SELECT toUInt8(type = 'adjustment') AS part, shop_id, toStartOfHour(bid_time) AS hour, now64(3, 'UTC') AS at
FROM grosz.events GROUP BY part, shop_id, hour;

INSERT INTO grosz.rollup_touched SELECT toUInt8(2) AS part, shop_id, toStartOfHour(time) AS hour, now64(3, 'UTC') AS at
FROM grosz.bids GROUP BY part, shop_id, hour;

CREATE OR REPLACE VIEW grosz.rollup_dirty_hours
(
    part    UInt8                  COMMENT '0: what follows a bid; 1: adjustments; 2: bids',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were last inserted'
)
AS SELECT t.part AS part, t.shop_id AS shop_id, t.hour AS hour, t.last AS at
FROM (SELECT part, shop_id, hour, max(at) AS last FROM grosz.rollup_touched GROUP BY part, shop_id, hour) AS t
LEFT JOIN (SELECT part, shop_id, unit, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'hour' GROUP BY part, shop_id, unit) AS d
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
AS SELECT t.part AS part, t.shop_id AS shop_id, t.date AS date, t.last AS at
FROM (SELECT part, shop_id, toDate(hour) AS date, max(at) AS last FROM grosz.rollup_touched GROUP BY part, shop_id, date) AS t
LEFT JOIN (SELECT part, shop_id, toDate(unit) AS date, max(clean_until) AS clean FROM grosz.rollup_done WHERE level = 'day' GROUP BY part, shop_id, date) AS d
    ON d.shop_id = t.shop_id AND d.part = t.part AND d.date = t.date
WHERE d.clean < t.last
SETTINGS join_use_nulls = 0
COMMENT 'Days of bids that got rows since they were last worked out; views work them out from the hours.';

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
{{facts}}
SELECT f.shop_id AS shop, f.day AS day, f.at_hour AS at_hour, f.campaign_id AS campaign, f.creative_id AS creative, f.exchange AS exchange, f.media AS media, f.device AS device, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, at_hour, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' GROUP BY part, shop_id, unit) AND (part, shop_id, hour) NOT IN (SELECT arrayJoin(dirty_hours))
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
{{facts}}
SELECT f.shop_id AS shop, f.day AS day, f.campaign_id AS campaign, f.creative_id AS creative, f.exchange AS exchange, f.media AS media, f.device AS device, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_day WHERE (part, shop_id, date, version) IN (SELECT part, shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'day' GROUP BY part, shop_id, unit) AND (part, shop_id, date) NOT IN (SELECT arrayJoin(dirty_days))
    UNION ALL
    SELECT shop_id, day, campaign_id, creative_id, exchange, media, device, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' GROUP BY part, shop_id, unit) AND (part, shop_id, toDate(hour)) IN (SELECT arrayJoin(dirty_days)) AND (part, shop_id, hour) NOT IN (SELECT arrayJoin(dirty_hours))
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
{{facts}}
SELECT f.shop_id AS shop, f.day AS day, f.campaign_id AS campaign, f.exchange AS exchange, f.domain AS domain, f.currency AS currency, f.shop_currency AS shop_currency,
    f.bids AS bids, f.dropped AS dropped, f.wins AS wins, f.impressions AS impressions, f.viewable AS viewable, f.clicks AS clicks, f.invalid_clicks AS invalid_clicks, f.spend AS spend, f.shop_spend AS shop_spend, f.shop_fee AS shop_fee
FROM (
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_place_day WHERE (part, shop_id, date, version) IN (SELECT part, shop_id, toDate(unit), max(version) FROM grosz.rollup_done WHERE level = 'day' GROUP BY part, shop_id, unit) AND (part, shop_id, date) NOT IN (SELECT arrayJoin(dirty_days))
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM grosz.rollup_place_hour WHERE (part, shop_id, hour, version) IN (SELECT part, shop_id, unit, max(version) FROM grosz.rollup_done WHERE level = 'hour' GROUP BY part, shop_id, unit) AND (part, shop_id, toDate(hour)) IN (SELECT arrayJoin(dirty_days)) AND (part, shop_id, hour) NOT IN (SELECT arrayJoin(dirty_hours))
    UNION ALL
    SELECT shop_id, day, campaign_id, exchange, domain, currency, shop_currency, bids, dropped, wins, impressions, viewable, clicks, invalid_clicks, spend, shop_spend, shop_fee
    FROM facts
) AS f
SETTINGS join_use_nulls = 0
COMMENT 'What happened, by day and site: bids to spend. Exact at any moment; add rows up as you like.';
