-- Campaigns that are billed by clicks: the platform pays for the impressions,
-- the shop for the first valid click of each.

ALTER TABLE grosz.events ADD COLUMN IF NOT EXISTS click_price Decimal(38, 9) COMMENT 'what a click of the bid is billed at, in shop_currency, fee not included; then its impression costs the shop nothing. 0: impressions are billed' CODEC(ZSTD(1)) AFTER fee_cpm;
ALTER TABLE grosz.bids ADD COLUMN IF NOT EXISTS click_price Decimal(38, 9) COMMENT 'what a click of the bid is billed at, in shop_currency, fee not included; 0: impressions are billed' CODEC(ZSTD(1)) AFTER rate;

CREATE OR REPLACE VIEW grosz.adjustments
(
    day           Date                   COMMENT 'date on which it was booked, in the shop''s time zone',
    time          DateTime64(3, 'UTC')   COMMENT 'when it was booked',
    bid_time      DateTime64(3, 'UTC')   COMMENT 'when the bid was made',
    bid           UUID                   COMMENT 'the bid whose settlement it corrects',
    shop          UInt32                 COMMENT 'shop',
    campaign      UInt32                 COMMENT 'campaign',
    creative      UInt32                 COMMENT 'creative',
    exchange      LowCardinality(String) COMMENT 'exchange',
    media         LowCardinality(String) COMMENT 'banner, video, native or audio',
    kind          LowCardinality(String) COMMENT 'report: the exchange''s report of what it bills; clawback: its credit for invalid traffic; click: the bill of a click',
    reason        LowCardinality(String) COMMENT 'why; of a clawback with the exchange''s words',
    reference     String                 COMMENT 'the exchange''s reference, or the name of its report',
    price         Decimal(18, 6)         COMMENT 'CPM as the report has it, in currency; 0 for a clawback and a click',
    currency      LowCardinality(String) COMMENT 'the exchange''s currency',
    amount        Decimal(38, 9)         COMMENT 'change of the media cost, in currency',
    shop_currency LowCardinality(String) COMMENT 'the shop''s currency',
    shop_amount   Decimal(38, 9)         COMMENT 'change of the media cost, in shop_currency; of a click its price',
    shop_fee      Decimal(38, 9)         COMMENT 'change of the platform''s fee, in shop_currency',
    node          LowCardinality(String) COMMENT 'who booked it'
)
AS SELECT e.day AS day, e.time AS time, e.bid_time AS bid_time, e.bid_id AS bid, e.shop_id AS shop, e.campaign_id AS campaign, e.creative_id AS creative,
    e.exchange AS exchange, e.media AS media, multiIf(startsWith(e.reason, 'clawback'), 'clawback', e.reason = 'click', 'click', 'report') AS kind, e.reason AS reason, e.raw AS reference,
    e.price AS price, e.currency AS currency, e.amount AS amount, e.shop_currency AS shop_currency, e.shop_amount AS shop_amount, e.shop_fee AS shop_fee, e.node AS node
FROM grosz.events AS e FINAL
WHERE e.type = 'adjustment' AND NOT e.test
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What exchanges corrected or credited and what clicks were billed, one row each.';

CREATE OR REPLACE VIEW grosz.account_balances
(
    shop     UInt32                 COMMENT 'shop',
    account  LowCardinality(String) COMMENT 'balance: what the shop has; bank: below zero, what came from outside; media: owed to the exchange; unread: booked at the bid, for the price could not be read (what a report corrects of it is under media); fee: the platform''s; house: below zero, what the platform paid for wins beyond a budget, and clicks that did not fit it; dispute: below zero, what an exchange asks above the bid; exchanged: between two currencies; margin: what billed clicks brought, those of the house included, less what their impressions cost',
    exchange LowCardinality(String) COMMENT 'exchange; empty where the account is of none',
    currency LowCardinality(String) COMMENT 'currency',
    balance  Decimal(38, 9)         COMMENT 'what entered less what left; all accounts of a currency sum to 0',
    entries  UInt64                 COMMENT 'entries that touched it'
)
AS SELECT shop_id AS shop, account,
    if(account IN ('balance', 'bank', 'fee', 'house', 'margin'), '', exchange_of) AS exchange,
    currency, sum(moved) AS balance, count() AS entries
FROM
(
    SELECT l.shop_id AS shop_id, toString(l.exchange) AS exchange_of, l.currency AS currency, toString(side.1) AS account, l.amount * side.2 AS moved
    FROM grosz.ledger AS l FINAL
    ARRAY JOIN [(toString(l.from_account), -1), (toString(l.to_account), 1)] AS side
)
GROUP BY shop, account, exchange, currency
COMMENT 'What is on each account by now.';

