CREATE DATABASE IF NOT EXISTS grosz;

CREATE TABLE IF NOT EXISTS grosz.events
(
    event_id        UUID                     COMMENT 'the event',
    bid_time        DateTime64(3, 'UTC')     COMMENT 'when the bid was made' CODEC(ZSTD(1)),
    version         UInt128 MATERIALIZED bitNot(toUInt128(1)) COMMENT 'highest for the first delivery in the log'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bid_time)
ORDER BY event_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'A version picks the row that stays.';

CREATE TABLE IF NOT EXISTS grosz.bids
(
    event_id        UUID                     COMMENT 'the event',
    time            DateTime64(3, 'UTC')     COMMENT 'when the bid was made'
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY event_id
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS grosz.rollup_touched
(
    shop_id         UInt32                              COMMENT 'shop',
    at              SimpleAggregateFunction(max, DateTime) COMMENT 'when'
)
ENGINE = AggregatingMergeTree
ORDER BY shop_id;

CREATE OR REPLACE VIEW grosz.settlements
(
    bid_id UUID COMMENT 'the bid'
)
AS SELECT event_id AS bid_id FROM grosz.events FINAL;

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.rollup_touched_by_bids TO grosz.rollup_touched
AS SELECT toUInt32(1) AS shop_id, now() AS at FROM grosz.bids;

ALTER TABLE grosz.events
    ADD COLUMN IF NOT EXISTS node LowCardinality(String) COMMENT 'the node';

DROP VIEW IF EXISTS grosz.settlements;

INSERT INTO grosz.rollup_touched SELECT toUInt32(1) AS shop_id, now() AS at;
