package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/grosz/grosz/campaigns"
)

// Bounds of what one shop may have uploaded at a time.
const (
	MaxAssets     = 500
	MaxAssetBytes = 512 << 20
)

// assetKeptMS is how long a deleted file stays: ads that were sold with it may
// still be shown.
const assetKeptMS = 24 * 60 * 60 * 1000

// Asset is an uploaded file of a shop's ads: what it is and where it stands.
type Asset struct {
	ID        string `json:"-"` // SHA-256 of the bytes, hex
	ShopID    uint32 `json:"-"`
	CreatedMS int64  `json:"-"`
	DeletedMS int64  `json:"-"`
	Bytes     int    `json:"-"`

	Name        string `json:"name,omitempty"` // as the uploader called it
	Path        string `json:"path"`
	Kind        string `json:"kind"`
	MIME        string `json:"mime"`
	W           int    `json:"w"`
	H           int    `json:"h"`
	Frames      int    `json:"frames,omitempty"`
	AnimationMS int64  `json:"animation_ms,omitempty"`
	DurationMS  int64  `json:"duration_ms,omitempty"`
	BitrateKbps int    `json:"bitrate_kbps,omitempty"`
	Codecs      string `json:"codecs,omitempty"`
}

const assetColumns = "shop, id, created, deleted, bytes, doc"

func scanAsset(row interface{ Scan(...any) error }) (a Asset, err error) {
	var doc []byte
	if err := row.Scan(&a.ShopID, &a.ID, &a.CreatedMS, &a.DeletedMS, &a.Bytes, &doc); err != nil {
		return Asset{}, err
	}
	if err := json.Unmarshal(doc, &a); err != nil {
		return Asset{}, fmt.Errorf("read asset %s: %w", a.ID, err)
	}
	return a, nil
}

// Assets returns a shop's uploaded files, the newest first.
func (r Reader) Assets(ctx context.Context, shop uint32) ([]Asset, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+assetColumns+" FROM assets WHERE shop = ? AND deleted = 0 ORDER BY created DESC, id", shop)
	if err != nil {
		return nil, fmt.Errorf("list the assets of shop %d: %w", shop, err)
	}
	return collect(rows, scanAsset)
}

// Asset returns a shop's uploaded file; ErrNotFound if it has none of that id.
func (r Reader) Asset(ctx context.Context, shop uint32, id string) (Asset, error) {
	a, err := r.anyAsset(ctx, shop, id)
	if err == nil && a.DeletedMS != 0 {
		return Asset{}, fmt.Errorf("asset %s: %w", id, ErrNotFound)
	}
	return a, err
}

