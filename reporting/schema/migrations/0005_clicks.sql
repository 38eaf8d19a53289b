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
