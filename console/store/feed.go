package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// Bounds of a bucket, which is one Kafka message: so many products, and so
// many bytes of JSON, which leaves room for the rest of the record below the
// 900 kB that the topic takes.
const (
	MaxBucketProducts = 256
	MaxBucketBytes    = 700_000
	// MaxBuckets bounds a feed: beyond it an upload is refused.
	MaxBuckets = 1 << 14
)

// Feed is what is known of a shop's feed as a whole.
type Feed struct {
	ShopID    uint32
	Version   int64
	UpdatedMS int64
	Buckets   int
	Products  int
	// Report is the upload's report as JSON.
	Report string
}

// Bucket is an encoded bucket of a feed, ready to be stored.
type Bucket struct {
	Items    []byte // JSON array of products, by id
	Hash     [sha256.Size]byte
	Products int
}

// bucketOf tells which of n buckets, a power of two, holds a product. It must
// never change: stored feeds rely on it.
func bucketOf(id string, n int) int {
	return int(hashOf(id) & uint64(n-1)) // FNV's low bits alone are weak for short ids
}

// Buckets spreads products, whose ids are distinct, over a power of two of
// buckets within the bounds. It prefers as many as the shop has now, so that
// a slightly changed feed resends only what changed; it shrinks only when a
// quarter would do.
func Buckets(products []campaigns.Product, now int) ([]Bucket, error) {
	least := 1
	for least*MaxBucketProducts < len(products) {
		least *= 2
	}
	n := least
	if now > least && now <= 4*least {
		n = now
	}
	for ; n <= MaxBuckets; n *= 2 {
		out, err := spread(products, n)
		if out != nil || err != nil {
			return out, err
		}
	}
	return nil, fmt.Errorf("%d products need more than %d buckets: %w", len(products), MaxBuckets, ErrLimit)
}

// spread encodes products into n buckets; nil if one breaks the bounds.
func spread(products []campaigns.Product, n int) ([]Bucket, error) {
	counts := make([]int, n)
	for i := range products {
		b := bucketOf(products[i].ID, n)
		if counts[b]++; counts[b] > MaxBucketProducts {
			return nil, nil
		}
	}
	parts := make([][]*campaigns.Product, n)
	for b, c := range counts {
		parts[b] = make([]*campaigns.Product, 0, c)
	}
	for i := range products {
		b := bucketOf(products[i].ID, n)
		parts[b] = append(parts[b], &products[i])
	}
	out := make([]Bucket, n)
	for b, part := range parts {
		slices.SortFunc(part, func(x, y *campaigns.Product) int { return strings.Compare(x.ID, y.ID) })
		items, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("write bucket %d: %w", b, err)
		}
		if len(items) > MaxBucketBytes && len(part) > 1 {
			return nil, nil
		}
		if len(items) > MaxBucketBytes {
			return nil, fmt.Errorf("product %q takes %d bytes: %w", part[0].ID, len(items), ErrLimit)
		}
		out[b] = Bucket{Items: items, Hash: sha256.Sum256(items), Products: len(part)}
	}
	return out, nil
}

// Feed returns what is known of a shop's feed; ErrNotFound before the first.
func (r Reader) Feed(ctx context.Context, shop uint32) (Feed, error) {
	f := Feed{ShopID: shop}
	err := r.q.QueryRowContext(ctx, "SELECT version, updated, buckets, products, report FROM feeds WHERE shop = ?", shop).
		Scan(&f.Version, &f.UpdatedMS, &f.Buckets, &f.Products, &f.Report)
	if errors.Is(err, sql.ErrNoRows) {
		return Feed{}, fmt.Errorf("feed of shop %d: %w", shop, ErrNotFound)
	}
	if err != nil {
		return Feed{}, fmt.Errorf("read the feed of shop %d: %w", shop, err)
	}
	return f, nil
}

// PutFeed replaces a shop's feed. Only buckets that differ are written and
// sent; when the number of buckets changes, all are, and tombstones for those
// beyond it. It returns how many go to Kafka.
func (t *Tx) PutFeed(ctx context.Context, shop uint32, buckets []Bucket, report string) (Feed, int, error) {
	return t.putFeed(ctx, shop, bucketList(buckets), report)
}