// anyAsset finds deleted ones too, while they are kept.
func (r Reader) anyAsset(ctx context.Context, shop uint32, id string) (Asset, error) {
	a, err := scanAsset(r.q.QueryRowContext(ctx, "SELECT "+assetColumns+" FROM assets WHERE shop = ? AND id = ?", shop, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Asset{}, fmt.Errorf("asset %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Asset{}, fmt.Errorf("read asset %s: %w", id, err)
	}
	return a, nil
}

// AssetKept tells whether a file is to stay in its place: it is the shop's, or
// was until lately.
func (r Reader) AssetKept(ctx context.Context, shop uint32, id string) (bool, error) {
	_, err := r.anyAsset(ctx, shop, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PutAsset notes an uploaded file whose bytes are in their place. made is false
// if the shop had it.
func (t *Tx) PutAsset(ctx context.Context, a Asset) (_ Asset, made bool, err error) {
	old, err := t.anyAsset(ctx, a.ShopID, a.ID)
	switch {
	case err == nil && old.DeletedMS == 0:
		return old, false, nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return Asset{}, false, err
	}
	var n, kept int
	var size, keptSize int64
	err = t.q.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(bytes), 0), count(*) FILTER (WHERE deleted = 0), coalesce(sum(bytes) FILTER (WHERE deleted = 0), 0)
		FROM assets WHERE shop = ? AND id <> ?`, a.ShopID, a.ID).Scan(&kept, &keptSize, &n, &size)
	if err != nil {
		return Asset{}, false, fmt.Errorf("count the assets of shop %d: %w", a.ShopID, err)
	}
	add := int64(a.Bytes)
	switch {
	case n >= MaxAssets || size+add > MaxAssetBytes:
		return Asset{}, false, fmt.Errorf("a shop has at most %d files of %d MiB in all: delete some: %w", MaxAssets, MaxAssetBytes>>20, ErrLimit)
	case kept >= 2*MaxAssets || keptSize+add > 2*MaxAssetBytes:
		return Asset{}, false, fmt.Errorf("deleted files are kept for a day, and there are too many of them: try again later: %w", ErrLimit)
	}
	a.CreatedMS, a.DeletedMS = t.now, 0
	doc, err := json.Marshal(a)
	if err != nil {
		return Asset{}, false, fmt.Errorf("write asset %s: %w", a.ID, err)
	}
	err = t.exec(ctx, "INSERT OR REPLACE INTO assets ("+assetColumns+") VALUES (?, ?, ?, 0, ?, ?)", a.ShopID, a.ID, a.CreatedMS, a.Bytes, string(doc))
	if err != nil {
		return Asset{}, false, fmt.Errorf("write asset %s: %w", a.ID, err)
	}
	return a, true, t.audit(ctx, change{shop: a.ShopID, action: "upload", subject: "asset/" + a.ID, version: 0, after: a})
}

// DropAsset makes a file disappear from the API, unless a campaign shows it.
func (t *Tx) DropAsset(ctx context.Context, shop uint32, id string) error {
	a, err := t.Asset(ctx, shop, id)
	if err != nil {
		return err
	}
	used, err := t.AssetUse(ctx, shop)
	if err != nil {
		return err
	}
	if ids := used[id]; len(ids) > 0 {
		return fmt.Errorf("campaign %d shows this file: %w", ids[0], ErrLimit)
	}
	if err := t.exec(ctx, "UPDATE assets SET deleted = ? WHERE shop = ? AND id = ?", t.now, shop, id); err != nil {
		return fmt.Errorf("delete asset %s: %w", id, err)
	}
	return t.audit(ctx, change{shop: shop, action: "delete", subject: "asset/" + id, version: 0, before: a})
}

// AssetUse tells which campaigns of a shop name which file.
func (r Reader) AssetUse(ctx context.Context, shop uint32) (map[string][]uint32, error) {
	all, err := r.Campaigns(ctx, shop, CampaignFilter{}, 0, 1<<20)
	if err != nil {
		return nil, err
	}
	out := map[string][]uint32{}
	for i := range all {
		for _, id := range assetsOf(&all[i].Campaign) {
			out[id] = append(out[id], all[i].ID)
		}
	}
	return out, nil
}

func assetsOf(c *campaigns.Campaign) (ids []string) {
	for i := range c.Creatives {
		if id := c.Creatives[i].Asset; id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// ForgetAssets drops the rows of files that were deleted long enough ago, and
// returns the places of all files that there are still.
func (t *Tx) ForgetAssets(ctx context.Context) (keep map[string]bool, err error) {
	if err := t.exec(ctx, "DELETE FROM assets WHERE deleted <> 0 AND deleted < ?", t.now-assetKeptMS); err != nil {
		return nil, fmt.Errorf("forget deleted assets: %w", err)
	}
	rows, err := t.q.QueryContext(ctx, "SELECT "+assetColumns+" FROM assets")
	if err != nil {
		return nil, fmt.Errorf("list assets: %w", err)
	}
	all, err := collect(rows, scanAsset)
	if err != nil {
		return nil, err
	}
	keep = make(map[string]bool, len(all))
	for i := range all {
		keep[all[i].Path] = true
	}
	return keep, nil
}
