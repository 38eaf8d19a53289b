-- Views over what 0011 keeps, and over what was there: each answers one kind
-- of question.

CREATE OR REPLACE VIEW grosz.reach
(
{{reach_columns}}
)
AS WITH
    (SELECT groupUniqArray((shop_id, toString(exchange))) FROM grosz.reach_people WHERE exchange != '' AND day > today() - 30) AS met,
    people AS (
        SELECT r.shop_id AS shop, toString(r.exchange) AS exchange, r.browser AS browser, toString(r.step) AS step, r.people AS people
        FROM grosz.reach_people AS r
        WHERE r.exchange != '' AND r.day > today() - 30
        UNION ALL
        SELECT v.shop_id AS shop, arrayJoin(if(empty(arrayFilter(m -> m.1 = v.shop_id, met)), [''], arrayMap(m -> m.2, arrayFilter(m -> m.1 = v.shop_id, met)))) AS exchange,
            v.browser AS browser, v.step AS step, v.people AS people
        FROM (SELECT r.shop_id AS shop_id, r.browser AS browser, toString(r.step) AS step, uniqMergeState(r.people) AS people FROM grosz.reach_people AS r WHERE r.exchange = '' AND r.day > today() - 30 GROUP BY shop_id, browser, step) AS v
    ),
    steps AS (
        SELECT p.shop AS shop, p.exchange AS exchange, p.browser AS browser, uniqMergeIf(p.people, p.step = 'visited') AS visitors, uniqMergeIf(p.people, p.step = 'consented') AS consented,
            uniqMergeIf(p.people, p.step IN ('matched', 'seen')) AS matched, uniqMergeIf(p.people, p.step = 'seen') AS seen, uniqMergeIf(p.people, p.step = 'bid') AS bid_on, uniqMergeIf(p.people, p.step = 'won') AS won,
            uniqMergeIf(p.people, p.step = 'viewable') AS viewable, uniqMergeIf(p.people, p.step = 'clicked') AS clicked, toUInt64(0) AS ordered
        FROM people AS p
        GROUP BY shop, exchange, browser
        UNION ALL
        SELECT o.shop AS shop, toString(o.exchange) AS exchange, b.browser AS browser, 0, 0, 0, 0, 0, 0, 0, 0, uniqExact(o.user) AS ordered
        FROM grosz.attributed_orders AS o
        LEFT ANY JOIN (SELECT e.shop_id AS shop, e.order_id AS order_id, max(e.browser) AS browser FROM grosz.shop_events AS e WHERE e.type = 'purchase' GROUP BY shop, order_id) AS b ON b.shop = o.shop AND b.order_id = o.order_id
        WHERE o.day > today() - 30 AND o.user != 0
        GROUP BY shop, exchange, browser
    )
SELECT s.shop AS shop, s.exchange AS exchange, s.browser AS browser, sum(s.visitors) AS visitors, sum(s.consented) AS consented, sum(s.matched) AS matched, sum(s.seen) AS seen,
    sum(s.bid_on) AS bid_on, sum(s.won) AS won, sum(s.viewable) AS viewable, sum(s.clicked) AS clicked, sum(s.ordered) AS ordered
FROM steps AS s
GROUP BY s.shop, s.exchange, s.browser
SETTINGS join_use_nulls = 0
COMMENT 'How many people got how far in the last 30 days, by exchange and browser. People do not add up: over other periods merge grosz.reach_people.';

CREATE OR REPLACE VIEW grosz.traffic
(
    day       Date                   COMMENT 'date, UTC',
    exchange  LowCardinality(String) COMMENT 'exchange',
    browser   LowCardinality(String) COMMENT 'family of the browser; empty: another or none',
    requests  UInt64                 COMMENT 'bid requests that were considered; those refused as a whole are in grosz.no_bids',
    consented UInt64                 COMMENT 'of them those whose person may be known',
    matched   UInt64                 COMMENT 'of these those with an id that leads to a person',
    visitors  UInt64                 COMMENT 'of these those of people who were at a shop'
)
AS SELECT t.day AS day, t.exchange AS exchange, t.browser AS browser, sum(t.count) AS requests, sumIf(t.count, t.reason != 'no_consent') AS consented,
    sumIf(t.count, t.reason IN ('matched', 'visitor')) AS matched, sumIf(t.count, t.reason = 'visitor') AS visitors
