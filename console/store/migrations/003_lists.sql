-- Uploaded lists of domains or bundles. A row of list_parts is one message of
-- grosz.campaigns; those with deleted = 1 are tombstones.
CREATE TABLE lists (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    shop    INTEGER NOT NULL REFERENCES shops (id),
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    parts   INTEGER NOT NULL,
    UNIQUE (shop, name)
) STRICT;

CREATE TABLE list_parts (
    shop    INTEGER NOT NULL,
    list    INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    doc     BLOB    NOT NULL,
    PRIMARY KEY (shop, list, part)
) STRICT, WITHOUT ROWID;
