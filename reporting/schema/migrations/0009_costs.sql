-- What an order cost, by every side one may look at it from. Facts come from
-- the roll-ups' views, orders from attribution.

CREATE OR REPLACE VIEW grosz.cost_per_order
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
    exchange                 LowCardinality(String)   COMMENT 'exchange; of an order its touch''s',
    currency                 LowCardinality(String)   COMMENT 'the exchange''s currency; of spend and cost_per_order',
    bids                     UInt64                   COMMENT 'bids recorded; those not recorded are in dropped of grosz.daily',
    wins                     UInt64                   COMMENT 'bids won: a billing event or an impression implies the win',
    impressions              UInt64                   COMMENT 'impressions rendered',
    clicks                   UInt64                   COMMENT 'clicks that count',
    spend                    Decimal(38, 9)           COMMENT 'media cost in currency, adjustments of the day included: equal to the exchange''s invoice',
    orders                   UInt64                   COMMENT 'orders attributed, as grosz.attributed_orders has it',
    revenue                  Decimal(38, 9)           COMMENT 'value of the orders as they were placed, in shop_currency; an order in another currency adds nothing here',
    cost_per_order           Nullable(Decimal(38, 9)) COMMENT 'spend / orders, in currency; NULL without orders',
    shop_currency            LowCardinality(String)   COMMENT 'the shop''s currency',
    shop_spend               Decimal(38, 9)           COMMENT 'media cost in shop_currency, adjustments of the day included',
    shop_fee                 Decimal(38, 9)           COMMENT 'the platform''s fee, in shop_currency, adjustments of the day included',
    shop_cost_per_order      Nullable(Decimal(38, 9)) COMMENT '(shop_spend + shop_fee) / orders, in shop_currency; NULL without orders',
    shop_name                String                   COMMENT 'name of the shop',
    campaign_name            String                   COMMENT 'name of the campaign',
    viewable                 UInt64                   COMMENT 'impressions that were seen',
    kept_orders              UInt64                   COMMENT 'of the orders those neither cancelled nor returned',
    kept_revenue             Decimal(38, 9)           COMMENT 'value of the orders less what was cancelled or came back, in shop_currency',
    cost_per_kept_order      Nullable(Decimal(38, 9)) COMMENT 'spend / kept_orders, in currency; NULL without one',
    shop_cost_per_kept_order Nullable(Decimal(38, 9)) COMMENT '(shop_spend + shop_fee) / kept_orders, in shop_currency; NULL without one'
)
AS WITH
    facts AS (
        SELECT f.day AS day, f.shop AS shop, f.campaign AS campaign, {{cost_facts}}
        FROM grosz.daily AS f
        GROUP BY day, shop, campaign, exchange, currency
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.campaign AS campaign, {{cost_orders}}
        FROM grosz.attributed_orders AS a
        GROUP BY day, shop, campaign, exchange, currency
    ),
    report AS (
        SELECT day, shop, campaign, {{cost_sums}}
        GROUP BY day, shop, campaign, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.shop AS shop, r.campaign AS campaign, r.exchange AS exchange, r.currency AS currency,
    r.bids AS bids, r.wins AS wins, r.impressions AS impressions, r.clicks AS clicks, r.spend AS spend, r.orders AS orders, r.revenue AS revenue,
    r.spend / nullIf(r.orders, 0) AS cost_per_order,
    r.shop_currency AS shop_currency, r.shop_spend AS shop_spend, r.shop_fee AS shop_fee,
    (r.shop_spend + r.shop_fee) / nullIf(r.orders, 0) AS shop_cost_per_order,
    s.name AS shop_name, c.name AS campaign_name,
    r.viewable AS viewable, r.kept_orders AS kept_orders, r.kept_revenue AS kept_revenue,
    r.spend / nullIf(r.kept_orders, 0) AS cost_per_kept_order, (r.shop_spend + r.shop_fee) / nullIf(r.kept_orders, 0) AS shop_cost_per_kept_order
FROM report AS r
LEFT ANY JOIN (SELECT shop_id, name FROM grosz.shops FINAL) AS s ON s.shop_id = r.shop
LEFT ANY JOIN (SELECT shop_id, campaign_id, name FROM grosz.campaigns FINAL) AS c ON c.shop_id = r.shop AND c.campaign_id = r.campaign
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by day, shop, campaign and exchange. A day with spend and no order has a row, and so has one with an order and no spend.';

CREATE OR REPLACE VIEW grosz.cost_by_creative
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
    creative                 UInt32                   COMMENT 'creative; of an order its touch''s',
    media                    LowCardinality(String)   COMMENT 'banner, video, native or audio',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, f.shop AS shop, f.campaign AS campaign, f.creative AS creative, f.media AS media, {{cost_facts}}
        FROM grosz.daily AS f
        GROUP BY day, shop, campaign, creative, media, exchange, currency
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.campaign AS campaign, a.creative AS creative, a.media AS media, {{cost_orders}}
        FROM grosz.attributed_orders AS a
        GROUP BY day, shop, campaign, creative, media, exchange, currency
    ),
    report AS (
        SELECT day, shop, campaign, creative, media, {{cost_sums}}
        GROUP BY day, shop, campaign, creative, media, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.shop AS shop, r.campaign AS campaign, r.creative AS creative, r.media AS media, {{cost_select}}
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by creative.';

CREATE OR REPLACE VIEW grosz.order_places
(
    day            Date                   COMMENT 'date of the order in the shop''s time zone',
    time           DateTime64(3, 'UTC')   COMMENT 'when the order was placed, by the shop',
    shop           UInt32                 COMMENT 'shop',
    order_id       String                 COMMENT 'the shop''s order id',
    campaign       UInt32                 COMMENT 'campaign of the touch',
    exchange       LowCardinality(String) COMMENT 'exchange of the touch',
    currency       LowCardinality(String) COMMENT 'the exchange''s currency at the touch',
    shop_currency  LowCardinality(String) COMMENT 'the shop''s currency at the touch',
    value          Decimal(38, 9)         COMMENT 'value of the order as it was placed, in order_currency',
    net            Decimal(38, 9)         COMMENT 'value less what was cancelled or came back, in order_currency',
    order_currency LowCardinality(String) COMMENT 'currency of value',
    kept           Bool                   COMMENT 'neither cancelled nor returned',
    device         LowCardinality(String) COMMENT 'device class of the touch; empty: not known any more',
    domain         LowCardinality(String) COMMENT 'site domain or app bundle of the touch; empty: not known any more',
    country        LowCardinality(String) COMMENT 'country of the touch; empty: not known any more'
)
AS SELECT a.day AS day, a.time AS time, a.shop AS shop, a.order_id AS order_id, a.campaign AS campaign, a.exchange AS exchange, a.currency AS currency, a.shop_currency AS shop_currency,
    a.value AS value, a.net AS net, a.order_currency AS order_currency, a.kept AS kept, b.device AS device, b.domain AS domain, b.country AS country
FROM grosz.attributed_orders AS a
LEFT ANY JOIN (
    SELECT shop_id, bid_id, device, domain, country FROM grosz.bids
    WHERE type = 'bid' AND bid_id IN (SELECT bid FROM grosz.attributed_orders)
) AS b ON b.shop_id = a.shop AND b.bid_id = a.bid
SETTINGS join_use_nulls = 0
COMMENT 'Attributed orders with where their touch was, as long as its bid is kept: 30 days.';

CREATE OR REPLACE VIEW grosz.cost_by_device
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
    device                   LowCardinality(String)   COMMENT 'device class; of an order its touch''s; empty: the bid was not recorded, or its touch is over 30 days old',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, f.shop AS shop, f.campaign AS campaign, f.device AS device, {{cost_facts}}
        FROM grosz.daily AS f
        GROUP BY day, shop, campaign, device, exchange, currency
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.campaign AS campaign, a.device AS device, {{cost_orders}}
        FROM grosz.order_places AS a
        GROUP BY day, shop, campaign, device, exchange, currency
    ),
    report AS (
        SELECT day, shop, campaign, device, {{cost_sums}}
        GROUP BY day, shop, campaign, device, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.shop AS shop, r.campaign AS campaign, r.device AS device, {{cost_select}}
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by device class.';

CREATE OR REPLACE VIEW grosz.cost_by_domain
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
    domain                   LowCardinality(String)   COMMENT 'site domain or app bundle; of an order its touch''s; empty: the bid was not recorded, or its touch is over 30 days old',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, f.shop AS shop, f.campaign AS campaign, f.domain AS domain, {{cost_facts}}
        FROM grosz.places AS f
        GROUP BY day, shop, campaign, domain, exchange, currency
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.campaign AS campaign, a.domain AS domain, {{cost_orders}}
        FROM grosz.order_places AS a
        GROUP BY day, shop, campaign, domain, exchange, currency
    ),
    report AS (
        SELECT day, shop, campaign, domain, {{cost_sums}}
        GROUP BY day, shop, campaign, domain, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.shop AS shop, r.campaign AS campaign, r.domain AS domain, {{cost_select}}
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by site or app.';

CREATE OR REPLACE VIEW grosz.cost_by_hour
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    hour                     UInt8                    COMMENT 'hour of the day in the shop''s time zone, 0 to 23',
    shop                     UInt32                   COMMENT 'shop',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, toHour(toTimeZone(f.at_hour, if(f.zone = '', 'UTC', f.zone))) AS hour, f.shop AS shop, f.campaign AS campaign, {{cost_facts}}
        FROM (SELECT h.*, z.zone AS zone FROM grosz.hourly AS h LEFT ANY JOIN (SELECT shop_id, if(time_zone = '', 'UTC', toString(time_zone)) AS zone FROM grosz.shops FINAL) AS z ON z.shop_id = h.shop) AS f
        GROUP BY day, hour, shop, campaign, exchange, currency
        UNION ALL
        SELECT a.day AS day, toHour(toTimeZone(a.time, if(a.zone = '', 'UTC', a.zone))) AS hour, a.shop AS shop, a.campaign AS campaign, {{cost_orders}}
        FROM (SELECT o.*, z.zone AS zone FROM grosz.attributed_orders AS o LEFT ANY JOIN (SELECT shop_id, if(time_zone = '', 'UTC', toString(time_zone)) AS zone FROM grosz.shops FINAL) AS z ON z.shop_id = o.shop) AS a
        GROUP BY day, hour, shop, campaign, exchange, currency
    ),
    report AS (
        SELECT day, hour, shop, campaign, {{cost_sums}}
        GROUP BY day, hour, shop, campaign, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.hour AS hour, r.shop AS shop, r.campaign AS campaign, {{cost_select}}
SETTINGS join_use_nulls = 0, allow_nonconst_timezone_arguments = 1
COMMENT 'What an order cost, by hour of the day in the shop''s time zone.';

CREATE OR REPLACE VIEW grosz.cost_by_segment
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a bid, win, impression, click or spend its event''s; of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    segment                  String                   COMMENT 'segment that the campaign''s targeting names, excluded ones too; a campaign with several has a row in each, so do not add these up; empty: none',
    campaign                 UInt32                   COMMENT 'campaign; of an order its touch''s',
{{cost_columns}}
)
AS WITH
    facts AS (
        SELECT f.day AS day, f.shop AS shop, f.segment AS segment, f.campaign AS campaign, {{cost_facts}}
        FROM (SELECT d.*, g.segment AS segment FROM grosz.daily AS d LEFT JOIN (SELECT shop_id, campaign_id, arrayJoin(if(empty(names), [''], names)) AS segment FROM (SELECT shop_id, campaign_id, arrayDistinct(arrayConcat(extractAll(targeting, 'segment\\s*=?\\s*"([^"]*)"'), arrayFlatten(arrayMap(x -> extractAll(x, '"([^"]*)"'), extractAll(targeting, 'segment\\s+in\\s*\\(([^)]*)\\)'))))) AS names FROM grosz.campaigns FINAL)) AS g ON g.shop_id = d.shop AND g.campaign_id = d.campaign) AS f
        GROUP BY day, shop, segment, campaign, exchange, currency
        UNION ALL
        SELECT a.day AS day, a.shop AS shop, a.segment AS segment, a.campaign AS campaign, {{cost_orders}}
        FROM (SELECT o.*, g.segment AS segment FROM grosz.attributed_orders AS o LEFT JOIN (SELECT shop_id, campaign_id, arrayJoin(if(empty(names), [''], names)) AS segment FROM (SELECT shop_id, campaign_id, arrayDistinct(arrayConcat(extractAll(targeting, 'segment\\s*=?\\s*"([^"]*)"'), arrayFlatten(arrayMap(x -> extractAll(x, '"([^"]*)"'), extractAll(targeting, 'segment\\s+in\\s*\\(([^)]*)\\)'))))) AS names FROM grosz.campaigns FINAL)) AS g ON g.shop_id = o.shop AND g.campaign_id = o.campaign) AS a
        GROUP BY day, shop, segment, campaign, exchange, currency
    ),
    report AS (
        SELECT day, shop, segment, campaign, {{cost_sums}}
        GROUP BY day, shop, segment, campaign, exchange, currency
        {{cost_having}}
    )
SELECT r.day AS day, r.shop AS shop, r.segment AS segment, r.campaign AS campaign, {{cost_select}}
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by segment in the targeting of its campaign as it is now.';
