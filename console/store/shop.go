package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/grosz/grosz/campaigns"
)

// saltBytes is the size of a shop's salt.
const saltBytes = 16

// Shop is a shop's row: the document without keys and salt, and its times,
// ms UTC.
type Shop struct {
	campaigns.Shop
	CreatedMS, UpdatedMS int64
}

const shopColumns = "id, version, created, updated, doc"

func scanShop(row interface{ Scan(...any) error }) (Shop, error) {
	var s Shop
	var doc []byte
	if err := row.Scan(&s.ID, &s.Version, &s.CreatedMS, &s.UpdatedMS, &doc); err != nil {
		return Shop{}, err
	}
	id, version := s.ID, s.Version
	if err := json.Unmarshal(doc, &s.Shop); err != nil {
		return Shop{}, fmt.Errorf("read shop %d: %w", id, err)
	}
	s.ID, s.Version = id, version
	return s, nil
}

// Shop returns one shop, ErrNotFound if there is none.
func (r Reader) Shop(ctx context.Context, id uint32) (Shop, error) {
	s, err := scanShop(r.q.QueryRowContext(ctx, "SELECT "+shopColumns+" FROM shops WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Shop{}, fmt.Errorf("shop %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Shop{}, fmt.Errorf("read shop %d: %w", id, err)
	}
	return s, nil
}

// Shops returns up to limit shops with ids above after, by id.
func (r Reader) Shops(ctx context.Context, after uint32, limit int) ([]Shop, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+shopColumns+" FROM shops WHERE id > ? ORDER BY id LIMIT ?", after, limit)
	if err != nil {
		return nil, fmt.Errorf("list shops: %w", err)
	}
	return collect(rows, scanShop)
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(interface{ Scan(...any) error }) (T, error)) ([]T, error) {
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// CreateShop inserts a shop, gives it id, version and salt, and puts it into
// the outbox.
func (t *Tx) CreateShop(ctx context.Context, shop campaigns.Shop) (Shop, error) {
	n, err := t.count(ctx, "SELECT count(*) FROM shops")
	if err != nil {
		return Shop{}, fmt.Errorf("count shops: %w", err)
	}
	if n >= t.cfg.MaxShops {
		return Shop{}, fmt.Errorf("%d shops: %w", n, ErrLimit)
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return Shop{}, err
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: it ends the process instead
	shop.ID, shop.Version, shop.Keys, shop.Salt = 0, version, nil, ""
	doc, err := json.Marshal(shop)
	if err != nil {
		return Shop{}, fmt.Errorf("write shop: %w", err)
	}
	res, err := t.tx.ExecContext(ctx, "INSERT INTO shops (version, created, updated, salt, doc) VALUES (?, ?, ?, ?, ?)",
		version, t.now, t.now, hex.EncodeToString(salt), string(doc))
	if err != nil {
		return Shop{}, fmt.Errorf("insert shop: %w", err)
	}
	id, err := newID(res)
	if err != nil {
		return Shop{}, err
	}
	shop.ID = id
	out := Shop{Shop: shop, CreatedMS: t.now, UpdatedMS: t.now}
	if err := t.enqueue(ctx, shopKey(id), version); err != nil {
		return Shop{}, err
	}
	return out, t.audit(ctx, change{shop: id, action: "create", subject: shopKey(id), version: version, after: shop})
}

func newID(res sql.Result) (uint32, error) {
	id, err := res.LastInsertId()
	if err != nil {
		return 0, fmt.Errorf("read the new id: %w", err)
	}
	if id <= 0 || id > math.MaxUint32 {
		return 0, fmt.Errorf("id %d: %w", id, ErrLimit)
	}
	return uint32(id), nil
}

// UpdateShop replaces a shop's document if it still has the version that
// shop.Version names; ErrConflict if not.
func (t *Tx) UpdateShop(ctx context.Context, shop campaigns.Shop) (Shop, error) {
	old, err := t.Shop(ctx, shop.ID)
	if err != nil {
		return Shop{}, err
	}
	if old.Version != shop.Version {
		return Shop{}, fmt.Errorf("shop %d: %w", shop.ID, ErrConflict)
	}
	shop.Keys, shop.Salt = nil, ""
	if shop.Version, err = t.next(ctx, "version"); err != nil {
		return Shop{}, err
	}
	doc, err := json.Marshal(shop)
	if err != nil {
		return Shop{}, fmt.Errorf("write shop %d: %w", shop.ID, err)
	}
	if err := t.exec(ctx, "UPDATE shops SET version = ?, updated = ?, doc = ? WHERE id = ?", shop.Version, t.now, string(doc), shop.ID); err != nil {
		return Shop{}, fmt.Errorf("update shop %d: %w", shop.ID, err)
	}
	if err := t.enqueue(ctx, shopKey(shop.ID), shop.Version); err != nil {
		return Shop{}, err
	}
	out := Shop{Shop: shop, CreatedMS: old.CreatedMS, UpdatedMS: t.now}
	return out, t.audit(ctx, change{shop: shop.ID, action: "update", subject: shopKey(shop.ID), version: shop.Version, before: old.Shop, after: shop})
}

// touchShop gives a shop a new version, because what is published of it has
// changed although its own document has not.
func (t *Tx) touchShop(ctx context.Context, id uint32) (int64, error) {
	version, err := t.next(ctx, "version")
	if err != nil {
		return 0, err
	}
	if err := t.exec(ctx, "UPDATE shops SET version = ?, updated = ? WHERE id = ?", version, t.now, id); err != nil {
		return 0, fmt.Errorf("update shop %d: %w", id, err)
	}
	return version, t.enqueue(ctx, shopKey(id), version)
}

// Salt is a shop's salt, which no answer of the API shows.
func (r Reader) Salt(ctx context.Context, id uint32) (salt string, err error) {
	if err := r.q.QueryRowContext(ctx, "SELECT salt FROM shops WHERE id = ?", id).Scan(&salt); err != nil {
		return "", fmt.Errorf("read the salt of shop %d: %w", id, err)
	}
	return salt, nil
}

// publishedShop is what the bidders get: with the salt and the valid keys.
func (r Reader) publishedShop(ctx context.Context, id uint32) (*campaigns.Shop, error) {
	s, err := r.Shop(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.Salt, err = r.Salt(ctx, id); err != nil {
		return nil, err
	}
	keys, err := r.Keys(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.RevokedMS == 0 {
			s.Keys = append(s.Keys, k.Key)
		}
	}
	return &s.Shop, nil
}
