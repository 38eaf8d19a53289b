package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/grosz/grosz/campaigns"
)

// Campaign is a campaign's row: the document and its times, ms UTC.
type Campaign struct {
	campaigns.Campaign
	CreatedMS, UpdatedMS int64
}

const campaignColumns = "id, shop, version, created, updated, doc"

func scanCampaign(row interface{ Scan(...any) error }) (Campaign, error) {
	var c Campaign
	var doc []byte
	if err := row.Scan(&c.ID, &c.ShopID, &c.Version, &c.CreatedMS, &c.UpdatedMS, &doc); err != nil {
		return Campaign{}, err
	}
	id, shop, version := c.ID, c.ShopID, c.Version
	if err := json.Unmarshal(doc, &c.Campaign); err != nil {
		return Campaign{}, fmt.Errorf("read campaign %d: %w", id, err)
	}
	c.ID, c.ShopID, c.Version = id, shop, version
	return c, nil
}

// Campaign returns one campaign of a shop; ErrNotFound if the shop has none
// of that id, or has deleted it.
func (r Reader) Campaign(ctx context.Context, shop, id uint32) (Campaign, error) {
	row := r.q.QueryRowContext(ctx, "SELECT "+campaignColumns+" FROM campaigns WHERE id = ? AND shop = ? AND deleted = 0", id, shop)
	c, err := scanCampaign(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Campaign{}, fmt.Errorf("campaign %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Campaign{}, fmt.Errorf("read campaign %d: %w", id, err)
	}
	return c, nil
}

// CampaignFilter narrows a list; empty fields do not.
type CampaignFilter struct {
	Status, Kind string
}

// Campaigns returns up to limit campaigns of a shop with ids above after, by
// id.
func (r Reader) Campaigns(ctx context.Context, shop uint32, f CampaignFilter, after uint32, limit int) ([]Campaign, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+campaignColumns+` FROM campaigns
		WHERE shop = ? AND deleted = 0 AND id > ? AND (? = '' OR status = ?) AND (? = '' OR kind = ?)
		ORDER BY id LIMIT ?`, shop, after, f.Status, f.Status, f.Kind, f.Kind, limit)
	if err != nil {
		return nil, fmt.Errorf("list the campaigns of shop %d: %w", shop, err)
	}
	return collect(rows, scanCampaign)
}

// CampaignCount counts a shop's campaigns that are not deleted.
func (r Reader) CampaignCount(ctx context.Context, shop uint32) (int, error) {
	var n int
	err := r.q.QueryRowContext(ctx, "SELECT count(*) FROM campaigns WHERE shop = ? AND deleted = 0", shop).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count campaigns: %w", err)
	}
	return n, nil
}

// CreateCampaign inserts a campaign of c.ShopID, gives it and its creatives
// their ids, and puts it into the outbox.
func (t *Tx) CreateCampaign(ctx context.Context, c campaigns.Campaign) (Campaign, error) {
	n, err := t.CampaignCount(ctx, c.ShopID)
	if err != nil {
		return Campaign{}, err
	}
	if n >= t.cfg.MaxCampaigns {
		return Campaign{}, fmt.Errorf("%d campaigns: %w", n, ErrLimit)
	}
	c.ID = 0
	doc, err := t.campaignDoc(ctx, &c)
	if err != nil {
		return Campaign{}, err
	}
	res, err := t.tx.ExecContext(ctx, "INSERT INTO campaigns (shop, version, created, updated, status, kind, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
		c.ShopID, c.Version, t.now, t.now, c.Status, c.Kind, doc)
	if err != nil {
		return Campaign{}, fmt.Errorf("insert campaign: %w", err)
	}
	if c.ID, err = newID(res); err != nil {
		return Campaign{}, err
	}
	if err := t.enqueue(ctx, campaignKey(c.ID), c.Version); err != nil {
		return Campaign{}, err
	}
	out := Campaign{Campaign: c, CreatedMS: t.now, UpdatedMS: t.now}
	return out, t.audit(ctx, change{shop: c.ShopID, action: "create", subject: campaignKey(c.ID), version: c.Version, after: c})
}

// campaignDoc gives c its next version and its new creatives their ids, and
// encodes it.
func (t *Tx) campaignDoc(ctx context.Context, c *campaigns.Campaign) (string, error) {
	var err error
	if c.Version, err = t.next(ctx, "version"); err != nil {
		return "", err
	}
	for i := range c.Creatives {
		if c.Creatives[i].ID != 0 {
			continue
		}
		id, err := t.next(ctx, "creative")
		if err != nil {
			return "", err
		}
		if id > math.MaxUint32 {
			return "", fmt.Errorf("creative id %d: %w", id, ErrLimit)
		}
		c.Creatives[i].ID = uint32(id)
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("write campaign %d: %w", c.ID, err)
	}
	return string(doc), nil
}

// UpdateCampaign replaces a campaign's document if it still has the version
// that c.Version names; ErrConflict if not.
func (t *Tx) UpdateCampaign(ctx context.Context, c campaigns.Campaign) (Campaign, error) {
	old, err := t.Campaign(ctx, c.ShopID, c.ID)
	if err != nil {
		return Campaign{}, err
	}
	if old.Version != c.Version {
		return Campaign{}, fmt.Errorf("campaign %d: %w", c.ID, ErrConflict)
	}
	doc, err := t.campaignDoc(ctx, &c)
	if err != nil {
		return Campaign{}, err
	}
	err = t.exec(ctx, "UPDATE campaigns SET version = ?, updated = ?, status = ?, kind = ?, doc = ? WHERE id = ?",
		c.Version, t.now, c.Status, c.Kind, doc, c.ID)
	if err != nil {
		return Campaign{}, fmt.Errorf("update campaign %d: %w", c.ID, err)
	}
	if err := t.enqueue(ctx, campaignKey(c.ID), c.Version); err != nil {
		return Campaign{}, err
	}
	out := Campaign{Campaign: c, CreatedMS: old.CreatedMS, UpdatedMS: t.now}
	return out, t.audit(ctx, change{shop: c.ShopID, action: "update", subject: campaignKey(c.ID), version: c.Version, before: old.Campaign, after: c})
}

// DeleteCampaign makes a campaign disappear from the API and from the
// bidders. Its row stays, for its id is in the event history.
func (t *Tx) DeleteCampaign(ctx context.Context, shop, id uint32) error {
	old, err := t.Campaign(ctx, shop, id)
	if err != nil {
		return err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "UPDATE campaigns SET version = ?, updated = ?, deleted = ? WHERE id = ?", version, t.now, t.now, id); err != nil {
		return fmt.Errorf("delete campaign %d: %w", id, err)
	}
	if err := t.enqueue(ctx, campaignKey(id), version); err != nil {
		return err
	}
	return t.audit(ctx, change{shop: shop, action: "delete", subject: campaignKey(id), version: version, before: old.Campaign})
}
