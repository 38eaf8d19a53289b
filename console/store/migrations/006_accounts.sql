-- What shops paid in (or were paid back), numbered by shop from 1.
CREATE TABLE deposits (
    shop      INTEGER NOT NULL REFERENCES shops (id),
    seq       INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    amount    INTEGER NOT NULL, -- nano-units of the shop's currency
    currency  TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    PRIMARY KEY (shop, seq)
) STRICT, WITHOUT ROWID;

-- Records of accounts on their way to Kafka, in order: lines of grosz.events.
CREATE TABLE account_records (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    shop INTEGER NOT NULL,
    line BLOB    NOT NULL
) STRICT;
