-- Tables. A sorting key holds only facts that are the same in every delivery
-- of an event, so that a duplicate meets the row it doubles; version counts
-- down from the place in Kafka's log, so that the first delivery is the one
-- that stays. Read with FINAL, or group and take argMax(…, version).

CREATE DATABASE IF NOT EXISTS grosz;

CREATE TABLE IF NOT EXISTS grosz.events
(
    event_id        UUID                     COMMENT 'the event; one id however often it is delivered' CODEC(NONE),
    type            LowCardinality(String)   COMMENT 'win, billing, loss, impression, click, rejection',
    time            DateTime64(3, 'UTC')     COMMENT 'when it happened, by the node that saw it' CODEC(ZSTD(1)),
    bid_time        DateTime64(3, 'UTC')     COMMENT 'when the bid was made, from its token; of a rejection without a readable token: time' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of time in the shop''s time zone' CODEC(ZSTD(1)),
    bid_id          UUID                     COMMENT 'the bid that the event follows from' CODEC(NONE),
    shop_id         UInt32                   COMMENT 'shop; 0: none readable' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    creative_id     UInt32                   COMMENT 'creative' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    media           LowCardinality(String)   COMMENT 'banner, video, native or audio',
    user            UInt64                   COMMENT 'the shop''s own pseudonym of the person; 0: nobody' CODEC(ZSTD(1)),
    settles         Bool                     COMMENT 'the event moves money; of several per bid the first in the log counts' CODEC(ZSTD(1)),
    price           Decimal(18, 6)           COMMENT 'CPM as the exchange reported it, in currency' CODEC(ZSTD(1)),
    price_status    LowCardinality(String)   COMMENT 'how the price macro was read: ok, empty, audit, macro, unreadable, above_bid; empty: no price by nature',
    bid_price       Decimal(18, 6)           COMMENT 'CPM that was bid, in currency' CODEC(ZSTD(1)),
    currency        LowCardinality(String)   COMMENT 'the exchange''s currency',
    amount          Decimal(38, 9)           COMMENT 'media cost in currency; set where settles' CODEC(ZSTD(1)),
    shop_currency   LowCardinality(String)   COMMENT 'the shop''s currency',
    rate            Decimal(18, 9)           COMMENT 'units of shop_currency for one of currency' CODEC(ZSTD(1)),
    shop_amount     Decimal(38, 9)           COMMENT 'amount in shop_currency' CODEC(ZSTD(1)),
    shop_fee        Decimal(38, 9)           COMMENT 'the platform''s fee on it, in shop_currency' CODEC(ZSTD(1)),
    disputed        Decimal(38, 9)           COMMENT 'part of the report above the bid, in currency; never the shop''s' CODEC(ZSTD(1)),
    test            Bool                     COMMENT 'of a test request: counted nowhere' CODEC(ZSTD(1)),
    late            Bool                     COMMENT 'came after the hold had been let go' CODEC(ZSTD(1)),
    loss_reason     UInt16                   COMMENT 'OpenRTB loss reason code' CODEC(ZSTD(1)),
    min_to_win      Decimal(18, 6)           COMMENT 'CPM that would have won, as reported' CODEC(ZSTD(1)),
    product         String                   COMMENT 'clicked product' CODEC(ZSTD(1)),
    reason          LowCardinality(String)   COMMENT 'of a rejection: forged, expired, malformed, unknown_shop; of a click: why it does not count',
    raw             String                   COMMENT 'the price macro as it came, at most 64 bytes' CODEC(ZSTD(1)),
    count           UInt64                   COMMENT 'of a counting record: how many' CODEC(ZSTD(1)),
    node            LowCardinality(String)   COMMENT 'the node that saw the event',
    kafka_partition UInt32                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    kafka_offset    UInt64                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    seq             UInt32                   COMMENT 'line inside the message, from 0' CODEC(ZSTD(1)),
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row' CODEC(ZSTD(1)),
    version         UInt128 MATERIALIZED bitNot(bitOr(bitShiftLeft(toUInt128(kafka_offset), 64), bitOr(bitShiftLeft(toUInt128(seq), 32), toUInt128(kafka_partition)))) COMMENT 'highest for the first delivery in the log' CODEC(ZSTD(1)),
    INDEX loaded_at_range loaded_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bid_time)
