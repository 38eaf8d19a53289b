package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Bounds of alerts: webhooks of a shop, and deliveries kept of a webhook.
const (
	maxWebhooks   = 10
	maxDeliveries = 100
)

// Statuses of a delivery.
const (
	DeliveryWaiting = "waiting"
	DeliverySent    = "sent"
	DeliveryFailed  = "failed"
)

// WebhookDoc is what a shop says of a webhook.
type WebhookDoc struct {
	URL string `json:"url"`
	// Kinds of alerts that it wants.
	Kinds []string `json:"kinds"`
	// CostPerOrder, nano-units of the shop's currency: above it the alert of
	// that kind is sent.
	CostPerOrder int64 `json:"cost_per_order,omitempty"`
}

// Webhook is a webhook's row.
type Webhook struct {
	WebhookDoc
	ID, ShopID           uint32
	Version              int64
	CreatedMS, UpdatedMS int64
	// Secret signs what is sent; never shown but when it is made.
	Secret string
}

// Delivery is one alert for one webhook.
type Delivery struct {
	ID      int64
	Webhook uint32
	AtMS    int64
	NextMS  int64
	Tries   int
	Status  string
	// Note says why the last try failed.
	Note string
	// Body is what is sent, JSON.
	Body string
}

const webhookColumns = "id, shop, version, created, updated, secret, doc"

func scanWebhook(row interface{ Scan(...any) error }) (Webhook, error) {
	var h Webhook
	var doc string
	if err := row.Scan(&h.ID, &h.ShopID, &h.Version, &h.CreatedMS, &h.UpdatedMS, &h.Secret, &doc); err != nil {
		return Webhook{}, err
	}
	if err := json.Unmarshal([]byte(doc), &h.WebhookDoc); err != nil {
		return Webhook{}, fmt.Errorf("read webhook %d: %w", h.ID, err)
	}
	return h, nil
}

// Webhooks lists a shop's, of shop 0 all shops'. Their number is bounded.
func (r Reader) Webhooks(ctx context.Context, shop uint32) ([]Webhook, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE ? = 0 OR shop = ? ORDER BY shop, id", shop, shop)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return collect(rows, scanWebhook)
}

