package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

func segmentKey(id uint32) string { return "segment/" + strconv.FormatUint(uint64(id), 10) }

// ErrTaken is for a name that another segment of the shop has.
var ErrTaken = errors.New("another segment of the shop has this name")

// Segment is a segment's row: the document, its times, ms UTC, and of an
// imported one how many members the shop sent and when it did so last.
type Segment struct {
	campaigns.Segment
	CreatedMS, UpdatedMS int64
	Members              int64
	ImportedMS           int64
}

const segmentColumns = "id, shop, version, created, updated, members, imported, doc"

func scanSegment(row interface{ Scan(...any) error }) (Segment, error) {
	var s Segment
	var doc []byte
	if err := row.Scan(&s.ID, &s.ShopID, &s.Version, &s.CreatedMS, &s.UpdatedMS, &s.Members, &s.ImportedMS, &doc); err != nil {
		return Segment{}, err
	}
	id, shop, version := s.ID, s.ShopID, s.Version
	if err := json.Unmarshal(doc, &s.Segment); err != nil {
		return Segment{}, fmt.Errorf("read segment %d: %w", id, err)
	}
	s.ID, s.ShopID, s.Version = id, shop, version
	return s, nil
}

// Segment returns one segment of a shop; ErrNotFound if the shop has none of
// that id, or has deleted it.
func (r Reader) Segment(ctx context.Context, shop, id uint32) (Segment, error) {
	row := r.q.QueryRowContext(ctx, "SELECT "+segmentColumns+" FROM segments WHERE id = ? AND shop = ? AND deleted = 0", id, shop)
	s, err := scanSegment(row)
	if err != nil {
		return Segment{}, notFound(err, segmentKey(id))
	}
	return s, nil
}

// Segments returns up to limit segments of a shop with ids above after, by id.
func (r Reader) Segments(ctx context.Context, shop, after uint32, limit int) ([]Segment, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+segmentColumns+" FROM segments WHERE shop = ? AND deleted = 0 AND id > ? ORDER BY id LIMIT ?", shop, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list the segments of shop %d: %w", shop, err)
	}
	return collect(rows, scanSegment)
}

// SegmentKeys returns the names of a shop's segments as they are compared.
func (r Reader) SegmentKeys(ctx context.Context, shop uint32) (map[string]bool, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT key FROM segments WHERE shop = ? AND deleted = 0", shop)
	if err != nil {
		return nil, fmt.Errorf("list the segments of shop %d: %w", shop, err)
	}
	keys, err := collect(rows, func(row interface{ Scan(...any) error }) (key string, err error) {
		err = row.Scan(&key)
		return key, err
	})
	out := make(map[string]bool, len(keys))
	for _, k := range keys {
		out[k] = true
	}
	return out, err
}

// CreateSegment inserts a segment of s.ShopID, gives it its id and puts it
// into the outbox.
func (t *Tx) CreateSegment(ctx context.Context, s campaigns.Segment) (Segment, error) {
	n, err := t.SegmentCount(ctx, s.ShopID)
	if err != nil {
		return Segment{}, err
	}
	if n >= t.cfg.MaxSegments {
		return Segment{}, fmt.Errorf("%d segments: %w", n, ErrLimit)
	}
	s.ID = 0
	doc, err := t.segmentDoc(ctx, &s)
	if err != nil {
		return Segment{}, err
	}
	res, err := t.tx.ExecContext(ctx, "INSERT INTO segments (shop, version, created, updated, key, doc) VALUES (?, ?, ?, ?, ?, ?)",
		s.ShopID, s.Version, t.now, t.now, campaigns.SegmentKey(s.Name), doc)
	if err != nil {
		return Segment{}, fmt.Errorf("insert segment: %w", err)
	}
	if s.ID, err = newID(res); err != nil {
		return Segment{}, err
	}
	if err := t.enqueue(ctx, segmentKey(s.ID), s.Version); err != nil {
		return Segment{}, err
	}
	out := Segment{Segment: s, CreatedMS: t.now, UpdatedMS: t.now}
	return out, t.audit(ctx, change{shop: s.ShopID, action: "create", subject: segmentKey(s.ID), version: s.Version, after: s})
}