FROM grosz.tallies AS t FINAL
WHERE t.kind = 'requests' AND t.shop_id = 0
GROUP BY t.day, t.exchange, t.browser
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Bid requests by how well their person is known.';

CREATE OR REPLACE VIEW grosz.no_bids
(
    day      Date                   COMMENT 'date, UTC',
    exchange LowCardinality(String) COMMENT 'exchange',
    reason   LowCardinality(String) COMMENT 'why not',
    times    UInt64                 COMMENT 'requests, and imps of requests, that were not bid on for this reason'
)
AS SELECT t.day AS day, t.exchange AS exchange, t.reason AS reason, sum(t.count) AS times
FROM grosz.tallies AS t FINAL
WHERE t.kind = 'no_bids' AND t.shop_id = 0
GROUP BY t.day, t.exchange, t.reason
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Why requests are not bid on.';

CREATE OR REPLACE VIEW grosz.refusals
(
    day      Date                   COMMENT 'date in the shop''s time zone',
    shop     UInt32                 COMMENT 'shop',
    campaign UInt32                 COMMENT 'campaign',
    exchange LowCardinality(String) COMMENT 'exchange',
    reason   LowCardinality(String) COMMENT 'why the campaign did not bid',
    times    UInt64                 COMMENT 'how often it matched an imp and did not bid for this reason'
)
AS SELECT t.day AS day, t.shop_id AS shop, t.campaign_id AS campaign, t.exchange AS exchange, t.reason AS reason, sum(t.count) AS times
FROM grosz.tallies AS t FINAL
WHERE t.kind = 'refused'
GROUP BY t.day, t.shop_id, t.campaign_id, t.exchange, t.reason
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Why campaigns that match do not bid. A campaign that outranked ones were not looked at for is not in it.';

CREATE OR REPLACE VIEW grosz.latency
(
    day      Date                   COMMENT 'date, UTC',
    hour     UInt8                  COMMENT 'hour, UTC',
    exchange LowCardinality(String) COMMENT 'exchange',
    node     LowCardinality(String) COMMENT 'the node that answered',
    answers  UInt64                 COMMENT 'bid requests answered, with a bid or without',
    p50_ms   Float64                COMMENT 'half were answered within, milliseconds; buckets are a quarter wide',
    p90_ms   Float64                COMMENT '90 % were answered within',
    p99_ms   Float64                COMMENT '99 % were answered within',
    p999_ms  Float64                COMMENT '99.9 % were answered within'
)
AS SELECT t.day AS day, toHour(t.time) AS hour, t.exchange AS exchange, t.node AS node, sum(t.count) AS answers,
    quantileExactWeighted(0.5)(t.up_to_us, t.count) / 1000 AS p50_ms, quantileExactWeighted(0.9)(t.up_to_us, t.count) / 1000 AS p90_ms,
    quantileExactWeighted(0.99)(t.up_to_us, t.count) / 1000 AS p99_ms, quantileExactWeighted(0.999)(t.up_to_us, t.count) / 1000 AS p999_ms
FROM grosz.tallies AS t FINAL
WHERE t.kind = 'latency' AND t.shop_id = 0
GROUP BY t.day, toHour(t.time), t.exchange, t.node
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How long the bidder took to answer, from the request''s first byte to the answer''s last.';

