-- How much of what was shown was seen, by the display rule of MRC: half of
-- the ad on screen for a second.

CREATE OR REPLACE VIEW grosz.viewability
(
{{viewability_columns}}
)
AS SELECT
    s.day AS day, s.shop AS shop, s.campaign AS campaign, s.exchange AS exchange, s.media AS media,
    countIf(s.shown)                                  AS impressions,
    countIf(s.shown AND s.seen)                       AS viewable,
    if(impressions = 0, 0, viewable / impressions)    AS share
FROM
(
    -- A bid is shown and seen at most once, however often it is told.
    SELECT e.shop_id AS shop, e.bid_id AS bid, any(e.campaign_id) AS campaign, any(e.exchange) AS exchange, any(e.media) AS media,
        minIf(e.day, e.type = 'impression') AS day, countIf(e.type = 'impression') > 0 AS shown, countIf(e.type = 'viewable') > 0 AS seen
    FROM grosz.events AS e
    WHERE e.type IN ('impression', 'viewable') AND NOT e.test
    GROUP BY e.shop_id, e.bid_id
) AS s
WHERE s.shown
GROUP BY s.day, s.shop, s.campaign, s.exchange, s.media
COMMENT 'Impressions and how many of them were seen, by day, campaign and exchange.';