// segmentDoc gives s its next version and encodes it, unless its name is
// another's.
func (t *Tx) segmentDoc(ctx context.Context, s *campaigns.Segment) (string, error) {
	n, err := t.count(ctx, "SELECT count(*) FROM segments WHERE shop = ? AND key = ? AND deleted = 0 AND id <> ?", s.ShopID, campaigns.SegmentKey(s.Name), s.ID)
	if err != nil {
		return "", fmt.Errorf("look for a segment's name: %w", err)
	}
	if n > 0 {
		return "", fmt.Errorf("%q: %w", s.Name, ErrTaken)
	}
	if s.Version, err = t.next(ctx, "version"); err != nil {
		return "", err
	}
	doc, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("write segment %d: %w", s.ID, err)
	}
	return string(doc), nil
}

// UpdateSegment replaces a segment's document if it still has the version
// that s.Version names; ErrConflict if not.
func (t *Tx) UpdateSegment(ctx context.Context, s campaigns.Segment) (Segment, error) {
	old, err := t.Segment(ctx, s.ShopID, s.ID)
	if err != nil {
		return Segment{}, err
	}
	if old.Version != s.Version {
		return Segment{}, fmt.Errorf("segment %d: %w", s.ID, ErrConflict)
	}
	doc, err := t.segmentDoc(ctx, &s)
	if err != nil {
		return Segment{}, err
	}
	err = t.exec(ctx, "UPDATE segments SET version = ?, updated = ?, key = ?, doc = ? WHERE id = ?", s.Version, t.now, campaigns.SegmentKey(s.Name), doc, s.ID)
	if err != nil {
		return Segment{}, fmt.Errorf("update segment %d: %w", s.ID, err)
	}
	if err := t.enqueue(ctx, segmentKey(s.ID), s.Version); err != nil {
		return Segment{}, err
	}
	out := old
	out.Segment, out.UpdatedMS = s, t.now
	return out, t.audit(ctx, change{shop: s.ShopID, action: "update", subject: segmentKey(s.ID), version: s.Version, before: old.Segment, after: s})
}

// DeleteSegment makes a segment disappear, with its members.
func (t *Tx) DeleteSegment(ctx context.Context, shop, id uint32) error {
	old, err := t.Segment(ctx, shop, id)
	if err != nil {
		return err
	}
	if _, err := t.PutMembers(ctx, shop, id, Replace, Members{}); err != nil {
		return err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "UPDATE segments SET version = ?, updated = ?, deleted = ? WHERE id = ?", version, t.now, t.now, id); err != nil {
		return fmt.Errorf("delete segment %d: %w", id, err)
	}
	if err := t.enqueue(ctx, segmentKey(id), version); err != nil {
		return err
	}
	return t.audit(ctx, change{shop: shop, action: "delete", subject: segmentKey(id), version: version, before: old.Segment})
}

func (r Reader) segmentRecord(ctx context.Context, key, id string) (campaigns.Record, error) {
	var deleted int64
	row := r.q.QueryRowContext(ctx, "SELECT deleted, "+segmentColumns+" FROM segments WHERE id = ?", id)
	s, err := scanSegment(scanner(func(to ...any) error { return row.Scan(append([]any{&deleted}, to...)...) }))
	if err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	if deleted != 0 {
		return campaigns.Record{Key: key, Version: s.Version, Deleted: true}, nil
	}
	return campaigns.Record{Key: key, Version: s.Version, Segment: &s.Segment}, nil
}

// SegmentUse is where a campaign names a segment.
type SegmentUse struct {
	Campaign uint32
	Name     string
}

// SegmentUses lists the campaigns of a shop that name a segment; archived ones
// too, for they may be taken up again.
func (r Reader) SegmentUses(ctx context.Context, shop uint32, key string) ([]SegmentUse, error) {
	const page = 200
	var out []SegmentUse
	for after := uint32(0); ; {
		list, err := r.Campaigns(ctx, shop, CampaignFilter{}, after, page)
		if err != nil {
			return nil, err
		}
		for i := range list {
			c := &list[i]
			after = c.ID
			if c.Names(key) {
				out = append(out, SegmentUse{c.ID, c.Name})
			}
		}
		if len(list) < page {
			return out, nil
		}
	}
}

// SegmentCount counts a shop's segments that are not deleted.
func (r Reader) SegmentCount(ctx context.Context, shop uint32) (int, error) {
	var n int
	err := r.q.QueryRowContext(ctx, "SELECT count(*) FROM segments WHERE shop = ? AND deleted = 0", shop).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count segments: %w", err)
	}
	return n, nil
}
