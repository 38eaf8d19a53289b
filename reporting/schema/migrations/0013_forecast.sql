-- What bids were predicted to bring, for forecasts; ghost bids, for lift.
ALTER TABLE grosz.bids ADD COLUMN IF NOT EXISTS click_ppb UInt32 COMMENT 'predicted probability of a click, in 1e-9; 0: none was made' CODEC(ZSTD(1)) AFTER h;
ALTER TABLE grosz.bids ADD COLUMN IF NOT EXISTS order_ppb UInt32 COMMENT 'predicted probability of an order after a click, in 1e-9' CODEC(ZSTD(1)) AFTER click_ppb;
ALTER TABLE grosz.bids ADD COLUMN IF NOT EXISTS win_ppb UInt32 COMMENT 'predicted probability of winning, in 1e-9; of ghost bids and of bids of campaigns with a holdout' CODEC(ZSTD(1)) AFTER order_ppb;
ALTER TABLE grosz.bids COMMENT COLUMN IF EXISTS type 'bid; ghost_bid: made for a held-out person and not sent; dropped: count of bids that were not recorded';

CREATE OR REPLACE VIEW grosz.lift_people
(
    shop       UInt32               COMMENT 'shop',
    campaign   UInt32               COMMENT 'campaign with a holdout',
    user       UInt64               COMMENT 'the shop''s own pseudonym of the person',
    held       Bool                 COMMENT 'in the holdout: what was bid for them was not sent',
    since      DateTime64(3, 'UTC') COMMENT 'their first bid, sent or not, of the last 30 days: what they buy from then on counts',
    would_win  Bool                 COMMENT 'drawn from the predicted probability that the first bid wins, alike for both',
    orders     UInt64               COMMENT 'orders since, whoever brought them; not the cancelled ones',
    revenue    Decimal(38, 9)       COMMENT 'their value, what came back taken off'
)
AS SELECT p.shop AS shop, p.campaign AS campaign, p.user AS user, p.held AS held, p.since AS since, p.would_win AS would_win,
    countIf(o.order_id != '' AND o.time >= p.since) AS orders,
    sumIf(o.net_value, o.order_id != '' AND o.time >= p.since) AS revenue
FROM
(
    SELECT b.shop_id AS shop, b.campaign_id AS campaign, b.user AS user,
        argMin(b.type, (b.time, b.bid_id)) = 'ghost_bid' AS held, min(b.time) AS since,
        argMin(b.win_ppb, (b.time, b.bid_id)) > cityHash64(argMin(b.bid_id, (b.time, b.bid_id))) % 1000000000 AS would_win
    FROM grosz.bids AS b
    WHERE b.type IN ('bid', 'ghost_bid') AND NOT b.test AND b.user != 0 AND b.win_ppb != 0
    GROUP BY shop, campaign, user
) AS p
LEFT JOIN
(
    SELECT shop, user, order_id, time, net AS net_value
    FROM grosz.orders WHERE user != 0 AND status != 'cancelled'
) AS o ON o.shop = p.shop AND o.user = p.user
GROUP BY shop, campaign, user, held, since, would_win
COMMENT 'Everybody for whom a campaign with a holdout bid or would have bid, and what they bought since.';
