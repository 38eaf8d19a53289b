-- What analysts ask beside the cost of orders: how far people get, at which
-- prices bids win, why they are lost or not made, how fast answers are.

ALTER TABLE grosz.events
    ADD COLUMN IF NOT EXISTS browser LowCardinality(String) COMMENT 'family of the person''s browser, from the bid request: chrome, safari, firefox, edge, opera, samsung, app; empty: another or none' AFTER media;

ALTER TABLE grosz.bids
    ADD COLUMN IF NOT EXISTS browser LowCardinality(String) COMMENT 'family of the person''s browser: chrome, safari, firefox, edge, opera, samsung, app; empty: another or none' AFTER device,
    MODIFY COLUMN type COMMENT 'bid; dropped: bids that were made but not recorded, counted; seen: a visitor of the shop was met in the exchange''s traffic, matched: the exchange''s id of one was learned, both once a day';

ALTER TABLE grosz.shop_events
    ADD COLUMN IF NOT EXISTS browser LowCardinality(String) COMMENT 'family of the visitor''s browser; empty: another, or told by the shop''s server' AFTER url,
    ADD COLUMN IF NOT EXISTS page Bool COMMENT 'told by the pixel, which asks for consent first' AFTER browser;

CREATE TABLE IF NOT EXISTS grosz.tallies
(
    event_id        UUID                     COMMENT 'the record' CODEC(NONE),
    kind            LowCardinality(String)   COMMENT 'requests: bid requests, by browser and how well the person is known; no_bids: requests and imps that were not bid on, by reason; refused: a campaign that matched and did not bid, by reason; latency: answers that took at most up_to_us',
    time            DateTime64(3, 'UTC')     COMMENT 'when it was recorded, about a minute after what it counts at most' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of time in the shop''s time zone; in UTC where it is of no shop' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'of refused: shop; else 0' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'of refused: campaign; else 0' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    browser         LowCardinality(String)   COMMENT 'of requests: family of the browser',
    reason          LowCardinality(String)   COMMENT 'why not; of requests: no_consent, consented, matched or visitor',
    up_to_us        UInt32                   COMMENT 'of latency: upper bound of the bucket, microseconds' CODEC(ZSTD(1)),
    count           UInt64                   COMMENT 'how many since the last record' CODEC(ZSTD(1)),
    node            LowCardinality(String)   COMMENT 'the node that counted',
    kafka_partition UInt32                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    kafka_offset    UInt64                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    seq             UInt32                   COMMENT 'line inside the message, from 0' CODEC(ZSTD(1)),
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (shop_id, kind, toDate(time), exchange, campaign_id, event_id)
TTL toDateTime(time) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1
COMMENT 'Counts that nodes record every minute: requests, refusals, latencies. Read with FINAL.';

-- People are kept as sketches of sets. Who is put in twice is in once, so
-- duplicates, replays and late events change nothing.
CREATE TABLE IF NOT EXISTS grosz.reach_people
(
    shop_id  UInt32                        COMMENT 'shop' CODEC(ZSTD(1)),
    day      Date                          COMMENT 'date in the shop''s time zone' CODEC(ZSTD(1)),
    exchange LowCardinality(String)        COMMENT 'exchange; empty of what happens at the shop',
    browser  LowCardinality(String)        COMMENT 'family of the browser',
    step     LowCardinality(String)        COMMENT 'visited, consented, matched, seen, bid, won, viewable, clicked',
    people   AggregateFunction(uniq, UInt64) COMMENT 'set of pseudonyms: read with uniqMerge(people); exact up to some ten thousand, then within a percent' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (shop_id, day, exchange, browser, step)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Who got how far, as sets of people that can be merged over any period. Read grosz.reach, or uniqMerge(people).';

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.reach_by_events TO grosz.reach_people
(
    shop_id  UInt32                        COMMENT 'shop',
    day      Date                          COMMENT 'date in the shop''s time zone',
    exchange LowCardinality(String)        COMMENT 'exchange',
    browser  LowCardinality(String)        COMMENT 'family of the browser',
    step     LowCardinality(String)        COMMENT 'won, viewable or clicked',
    people   AggregateFunction(uniq, UInt64) COMMENT 'set of pseudonyms'
)
AS {{reach_events}}
COMMENT 'Puts people of events into grosz.reach_people.';

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.reach_by_bids TO grosz.reach_people
(
    shop_id  UInt32                        COMMENT 'shop',
    day      Date                          COMMENT 'date in the shop''s time zone',
    exchange LowCardinality(String)        COMMENT 'exchange',
    browser  LowCardinality(String)        COMMENT 'family of the browser',
    step     LowCardinality(String)        COMMENT 'matched, seen or bid',
    people   AggregateFunction(uniq, UInt64) COMMENT 'set of pseudonyms'
)
AS {{reach_bids}}
COMMENT 'Puts people of bids into grosz.reach_people.';

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.reach_by_visits TO grosz.reach_people
(
    shop_id  UInt32                        COMMENT 'shop',
    day      Date                          COMMENT 'date in the shop''s time zone',
    exchange LowCardinality(String)        COMMENT 'empty',
    browser  LowCardinality(String)        COMMENT 'family of the browser',
    step     LowCardinality(String)        COMMENT 'visited or consented',
    people   AggregateFunction(uniq, UInt64) COMMENT 'set of pseudonyms'
)
AS {{reach_visits}}
COMMENT 'Puts visitors into grosz.reach_people.';

-- What was there before. Twice is once.
INSERT INTO grosz.reach_people {{reach_events}};

INSERT INTO grosz.reach_people {{reach_bids}};

INSERT INTO grosz.reach_people {{reach_visits}};

CREATE TABLE IF NOT EXISTS grosz.rollup_price_hour
(
    part            UInt8                    COMMENT '0: what follows a bid; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    hour            DateTime('UTC')          COMMENT 'hour of the bid, UTC' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
{{price_columns}}
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (shop_id, part, hour, version, day, campaign_id, exchange, media, currency, bucket, loss_reason)
TTL hour + INTERVAL 45 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'What became of bids by price, by hour of the bid; a step on the way to rollup_price_day.';

CREATE TABLE IF NOT EXISTS grosz.rollup_price_day
(
    part            UInt8                    COMMENT '0: what follows a bid; 2: bids' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    date            Date                     COMMENT 'date of the bid, UTC' CODEC(ZSTD(1)),
    version         UInt64                   COMMENT 'of the working out that made the row; only the one in grosz.rollup_done counts' CODEC(ZSTD(1)),
{{price_columns}}
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (shop_id, part, date, version, day, campaign_id, exchange, media, currency, bucket, loss_reason)
COMMENT 'What became of bids by price, by day of the bid. Read grosz.price_landscape and grosz.losses.';

-- Losses are part of a unit now.
CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.rollup_touched_by_losses TO grosz.rollup_touched
(
    part    UInt8                  COMMENT '0: what follows a bid',
    shop_id UInt32                 COMMENT 'shop',
    hour    DateTime('UTC')        COMMENT 'hour of the bid, UTC',
    at      DateTime64(3, 'UTC')   COMMENT 'when rows were inserted'
)
AS SELECT toUInt8(0) AS part, e.shop_id AS shop_id, toStartOfHour(e.bid_time) AS hour, now64(3, 'UTC') AS at
FROM grosz.events AS e
WHERE e.type = 'loss'
GROUP BY part, shop_id, hour
COMMENT 'Notes which hours of bids get losses.';

-- What was there before is worked out once more; not what is older than bids
-- are kept, for their sites and devices are known from the roll-ups alone.
INSERT INTO grosz.rollup_touched SELECT toUInt8(0) AS part, shop_id, toStartOfHour(bid_time) AS hour, now64(3, 'UTC') AS at
FROM grosz.events WHERE bid_time > now() - INTERVAL 28 DAY AND type != 'adjustment' GROUP BY part, shop_id, hour;

INSERT INTO grosz.rollup_touched SELECT toUInt8(2) AS part, shop_id, toStartOfHour(time) AS hour, now64(3, 'UTC') AS at
FROM grosz.bids WHERE time > now() - INTERVAL 28 DAY GROUP BY part, shop_id, hour;

CREATE OR REPLACE VIEW grosz.price_landscape
(
    day            Date                     COMMENT 'date in the shop''s time zone: of a bid the bid''s, of a win or loss its own',
    shop           UInt32                   COMMENT 'shop',
    campaign       UInt32                   COMMENT 'campaign',
    exchange       LowCardinality(String)   COMMENT 'exchange',
    media          LowCardinality(String)   COMMENT 'banner, video, native or audio',
    currency       LowCardinality(String)   COMMENT 'the exchange''s currency',
    price_from     Float64                  COMMENT 'least CPM that was bid in this row; a row reaches to 2^(1/4) of it, 19 % more',
    price_to       Float64                  COMMENT 'CPM at which the next row begins',
    bids           UInt64                   COMMENT 'bids recorded',
    wins           UInt64                   COMMENT 'of them won',
    losses         UInt64                   COMMENT 'of them lost, where the exchange tells',
    win_rate       Nullable(Float64)        COMMENT 'wins / bids; NULL without bids. Of several rows divide the sums',
    bid_cpm        Nullable(Float64)        COMMENT 'mean CPM that was bid, of those won',
    paid_cpm       Nullable(Float64)        COMMENT 'mean CPM that was paid, where it was read',
    min_to_win_cpm Nullable(Float64)        COMMENT 'mean CPM that would have won those lost, where the exchange tells'
)
AS WITH
{{dirty_units}}
{{price_facts}}
SELECT f.day AS day, f.shop_id AS shop, f.campaign_id AS campaign, f.exchange AS exchange, f.media AS media, f.currency AS currency,
    if(f.bucket = -32768, 0, exp2(f.bucket / 4)) AS price_from, if(f.bucket = -32768, 0, exp2((f.bucket + 1) / 4)) AS price_to,
    sum(f.bids) AS bids, sum(f.wins) AS wins, sum(f.losses) AS losses, wins / nullIf(bids, 0) AS win_rate,
    toFloat64(sum(f.won_at)) / nullIf(wins, 0) AS bid_cpm, toFloat64(sum(f.paid)) / nullIf(sum(f.paid_known), 0) AS paid_cpm, toFloat64(sum(f.min_to_win)) / nullIf(sum(f.min_known), 0) AS min_to_win_cpm
FROM (
{{price_union}}
) AS f
GROUP BY f.day, f.shop_id, f.campaign_id, f.exchange, f.media, f.currency, f.bucket
SETTINGS join_use_nulls = 0
COMMENT 'At which prices bids win: bids, wins and losses by the price that was bid.';

CREATE OR REPLACE VIEW grosz.losses
(
    day            Date                     COMMENT 'date of the loss in the shop''s time zone',
    shop           UInt32                   COMMENT 'shop',
    campaign       UInt32                   COMMENT 'campaign',
    exchange       LowCardinality(String)   COMMENT 'exchange',
    media          LowCardinality(String)   COMMENT 'banner, video, native or audio',
    currency       LowCardinality(String)   COMMENT 'the exchange''s currency',
    reason         UInt16                   COMMENT 'OpenRTB loss reason code',
    meaning        LowCardinality(String)   COMMENT 'the code in words',
    losses         UInt64                   COMMENT 'loss notices',
    min_to_win_cpm Nullable(Float64)        COMMENT 'mean CPM that would have won, where the exchange tells'
)
AS WITH
{{dirty_units}}
{{price_facts}}
SELECT f.day AS day, f.shop_id AS shop, f.campaign_id AS campaign, f.exchange AS exchange, f.media AS media, f.currency AS currency, f.loss_reason AS reason,
    transform(reason, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213],
        ['won', 'internal error', 'the opportunity expired', 'bid response not valid', 'deal not known', 'auction not known', 'advertiser domain malformed', 'markup missing',
            'creative id missing', 'price missing', 'data for creative approval missing', 'below the floor', 'below the floor of the deal', 'outbid', 'lost to a deal', 'seat blocked',
            'creative filtered, why is not told', 'creative waits for review', 'creative disapproved', 'size not allowed', 'creative format wrong', 'advertiser excluded', 'app excluded', 'creative not secure',
            'language excluded', 'category excluded', 'attribute excluded', 'ad type excluded', 'animation too long', 'not allowed in the deal'], 'the exchange''s own reason') AS meaning,
    sum(f.losses) AS losses, toFloat64(sum(f.min_to_win)) / nullIf(sum(f.min_known), 0) AS min_to_win_cpm
FROM (
{{price_union}}
) AS f
WHERE f.losses > 0
GROUP BY f.day, f.shop_id, f.campaign_id, f.exchange, f.media, f.currency, f.loss_reason
SETTINGS join_use_nulls = 0
COMMENT 'Why auctions are lost, as far as exchanges tell.';