// bucketSource gives a feed's buckets one by one.
type bucketSource interface {
	Buckets() int
	hash(i int) [sha256.Size]byte
	products(i int) int
	bucket(i int) (Bucket, error)
}

type bucketList []Bucket

func (l bucketList) Buckets() int                 { return len(l) }
func (l bucketList) hash(i int) [sha256.Size]byte { return l[i].Hash }
func (l bucketList) products(i int) int           { return l[i].Products }
func (l bucketList) bucket(i int) (Bucket, error) { return l[i], nil }

func (t *Tx) putFeed(ctx context.Context, shop uint32, src bucketSource, report string) (Feed, int, error) {
	old, err := t.Feed(ctx, shop)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Feed{}, 0, err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return Feed{}, 0, err
	}
	f := Feed{ShopID: shop, Version: version, UpdatedMS: t.now, Buckets: src.Buckets(), Report: report}
	have, err := t.bucketHashes(ctx, shop)
	if err != nil {
		return Feed{}, 0, err
	}
	sent := 0
	for i := range f.Buckets {
		f.Products += src.products(i)
		if hash := src.hash(i); old.Buckets == f.Buckets && bytes.Equal(have[i], hash[:]) {
			continue
		}
		sent++
		b, err := src.bucket(i)
		if err != nil {
			return Feed{}, 0, err
		}
		if err := t.putBucket(ctx, shop, i, version, f.Buckets, &b); err != nil {
			return Feed{}, 0, err
		}
	}
	gone, err := t.dropBuckets(ctx, shop, f.Buckets, have)
	if err != nil {
		return Feed{}, 0, err
	}
	err = t.exec(ctx, "INSERT OR REPLACE INTO feeds (shop, version, updated, buckets, products, report) VALUES (?, ?, ?, ?, ?, ?)",
		shop, f.Version, f.UpdatedMS, f.Buckets, f.Products, f.Report)
	if err != nil {
		return Feed{}, 0, fmt.Errorf("write the feed of shop %d: %w", shop, err)
	}
	if err := t.FeedChecked(ctx, shop); err != nil {
		return Feed{}, 0, err
	}
	err = t.audit(ctx, change{shop: shop, action: "upload", subject: fmt.Sprintf("feed/%d", shop), version: version, before: feedSummary(old), after: feedSummary(f)})
	return f, sent + gone, err
}

func feedSummary(f Feed) any {
	if f.Version == 0 {
		return nil
	}
	return struct {
		Version  int64 `json:"version"`
		Products int   `json:"products"`
		Buckets  int   `json:"buckets"`
	}{f.Version, f.Products, f.Buckets}
}

// bucketHashes returns the hashes of a shop's live buckets.
func (t *Tx) bucketHashes(ctx context.Context, shop uint32) (map[int][]byte, error) {
	rows, err := t.q.QueryContext(ctx, "SELECT bucket, hash FROM feed_buckets WHERE shop = ? AND deleted = 0", shop)
	if err != nil {
		return nil, fmt.Errorf("read the feed of shop %d: %w", shop, err)
	}
	defer rows.Close()
	have := map[int][]byte{}
	for rows.Next() {
		var bucket int
		var hash []byte
		if err := rows.Scan(&bucket, &hash); err != nil {
			return nil, fmt.Errorf("read the feed of shop %d: %w", shop, err)
		}
		have[bucket] = hash
	}
	return have, rows.Err()
}

func (t *Tx) putBucket(ctx context.Context, shop uint32, bucket int, feed int64, of int, b *Bucket) error {
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	err = t.exec(ctx, `INSERT OR REPLACE INTO feed_buckets (shop, bucket, version, feed, buckets, products, hash, deleted, items)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)`, shop, bucket, version, feed, of, b.Products, b.Hash[:], b.Items)
	if err != nil {
		return fmt.Errorf("write bucket %d of shop %d: %w", bucket, shop, err)
	}
	return t.enqueue(ctx, bucketKey(shop, bucket), version)
}

