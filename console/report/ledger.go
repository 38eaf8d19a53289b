package report

import (
	"context"
	"fmt"

	"github.com/grosz/grosz/internal/money"
)

// StatementRow is a shop's month in the ledger. Amounts are decimal strings
// in Currency.
type StatementRow struct {
	Currency    string `json:"currency" ch:"currency" doc:"The shop's currency"`
	Opening     string `json:"opening_balance" ch:"opening_balance" doc:"Balance before the month"`
	Deposits    string `json:"deposits" ch:"deposits" doc:"Paid in, less what was paid back"`
	Media       string `json:"media_cost" ch:"media_cost" doc:"Impressions and clicks that were billed, corrections included, without the fee"`
	Fee         string `json:"fee" ch:"fee" doc:"The platform's fee"`
	Billed      string `json:"billed" ch:"billed" doc:"Media cost and fee"`
	Closing     string `json:"closing_balance" ch:"closing_balance" doc:"Opening balance, and deposits, less what was billed"`
	House       string `json:"house" ch:"house" doc:"Impressions and clicks beyond the budgets or the balance: not billed"`
	Wins        uint64 `json:"wins" ch:"wins" doc:"Impressions that were settled"`
	HouseWins   uint64 `json:"house_wins" ch:"house_wins" doc:"Of them those that the house paid"`
	Clicks      uint64 `json:"clicks" ch:"clicks" doc:"Clicks that were billed, of campaigns that are billed by them"`
	ClickCost   string `json:"click_cost" ch:"click_cost" doc:"Part of media_cost that clicks were billed"`
	HouseClicks uint64 `json:"house_clicks" ch:"house_clicks" doc:"Clicks that did not fit the budgets or the balance: not billed"`
}

const statement = `SELECT toString(s.currency) AS currency, toString(s.opening_balance) AS opening_balance, toString(s.deposits) AS deposits,
	toString(s.media_cost) AS media_cost, toString(s.fee) AS fee, toString(s.billed) AS billed, toString(s.closing_balance) AS closing_balance,
	toString(s.house) AS house, s.wins AS wins, s.house_wins AS house_wins, s.clicks AS clicks, toString(s.click_cost) AS click_cost, s.house_clicks AS house_clicks
FROM grosz.statement AS s
WHERE s.shop = ? AND s.month = toDate(?)
ORDER BY currency`

// Statement returns a shop's month, YYYY-MM; no rows where nothing was booked
// in it.
func (r *Reader) Statement(ctx context.Context, shop uint32, month string) ([]StatementRow, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	conn, err := r.connect()
	if err != nil {
		return nil, err
	}
	rows := []StatementRow{}
	if err := conn.Select(ctx, &rows, statement, shop, month+"-01"); err != nil {
		return nil, fmt.Errorf("ask for the statement of shop %d: %w", shop, err)
	}
	return rows, nil
}

// Balance is what the ledger has of a shop by now, in its currency.
type Balance struct{ Billed, Balance, House money.Nano }

const balance = `SELECT toString(sumIf(b.balance, b.account = 'balance')) AS balance,
	toString(sumIf(-b.balance, b.account = 'house')) AS house, toString(sumIf(-b.balance, b.account = 'bank')) AS deposited
FROM grosz.account_balances AS b
WHERE b.shop = ?`

// Balance asks for a shop's balance.
func (r *Reader) Balance(ctx context.Context, shop uint32) (Balance, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	conn, err := r.connect()
	if err != nil {
		return Balance{}, err
	}
	var texts [3]string
	if err := conn.QueryRow(ctx, balance, shop).Scan(&texts[0], &texts[1], &texts[2]); err != nil {
		return Balance{}, fmt.Errorf("ask for the balance of shop %d: %w", shop, err)
	}
	var n [3]money.Nano
	for i, s := range texts {
		if n[i], err = money.ParseNano(s); err != nil {
			return Balance{}, fmt.Errorf("balance of shop %d: %w", shop, err)
		}
	}
	return Balance{Billed: n[2] - n[0], Balance: n[0], House: n[1]}, nil
}
