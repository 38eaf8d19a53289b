package report

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// ErasureRow is one row of grosz.erasures: a wish, or a receipt for one.
type ErasureRow struct {
	ID         string `ch:"id"`
	Type       string `ch:"type"`
	TimeMS     int64  `ch:"ms"`
	Node       string `ch:"node"`
	Shop       uint32 `ch:"shop"`
	OptOut     bool   `ch:"opt_out"`
	Reason     string `ch:"reason"`
	Profiles   uint64 `ch:"profiles"`
	Frequency  uint64 `ch:"frequency"`
	Matches    uint64 `ch:"matches"`
	Events     uint64 `ch:"events"`
	Bids       uint64 `ch:"bids"`
	ShopEvents uint64 `ch:"shop_events"`
}

// MaxErasures bounds the wishes of an answer.
const MaxErasures = 1000

// Erasures returns the newest wishes of a shop (0: those that concern
// everybody), or the one with the id, and their receipts; newest wish first,
// each before its receipts in the order of time.
func (r *Reader) Erasures(ctx context.Context, shop uint32, id string, limit int) ([]ErasureRow, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	if id != "" { // with dashes or without
		u, err := uuid.Parse(id)
		if err != nil {
			return nil, nil // there is none of that name
		}
		id = u.String()
	}
	conn, err := r.connect()
	if err != nil {
		return nil, fmt.Errorf("erasures of shop %d: %w", shop, err)
	}
	const sql = `WITH wishes AS (
		SELECT erase_id, time AS asked FROM grosz.erasures FINAL
		WHERE type = 'erase' AND shop_id = ? AND (? = '' OR erase_id = toUUIDOrZero(?))
		ORDER BY asked DESC, erase_id LIMIT ?)
	SELECT replaceAll(toString(e.erase_id), '-', '') AS id, e.type AS type, toUnixTimestamp64Milli(e.time) AS ms, e.node AS node, e.shop_id AS shop,
		e.opt_out AS opt_out, e.reason AS reason, e.profiles AS profiles, e.frequency AS frequency, e.matches AS matches,
		e.events AS events, e.bids AS bids, e.shop_events AS shop_events
	FROM grosz.erasures AS e FINAL INNER JOIN wishes AS w ON w.erase_id = e.erase_id
	ORDER BY w.asked DESC, e.erase_id, e.type = 'erased', e.time
	LIMIT ?`
	var out []ErasureRow
	if err := conn.Select(ctx, &out, sql, shop, id, id, min(limit, MaxErasures), MaxRows); err != nil {
		return nil, fmt.Errorf("erasures of shop %d: %w", shop, err)
	}
	return out, nil
}
