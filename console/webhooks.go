package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/money"
)

// Kinds of alerts.
const (
	AlertBudget       = "budget_reached"
	AlertNoBids       = "no_bids"
	AlertFeedStale    = "feed_stale"
	AlertCostPerOrder = "cost_per_order"
	alertTest         = "test"
)

// Webhook is where a shop is told of what needs it.
type Webhook struct {
	ID           uint32     `json:"id" readOnly:"true"`
	Version      int64      `json:"version" readOnly:"true"`
	Created      int64      `json:"created" readOnly:"true" doc:"When it was made, ms UTC"`
	URL          string     `json:"url" doc:"Address that is called; https, port 443, on the public internet"`
	Kinds        []string   `json:"kinds" nullable:"false" enum:"budget_reached,no_bids,feed_stale,cost_per_order" doc:"What it is called for"`
	CostPerOrder money.Nano `json:"cost_per_order,omitempty" doc:"For the kind cost_per_order: called when an order of the last 7 days costs more with 95 % certainty"`
	Secret       string     `json:"secret,omitempty" readOnly:"true" doc:"With which calls are signed; shown when it is made and never again"`
	Last         *LastCall  `json:"last,omitempty" readOnly:"true" doc:"The newest call"`
}

// LastCall is how the newest call of a webhook went.
type LastCall struct {
	Kind   string `json:"kind"`
	At     int64  `json:"at" doc:"When it was due first, ms UTC"`
	Status string `json:"status" enum:"waiting,sent,failed"`
	Tries  int    `json:"tries"`
	Note   string `json:"note,omitempty" doc:"Why the last try failed"`
}

func webhookView(h store.Webhook) Webhook {
	return Webhook{ID: h.ID, Version: h.Version, Created: h.CreatedMS, URL: h.URL, Kinds: h.Kinds, CostPerOrder: money.Nano(h.CostPerOrder)}
}

func (s *Server) webhookRoutes() {
	const path = "/api/v1/shops/{shop}/webhooks"
	tags := []string{"Alerts"}
	register(s, route{Operation: huma.Operation{
		OperationID: "list-webhooks", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List where alerts go, and how the newest call went",
	}, access: accessRead}, s.listWebhooks)
	register(s, route{Operation: huma.Operation{
		OperationID: "create-webhook", Method: http.MethodPost, Path: path, Tags: tags, Summary: "Have alerts sent to an address", DefaultStatus: http.StatusCreated,
		Description: "The body of a call is {\"id\", \"kind\", \"shop\", \"at\", \"subject\", \"text\"}; the header Grosz-Signature is t=SECONDS,v1=HEX, the HMAC-SHA256 " +
			"of SECONDS, a point and the body under the secret. Without an answer of 2xx within 10 s it is tried again for a day.",
	}, access: accessWrite, body: reflect.TypeFor[Webhook]()}, s.createWebhook)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-webhook", Method: http.MethodGet, Path: path + "/{webhook}", Tags: tags, Summary: "Read a webhook",
	}, access: accessRead}, s.getWebhook)
	register(s, route{Operation: huma.Operation{
		OperationID: "update-webhook", Method: http.MethodPatch, Path: path + "/{webhook}", Tags: tags, Summary: "Change a webhook",
		Description: "A JSON merge patch (RFC 7396). The secret stays; what still waits to be sent goes to the new address.",
		Errors:      []int{http.StatusPreconditionFailed},
	}, access: accessWrite, body: reflect.TypeFor[Webhook]()}, s.updateWebhook)
	register(s, route{Operation: huma.Operation{
		OperationID: "delete-webhook", Method: http.MethodDelete, Path: path + "/{webhook}", Tags: tags, Summary: "Delete a webhook and what was still to be sent to it",
		Errors: []int{http.StatusPreconditionFailed},
	}, access: accessWrite}, s.deleteWebhook)
	register(s, route{Operation: huma.Operation{
		OperationID: "test-webhook", Method: http.MethodPost, Path: path + "/{webhook}/test", Tags: tags, Summary: "Send a test", DefaultStatus: http.StatusNoContent,
	}, access: accessWrite}, s.testWebhook)
}

type webhookList struct{ Body list[Webhook] }

