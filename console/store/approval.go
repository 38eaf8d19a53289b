package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

// States of a creative on an exchange. What nobody has said anything of is
// pending.
const (
	ApprovalPending  = "pending"
	ApprovalApproved = "approved"
	ApprovalRejected = "rejected"
)

// MaxApprovals bounds what is kept of one shop, on all exchanges: what is
// approved is one message.
const MaxApprovals = 10_000

// Approval is what an exchange has said of a shop's creative.
type Approval struct {
	ShopID    uint32 `json:"-"`
	Exchange  string `json:"-"`
	CRID      string `json:"crid"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	UpdatedMS int64  `json:"-"`
	Actor     string `json:"-"`
}

func approvalsKey(shop uint32) string { return "approvals/" + strconv.FormatUint(uint64(shop), 10) }

// Approvals returns what is known of a shop's creatives, on one exchange or,
// where that is empty, on all.
func (r Reader) Approvals(ctx context.Context, shop uint32, exchange string) ([]Approval, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT shop, exchange, crid, state, reason, updated, actor FROM approvals
		WHERE shop = ? AND (? = '' OR exchange = ?) ORDER BY exchange, crid`, shop, exchange, exchange)
	if err != nil {
		return nil, fmt.Errorf("list the approvals of shop %d: %w", shop, err)
	}
	return collect(rows, func(row interface{ Scan(...any) error }) (a Approval, err error) {
		err = row.Scan(&a.ShopID, &a.Exchange, &a.CRID, &a.State, &a.Reason, &a.UpdatedMS, &a.Actor)
		return a, err
	})
}

// SetApprovals notes what an exchange has said. live tells of crids that the
// shop's creatives have today: where the bound is reached, others are
// forgotten.
func (t *Tx) SetApprovals(ctx context.Context, shop uint32, exchange string, list []Approval, live func(crid string) bool) error {
	for _, a := range list {
		err := t.exec(ctx, `INSERT OR REPLACE INTO approvals (shop, exchange, crid, state, reason, updated, actor) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			shop, exchange, a.CRID, a.State, a.Reason, t.now, t.actor.Name)
		if err != nil {
			return fmt.Errorf("write the approval of %s: %w", a.CRID, err)
		}
	}
	if err := t.boundApprovals(ctx, shop, live); err != nil {
		return err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "INSERT OR REPLACE INTO approval_docs (shop, version) VALUES (?, ?)", shop, version); err != nil {
		return fmt.Errorf("write the approvals of shop %d: %w", shop, err)
	}
	if err := t.enqueue(ctx, approvalsKey(shop), version); err != nil {
		return err
	}
	return t.audit(ctx, change{shop: shop, action: "update", subject: "approvals/" + exchange, version: version, after: list})
}

func (t *Tx) boundApprovals(ctx context.Context, shop uint32, live func(crid string) bool) error {
	n, err := t.count(ctx, "SELECT count(*) FROM approvals WHERE shop = ?", shop)
	if err != nil || n <= MaxApprovals {
		return err
	}
	all, err := t.Approvals(ctx, shop, "")
	if err != nil {
		return err
	}
	for _, a := range all {
		if live(a.CRID) {
			continue
		}
		if err := t.exec(ctx, "DELETE FROM approvals WHERE shop = ? AND exchange = ? AND crid = ?", shop, a.Exchange, a.CRID); err != nil {
			return fmt.Errorf("forget the approval of %s: %w", a.CRID, err)
		}
		n--
	}
	if n > MaxApprovals {
		return fmt.Errorf("%d approvals of one shop, at most %d are kept: %w", n, MaxApprovals, ErrLimit)
	}
	return nil
}

// approvalsRecord is what bidders get: what is approved, by exchange.
func (r Reader) approvalsRecord(ctx context.Context, key, id string) (campaigns.Record, error) {
	shop, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return campaigns.Record{}, fmt.Errorf("outbox key %q: %w", key, err)
	}
	rec := campaigns.Record{Key: key, Approvals: &campaigns.Approvals{ShopID: uint32(shop), Approved: map[string][]string{}}}
	if err := r.q.QueryRowContext(ctx, "SELECT version FROM approval_docs WHERE shop = ?", shop).Scan(&rec.Version); err != nil {
		return campaigns.Record{}, notFound(err, key)
	}
	all, err := r.Approvals(ctx, uint32(shop), "")
	if err != nil {
		return campaigns.Record{}, err
	}
	for _, a := range all {
		if a.State == ApprovalApproved {
			rec.Approvals.Approved[a.Exchange] = append(rec.Approvals.Approved[a.Exchange], a.CRID)
		}
	}
	return rec, nil
}

// CampaignOfCreative finds the campaign that has a creative.
func (r Reader) CampaignOfCreative(ctx context.Context, shop, creative uint32) (Campaign, *campaigns.Creative, error) {
	var id uint32
	err := r.q.QueryRowContext(ctx, `SELECT id FROM campaigns WHERE shop = ? AND deleted = 0
		AND EXISTS (SELECT 1 FROM json_each(campaigns.doc, '$.creatives') WHERE json_extract(value, '$.id') = ?)`, shop, creative).Scan(&id)
	if err != nil {
		return Campaign{}, nil, notFound(err, "creative "+strconv.FormatUint(uint64(creative), 10))
	}
	c, err := r.Campaign(ctx, shop, id)
	if err != nil {
		return Campaign{}, nil, err
	}
	for i := range c.Creatives {
		if c.Creatives[i].ID == creative {
			return c, &c.Creatives[i], nil
		}
	}
	return Campaign{}, nil, fmt.Errorf("creative %d: %w", creative, ErrNotFound)
}
