package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/grosz/grosz/internal/money"
)

// Deposit is money that a shop paid in; a negative amount was paid back.
type Deposit struct {
	Shop uint32
	// Seq numbers a shop's deposits from 1, without gaps.
	Seq       int64
	CreatedMS int64
	Amount    money.Nano
	Currency  string
	Reference string // such as the bank's
	Actor     string
}

const depositColumns = "shop, seq, created, amount, currency, reference, actor"

func scanDeposit(row interface{ Scan(...any) error }) (Deposit, error) {
	var d Deposit
	var amount int64
	err := row.Scan(&d.Shop, &d.Seq, &d.CreatedMS, &amount, &d.Currency, &d.Reference, &d.Actor)
	d.Amount = money.Nano(amount)
	return d, err
}

// AddDeposit books a deposit; its number and time are given here. The caller
// also records it for the log, in the same transaction.
func (t *Tx) AddDeposit(ctx context.Context, d Deposit) (Deposit, error) {
	if err := t.q.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) + 1 FROM deposits WHERE shop = ?", d.Shop).Scan(&d.Seq); err != nil {
		return Deposit{}, fmt.Errorf("number a deposit: %w", err)
	}
	d.CreatedMS, d.Actor = t.now, t.actor.Name
	err := t.exec(ctx, "INSERT INTO deposits ("+depositColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
		d.Shop, d.Seq, d.CreatedMS, int64(d.Amount), d.Currency, d.Reference, d.Actor)
	if err != nil {
		return Deposit{}, fmt.Errorf("insert deposit: %w", err)
	}
	subject := "deposit/" + strconv.FormatInt(d.Seq, 10)
	return d, t.audit(ctx, change{shop: d.Shop, action: "create", subject: subject, version: d.Seq, after: d})
}

// Deposits lists a shop's deposits below a number (0: from the newest), newest
// first.
func (r Reader) Deposits(ctx context.Context, shop uint32, before int64, limit int) ([]Deposit, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+depositColumns+" FROM deposits WHERE shop = ? AND (? = 0 OR seq < ?) ORDER BY seq DESC LIMIT ?",
		shop, before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list deposits: %w", err)
	}
	return collect(rows, scanDeposit)
}

// Deposited is the number of the shop's last deposit, and their sum.
func (r Reader) Deposited(ctx context.Context, shop uint32) (seq int64, sum money.Nano, err error) {
	var n int64
	err = r.q.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0), coalesce(sum(amount), 0) FROM deposits WHERE shop = ?", shop).Scan(&seq, &n)
	if err != nil {
		return 0, 0, fmt.Errorf("sum the deposits of shop %d: %w", shop, err)
	}
	return seq, money.Nano(n), nil
}

// RecordEvent puts a line of grosz.events into the outbox, in the order of the
// changes.
func (t *Tx) RecordEvent(ctx context.Context, shop uint32, line []byte) error {
	if err := t.exec(ctx, "INSERT INTO account_records (shop, line) VALUES (?, ?)", shop, line); err != nil {
		return fmt.Errorf("record for the log: %w", err)
	}
	return nil
}

// AccountRecord is a line on its way to Kafka.
type AccountRecord struct {
	ID   int64
	Shop uint32
	Line []byte
}

// AccountRecords returns the oldest lines that Kafka has not taken yet.
func (s *Store) AccountRecords(ctx context.Context, limit int) ([]AccountRecord, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, shop, line FROM account_records ORDER BY id LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("read account records: %w", err)
	}
	return collect(rows, func(row interface{ Scan(...any) error }) (AccountRecord, error) {
		var r AccountRecord
		err := row.Scan(&r.ID, &r.Shop, &r.Line)
		return r, err
	})
}

// AccountRecordsSent takes the lines up to an id out of the outbox.
func (s *Store) AccountRecordsSent(ctx context.Context, upTo int64) error {
	return s.Write(ctx, Actor{Name: "publisher"}, func(t *Tx) error {
		if err := t.exec(ctx, "DELETE FROM account_records WHERE id <= ?", upTo); err != nil {
			return fmt.Errorf("clear account records: %w", err)
		}
		return nil
	})
}

// AccountRecordsPending is how many lines Kafka has not taken yet.
func (s *Store) AccountRecordsPending(ctx context.Context) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM account_records").Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("count account records: %w", err)
	}
	return n, nil
}

// Recorded carries a token whenever account records may be waiting.
func (s *Store) Recorded() <-chan struct{} { return s.recorded }
