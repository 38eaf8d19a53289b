package report

import (
	"context"
	"fmt"
)

// LiftBuyers is how many people of a group bought alike: so many orders for so
// much money.
type LiftBuyers struct {
	Held     bool    `ch:"held"`
	WouldWin bool    `ch:"would_win"`
	Orders   uint64  `ch:"orders"`
	Revenue  float64 `ch:"revenue"`
	People   uint64  `ch:"people"`
}

// MaxLiftRows bounds the buyers of an answer.
const MaxLiftRows = 500_000

const liftSQL = `SELECT held, would_win, orders, toFloat64(revenue) AS revenue, count() AS people
FROM grosz.lift_people WHERE shop = {shop:UInt32} AND campaign = {campaign:UInt32}
GROUP BY held, would_win, orders, revenue LIMIT {most:UInt32}`

// Lift returns the people of a campaign with a holdout, alike ones together.
func (r *Reader) Lift(ctx context.Context, shop, campaign uint32) ([]LiftBuyers, error) {
	rows := []LiftBuyers{}
	if err := r.ask(ctx, &rows, liftSQL, map[string]any{"shop": shop, "campaign": campaign, "most": MaxLiftRows + 1}); err != nil {
		return nil, fmt.Errorf("ask for the lift of campaign %d: %w", campaign, err)
	}
	if len(rows) > MaxLiftRows {
		return nil, ErrTooMuch
	}
	return rows, nil
}
