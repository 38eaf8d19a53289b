CREATE DATABASE IF NOT EXISTS grosz ON CLUSTER `grosz_prod`;

CREATE TABLE IF NOT EXISTS grosz.events ON CLUSTER `grosz_prod`
(
    event_id        UUID                     COMMENT 'the event',
    bid_time        DateTime64(3, 'UTC')     COMMENT 'when the bid was made' CODEC(ZSTD(1)),
    version         UInt128 MATERIALIZED bitNot(toUInt128(1)) COMMENT 'highest for the first delivery in the log'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/grosz/events', '{replica}', version)
PARTITION BY toYYYYMM(bid_time)
ORDER BY event_id
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800
COMMENT 'A version picks the row that stays.';

CREATE TABLE IF NOT EXISTS grosz.bids ON CLUSTER `grosz_prod`
(
    event_id        UUID                     COMMENT 'the event',
    time            DateTime64(3, 'UTC')     COMMENT 'when the bid was made'
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/grosz/bids', '{replica}')
PARTITION BY toYYYYMMDD(time)
ORDER BY event_id
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS grosz.rollup_touched ON CLUSTER `grosz_prod`
(
    shop_id         UInt32                              COMMENT 'shop',
    at              SimpleAggregateFunction(max, DateTime) COMMENT 'when'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/grosz/rollup_touched', '{replica}')
ORDER BY shop_id;

CREATE OR REPLACE VIEW grosz.settlements ON CLUSTER `grosz_prod`
(
    bid_id UUID COMMENT 'the bid'
)
AS SELECT event_id AS bid_id FROM grosz.events FINAL;

CREATE MATERIALIZED VIEW IF NOT EXISTS grosz.rollup_touched_by_bids ON CLUSTER `grosz_prod` TO grosz.rollup_touched
AS SELECT toUInt32(1) AS shop_id, now() AS at FROM grosz.bids;

ALTER TABLE grosz.events ON CLUSTER `grosz_prod`
    ADD COLUMN IF NOT EXISTS node LowCardinality(String) COMMENT 'the node';

DROP VIEW IF EXISTS grosz.settlements ON CLUSTER `grosz_prod`;

INSERT INTO grosz.rollup_touched SELECT toUInt32(1) AS shop_id, now() AS at;