ORDER BY (shop_id, toDate(bid_time), type, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'All that touches money or a person''s report: wins, billings, losses, impressions, clicks, rejections. Read with FINAL.';

CREATE TABLE IF NOT EXISTS grosz.bids
(
    event_id        UUID                     COMMENT 'the event' CODEC(NONE),
    type            LowCardinality(String)   COMMENT 'bid, or dropped: bids that were made but not recorded, counted',
    time            DateTime64(3, 'UTC')     COMMENT 'when the bid was made' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of time in the shop''s time zone' CODEC(ZSTD(1)),
    bid_id          UUID                     COMMENT 'the bid' CODEC(NONE),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign' CODEC(ZSTD(1)),
    creative_id     UInt32                   COMMENT 'creative' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange',
    media           LowCardinality(String)   COMMENT 'banner, video, native or audio',
    user            UInt64                   COMMENT 'the shop''s own pseudonym of the person; 0: nobody' CODEC(ZSTD(1)),
    price           Decimal(18, 6)           COMMENT 'CPM reported, in currency; 0 for a bid' CODEC(ZSTD(1)),
    bid_price       Decimal(18, 6)           COMMENT 'CPM that was bid, in currency' CODEC(ZSTD(1)),
    currency        LowCardinality(String)   COMMENT 'the exchange''s currency',
    shop_currency   LowCardinality(String)   COMMENT 'the shop''s currency',
    rate            Decimal(18, 9)           COMMENT 'units of shop_currency for one of currency' CODEC(ZSTD(1)),
    test            Bool                     COMMENT 'of a test request: counted nowhere' CODEC(ZSTD(1)),
    product         String                   COMMENT 'product' CODEC(ZSTD(1)),
    reason          LowCardinality(String)   COMMENT 'of a drop: why',
    count           UInt64                   COMMENT 'of a drop: how many bids' CODEC(ZSTD(1)),
    node            LowCardinality(String)   COMMENT 'the node that bid',
    request_id      String                   COMMENT 'BidRequest.id' CODEC(ZSTD(1)),
    imp_id          String                   COMMENT 'Imp.id' CODEC(ZSTD(1)),
    domain          LowCardinality(String)   COMMENT 'site domain or app bundle',
    device          LowCardinality(String)   COMMENT 'device class',
    country         LowCardinality(String)   COMMENT 'country of the request',
    w               UInt32                   COMMENT 'width, CSS pixels' CODEC(ZSTD(1)),
    h               UInt32                   COMMENT 'height, CSS pixels' CODEC(ZSTD(1)),
    kafka_partition UInt32                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    kafka_offset    UInt64                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    seq             UInt32                   COMMENT 'line inside the message, from 0' CODEC(ZSTD(1)),
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row' CODEC(ZSTD(1)),
    version         UInt128 MATERIALIZED bitNot(bitOr(bitShiftLeft(toUInt128(kafka_offset), 64), bitOr(bitShiftLeft(toUInt128(seq), 32), toUInt128(kafka_partition)))) COMMENT 'highest for the first delivery in the log' CODEC(ZSTD(1)),
    INDEX loaded_at_range loaded_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(time)
ORDER BY (shop_id, campaign_id, type, event_id)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1
COMMENT 'Bids of the last 30 days, and counts of bids that were not recorded. Read with FINAL.';

CREATE TABLE IF NOT EXISTS grosz.shop_events
(
    event_id        UUID                     COMMENT 'the event; a purchase''s follows from its order id' CODEC(NONE),
    type            LowCardinality(String)   COMMENT 'visit, category_view, product_view, search, cart_add, cart_remove, checkout, purchase, opt_out',
    time            DateTime64(3, 'UTC')     COMMENT 'when it happened, by the shop' CODEC(ZSTD(1)),
    received        DateTime64(3, 'UTC')     COMMENT 'when a node took it' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of time in the shop''s time zone' CODEC(ZSTD(1)),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    user            UInt64                   COMMENT 'the shop''s own pseudonym of the visitor; 0: nobody' CODEC(ZSTD(1)),
    click_bid       UUID                     COMMENT 'bid whose click brought the visitor, from the signed click id; all zeros: none' CODEC(ZSTD(1)),
    product         String                   COMMENT 'product' CODEC(ZSTD(1)),
    category        String                   COMMENT 'category path' CODEC(ZSTD(1)),
    query           String                   COMMENT 'search text' CODEC(ZSTD(1)),
    quantity        Int64                    COMMENT 'pieces' CODEC(ZSTD(1)),
    price           Decimal(38, 9)           COMMENT 'price of one piece, in currency' CODEC(ZSTD(1)),
    order_id        String                   COMMENT 'the shop''s order id' CODEC(ZSTD(1)),
    value           Decimal(38, 9)           COMMENT 'value of the whole order, in currency' CODEC(ZSTD(1)),
    currency        LowCardinality(String)   COMMENT 'currency of price and value',
    items           Nested(product String, quantity Int64, price Decimal(38, 9)) COMMENT 'lines of the order or cart',
    url             String                   COMMENT 'page' CODEC(ZSTD(1)),
    node            LowCardinality(String)   COMMENT 'the node that took the event',
    kafka_partition UInt32                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    kafka_offset    UInt64                   COMMENT 'where the row was read from' CODEC(ZSTD(1)),
    seq             UInt32                   COMMENT 'line inside the message, from 0' CODEC(ZSTD(1)),
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row' CODEC(ZSTD(1)),
    version         UInt128 MATERIALIZED bitNot(bitOr(bitShiftLeft(toUInt128(kafka_offset), 64), bitOr(bitShiftLeft(toUInt128(seq), 32), toUInt128(kafka_partition)))) COMMENT 'highest for the first delivery in the log' CODEC(ZSTD(1)),
    INDEX time_range time TYPE minmax GRANULARITY 4,
    INDEX loaded_at_range loaded_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop_id, type, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What visitors did in the shops. No time is in the key: a shop may send an event again with another one. Read with FINAL.';

CREATE TABLE IF NOT EXISTS grosz.shops
(
    shop_id         UInt32                   COMMENT 'shop',
    version         Int64                    COMMENT 'grows with every change; the highest is in force',
    name            String                   COMMENT 'name',
    domain          String                   COMMENT 'advertiser domain',
    url             String                   COMMENT 'landing page',
    currency        LowCardinality(String)   COMMENT 'the shop''s currency',
    time_zone       LowCardinality(String)   COMMENT 'IANA name; the shop''s days are of it',
    fee_bps         Int64                    COMMENT 'platform''s share of media cost, basis points',
    active          Bool                     COMMENT 'whether the shop may bid',
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row',
    order_of        UInt64 MATERIALIZED toUInt64(greatest(version, 0)) COMMENT 'version, unsigned'
)
ENGINE = ReplacingMergeTree(order_of)
ORDER BY shop_id
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Shops by id, newest version. Read with FINAL.';

CREATE TABLE IF NOT EXISTS grosz.campaigns
(
    campaign_id     UInt32                   COMMENT 'campaign',
    shop_id         UInt32                   COMMENT 'its shop',
    version         Int64                    COMMENT 'grows with every change; the highest is in force',
    name            String                   COMMENT 'name',
    kind            LowCardinality(String)   COMMENT 'remarketing, intent or interest',
    status          LowCardinality(String)   COMMENT 'active, paused or archived',
    targeting       String                   COMMENT 'Boolean expression; empty: everyone',
    cpm             Decimal(18, 6)           COMMENT 'bid for an ordinary impression, in the shop''s currency',
    budget_day      Decimal(38, 9)           COMMENT 'gross, in the shop''s currency; 0: no bound',
    budget_total    Decimal(38, 9)           COMMENT 'gross, in the shop''s currency; 0: no bound',
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row',
    order_of        UInt64 MATERIALIZED toUInt64(greatest(version, 0)) COMMENT 'version, unsigned'
)
ENGINE = ReplacingMergeTree(order_of)
ORDER BY campaign_id
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Campaigns by id, newest version. Read with FINAL.';

CREATE TABLE IF NOT EXISTS grosz.deletions
(
    kind            LowCardinality(String)   COMMENT 'shop or campaign',
    id              UInt32                   COMMENT 'its shop_id or campaign_id',
    version         Int64                    COMMENT 'version of the deletion; a thing with a higher one is back',
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader inserted the row'
)
ENGINE = ReplacingMergeTree
ORDER BY (kind, id, version)
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Shops and campaigns that were deleted; their last rows stay, so that reports can name them.';

CREATE TABLE IF NOT EXISTS grosz.poison
(
    topic           LowCardinality(String)   COMMENT 'topic',
    kafka_partition UInt32                   COMMENT 'partition',
    kafka_offset    UInt64                   COMMENT 'offset of the message',
    seq             UInt32                   COMMENT 'line inside the message, from 0',
    error           String                   COMMENT 'why it could not be read',
    message         String                   COMMENT 'first 4 KB of the line',
    loaded_at       DateTime64(3, 'UTC')     COMMENT 'when the loader met it'
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, kafka_partition, kafka_offset, seq)
TTL toDateTime(loaded_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Lines of Kafka messages that could not be read; they hold nothing up.';

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
