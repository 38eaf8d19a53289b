package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

// FeedSource is where a shop's feed is fetched from.
type FeedSource struct {
	ShopID  uint32
	URL     string
	Format  string // empty: told from the bytes
	Minutes int    // between two fetches
	// ETag and Modified are the server's validators of what was last read.
	ETag, Modified string
	// CheckedMS is the last fetch that worked, DueMS the next one, ms UTC.
	CheckedMS, DueMS int64
	// Problem is why the last fetch failed; empty after one that worked.
	Problem string
	// Version grows with each change of the above by people; 0: there is no source.
	Version int64
}

const sourceColumns = "shop, url, format, minutes, etag, modified, checked, due, problem, version"

func scanSource(row interface{ Scan(...any) error }) (FeedSource, error) {
	var f FeedSource
	err := row.Scan(&f.ShopID, &f.URL, &f.Format, &f.Minutes, &f.ETag, &f.Modified, &f.CheckedMS, &f.DueMS, &f.Problem, &f.Version)
	return f, err
}

// FeedSource returns where a shop's feed comes from; ErrNotFound if it is
// uploaded.
func (r Reader) FeedSource(ctx context.Context, shop uint32) (FeedSource, error) {
	f, err := scanSource(r.q.QueryRowContext(ctx, "SELECT "+sourceColumns+" FROM feed_sources WHERE shop = ?", shop))
	if err != nil {
		return f, notFound(err, fmt.Sprintf("feed source of shop %d", shop))
	}
	return f, nil
}

// DueSources returns up to limit sources that are to be fetched by now.
func (r Reader) DueSources(ctx context.Context, nowMS int64, limit int) ([]FeedSource, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+sourceColumns+" FROM feed_sources WHERE due <= ? ORDER BY due LIMIT ?", nowMS, limit)
	if err != nil {
		return nil, fmt.Errorf("list feeds to be fetched: %w", err)
	}
	return collect(rows, scanSource)
}

// PutFeedSource sets or changes where a feed comes from; it is due at once,
// and read anew whatever its server said before.
func (t *Tx) PutFeedSource(ctx context.Context, f FeedSource) (FeedSource, error) {
	f.ETag, f.Modified, f.DueMS, f.Problem = "", "", t.now, ""
	old, err := t.FeedSource(ctx, f.ShopID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return f, err
	}
	f.CheckedMS = old.CheckedMS
	if f.Version, err = t.next(ctx, "version"); err != nil {
		return f, err
	}
	if err := t.writeSource(ctx, &f); err != nil {
		return f, err
	}
	return f, t.audit(ctx, change{shop: f.ShopID, action: "set", subject: fmt.Sprintf("feed-source/%d", f.ShopID), version: f.Version, before: sourceSummary(&old), after: sourceSummary(&f)})
}

// sourceSummary is what the audit log tells of a source; nil for none.
func sourceSummary(f *FeedSource) any {
	if f.Version == 0 {
		return nil
	}
	return map[string]any{"url": f.URL, "minutes": f.Minutes, "format": f.Format}
}

// SourceFetched notes how a fetch went, if the source is still the same.
func (t *Tx) SourceFetched(ctx context.Context, f FeedSource) error {
	now, err := t.FeedSource(ctx, f.ShopID)
	if errors.Is(err, ErrNotFound) || err == nil && now.Version != f.Version {
		return nil
	}
	if err != nil {
		return err
	}
	return t.writeSource(ctx, &f)
}

func (t *Tx) writeSource(ctx context.Context, f *FeedSource) error {
	err := t.exec(ctx, "INSERT OR REPLACE INTO feed_sources ("+sourceColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		f.ShopID, f.URL, f.Format, f.Minutes, f.ETag, f.Modified, f.CheckedMS, f.DueMS, f.Problem, f.Version)
	if err != nil {
		return fmt.Errorf("write the feed source of shop %d: %w", f.ShopID, err)
	}
	return nil
}

// DeleteFeedSource stops fetching; the feed stays as it is.
func (t *Tx) DeleteFeedSource(ctx context.Context, shop uint32) error {
	old, err := t.FeedSource(ctx, shop)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "DELETE FROM feed_sources WHERE shop = ?", shop); err != nil {
		return fmt.Errorf("delete the feed source of shop %d: %w", shop, err)
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	return t.audit(ctx, change{shop: shop, action: "delete", subject: fmt.Sprintf("feed-source/%d", shop), version: version, before: sourceSummary(&old)})
}

// FeedChecked notes, for the bidders too, that the feed is as the shop has it
// now.
func (t *Tx) FeedChecked(ctx context.Context, shop uint32) error {
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "INSERT OR REPLACE INTO feed_states (shop, version, checked) VALUES (?, ?, ?)", shop, version, t.now); err != nil {
		return fmt.Errorf("note the feed of shop %d: %w", shop, err)
	}
	return t.enqueue(ctx, feedKey(shop), version)
}

func feedKey(shop uint32) string { return "feed/" + strconv.FormatUint(uint64(shop), 10) }

func (r Reader) feedRecord(ctx context.Context, key, shop string) (campaigns.Record, error) {
	s := campaigns.FeedState{}
	var version int64
	err := r.q.QueryRowContext(ctx, "SELECT shop, version, checked FROM feed_states WHERE shop = ?", shop).Scan(&s.ShopID, &version, &s.CheckedMS)
	if errors.Is(err, sql.ErrNoRows) || err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	return campaigns.Record{Key: key, Version: version, Feed: &s}, nil
}