CREATE OR REPLACE VIEW grosz.pacing
(
{{pacing_columns}}
)
AS SELECT p.day AS day, p.hour AS hour, p.shop AS shop, p.campaign AS campaign, p.currency AS currency, p.spent AS spent,
    sum(p.spent) OVER (PARTITION BY p.shop, p.campaign, p.currency, p.day ORDER BY p.hour ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spent_so_far,
    c.budget_day AS budget, toFloat64(spent_so_far) / nullIf(toFloat64(budget), 0) AS share_of_budget, (p.hour + 1) / 24 AS share_of_day, share_of_budget / share_of_day AS pace
FROM (
    SELECT f.day AS day, toHour(toTimeZone(f.at_hour, if(f.zone = '', 'UTC', f.zone))) AS hour, f.shop AS shop, f.campaign AS campaign, f.shop_currency AS currency, sum(f.shop_spend + f.shop_fee) AS spent
    FROM (SELECT h.*, z.zone AS zone FROM grosz.hourly AS h LEFT ANY JOIN (SELECT shop_id, if(time_zone = '', 'UTC', toString(time_zone)) AS zone FROM grosz.shops FINAL) AS z ON z.shop_id = h.shop) AS f
    GROUP BY day, hour, shop, campaign, currency
    HAVING spent != 0
) AS p
LEFT ANY JOIN (SELECT shop_id, campaign_id, budget_day FROM grosz.campaigns FINAL) AS c ON c.shop_id = p.shop AND c.campaign_id = p.campaign
SETTINGS join_use_nulls = 0, allow_nonconst_timezone_arguments = 1
COMMENT 'How a campaign''s day budget goes through the day. An hour without spending has no row.';

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
    SELECT e.day AS day, e.shop_id AS shop, e.campaign_id AS campaign, e.user AS user, uniqExact(e.event_id) AS impressions
    FROM grosz.events AS e
    WHERE e.type = 'impression' AND NOT e.test AND e.user != 0 AND e.day > today() - 8 AND e.bid_time > now() - INTERVAL 16 DAY
    GROUP BY day, shop, campaign, user
) AS f
GROUP BY f.day, f.shop, f.campaign, f.impressions
COMMENT 'How often people see a campaign on a day, of the last 7 days.';

CREATE OR REPLACE VIEW grosz.cost_by_product
(
    day                      Date                     COMMENT 'date in the shop''s time zone: of a click its own, of an order the order''s',
    shop                     UInt32                   COMMENT 'shop',
    product                  String                   COMMENT 'product that was clicked; empty: a click on none',
    campaign                 UInt32                   COMMENT 'campaign',
    exchange                 LowCardinality(String)   COMMENT 'exchange',
    currency                 LowCardinality(String)   COMMENT 'the exchange''s currency; of spend and cost_per_order',
    clicks                   UInt64                   COMMENT 'clicks on the product that count',
    spend                    Decimal(38, 9)           COMMENT 'media cost of the campaign''s day at the exchange, shared among products by clicks; a day without clicks is not in it',
    orders                   UInt64                   COMMENT 'orders whose last click was on the product',
    revenue                  Decimal(38, 9)           COMMENT 'value of the orders, in the shop''s currency; an order in another currency adds nothing',
    cost_per_order           Nullable(Decimal(38, 9)) COMMENT 'spend / orders; NULL without orders',
    kept_orders              UInt64                   COMMENT 'of the orders those neither cancelled nor returned',
    cost_per_kept_order      Nullable(Decimal(38, 9)) COMMENT 'spend / kept_orders; NULL without one'
)
AS WITH
    clicked AS (
        SELECT c.day AS day, c.shop AS shop, c.campaign AS campaign, c.exchange AS exchange, c.currency AS currency, c.product AS product, count() AS clicks
        FROM (
            SELECT argMax(e.day, e.version) AS day, e.shop_id AS shop, any(e.campaign_id) AS campaign, any(e.exchange) AS exchange, any(e.currency) AS currency, any(e.product) AS product
            FROM grosz.events AS e
            WHERE e.type = 'click' AND e.reason = '' AND NOT e.test
            GROUP BY e.shop_id, e.event_id
        ) AS c
        GROUP BY day, shop, campaign, exchange, currency, product
    ),
    paid AS (
        SELECT d.day AS day, d.shop AS shop, d.campaign AS campaign, d.exchange AS exchange, d.currency AS currency, sum(d.spend) AS spend, sum(d.clicks) AS clicks
        FROM grosz.daily AS d
        GROUP BY day, shop, campaign, exchange, currency
    ),
    facts AS (
        SELECT c.day AS day, c.shop AS shop, c.product AS product, c.campaign AS campaign, c.exchange AS exchange, c.currency AS currency, c.clicks AS clicks,
            if(p.clicks = 0, toDecimal128(0, 9), p.spend * c.clicks / p.clicks) AS spend, toUInt64(0) AS orders, toDecimal128(0, 9) AS revenue, toUInt64(0) AS kept
        FROM clicked AS c
        LEFT ANY JOIN paid AS p ON p.day = c.day AND p.shop = c.shop AND p.campaign = c.campaign AND p.exchange = c.exchange AND p.currency = c.currency
        UNION ALL
        SELECT a.day, a.shop, a.clicked_product, a.campaign, a.exchange, a.currency, 0, toDecimal128(0, 9), count(),
            sumIf(a.value, a.order_currency = a.shop_currency OR a.order_currency = '' OR a.shop_currency = ''), countIf(a.kept)
        FROM grosz.attributed_orders AS a
        WHERE a.touch = 'click'
        GROUP BY a.day, a.shop, a.clicked_product, a.campaign, a.exchange, a.currency
    )
