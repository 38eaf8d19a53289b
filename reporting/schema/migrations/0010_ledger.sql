-- The ledger: double entries, folded from grosz.events by the ledger role. An
-- entry has one id however often it is written, so that a replay doubles none.

CREATE TABLE IF NOT EXISTS grosz.ledger
(
    event_id        UUID                     COMMENT 'the event that moved the money' CODEC(NONE),
    leg             UInt8                    COMMENT 'the entries of one event are numbered from 0',
    kind            LowCardinality(String)   COMMENT 'settlement, adjustment or deposit',
    time            DateTime64(3, 'UTC')     COMMENT 'when the event happened' CODEC(ZSTD(1)),
    day             Date                     COMMENT 'date of time in the shop''s time zone: the month of the statement is of it' CODEC(ZSTD(1)),
    bid_day         Date                     COMMENT 'the shop''s day of the bid, whose budget paid; 1970-01-01 for a deposit' CODEC(ZSTD(1)),
    bid_id          UUID                     COMMENT 'the bid; zeros for a deposit' CODEC(NONE),
    shop_id         UInt32                   COMMENT 'shop' CODEC(ZSTD(1)),
    campaign_id     UInt32                   COMMENT 'campaign; 0 for a deposit' CODEC(ZSTD(1)),
    exchange        LowCardinality(String)   COMMENT 'exchange; empty for a deposit',
    from_account    LowCardinality(String)   COMMENT 'bank, balance, media, unread, fee, house, dispute or exchanged',
    to_account      LowCardinality(String)   COMMENT 'likewise',
    amount          Decimal(38, 9)           COMMENT 'what moved, in currency; negative: taken back' CODEC(ZSTD(1)),
    currency        LowCardinality(String)   COMMENT 'of amount',
    late            Bool                     COMMENT 'the notice came after the hold had been let go' CODEC(ZSTD(1)),
    reference       String                   COMMENT 'of a deposit the bank''s, of an adjustment the exchange''s' CODEC(ZSTD(1)),
    kafka_partition UInt32                   COMMENT 'where the event stands in the log' CODEC(ZSTD(1)),
    kafka_offset    UInt64                   COMMENT 'where the event stands in the log' CODEC(ZSTD(1)),
    seq             UInt32                   COMMENT 'line inside the message, from 0' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(day)
ORDER BY (shop_id, day, event_id, leg)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Double entries: an amount leaves one account and enters another. Read with FINAL.';

CREATE OR REPLACE VIEW grosz.account_balances
(
    shop     UInt32                 COMMENT 'shop',
    account  LowCardinality(String) COMMENT 'balance: what the shop has; bank: below zero, what came from outside; media: owed to the exchange; unread: booked at the bid, for the price could not be read (what a report corrects of it is under media); fee: the platform''s; house: below zero, what the platform paid for wins beyond a budget; dispute: below zero, what an exchange asks above the bid; exchanged: between two currencies',
    exchange LowCardinality(String) COMMENT 'exchange; empty where the account is of none',
    currency LowCardinality(String) COMMENT 'currency',
    balance  Decimal(38, 9)         COMMENT 'what entered less what left; all accounts of a currency sum to 0',
    entries  UInt64                 COMMENT 'entries that touched it'
)
AS SELECT shop_id AS shop, account,
    if(account IN ('balance', 'bank', 'fee', 'house'), '', exchange_of) AS exchange,
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
    media_cost      Decimal(38, 9)         COMMENT 'media cost that was billed, corrections included',
    fee             Decimal(38, 9)         COMMENT 'the platform''s fee',
    billed          Decimal(38, 9)         COMMENT 'media_cost + fee',
    closing_balance Decimal(38, 9)         COMMENT 'opening_balance + deposits - billed',
    house           Decimal(38, 9)         COMMENT 'media cost beyond the shop''s budgets or its balance: the platform''s, not billed',
    wins            UInt64                 COMMENT 'settlements',
    house_wins      UInt64                 COMMENT 'of them those that the house paid'
)
AS SELECT shop, month, currency,
    sum(deposits - media_cost - fee) OVER (PARTITION BY shop, currency ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - (deposits - media_cost - fee) AS opening_balance,
    deposits, media_cost, fee, media_cost + fee AS billed,
    opening_balance + deposits - billed AS closing_balance,
    house, wins, house_wins
FROM
(
    SELECT l.shop_id AS shop, toStartOfMonth(l.day) AS month, l.currency AS currency,
        sumIf(l.amount, l.from_account = 'bank') AS deposits,
        sumIf(l.amount, l.from_account = 'balance' AND l.to_account != 'fee') AS media_cost,
        sumIf(l.amount, l.from_account = 'balance' AND l.to_account = 'fee') AS fee,
        sumIf(l.amount, l.from_account = 'house') AS house,
        uniqExactIf(l.event_id, l.kind = 'settlement') AS wins,
        uniqExactIf(l.event_id, l.kind = 'settlement' AND l.from_account = 'house') AS house_wins
    FROM grosz.ledger AS l FINAL
    WHERE l.from_account IN ('bank', 'balance', 'house')
    GROUP BY shop, month, currency
) AS months
COMMENT 'A shop''s months: what was paid in, what was billed, what the house paid, and the balance.';

CREATE OR REPLACE VIEW grosz.statement_exchanges
(
    shop       UInt32                 COMMENT 'shop',
    month      Date                   COMMENT 'first day of the month, in the shop''s time zone',
    exchange   LowCardinality(String) COMMENT 'exchange',
    currency   LowCardinality(String) COMMENT 'the exchange''s currency',
    owed       Decimal(38, 9)         COMMENT 'media cost that the exchange is owed, whoever pays it; disputed not included',
    unread     Decimal(38, 9)         COMMENT 'part of it that was booked at the bid, for its price could not be read; corrections are under media',
    disputed   Decimal(38, 9)         COMMENT 'asked above the bids, and contested'
)
AS SELECT l.shop_id AS shop, toStartOfMonth(l.day) AS month, l.exchange AS exchange, l.currency AS currency,
    sumIf(l.amount, l.to_account IN ('media', 'unread') AND l.from_account NOT IN ('dispute', 'unread')) AS owed,
    sumIf(l.amount, l.to_account = 'unread') - sumIf(l.amount, l.from_account = 'unread') AS unread,
    sumIf(l.amount, l.from_account = 'dispute') AS disputed
FROM grosz.ledger AS l FINAL
WHERE l.to_account IN ('media', 'unread')
GROUP BY shop, month, exchange, currency
COMMENT 'What each exchange is owed of a shop''s month, in the exchange''s currency.';

CREATE OR REPLACE VIEW grosz.beyond_budget
(
    day      Date                   COMMENT 'date of the settlement in the shop''s time zone',
    bid_day  Date                   COMMENT 'the shop''s day of the bid, whose budget did not have as much left',
    shop     UInt32                 COMMENT 'shop',
    campaign UInt32                 COMMENT 'campaign',
    exchange LowCardinality(String) COMMENT 'exchange',
    currency LowCardinality(String) COMMENT 'the shop''s currency',
    wins     UInt64                 COMMENT 'settlements that did not fit',
    late     UInt64                 COMMENT 'of them those whose notice came after the hold had been let go',
    amount   Decimal(38, 9)         COMMENT 'their media cost: the house''s'
)
AS SELECT l.day AS day, l.bid_day AS bid_day, l.shop_id AS shop, l.campaign_id AS campaign, l.exchange AS exchange, l.currency AS currency,
    uniqExactIf(l.event_id, l.kind = 'settlement') AS wins, uniqExactIf(l.event_id, l.kind = 'settlement' AND l.late) AS late, sum(l.amount) AS amount
FROM grosz.ledger AS l FINAL
WHERE l.from_account = 'house'
GROUP BY day, bid_day, shop, campaign, exchange, currency
COMMENT 'Wins that did not fit a budget or a balance: the shop is not billed for them.';
