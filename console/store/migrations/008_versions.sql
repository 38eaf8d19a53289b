-- Which change of a feed's source this is: two people may change it at once.
ALTER TABLE feed_sources ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
