package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

func shopKey(id uint32) string     { return "shop/" + strconv.FormatUint(uint64(id), 10) }
func campaignKey(id uint32) string { return "campaign/" + strconv.FormatUint(uint64(id), 10) }
func bucketKey(shop uint32, bucket int) string {
	return "products/" + strconv.FormatUint(uint64(shop), 10) + "/" + strconv.Itoa(bucket)
}

// Pending is a document that has still to reach Kafka.
type Pending struct {
	Key     string
	Version int64
}

// enqueue marks a document as to be sent. A key stands in the outbox once:
// a newer version takes the place of an older one that was not sent yet.
func (t *Tx) enqueue(ctx context.Context, key string, version int64) error {
	err := t.exec(ctx, "INSERT INTO outbox (key, version) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version", key, version)
	if err != nil {
		return fmt.Errorf("put %s into the outbox: %w", key, err)
	}
	return nil
}

// EnqueueAll marks every document as to be sent, tombstones too: what a start
// does, so that a topic that lost something is whole again.
func (s *Store) EnqueueAll(ctx context.Context) error {
	return s.Write(ctx, Actor{Name: "start"}, func(t *Tx) error {
		err := t.exec(ctx, `INSERT OR REPLACE INTO outbox (key, version)
			SELECT 'shop/' || id, version FROM shops
			UNION ALL SELECT 'feed/' || shop, version FROM feed_states
			UNION ALL SELECT 'campaign/' || id, version FROM campaigns
			UNION ALL SELECT 'products/' || shop || '/' || bucket, version FROM feed_buckets
			UNION ALL SELECT 'segment/' || id, version FROM segments
			UNION ALL SELECT 'audience/' || segment || '/' || bucket, version FROM audience_buckets
			UNION ALL SELECT 'approvals/' || shop, version FROM approval_docs
			UNION ALL SELECT 'list/' || shop || '/' || list || '/' || part, version FROM list_parts`)
		if err != nil {
			return fmt.Errorf("put everything into the outbox: %w", err)
		}
		return nil
	})
}

// Pending returns up to limit documents to be sent, those changed first first.
func (s *Store) Pending(ctx context.Context, limit int) ([]Pending, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT key, version FROM outbox ORDER BY version LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return collect(rows, func(row interface{ Scan(...any) error }) (Pending, error) {
		var p Pending
		err := row.Scan(&p.Key, &p.Version)
		return p, err
	})
}

// PendingCount is how many documents have still to reach Kafka.
func (s *Store) PendingCount(ctx context.Context) (int, error) {
	var n int
	if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM outbox").Scan(&n); err != nil {
		return 0, fmt.Errorf("count the outbox: %w", err)
	}
	return n, nil
}

// Sent takes what Kafka has acknowledged out of the outbox. A document that
// changed meanwhile has another version there and stays.
func (s *Store) Sent(ctx context.Context, sent []Pending) error {
	if len(sent) == 0 {
		return nil
	}
	return s.Write(ctx, Actor{Name: "publisher"}, func(t *Tx) error {
		stmt, err := t.tx.PrepareContext(ctx, "DELETE FROM outbox WHERE key = ? AND version = ?")
		if err != nil {
			return fmt.Errorf("clear the outbox: %w", err)
		}
		defer stmt.Close()
		for _, p := range sent {
			if _, err := stmt.ExecContext(ctx, p.Key, p.Version); err != nil {
				return fmt.Errorf("clear the outbox of %s: %w", p.Key, err)
			}
		}
		return nil
	})
}

// Record builds the message for a key of the outbox from the present truth,
// which may be newer than the version in the outbox.
func (s *Store) Record(ctx context.Context, key string) (campaigns.Record, error) {
	// One read transaction, so that a document and its version belong together.
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return campaigns.Record{}, fmt.Errorf("read %s: %w", key, err)
	}
	defer func() { _ = tx.Rollback() }()
	r := Reader{q: tx, cfg: s.cfg}
	kind, rest, _ := strings.Cut(key, "/")
	switch kind {
	case "shop":
		return r.shopRecord(ctx, key, rest)
	case "campaign":
		return r.campaignRecord(ctx, key, rest)
	case "feed":
		return r.feedRecord(ctx, key, rest)
	case "products":
		return r.bucketRecord(ctx, key, rest)
	case "segment":
		return r.segmentRecord(ctx, key, rest)
	case "audience":
		return r.audienceRecord(ctx, key, rest)
	case "approvals":
		return r.approvalsRecord(ctx, key, rest)
	case "list":
		return r.listRecord(ctx, key, rest)
	}
	return campaigns.Record{}, fmt.Errorf("outbox key %q is of no known kind", key)
}

func (r Reader) shopRecord(ctx context.Context, key, id string) (campaigns.Record, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return campaigns.Record{}, fmt.Errorf("outbox key %q: %w", key, err)
	}
	shop, err := r.publishedShop(ctx, uint32(n))
	if err != nil {
		return campaigns.Record{}, err
	}
	return campaigns.Record{Key: key, Version: shop.Version, Shop: shop}, nil
}

func (r Reader) campaignRecord(ctx context.Context, key, id string) (campaigns.Record, error) {
	var deleted int64
	row := r.q.QueryRowContext(ctx, "SELECT deleted, "+campaignColumns+" FROM campaigns WHERE id = ?", id)
	c, err := scanCampaign(scanner(func(to ...any) error { return row.Scan(append([]any{&deleted}, to...)...) }))
	if err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	if deleted != 0 {
		return campaigns.Record{Key: key, Version: c.Version, Deleted: true}, nil
	}
	return campaigns.Record{Key: key, Version: c.Version, Campaign: &c.Campaign}, nil
}

// scanner lets a scan function read a row that has columns before its own.
type scanner func(...any) error

func (f scanner) Scan(to ...any) error { return f(to...) }

func (r Reader) bucketRecord(ctx context.Context, key, rest string) (campaigns.Record, error) {
	shop, bucket, _ := strings.Cut(rest, "/")
	var b campaigns.ProductBucket
	var version int64
	var deleted bool
	var items []byte
	err := r.q.QueryRowContext(ctx, "SELECT shop, bucket, version, feed, buckets, deleted, items FROM feed_buckets WHERE shop = ? AND bucket = ?", shop, bucket).
		Scan(&b.ShopID, &b.Bucket, &version, &b.Feed, &b.Buckets, &deleted, &items)
	if err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	if deleted {
		return campaigns.Record{Key: key, Version: version, Deleted: true}, nil
	}
	if err := json.Unmarshal(items, &b.Items); err != nil {
		return campaigns.Record{}, fmt.Errorf("read %s: %w", key, err)
	}
	return campaigns.Record{Key: key, Version: version, Products: &b}, nil
}

func notFound(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return fmt.Errorf("read %s: %w", what, err)
}