SELECT f.day AS day, f.shop AS shop, f.product AS product, f.campaign AS campaign, f.exchange AS exchange, f.currency AS currency, sum(f.clicks) AS clicks, sum(f.spend) AS spend,
    sum(f.orders) AS orders, sum(f.revenue) AS revenue, spend / nullIf(orders, 0) AS cost_per_order, sum(f.kept) AS kept_orders, spend / nullIf(kept_orders, 0) AS cost_per_kept_order
FROM facts AS f
GROUP BY f.day, f.shop, f.product, f.campaign, f.exchange, f.currency
SETTINGS join_use_nulls = 0
COMMENT 'What an order cost, by the product that was clicked. An ad shows several products, so its cost is shared by clicks.';

CREATE OR REPLACE VIEW grosz.cost_per_conversion
(
    day                 Date                     COMMENT 'date in the shop''s time zone: of spend its own, of a conversion the conversion''s',
    shop                UInt32                   COMMENT 'shop',
    goal                String                   COMMENT 'name of the conversion, or order',
    campaign            UInt32                   COMMENT 'campaign',
    exchange            LowCardinality(String)   COMMENT 'exchange',
    currency            LowCardinality(String)   COMMENT 'the exchange''s currency; of spend and cost_per_conversion',
    spend               Decimal(38, 9)           COMMENT 'media cost; the same for every goal, so do not add goals up',
    conversions         UInt64                   COMMENT 'attributed to the last click, else to the last impression',
    kept                UInt64                   COMMENT 'of them those neither cancelled nor returned',
    value               Decimal(38, 9)           COMMENT 'what they are worth, in the shop''s currency',
    cost_per_conversion Nullable(Decimal(38, 9)) COMMENT 'spend / conversions; NULL without one'
)
AS WITH
    reached AS (
        SELECT a.goal AS goal, a.day AS day, a.shop AS shop, a.campaign AS campaign, a.exchange AS exchange, a.currency AS currency, a.kept AS kept,
            if(a.value_currency = a.shop_currency OR a.value_currency = '' OR a.shop_currency = '', a.value, toDecimal128(0, 9)) AS value
        FROM grosz.attributions AS a
        WHERE a.model IN ('click', 'impression')
        ORDER BY a.model
        LIMIT 1 BY a.shop, a.goal, a.id
    ),
    goals AS (
        SELECT e.shop_id AS shop, if(e.type = 'purchase', 'order', toString(e.name)) AS goal FROM grosz.shop_events AS e WHERE e.type IN ('purchase', 'conversion') GROUP BY shop, goal
    ),
    facts AS (
        SELECT d.day AS day, d.shop AS shop, g.goal AS goal, d.campaign AS campaign, toString(d.exchange) AS exchange, toString(d.currency) AS currency, d.spend AS spend, toUInt64(0) AS conversions, toUInt64(0) AS kept, toDecimal128(0, 9) AS value
        FROM (SELECT day, shop, campaign, exchange, currency, sum(spend) AS spend FROM grosz.daily GROUP BY day, shop, campaign, exchange, currency HAVING spend != 0) AS d
        INNER JOIN goals AS g ON g.shop = d.shop
        UNION ALL
        SELECT r.day, r.shop, r.goal, r.campaign, toString(r.exchange), toString(r.currency), toDecimal128(0, 9), count(), countIf(r.kept), sum(r.value)
        FROM reached AS r
        GROUP BY r.day, r.shop, r.goal, r.campaign, r.exchange, r.currency
    )
