-- key is the name as names are compared; it is free again after a deletion.
CREATE TABLE segments (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    shop     INTEGER NOT NULL REFERENCES shops (id),
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    deleted  INTEGER NOT NULL DEFAULT 0,
    key      TEXT    NOT NULL,
    members  INTEGER NOT NULL DEFAULT 0,
    imported INTEGER NOT NULL DEFAULT 0,
    doc      TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_key ON segments (shop, key) WHERE deleted = 0;
CREATE INDEX segments_shop ON segments (shop, id) WHERE deleted = 0;

-- Members of imported segments. One row is one message of grosz.campaigns; an
-- empty one is a tombstone.
CREATE TABLE audience_buckets (
    segment INTEGER NOT NULL REFERENCES segments (id),
    bucket  INTEGER NOT NULL,
    shop    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    members BLOB    NOT NULL,
    PRIMARY KEY (segment, bucket)
) STRICT, WITHOUT ROWID;
