-- What a list holds as it was uploaded, evened out and sorted: the gzip of a
-- line each, and its SHA-256, hex. Lists from before have neither.
ALTER TABLE lists ADD COLUMN sum TEXT NOT NULL DEFAULT '';
ALTER TABLE lists ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;

CREATE TABLE list_texts (
    list INTEGER PRIMARY KEY REFERENCES lists (id) ON DELETE CASCADE,
    doc  BLOB NOT NULL
) STRICT;
