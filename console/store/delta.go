package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// ProductChange is one product of an update: Make gives what it becomes of what it
// was (nil: it was not there); nil back takes it out.
type ProductChange struct {
	ID   string
	Make func(old *campaigns.Product) *campaigns.Product
}

// ErrRebuild tells that an update does not fit into the buckets that are
// there: the whole feed has to be spread anew, by an upload.
var ErrRebuild = errors.New("the feed has outgrown its buckets: upload it whole once")

// PatchFeed applies changes, in order, to the buckets that they concern. The
// report of the feed stays that of the last upload.
func (t *Tx) PatchFeed(ctx context.Context, shop uint32, changes []ProductChange) (f Feed, sent int, err error) {
	if f, err = t.Feed(ctx, shop); err != nil {
		return f, 0, err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return f, 0, err
	}
	before := f
	f.Version, f.UpdatedMS = version, t.now
	read, err := t.prices(ctx, shop)
	if err != nil {
		return f, 0, err
	}
	book := &priceBook{read: read, next: map[int][]byte{}, nowS: t.now / 1000}
	byBucket := map[int][]ProductChange{}
	for _, c := range changes {
		b := bucketOf(c.ID, f.Buckets)
		byBucket[b] = append(byBucket[b], c)
	}
	for bucket, list := range byBucket {
		changed, grown, err := t.patchBucket(ctx, shop, bucket, version, f.Buckets, list, book)
		if err != nil {
			return f, 0, err
		}
		f.Products += grown
		if changed {
			sent++
		}
	}
	if err := t.putPrices(ctx, shop, book, false); err != nil {
		return f, 0, err
	}
	if err := t.exec(ctx, "UPDATE feeds SET version = ?, updated = ?, products = ? WHERE shop = ?", f.Version, f.UpdatedMS, f.Products, shop); err != nil {
		return f, 0, fmt.Errorf("write the feed of shop %d: %w", shop, err)
	}
	if err := t.FeedChecked(ctx, shop); err != nil {
		return f, 0, err
	}
	err = t.audit(ctx, change{shop: shop, action: "update", subject: fmt.Sprintf("feed/%d", shop), version: version, before: feedSummary(before), after: feedSummary(f)})
	return f, sent, err
}

// patchBucket changes one bucket; grown is by how many products.
func (t *Tx) patchBucket(ctx context.Context, shop uint32, bucket int, feed int64, of int, list []ProductChange, book *priceBook) (changed bool, grown int, err error) {
	var raw, hash []byte
	err = t.q.QueryRowContext(ctx, "SELECT items, hash FROM feed_buckets WHERE shop = ? AND bucket = ? AND deleted = 0", shop, bucket).Scan(&raw, &hash)
	if err != nil {
		return false, 0, notFound(err, bucketKey(shop, bucket))
	}
	var items []*campaigns.Product
	if err := json.Unmarshal(raw, &items); err != nil {
		return false, 0, fmt.Errorf("read %s: %w", bucketKey(shop, bucket), err)
	}
	had := len(items)
	var touched []*campaigns.Product
	for _, c := range list {
		at, found := slices.BinarySearchFunc(items, c.ID, func(p *campaigns.Product, id string) int { return strings.Compare(p.ID, id) })
		var old *campaigns.Product
		if found {
			old = items[at]
		}
		p := c.Make(old)
		switch {
		case p == nil && found:
			items = slices.Delete(items, at, at+1)
		case p == nil:
		case found:
			items[at] = p
		default:
			items = slices.Insert(items, at, p)
		}
		if p != nil {
			touched = append(touched, p)
		}
	}
	if err := book.note(touched, false); err != nil {
		return false, 0, err
	}
	b, err := encodeBucket(items)
	if err != nil {
		return false, 0, fmt.Errorf("write %s: %w", bucketKey(shop, bucket), err)
	}
	if len(items) > MaxBucketProducts || len(b.Items) > MaxBucketBytes && len(items) > 1 {
		return false, 0, ErrRebuild
	}
	if string(hash) == string(b.Hash[:]) {
		return false, 0, nil
	}
	return true, len(items) - had, t.putBucket(ctx, shop, bucket, feed, of, &b)
}