// Webhook returns one of a shop's.
func (r Reader) Webhook(ctx context.Context, shop, id uint32) (Webhook, error) {
	h, err := scanWebhook(r.q.QueryRowContext(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE id = ? AND shop = ?", id, shop))
	if err != nil {
		return Webhook{}, notFound(err, webhookKey(id))
	}
	return h, nil
}

func webhookKey(id uint32) string { return "webhook/" + strconv.FormatUint(uint64(id), 10) }

// CreateWebhook adds a webhook to h.ShopID.
func (t *Tx) CreateWebhook(ctx context.Context, h Webhook) (Webhook, error) {
	n, err := t.count(ctx, "SELECT count(*) FROM webhooks WHERE shop = ?", h.ShopID)
	if err != nil {
		return Webhook{}, fmt.Errorf("count webhooks: %w", err)
	}
	if n >= maxWebhooks {
		return Webhook{}, fmt.Errorf("%d webhooks, delete one first: %w", n, ErrLimit)
	}
	doc, err := json.Marshal(h.WebhookDoc)
	if err != nil {
		return Webhook{}, fmt.Errorf("write a webhook: %w", err)
	}
	if h.Version, err = t.next(ctx, "version"); err != nil {
		return Webhook{}, err
	}
	h.CreatedMS, h.UpdatedMS = t.now, t.now
	err = t.q.QueryRowContext(ctx, "INSERT INTO webhooks (shop, version, created, updated, secret, doc) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
		h.ShopID, h.Version, t.now, t.now, h.Secret, string(doc)).Scan(&h.ID)
	if err != nil {
		return Webhook{}, fmt.Errorf("insert a webhook: %w", err)
	}
	return h, t.audit(ctx, change{shop: h.ShopID, action: "create", subject: webhookKey(h.ID), version: h.Version, after: h.WebhookDoc})
}

// UpdateWebhook replaces what a shop says of a webhook if it still has the
// version that h.Version names; ErrConflict if not. What waits to be sent goes
// to the new address.
func (t *Tx) UpdateWebhook(ctx context.Context, h Webhook) (Webhook, error) {
	old, err := t.Webhook(ctx, h.ShopID, h.ID)
	if err != nil {
		return Webhook{}, err
	}
	if old.Version != h.Version {
		return Webhook{}, fmt.Errorf("webhook %d: %w", h.ID, ErrConflict)
	}
	doc, err := json.Marshal(h.WebhookDoc)
	if err != nil {
		return Webhook{}, fmt.Errorf("write a webhook: %w", err)
	}
	out := old
	out.WebhookDoc, out.UpdatedMS = h.WebhookDoc, t.now
	if out.Version, err = t.next(ctx, "version"); err != nil {
		return Webhook{}, err
	}
	if err := t.exec(ctx, "UPDATE webhooks SET version = ?, updated = ?, doc = ? WHERE id = ?", out.Version, t.now, string(doc), h.ID); err != nil {
		return Webhook{}, fmt.Errorf("update a webhook: %w", err)
	}
	return out, t.audit(ctx, change{shop: h.ShopID, action: "update", subject: webhookKey(h.ID), version: out.Version, before: old.WebhookDoc, after: out.WebhookDoc})
}

// DeleteWebhook forgets a webhook and what was still to be sent to it.
func (t *Tx) DeleteWebhook(ctx context.Context, shop, id uint32) error {
	h, err := t.Webhook(ctx, shop, id)
	if err != nil {
		return err
	}
	version, err := t.next(ctx, "version")
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "DELETE FROM webhooks WHERE id = ?", id); err != nil {
		return fmt.Errorf("delete a webhook: %w", err)
	}
	return t.audit(ctx, change{shop: shop, action: "delete", subject: webhookKey(id), version: version, before: h.WebhookDoc})
}

// AddDelivery puts an alert into a webhook's queue, dropping the oldest beyond
// its bound.
func (t *Tx) AddDelivery(ctx context.Context, webhook uint32, body string) error {
	err := t.exec(ctx, "INSERT INTO deliveries (webhook, at, next, status, body) VALUES (?, ?, ?, ?, ?)", webhook, t.now, t.now, DeliveryWaiting, body)
	if err != nil {
		return fmt.Errorf("keep an alert: %w", err)
	}
	err = t.exec(ctx, "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE webhook = ? ORDER BY id DESC LIMIT -1 OFFSET ?)", webhook, maxDeliveries)
	if err != nil {
		return fmt.Errorf("drop old alerts: %w", err)
	}
	return nil
}

const deliveryColumns = "id, webhook, at, next, tries, status, note, body"

func scanDelivery(row interface{ Scan(...any) error }) (Delivery, error) {
	var d Delivery
	err := row.Scan(&d.ID, &d.Webhook, &d.AtMS, &d.NextMS, &d.Tries, &d.Status, &d.Note, &d.Body)
	return d, err
}

// DueDeliveries lists what is to be sent by now, the oldest first.
func (r Reader) DueDeliveries(ctx context.Context, nowMS int64, limit int) ([]Delivery, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+deliveryColumns+" FROM deliveries WHERE status = ? AND next <= ? ORDER BY next, id LIMIT ?", DeliveryWaiting, nowMS, limit)
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	return collect(rows, scanDelivery)
}

// LastDeliveries returns the newest delivery of each of a shop's webhooks.
func (r Reader) LastDeliveries(ctx context.Context, shop uint32) (map[uint32]Delivery, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+deliveryColumns+` FROM deliveries WHERE id IN (
		SELECT max(d.id) FROM deliveries d JOIN webhooks w ON w.id = d.webhook WHERE w.shop = ? GROUP BY d.webhook)`, shop)
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	found, err := collect(rows, scanDelivery)
	out := make(map[uint32]Delivery, len(found))
	for _, d := range found {
		out[d.Webhook] = d
	}
	return out, err
}

// NoteDelivery writes down how a try went.
func (t *Tx) NoteDelivery(ctx context.Context, d Delivery) error {
	if err := t.exec(ctx, "UPDATE deliveries SET next = ?, tries = ?, status = ?, note = ? WHERE id = ?", d.NextMS, d.Tries, d.Status, d.Note, d.ID); err != nil {
		return fmt.Errorf("note an alert: %w", err)
	}
	return nil
}

// SetAlert notes that something is so, or is so no longer; changed tells
// whether that is news.
func (t *Tx) SetAlert(ctx context.Context, shop uint32, subject string, holds bool) (changed bool, err error) {
	query, args := "INSERT INTO alert_states (shop, subject, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", []any{shop, subject, t.now}
	if !holds {
		query, args = "DELETE FROM alert_states WHERE shop = ? AND subject = ?", []any{shop, subject}
	}
	res, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("note the state of an alert: %w", err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
