package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// Change is an entry of the audit log.
type Change struct {
	ID      int64
	AtMS    int64
	Actor   string
	Remote  string
	Action  string
	Subject string
	Version int64
	// Before and After are the document as JSON; empty where there was none.
	Before, After string
}

type change struct {
	shop          uint32
	action        string
	subject       string
	version       int64
	before, after any
}

// pruneEvery is how many changes pass between two prunings of the audit log,
// which therefore may exceed its bound by so much.
const pruneEvery = 64

// audit records a change in the transaction that makes it.
func (t *Tx) audit(ctx context.Context, c change) error {
	before, err := auditJSON(c.before)
	if err != nil {
		return err
	}
	after, err := auditJSON(c.after)
	if err != nil {
		return err
	}
	res, err := t.tx.ExecContext(ctx, "INSERT INTO changes (shop, at, actor, remote, action, subject, version, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		c.shop, t.now, t.actor.Name, t.actor.Remote, c.action, c.subject, c.version, before, after)
	if err != nil {
		return fmt.Errorf("record a change: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil || id%pruneEvery != 0 {
		return err
	}
	err = t.exec(ctx, `DELETE FROM changes WHERE shop = ? AND id <= (
		SELECT id FROM changes WHERE shop = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, c.shop, c.shop, t.cfg.MaxChanges)
	if err != nil {
		return fmt.Errorf("prune the changes of shop %d: %w", c.shop, err)
	}
	return nil
}

func auditJSON(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("record a change: %w", err)
	}
	return string(b), nil
}

// Changes returns up to limit changes of a shop with ids below before, the
// newest first; before 0 means from the newest.
func (r Reader) Changes(ctx context.Context, shop uint32, subject string, before int64, limit int) ([]Change, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT id, at, actor, remote, action, subject, version, before, after FROM changes
		WHERE shop = ? AND (? = '' OR subject = ?) AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?`, shop, subject, subject, before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list the changes of shop %d: %w", shop, err)
	}
	return collect(rows, func(row interface{ Scan(...any) error }) (Change, error) {
		var c Change
		err := row.Scan(&c.ID, &c.AtMS, &c.Actor, &c.Remote, &c.Action, &c.Subject, &c.Version, &c.Before, &c.After)
		return c, err
	})
}
