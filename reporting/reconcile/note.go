package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/grosz/grosz/internal/money"
)

// Reading says which report a Summary is of.
type Reading struct {
	Exchange, Reference string
	AtMS                int64
	DryRun              bool
}

// Note keeps what a reading of a report came to in grosz.reconciliations, a
// row for each kind and currency, where grosz.invoices finds it.
func (b *Books) Note(ctx context.Context, s *Summary, of Reading) error {
	batch, err := b.Conn.PrepareBatch(ctx, `INSERT INTO grosz.reconciliations (run, at, exchange, reference, from_time, to_time, dry_run, kind, currency, lines, reported, booked, changed)`)
	if err != nil {
		return fmt.Errorf("note what the report came to: %w", err)
	}
	defer func() { _ = batch.Abort() }()
	var run uuid.UUID
	_, _ = rand.Read(run[:]) // never fails, by its contract
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	for _, kind := range Kinds() {
		t := s.Kinds[kind]
		if t == nil {
			continue
		}
		for _, cur := range t.currencies() {
			amount := func(m map[money.Currency]money.Nano) decimal.Decimal { return decimal.New(int64(m[cur]), -9) }
			err := batch.Append(run, at(of.AtMS), of.Exchange, of.Reference, at(s.FromMS), at(s.ToMS), of.DryRun, string(kind), cur.String(),
				uint64(t.Count), amount(t.Reported), amount(t.Booked), amount(t.Change))
			if err != nil {
				return fmt.Errorf("note what the report came to: %w", err)
			}
		}
	}
	if batch.Rows() == 0 {
		return nil
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("note what the report came to: %w", err)
	}
	return nil
}

// currencies are all that a kind has amounts in; the empty one where it has none.
func (t *Total) currencies() []money.Currency {
	all := make(map[money.Currency]bool)
	for _, m := range []map[money.Currency]money.Nano{t.Reported, t.Booked, t.Change} {
		for cur := range m {
			all[cur] = true
		}
	}
	if len(all) == 0 {
		all[money.Currency{}] = true
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b money.Currency) int { return slices.Compare(a[:], b[:]) })
}
