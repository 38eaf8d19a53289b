-- A fee of so much a thousand impressions, which a report's correction of the
-- media cost does not change.
ALTER TABLE grosz.events ADD COLUMN IF NOT EXISTS fee_cpm Decimal(18, 6) COMMENT 'the fee of a thousand impressions in shop_currency, where it is no share of the media cost; 0: a share' CODEC(ZSTD(1)) AFTER shop_fee;
ALTER TABLE grosz.shops ADD COLUMN IF NOT EXISTS fee_cpm Decimal(18, 6) COMMENT 'platform''s price of a thousand impressions in place of a share, in the shop''s currency; 0: a share' AFTER fee_bps;
