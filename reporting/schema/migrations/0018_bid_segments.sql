-- Which of its shop's segments a person was in when the bid was made, so that
-- results can be told by audience.
ALTER TABLE grosz.bids ADD COLUMN IF NOT EXISTS segments Array(UInt32) COMMENT 'segments of the shop that the person was in, by number, at most 32; empty: none, or not known who' CODEC(ZSTD(1)) AFTER win_ppb;
