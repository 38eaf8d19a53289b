-- Signed-in browsers. Neither the cookie nor the key is here: id is the
-- cookie's hash, and key is sealed with what only the cookie holds.
CREATE TABLE sessions (
    id      BLOB PRIMARY KEY,
    owner   TEXT    NOT NULL,
    key     BLOB    NOT NULL,
    created INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_owner ON sessions (owner, used);
CREATE INDEX sessions_used ON sessions (used);

-- Where a shop wants to be told of what happens. The secret signs what is
-- sent, so it cannot be a hash.
CREATE TABLE webhooks (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    shop    INTEGER NOT NULL REFERENCES shops (id),
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    secret  TEXT    NOT NULL,
    doc     TEXT    NOT NULL
) STRICT;
CREATE INDEX webhooks_shop ON webhooks (shop, id);

-- What is true now and was told: state holds since when.
CREATE TABLE alert_states (
    shop    INTEGER NOT NULL REFERENCES shops (id),
    subject TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (shop, subject)
) STRICT, WITHOUT ROWID;

-- What must still be sent to a webhook, and the last of what was.
CREATE TABLE deliveries (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    next    INTEGER NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    status  TEXT    NOT NULL,
    note    TEXT    NOT NULL DEFAULT '',
    body    TEXT    NOT NULL
) STRICT;
CREATE INDEX deliveries_due ON deliveries (status, next);
CREATE INDEX deliveries_webhook ON deliveries (webhook, id);
