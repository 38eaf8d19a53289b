package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// IdempotencyTTL is how long an answer is remembered.
const IdempotencyTTL = 24 * time.Hour

// Answer is what an earlier request with the same idempotency key got.
type Answer struct {
	// Request is the hash of that request's body.
	Request []byte
	// Body is the answer, encrypted by the caller of SaveAnswer.
	Body []byte
}

// Answer looks up what was answered under scope within IdempotencyTTL;
// ErrNotFound if nothing.
func (t *Tx) Answer(ctx context.Context, scope []byte) (Answer, error) {
	var a Answer
	err := t.q.QueryRowContext(ctx, "SELECT request, answer FROM idempotency WHERE scope = ? AND created > ?",
		scope, t.now-IdempotencyTTL.Milliseconds()).Scan(&a.Request, &a.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return Answer{}, fmt.Errorf("answer: %w", ErrNotFound)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("look up an idempotency key: %w", err)
	}
	return a, nil
}

// SaveAnswer remembers an answer in the transaction that it is about. The
// oldest go when there are too many.
func (t *Tx) SaveAnswer(ctx context.Context, scope []byte, a Answer) error {
	if err := t.exec(ctx, "INSERT OR REPLACE INTO idempotency (scope, request, answer, created) VALUES (?, ?, ?, ?)", scope, a.Request, a.Body, t.now); err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	err := t.exec(ctx, `DELETE FROM idempotency WHERE created <= ? OR created < (
		SELECT created FROM idempotency ORDER BY created DESC LIMIT 1 OFFSET ?)`, t.now-IdempotencyTTL.Milliseconds(), t.cfg.MaxIdempotency)
	if err != nil {
		return fmt.Errorf("forget old answers: %w", err)
	}
	return nil
}
