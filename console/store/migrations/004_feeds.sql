-- Where a shop's feed is fetched from, and how that went last.
CREATE TABLE feed_sources (
    shop     INTEGER PRIMARY KEY REFERENCES shops (id),
    url      TEXT    NOT NULL,
    format   TEXT    NOT NULL,
    minutes  INTEGER NOT NULL,
    etag     TEXT    NOT NULL DEFAULT '',
    modified TEXT    NOT NULL DEFAULT '',
    checked  INTEGER NOT NULL DEFAULT 0,
    due      INTEGER NOT NULL DEFAULT 0,
    problem  TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- When a feed was last known to be as the shop has it: uploaded, or fetched
-- and found unchanged. Sent to the bidders as feed/SHOP.
CREATE TABLE feed_states (
    shop    INTEGER PRIMARY KEY REFERENCES shops (id),
    version INTEGER NOT NULL,
    checked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Prices of the last 60 days by product, in parts by the hash of its id.
CREATE TABLE feed_prices (
    shop INTEGER NOT NULL REFERENCES shops (id),
    part INTEGER NOT NULL,
    data BLOB    NOT NULL,
    PRIMARY KEY (shop, part)
) STRICT, WITHOUT ROWID;