func (s *Server) listWebhooks(ctx context.Context, in *struct {
	ShopPath
	Page
}) (*webhookList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	after, err := in.id("webhook", 32)
	if err != nil {
		return nil, err
	}
	found, err := s.store.View().Webhooks(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	last, err := s.store.View().LastDeliveries(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(h store.Webhook) bool { return uint64(h.ID) <= after })
	return &webhookList{pageOf(found, in.Limit, "webhook", func(h store.Webhook) int64 { return int64(h.ID) }, func(h store.Webhook) Webhook {
		return calledView(h, last)
	})}, nil
}

// calledView is a webhook with its newest call.
func calledView(h store.Webhook, last map[uint32]store.Delivery) Webhook {
	v := webhookView(h)
	if d, ok := last[h.ID]; ok {
		var a alert
		_ = json.Unmarshal([]byte(d.Body), &a) // written by us
		v.Last = &LastCall{Kind: a.Kind, At: d.AtMS, Status: d.Status, Tries: d.Tries, Note: d.Note}
	}
	return v
}

type webhookOutput struct {
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request"`
	Body     Webhook
}

func (s *Server) createWebhook(ctx context.Context, in *struct {
	ShopPath
	OnceHeader
	jsonBody
}) (*webhookOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var v Webhook
	var p problems
	decode(raw, &v, &p)
	doc, err := s.webhookDoc(&v, &p)
	if err != nil {
		return nil, err
	}
	out := new(webhookOutput)
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		if _, err := tx.Shop(ctx, in.Shop); err != nil {
			return err
		}
		made, replayed, err := once(ctx, tx, in.OnceHeader, "create-webhook/"+etag(int64(in.Shop)), in.RawBody, func() (Webhook, error) {
			h, err := tx.CreateWebhook(ctx, store.Webhook{WebhookDoc: doc, ShopID: in.Shop, Secret: newSecret()})
			v := webhookView(h)
			v.Secret = h.Secret
			return v, err
		})
		out.ETag, out.Replayed, out.Body = etag(made.Version), replayedHeader(replayed), made
		return err
	})
	return out, err
}

// webhookDoc checks a webhook and returns it as it is stored.
func (s *Server) webhookDoc(v *Webhook, p *problems) (store.WebhookDoc, error) {
	checkWebhook(v, p)
	if err := s.hooks.Check(v.URL); err != nil {
		p.add("body.url", "%v", err)
	}
	slices.Sort(v.Kinds)
	return store.WebhookDoc{URL: v.URL, Kinds: slices.Compact(v.Kinds), CostPerOrder: int64(v.CostPerOrder)}, p.err()
}

func newSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return "whsec_" + keyText.EncodeToString(raw[:])
}

func checkWebhook(v *Webhook, p *problems) {
	checkURL(p, "body.url", v.URL, true)
	if len(v.Kinds) == 0 {
		p.add("body.kinds", "choose at least one")
	}
	for i, k := range v.Kinds {
		checkOneOf(p, indexed("body.kinds", i), k, AlertBudget, AlertNoBids, AlertFeedStale, AlertCostPerOrder)
	}
	checkAmount(p, "body.cost_per_order", v.CostPerOrder)
	if slices.Contains(v.Kinds, AlertCostPerOrder) && v.CostPerOrder == 0 {
		p.add("body.cost_per_order", "is missing: above which amount is an order too dear?")
	}
}

// WebhookPath names the webhook.
type WebhookPath struct {
	ShopPath
	Webhook uint32 `path:"webhook" minimum:"1" doc:"Webhook id"`
}

func (s *Server) getWebhook(ctx context.Context, in *WebhookPath) (*webhookOutput, error) {
	h, err := s.store.View().Webhook(ctx, in.Shop, in.Webhook)
	if err != nil {
		return nil, err
	}
	last, err := s.store.View().LastDeliveries(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	return &webhookOutput{ETag: etag(h.Version), Body: calledView(h, last)}, nil
}

func (s *Server) updateWebhook(ctx context.Context, in *struct {
	WebhookPath
	MatchHeader
	jsonBody
}) (*webhookOutput, error) {
	patch, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	out := new(webhookOutput)
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.Webhook(ctx, in.Shop, in.Webhook)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		var v Webhook
		var p problems
		if err := decodePatched(webhookView(old), patch, &v, &p); err != nil {
			return err
		}
		changed := old
		if changed.WebhookDoc, err = s.webhookDoc(&v, &p); err != nil {
			return err
		}
		h, err := tx.UpdateWebhook(ctx, changed)
		out.ETag, out.Body = etag(h.Version), webhookView(h)
		return err
	})
	return out, err
}

func (s *Server) deleteWebhook(ctx context.Context, in *struct {
	WebhookPath
	MatchHeader
}) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.Webhook(ctx, in.Shop, in.Webhook)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		return tx.DeleteWebhook(ctx, in.Shop, in.Webhook)
	})
}

func (s *Server) testWebhook(ctx context.Context, in *WebhookPath) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		h, err := tx.Webhook(ctx, in.Shop, in.Webhook)
		if err != nil {
			return err
		}
		shop, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		return s.alarm(ctx, tx, h, alert{Kind: alertTest, Subject: webhookSubject(h.ID), Text: newAlertWords(&shop, nil).test()})
	})
}
