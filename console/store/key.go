package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// keptRevoked is how many revoked keys of a shop stay listed.
const keptRevoked = 100

// Key is an API key's row. The key itself is nowhere.
type Key struct {
	campaigns.Key
	ShopID uint32
	Name   string
}

const keyColumns = "id, shop, sha256, name, scopes, created, revoked"

func scanKey(row interface{ Scan(...any) error }) (Key, error) {
	var k Key
	var scopes string
	if err := row.Scan(&k.ID, &k.ShopID, &k.SHA256, &k.Name, &scopes, &k.CreatedMS, &k.RevokedMS); err != nil {
		return Key{}, err
	}
	k.Scopes = strings.Fields(scopes)
	return k, nil
}

// Key returns a key by its id, revoked ones too; ErrNotFound if there is none.
func (r Reader) Key(ctx context.Context, id string) (Key, error) {
	k, err := scanKey(r.q.QueryRowContext(ctx, "SELECT "+keyColumns+" FROM keys WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, fmt.Errorf("key: %w", ErrNotFound)
	}
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	return k, nil
}

// Keys lists a shop's keys, oldest first. Their number is bounded.
func (r Reader) Keys(ctx context.Context, shop uint32) ([]Key, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+keyColumns+" FROM keys WHERE shop = ? ORDER BY created, id", shop)
	if err != nil {
		return nil, fmt.Errorf("list the keys of shop %d: %w", shop, err)
	}
	return collect(rows, scanKey)
}

// CreateKey adds a key to a shop and republishes the shop. The caller has
// made id and hash.
func (t *Tx) CreateKey(ctx context.Context, k Key) (Key, error) {
	if _, err := t.Shop(ctx, k.ShopID); err != nil {
		return Key{}, err
	}
	n, err := t.count(ctx, "SELECT count(*) FROM keys WHERE shop = ? AND revoked = 0", k.ShopID)
	if err != nil {
		return Key{}, fmt.Errorf("count keys: %w", err)
	}
	if n >= t.cfg.MaxKeys {
		return Key{}, fmt.Errorf("%d valid keys, revoke one first: %w", n, ErrLimit)
	}
	k.CreatedMS, k.RevokedMS = t.now, 0
	err = t.exec(ctx, "INSERT INTO keys (id, shop, sha256, name, scopes, created) VALUES (?, ?, ?, ?, ?, ?)",
		k.ID, k.ShopID, k.SHA256, k.Name, strings.Join(k.Scopes, " "), k.CreatedMS)
	if err != nil {
		return Key{}, fmt.Errorf("insert a key: %w", err)
	}
	version, err := t.touchShop(ctx, k.ShopID)
	if err != nil {
		return Key{}, err
	}
	return k, t.audit(ctx, change{shop: k.ShopID, action: "create", subject: "key/" + k.ID, version: version, after: auditKey(k)})
}

// RevokeKey ends a key of a shop at once; a key revoked before stays as it is.
func (t *Tx) RevokeKey(ctx context.Context, shop uint32, id string) error {
	k, err := t.Key(ctx, id)
	if err != nil {
		return err
	}
	if k.ShopID != shop {
		return fmt.Errorf("key: %w", ErrNotFound)
	}
	if k.RevokedMS != 0 {
		return nil
	}
	before := auditKey(k)
	k.RevokedMS = t.now
	if err := t.exec(ctx, "UPDATE keys SET revoked = ? WHERE id = ?", t.now, id); err != nil {
		return fmt.Errorf("revoke a key: %w", err)
	}
	err = t.exec(ctx, `DELETE FROM keys WHERE id IN (
		SELECT id FROM keys WHERE shop = ? AND revoked > 0 ORDER BY revoked DESC, id LIMIT -1 OFFSET ?)`, shop, keptRevoked)
	if err != nil {
		return fmt.Errorf("forget old keys: %w", err)
	}
	version, err := t.touchShop(ctx, shop)
	if err != nil {
		return err
	}
	return t.audit(ctx, change{shop: shop, action: "revoke", subject: "key/" + id, version: version, before: before, after: auditKey(k)})
}

// auditKey is a key without its hash.
func auditKey(k Key) any {
	return struct {
		ID      string   `json:"id"`
		Name    string   `json:"name"`
		Scopes  []string `json:"scopes"`
		Created int64    `json:"created"`
		Revoked int64    `json:"revoked,omitempty"`
	}{k.ID, k.Name, k.Scopes, k.CreatedMS, k.RevokedMS}
}