SELECT f.day AS day, f.shop AS shop, f.goal AS goal, f.campaign AS campaign, f.exchange AS exchange, f.currency AS currency, sum(f.spend) AS spend, sum(f.conversions) AS conversions,
    sum(f.kept) AS kept, sum(f.value) AS value, spend / nullIf(conversions, 0) AS cost_per_conversion
FROM facts AS f
GROUP BY f.day, f.shop, f.goal, f.campaign, f.exchange, f.currency
SETTINGS join_use_nulls = 0
COMMENT 'What a goal cost: orders, and the conversions that a shop names.';

CREATE TABLE IF NOT EXISTS grosz.reconciliations
(
    run       UUID                   COMMENT 'one reading of a report; kinds and currencies are its rows' CODEC(NONE),
    at        DateTime64(3, 'UTC')   COMMENT 'when it was read',
    exchange  LowCardinality(String) COMMENT 'whose report it is',
    reference String                 COMMENT 'name of the report',
    from_time DateTime64(3, 'UTC')   COMMENT 'first of the bids that it should have',
    to_time   DateTime64(3, 'UTC')   COMMENT 'behind the last of them',
    dry_run   Bool                   COMMENT 'nothing was booked',
    kind      LowCardinality(String) COMMENT 'what the lines are, as grosz reconcile prints it: matched, missing and so on',
    currency  LowCardinality(String) COMMENT 'of the amounts; empty: the kind has none',
    lines     UInt64                 COMMENT 'lines of the kind, whatever their currency; of missing, bids of ours',
    reported  Decimal(38, 9)         COMMENT 'what the exchange asks for them',
    booked    Decimal(38, 9)         COMMENT 'what was booked before',
    changed   Decimal(38, 9)         COMMENT 'what was booked, or would have been, because of them'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(at)
ORDER BY (exchange, reference, run, kind, currency)
COMMENT 'What readings of exchanges'' reports came to. Written by grosz reconcile.';

CREATE OR REPLACE VIEW grosz.invoices
(
    exchange   LowCardinality(String) COMMENT 'exchange',
    reference  String                 COMMENT 'name of the report; its newest reading counts',
    read_at    DateTime64(3, 'UTC')   COMMENT 'when it was read',
    from_time  DateTime64(3, 'UTC')   COMMENT 'first of the bids that it should have',
    to_time    DateTime64(3, 'UTC')   COMMENT 'behind the last of them',
    dry_run    Bool                   COMMENT 'nothing was booked',
    currency   LowCardinality(String) COMMENT 'currency',
    invoiced   Decimal(38, 9)         COMMENT 'what the exchange asks for',
    booked     Decimal(38, 9)         COMMENT 'what was booked before, of the bids in the report',
    not_billed Decimal(38, 9)         COMMENT 'booked, and not in the report',
    changed    Decimal(38, 9)         COMMENT 'what was booked because of the report',
    difference Decimal(38, 9)         COMMENT 'invoiced - booked - changed: what is still between us'
)
AS SELECT r.exchange AS exchange, r.reference AS reference, max(r.at) AS read_at, max(r.from_time) AS from_time, max(r.to_time) AS to_time, max(r.dry_run) AS dry_run, r.currency AS currency,
    sum(r.reported) AS invoiced, sumIf(r.booked, r.kind != 'missing') AS booked, sumIf(r.booked, r.kind = 'missing') AS not_billed,
    if(dry_run, toDecimal128(0, 9), sum(r.changed)) AS changed, invoiced - booked - changed AS difference
FROM grosz.reconciliations AS r FINAL
WHERE r.currency != '' AND (r.exchange, r.reference, r.at) IN (SELECT exchange, reference, max(at) FROM grosz.reconciliations GROUP BY exchange, reference)
GROUP BY r.exchange, r.reference, r.currency
COMMENT 'Exchanges'' invoices against our books.';

CREATE OR REPLACE VIEW grosz.dropped
(
{{dropped_columns}}
)
AS SELECT b.day AS day, b.shop AS shop, b.campaign AS campaign, sum(b.bids) AS recorded, sum(b.dropped) AS dropped, recorded + dropped AS bids
FROM grosz.daily AS b
GROUP BY b.day, b.shop, b.campaign
HAVING recorded + dropped > 0
COMMENT 'Bids made, recorded and dropped.';
