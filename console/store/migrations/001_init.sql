-- Counters that only grow. "version" orders every change in the database,
-- "creative" numbers creatives.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('version', 0), ('creative', 0);

-- AUTOINCREMENT: an id is never given twice, not even after a deletion.
CREATE TABLE shops (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    salt    TEXT    NOT NULL,
    doc     TEXT    NOT NULL
) STRICT;

CREATE TABLE keys (
    id      TEXT PRIMARY KEY,
    shop    INTEGER NOT NULL REFERENCES shops (id),
    sha256  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    scopes  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_shop ON keys (shop, created);

CREATE TABLE campaigns (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    shop    INTEGER NOT NULL REFERENCES shops (id),
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    status  TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    doc     TEXT    NOT NULL
) STRICT;
CREATE INDEX campaigns_shop ON campaigns (shop, id) WHERE deleted = 0;

CREATE TABLE feeds (
    shop     INTEGER PRIMARY KEY REFERENCES shops (id),
    version  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    buckets  INTEGER NOT NULL,
    products INTEGER NOT NULL,
    report   TEXT    NOT NULL
) STRICT;

-- One row is one message of grosz.campaigns. A row with deleted = 1 is a
-- tombstone of a feed that once had more buckets.
CREATE TABLE feed_buckets (
    shop     INTEGER NOT NULL REFERENCES shops (id),
    bucket   INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    feed     INTEGER NOT NULL,
    buckets  INTEGER NOT NULL,
    products INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    deleted  INTEGER NOT NULL DEFAULT 0,
    items    BLOB    NOT NULL,
    PRIMARY KEY (shop, bucket)
) STRICT, WITHOUT ROWID;

-- What must still reach Kafka. The document is read when it is sent, so a key
-- stands here at most once however long Kafka is away.
CREATE TABLE outbox (
    key     TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_version ON outbox (version);

-- Answers to requests with an Idempotency-Key, encrypted under the caller's
-- own API key: an answer may hold a new key, of which only a hash is kept.
CREATE TABLE idempotency (
    scope   BLOB PRIMARY KEY,
    request BLOB    NOT NULL,
    answer  BLOB    NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);

CREATE TABLE changes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    shop    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    remote  TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    version INTEGER NOT NULL,
    before  TEXT    NOT NULL,
    after   TEXT    NOT NULL
) STRICT;
CREATE INDEX changes_shop ON changes (shop, id);
