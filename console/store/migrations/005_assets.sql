-- Uploaded files of ads, by the SHA-256 of their bytes. A deleted one keeps
-- its row and its file for a while: ads that show it are still out.
CREATE TABLE assets (
    shop    INTEGER NOT NULL REFERENCES shops (id),
    id      TEXT    NOT NULL,
    created INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    bytes   INTEGER NOT NULL,
    doc     TEXT    NOT NULL,
    PRIMARY KEY (shop, id)
) STRICT, WITHOUT ROWID;

-- What exchanges have said of creatives, by crid. What is not here is pending.
CREATE TABLE approvals (
    shop     INTEGER NOT NULL REFERENCES shops (id),
    exchange TEXT    NOT NULL,
    crid     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    updated  INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    PRIMARY KEY (shop, exchange, crid)
) STRICT, WITHOUT ROWID;

-- The version of what bidders get of a shop's approvals: approvals/SHOP.
CREATE TABLE approval_docs (
    shop    INTEGER PRIMARY KEY REFERENCES shops (id),
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