CREATE OR REPLACE VIEW grosz.statement
(
    shop            UInt32                 COMMENT 'shop',
    month           Date                   COMMENT 'first day of the month, in the shop''s time zone',
    currency        LowCardinality(String) COMMENT 'the shop''s currency',
    opening_balance Decimal(38, 9)         COMMENT 'balance before the month',
    deposits        Decimal(38, 9)         COMMENT 'paid in, less what was paid back',
    media_cost      Decimal(38, 9)         COMMENT 'impressions and clicks that were billed, corrections included, without the fee',
    fee             Decimal(38, 9)         COMMENT 'the platform''s fee',
    billed          Decimal(38, 9)         COMMENT 'media_cost + fee',
    closing_balance Decimal(38, 9)         COMMENT 'opening_balance + deposits - billed',
    house           Decimal(38, 9)         COMMENT 'impressions and clicks beyond the shop''s budgets or its balance: the platform''s, not billed',
    wins            UInt64                 COMMENT 'settlements',
    house_wins      UInt64                 COMMENT 'of them those that the house paid',
    clicks          UInt64                 COMMENT 'clicks that were billed',
    click_cost      Decimal(38, 9)         COMMENT 'part of media_cost that clicks were billed, less what was credited of them',
    house_clicks    UInt64                 COMMENT 'clicks that the house bears'
)
AS SELECT shop, month, currency,
    sum(deposits - media_cost - fee) OVER (PARTITION BY shop, currency ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - (deposits - media_cost - fee) AS opening_balance,
    deposits, media_cost, fee, media_cost + fee AS billed,
    opening_balance + deposits - billed AS closing_balance,
    house, wins, house_wins, clicks, click_cost, house_clicks
FROM
(
    SELECT l.shop_id AS shop, toStartOfMonth(l.day) AS month, l.currency AS currency,
        sumIf(l.amount, l.from_account = 'bank') AS deposits,
        sumIf(l.amount, l.from_account = 'balance' AND l.to_account != 'fee') AS media_cost,
        sumIf(l.amount, l.from_account = 'balance' AND l.to_account = 'fee') AS fee,
        sumIf(l.amount, l.from_account = 'house') AS house,
        uniqExactIf(l.event_id, l.kind = 'settlement') AS wins,
        uniqExactIf(l.event_id, l.kind = 'settlement' AND l.from_account = 'house') AS house_wins,
        uniqExactIf(l.event_id, l.from_account = 'balance' AND l.to_account = 'margin' AND l.amount > 0) AS clicks,
        sumIf(l.amount, l.from_account = 'balance' AND l.to_account = 'margin') AS click_cost,
        uniqExactIf(l.event_id, l.from_account = 'house' AND l.to_account = 'margin' AND l.amount > 0) AS house_clicks
    FROM grosz.ledger AS l FINAL
    WHERE l.from_account IN ('bank', 'balance', 'house', 'margin')
    GROUP BY shop, month, currency
) AS months
COMMENT 'A shop''s months: what was paid in, what was billed, what the house paid, and the balance.';

CREATE OR REPLACE VIEW grosz.beyond_budget
(
    day      Date                   COMMENT 'date of the settlement or click in the shop''s time zone',
    bid_day  Date                   COMMENT 'the shop''s day of the bid, whose budget did not have as much left',
    shop     UInt32                 COMMENT 'shop',
    campaign UInt32                 COMMENT 'campaign',
    exchange LowCardinality(String) COMMENT 'exchange',
    currency LowCardinality(String) COMMENT 'the shop''s currency',
    wins     UInt64                 COMMENT 'settlements that did not fit',
    late     UInt64                 COMMENT 'of them those whose notice came after the hold had been let go',
    amount   Decimal(38, 9)         COMMENT 'their media cost, and the price of clicks: the house''s',
    clicks   UInt64                 COMMENT 'clicks that did not fit, of campaigns that are billed by them'
)
AS SELECT l.day AS day, l.bid_day AS bid_day, l.shop_id AS shop, l.campaign_id AS campaign, l.exchange AS exchange, l.currency AS currency,
    uniqExactIf(l.event_id, l.kind = 'settlement') AS wins, uniqExactIf(l.event_id, l.kind = 'settlement' AND l.late) AS late, sum(l.amount) AS amount,
    uniqExactIf(l.event_id, l.to_account = 'margin' AND l.amount > 0) AS clicks
FROM grosz.ledger AS l FINAL
WHERE l.from_account = 'house'
GROUP BY day, bid_day, shop, campaign, exchange, currency
COMMENT 'Wins and clicks that did not fit a budget or a balance: the shop is not billed for them.';

CREATE OR REPLACE VIEW grosz.cpc_margin
(
    day          Date                   COMMENT 'date of the impression or click in the shop''s time zone',
    shop         UInt32                 COMMENT 'shop',
    campaign     UInt32                 COMMENT 'campaign that is billed by clicks',
    currency     LowCardinality(String) COMMENT 'the shop''s currency, of all amounts',
    impressions  UInt64                 COMMENT 'settlements that the platform paid',
    media_cost   Decimal(38, 9)         COMMENT 'what exchanges are owed for them, corrections included',
    clicks       UInt64                 COMMENT 'clicks that were billed',
    billed       Decimal(38, 9)         COMMENT 'what they were billed, without the fee, less what was credited',
    house_clicks UInt64                 COMMENT 'clicks that did not fit the budget: not billed',
    house        Decimal(38, 9)         COMMENT 'what they would have been billed',
    margin       Decimal(38, 9)         COMMENT 'billed - media_cost: what the platform earned, or lost'
)
AS SELECT l.day AS day, l.shop_id AS shop, l.campaign_id AS campaign, l.currency AS currency,
    uniqExactIf(l.event_id, l.kind = 'settlement') AS impressions,
    sumIf(l.amount, l.from_account = 'margin') AS media_cost,
    uniqExactIf(l.event_id, l.from_account = 'balance' AND l.amount > 0) AS clicks,
    sumIf(l.amount, l.from_account = 'balance') AS billed,
    uniqExactIf(l.event_id, l.from_account = 'house' AND l.amount > 0) AS house_clicks,
    sumIf(l.amount, l.from_account = 'house') AS house,
    billed - media_cost AS margin
FROM grosz.ledger AS l FINAL
WHERE l.from_account = 'margin' OR l.to_account = 'margin'
GROUP BY l.day, l.shop_id, l.campaign_id, l.currency
COMMENT 'Campaigns that are billed by clicks: what they brought the platform and what they cost it, by day.';
