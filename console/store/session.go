package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Bounds of the sessions that are kept, of one key and of all.
const (
	maxSessionsOfOwner = 20
	maxSessions        = 100_000
)

// Session is a signed-in browser.
type Session struct {
	// ID is the hash of the browser's cookie.
	ID []byte
	// Owner is "admin" or the id of the key that signed in.
	Owner string
	// Key is that key, sealed with what only the cookie holds.
	Key []byte
	// CreatedMS and UsedMS, ms UTC.
	CreatedMS, UsedMS int64
}

// Session returns a session by its id; ErrNotFound if there is none.
func (r Reader) Session(ctx context.Context, id []byte) (Session, error) {
	s := Session{ID: id}
	err := r.q.QueryRowContext(ctx, "SELECT owner, key, created, used FROM sessions WHERE id = ?", id).Scan(&s.Owner, &s.Key, &s.CreatedMS, &s.UsedMS)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, fmt.Errorf("session: %w", ErrNotFound)
	}
	if err != nil {
		return Session{}, fmt.Errorf("read a session: %w", err)
	}
	return s, nil
}

// CreateSession keeps a session and drops those that were last used before
// idleMS, and the oldest beyond the bounds.
func (t *Tx) CreateSession(ctx context.Context, s Session, idleMS int64) error {
	err := t.exec(ctx, "INSERT INTO sessions (id, owner, key, created, used) VALUES (?, ?, ?, ?, ?)", s.ID, s.Owner, s.Key, t.now, t.now)
	if err != nil {
		return fmt.Errorf("keep a session: %w", err)
	}
	for _, prune := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM sessions WHERE used < ?", []any{idleMS}},
		{"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE owner = ? ORDER BY used DESC, id LIMIT -1 OFFSET ?)", []any{s.Owner, maxSessionsOfOwner}},
		{"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY used DESC, id LIMIT -1 OFFSET ?)", []any{maxSessions}},
	} {
		if err := t.exec(ctx, prune.query, prune.args...); err != nil {
			return fmt.Errorf("drop old sessions: %w", err)
		}
	}
	return nil
}

// UseSession notes that a session was used now.
func (t *Tx) UseSession(ctx context.Context, id []byte) error {
	if err := t.exec(ctx, "UPDATE sessions SET used = ? WHERE id = ?", t.now, id); err != nil {
		return fmt.Errorf("note the use of a session: %w", err)
	}
	return nil
}

// EndSession forgets a session.
func (t *Tx) EndSession(ctx context.Context, id []byte) error {
	if err := t.exec(ctx, "DELETE FROM sessions WHERE id = ?", id); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}
