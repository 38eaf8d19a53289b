package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments/rules"
)

// MaxAudienceBucket bounds the members of one bucket, which is one Kafka
// message: base64 makes 27 bytes of each.
const MaxAudienceBucket = 26_000

// Mode says what an import does with the members there are.
type Mode string

// The modes of an import.
const (
	Add     Mode = "add"
	Remove  Mode = "remove"
	Replace Mode = "replace"
)

// Members is an import, sorted into the buckets of rules.AudienceBucket.
type Members [rules.AudienceBuckets][]byte

// ImportResult is what an import did.
type ImportResult struct {
	Added, Removed, Members int64
	// Sent is how many buckets changed: so many messages go to the bidders.
	Sent    int
	Version int64
}

// PutMembers brings members into an imported segment, or takes them out.
// Each bucket must be as rules.SortMembers leaves it. Those who are there stay
// with the time of the import, which is renewed.
func (t *Tx) PutMembers(ctx context.Context, shop, segment uint32, mode Mode, in Members) (ImportResult, error) {
	have, err := t.members(ctx, segment)
	if err != nil {
		return ImportResult{}, err
	}
	var out ImportResult
	for b := range in {
		was := have[b]
		now := merged(mode, was, in[b])
		if len(now) > MaxAudienceBucket*rules.MemberSize {
			return out, fmt.Errorf("%d members in bucket %d: %w", len(now)/rules.MemberSize, b, ErrLimit)
		}
		both := int64(len(intersect(was, now)) / rules.MemberSize)
		out.Added += int64(len(now)/rules.MemberSize) - both
		out.Removed += int64(len(was)/rules.MemberSize) - both
		out.Members += int64(len(now) / rules.MemberSize)
		if bytes.Equal(was, now) {
			continue
		}
		out.Sent++
		if err := t.putAudience(ctx, shop, segment, b, now); err != nil {
			return out, err
		}
	}
	if out.Members > campaigns.MaxAudience {
		return out, fmt.Errorf("%d members: %w", out.Members, ErrLimit)
	}
	if out.Sent == 0 {
		return out, nil
	}
	err = t.exec(ctx, "UPDATE segments SET members = ?, imported = ? WHERE id = ? AND shop = ?", out.Members, t.now, segment, shop)
	if err != nil {
		return out, fmt.Errorf("update segment %d: %w", segment, err)
	}
	return out, nil
}

// AuditImport notes an import in the shop's audit log: counts only.
func (t *Tx) AuditImport(ctx context.Context, shop, segment uint32, report any) error {
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	return t.audit(ctx, change{shop: shop, action: "upload", subject: segmentKey(segment), version: version, after: report})
}

func (t *Tx) putAudience(ctx context.Context, shop, segment uint32, bucket int, members []byte) error {
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	err = t.exec(ctx, "INSERT OR REPLACE INTO audience_buckets (segment, bucket, shop, version, members) VALUES (?, ?, ?, ?, ?)",
		segment, bucket, shop, version, append([]byte{}, members...))
	if err != nil {
		return fmt.Errorf("write members of segment %d: %w", segment, err)
	}
	return t.enqueue(ctx, fmt.Sprintf("audience/%d/%d", segment, bucket), version)
}

func (r Reader) members(ctx context.Context, segment uint32) (out Members, err error) {
	rows, err := r.q.QueryContext(ctx, "SELECT bucket, members FROM audience_buckets WHERE segment = ?", segment)
	if err != nil {
		return out, fmt.Errorf("read members of segment %d: %w", segment, err)
	}
	defer rows.Close()
	for rows.Next() {
		var bucket int
		var members []byte
		if err := rows.Scan(&bucket, &members); err != nil {
			return out, fmt.Errorf("read members of segment %d: %w", segment, err)
		}
		if bucket >= 0 && bucket < len(out) {
			out[bucket] = members
		}
	}
	return out, rows.Err()
}

func (r Reader) audienceRecord(ctx context.Context, key, rest string) (campaigns.Record, error) {
	segment, bucket, _ := strings.Cut(rest, "/")
	if _, err := strconv.ParseUint(bucket, 10, 16); err != nil {
		return campaigns.Record{}, fmt.Errorf("outbox key %q: %w", key, err)
	}
	var a campaigns.AudienceBucket
	var version int64
	err := r.q.QueryRowContext(ctx, "SELECT shop, segment, bucket, version, members FROM audience_buckets WHERE segment = ? AND bucket = ?", segment, bucket).
		Scan(&a.ShopID, &a.SegmentID, &a.Bucket, &version, &a.Members)
	if err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	if len(a.Members) == 0 {
		return campaigns.Record{Key: key, Version: version, Deleted: true}, nil
	}
	if err := rules.CheckMembers(a.Bucket, a.Members); err != nil {
		return campaigns.Record{}, errors.Join(fmt.Errorf("read %s", key), err)
	}
	return campaigns.Record{Key: key, Version: version, Audience: &a}, nil
}

// merged is what a bucket holds after an import.
func merged(mode Mode, was, in []byte) []byte {
	switch mode {
	case Replace:
		return in
	case Add:
		return rules.SortMembers(append(bytes.Clone(was), in...))
	}
	return without(was, in)
}

// without are the members of a that are not in b; both are sorted.
func without(a, b []byte) []byte { return pick(a, b, false) }

// intersect are the members of a that are in b.
func intersect(a, b []byte) []byte { return pick(a, b, true) }

func pick(a, b []byte, in bool) (out []byte) {
	const size = rules.MemberSize
	for len(a) >= size {
		for len(b) >= size && bytes.Compare(b[:16], a[:16]) < 0 {
			b = b[size:]
		}
		if (len(b) >= size && bytes.Equal(a[:16], b[:16])) == in {
			out = append(out, a[:size]...)
		}
		a = a[size:]
	}
	return out
}