// dropBuckets turns the live buckets from the from-th on into tombstones.
func (t *Tx) dropBuckets(ctx context.Context, shop uint32, from int, have map[int][]byte) (int, error) {
	gone := 0
	for bucket := range have {
		if bucket < from {
			continue
		}
		gone++
		version, err := t.next(ctx, "version")
		if err != nil {
			return 0, err
		}
		err = t.exec(ctx, "UPDATE feed_buckets SET version = ?, deleted = 1, products = 0, items = x'' WHERE shop = ? AND bucket = ?", version, shop, bucket)
		if err != nil {
			return 0, fmt.Errorf("drop bucket %d of shop %d: %w", bucket, shop, err)
		}
		if err := t.enqueue(ctx, bucketKey(shop, bucket), version); err != nil {
			return 0, err
		}
	}
	return gone, nil
}

// ProductFilter narrows a list of products; empty fields do not.
type ProductFilter struct {
	// ID is one product's id.
	ID string
	// Text is looked for in id, title, brand and category, without case.
	Text string
	// Available, if set, keeps products that are in stock, or not.
	Available *bool
}

func (f *ProductFilter) holds(p *campaigns.Product) bool {
	if f.ID != "" && p.ID != f.ID {
		return false
	}
	if f.Available != nil && p.Available != *f.Available {
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	return slices.ContainsFunc([]string{p.ID, p.Title, p.Brand, p.Category}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), text)
	})
}

// ProductPos is a place in a shop's products, which are ordered by bucket and
// id: the place after the product of that id in that bucket.
type ProductPos struct {
	Bucket int
	ID     string
}

// pageBuckets bounds how many buckets one page of products looks through, so
// that a filter which matches nothing costs no more than that.
const pageBuckets = 64

// Products returns up to limit products after a place, and the place to go on
// from, nil at the end. With a filter a page may be short, or empty, and yet
// not be the last.
func (r Reader) Products(ctx context.Context, shop uint32, f ProductFilter, after ProductPos, limit int) ([]campaigns.Product, *ProductPos, error) {
	last := after.Bucket + pageBuckets
	if f.ID != "" {
		feed, err := r.Feed(ctx, shop)
		if errors.Is(err, ErrNotFound) {
			return []campaigns.Product{}, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
		after = ProductPos{Bucket: bucketOf(f.ID, feed.Buckets)}
		last = after.Bucket + 1
	}
	rows, err := r.q.QueryContext(ctx, "SELECT bucket, items FROM feed_buckets WHERE shop = ? AND deleted = 0 AND bucket >= ? AND bucket < ? ORDER BY bucket",
		shop, after.Bucket, last)
	if err != nil {
		return nil, nil, fmt.Errorf("list the products of shop %d: %w", shop, err)
	}
	defer rows.Close()
	out := []campaigns.Product{}
	seen := 0
	for rows.Next() {
		var bucket int
		var items []byte
		if err := rows.Scan(&bucket, &items); err != nil {
			return nil, nil, fmt.Errorf("list the products of shop %d: %w", shop, err)
		}
		seen++
		var all []campaigns.Product
		if err := json.Unmarshal(items, &all); err != nil {
			return nil, nil, fmt.Errorf("read bucket %d of shop %d: %w", bucket, shop, err)
		}
		for i := range all {
			if bucket == after.Bucket && after.ID != "" && all[i].ID <= after.ID || !f.holds(&all[i]) {
				continue
			}
			if len(out) == limit { // there is one more: the page ends before it
				return out, &ProductPos{Bucket: after.Bucket, ID: after.ID}, rows.Err()
			}
			out = append(out, all[i])
			after = ProductPos{Bucket: bucket, ID: all[i].ID}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("list the products of shop %d: %w", shop, err)
	}
	if f.ID != "" || seen < pageBuckets {
		return out, nil, nil
	}
	return out, &ProductPos{Bucket: last}, nil
}
