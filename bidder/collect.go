package bidder

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// Bounds of what a shop may send at once.
const (
	maxEventsPerBatch = 1000
	maxItems          = 100
	maxEventText      = 512
	// maxEventAge is how old an event may be: what is older belongs into a
	// backfill, and would expire at once.
	maxEventAge = 30 * 24 * time.Hour
)

// shopEventIn is one event as a shop sends it, by its server or the pixel.
type shopEventIn struct {
	// ID makes a batch that is sent twice count once; without one, an order's
	// id serves, or else the event is new each time.
	ID   string          `json:"id"`
	Type events.ShopType `json:"type"`
	// TimeMS is ms UTC; 0 means now.
	TimeMS   int64          `json:"time"`
	User     userIn         `json:"user"`
	Product  string         `json:"product"`
	Category string         `json:"category"`
	Query    string         `json:"query"`
	Quantity int64          `json:"quantity"`
	Price    money.Nano     `json:"price"`
	OrderID  string         `json:"order_id"`
	Value    money.Nano     `json:"value"`
	Currency money.Currency `json:"currency"`
	Items    []events.Item  `json:"items"`
	URL      string         `json:"url"`
	// ClickID is the gzclid parameter of the landing URL.
	ClickID string `json:"click_id"`
}

// userIn names the person: one of the three.
type userIn struct {
	UID string `json:"uid"` // the DSP's own cookie id, 32 hex digits
	IFA string `json:"ifa"` // the device's advertising id
	// ID is the shop's own id of a visitor, known nowhere else.
	ID string `json:"id"`
}

// itemError says what is wrong with one event of a batch.
type itemError struct {
	Index   int    `json:"index"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// shopEvents takes a batch from a shop's server: POST
// /api/v1/shops/{shop}/events with a key of scope events or write. What is
// accepted is durable before the answer; what is wrong is named by its index
// and field, and does not hold up the rest.
func (b *Bidder) shopEvents(ctx *fasthttp.RequestCtx, shop *campaigns.CompiledShop) {
	if !authorised(ctx, shop.Shop) {
		problem(ctx, fasthttp.StatusUnauthorized, "this needs 'Authorization: Bearer KEY' with a key of this shop whose scope is events or write")
		return
	}
	b.takeBatch(ctx, shop, "")
}

// takeBatch reads, checks and keeps a batch. pixel is the browser's id where
// the pixel sends it, "" for a shop's server, which names the person itself.
func (b *Bidder) takeBatch(ctx *fasthttp.RequestCtx, shop *campaigns.CompiledShop, pixel string) {
	var in struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(ctx.PostBody(), &in); err != nil {
		problem(ctx, fasthttp.StatusBadRequest, `the body must be {"events": […]}: `+err.Error())
		return
	}
	if len(in.Events) == 0 || len(in.Events) > maxEventsPerBatch {
		problem(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("events: 1 to %d of them, not %d", maxEventsPerBatch, len(in.Events)))
		return
	}
	now := b.clock.NowMS()
	recs := make([]spool.Record, 0, len(in.Events))
	wrong := []itemError{}
	for i, raw := range in.Events {
		e, bad := b.shopEvent(shop, raw, pixel, now)
		if bad != nil {
			bad.Index = i
			wrong = append(wrong, *bad)
			continue
		}
		recs = append(recs, spool.Record{
			Topic: kafka.SpoolShopEvents, Key: events.ShopUserKey(shop.ID, e.UID), Value: e.AppendJSON(nil),
		})
	}
	if len(recs) > 0 {
		if err := b.spool.Append(recs...); err != nil {
			unavailable(ctx)
			return
		}
	}
	b.metrics.shopEvents.Add(len(recs))
	b.metrics.shopEventErrors.Add(len(wrong))
	status := fasthttp.StatusOK
	if len(recs) == 0 {
		status = fasthttp.StatusUnprocessableEntity
	}
	writeJSON(ctx, status, map[string]any{"accepted": len(recs), "errors": wrong})
}

// shopEvent checks one event and gives it its ids.
func (b *Bidder) shopEvent(shop *campaigns.CompiledShop, raw json.RawMessage, pixel string, now int64) (*events.ShopEvent, *itemError) {
	var in shopEventIn
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, &itemError{Field: "", Message: err.Error()}
	}
	if pixel != "" {
		in.User = userIn{UID: pixel} // a page cannot speak for somebody else
		if !inTime(in.TimeMS, now) {
			in.TimeMS = now // a browser's clock may be anything; a server's is told
		}
	}
	if bad := checkShopEvent(&in, shop.Shop, now); bad != nil {
		return nil, bad
	}
	uid, bad := userOfShop(shop.ID, in.User)
	if bad != nil {
		return nil, bad
	}
	if b.people.optedOut(uid) {
		return nil, &itemError{Field: "user", Message: "this person opted out of being known here"}
	}
	e := &events.ShopEvent{
		Type: in.Type, TimeMS: in.TimeMS, ReceivedMS: now, ShopID: shop.ID,
		UID: uid, User: segments.Pseudonym(shop.Salt, uid),
		Product: in.Product, Category: in.Category, Query: in.Query, Quantity: in.Quantity, Price: in.Price,
		OrderID: in.OrderID, Value: in.Value, Currency: in.Currency, Items: in.Items, URL: in.URL, Node: b.cfg.Node,
	}
	if e.TimeMS == 0 {
		e.TimeMS = now
	}
	e.Day = b.days.at(shop.Location, e.TimeMS).text
	if e.Currency == (money.Currency{}) {
		e.Currency = shop.Currency
	}
	e.EventID = b.shopEventID(shop.ID, &in)
	e.ClickBid = b.clickBid(shop.ID, in.ClickID, now)
	return e, nil
}

// shopEventID: an order is one however often it is reported.
func (b *Bidder) shopEventID(shop uint32, in *shopEventIn) events.ID {
	switch {
	case in.Type == events.ShopPurchase:
		return events.NamedID(shop, "order", in.OrderID)
	case in.ID != "":
		return events.NamedID(shop, "event", in.ID)
	}
	return b.randomID()
}

// clickBid is the bid behind a click id, if it is one of ours and of this
// shop; anything else is as if there were none.
func (b *Bidder) clickBid(shop uint32, text string, now int64) events.ID {
	var tok events.Token
	if text == "" || b.keys.Verify(&tok, []byte(text), now, events.ForClick) != nil || tok.ShopID != shop {
		return events.ID{}
	}
	return tok.BidID
}

func checkShopEvent(in *shopEventIn, shop *campaigns.Shop, now int64) *itemError {
	bad := func(field, format string, args ...any) *itemError {
		return &itemError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	if !slices.Contains(events.ShopTypes, in.Type) {
		return bad("type", "%q is none of %v", in.Type, events.ShopTypes)
	}
	if !inTime(in.TimeMS, now) {
		return bad("time", "%d is not within the last 30 days, in ms since 1970 UTC", in.TimeMS)
	}
	for field, s := range map[string]string{"id": in.ID, "product": in.Product, "category": in.Category, "query": in.Query, "order_id": in.OrderID} {
		if len(s) > maxEventText {
			return bad(field, "longer than %d bytes", maxEventText)
		}
	}
	if len(in.URL) > 4*maxEventText {
		return bad("url", "longer than %d bytes", 4*maxEventText)
	}
	if in.Price < 0 || in.Value < 0 || in.Quantity < 0 {
		return bad("price", "price, value and quantity must not be negative")
	}
	if in.Currency != (money.Currency{}) && in.Currency != shop.Currency {
		return bad("currency", "%s is not the shop's currency %s", in.Currency, shop.Currency)
	}
	if len(in.Items) > maxItems {
		return bad("items", "more than %d", maxItems)
	}
	for i := range in.Items {
		if len(in.Items[i].Product) > maxEventText {
			return bad(fmt.Sprintf("items[%d].product", i), "longer than %d bytes", maxEventText)
		}
	}
	needs := func(field, v string) *itemError {
		if v == "" {
			return bad(field, "an event of type %s needs it", in.Type)
		}
		return nil
	}
	switch in.Type {
	case events.ShopProductView, events.ShopCartAdd, events.ShopCartRemove:
		return needs("product", in.Product)
	case events.ShopCategoryView:
		return needs("category", in.Category)
	case events.ShopSearch:
		return needs("query", in.Query)
	case events.ShopPurchase:
		return needs("order_id", in.OrderID)
	}
	return nil
}

func inTime(ms, now int64) bool {
	return ms == 0 || (ms <= now+events.ClockSkew.Milliseconds() && now-ms <= maxEventAge.Milliseconds())
}

func userOfShop(shop uint32, u userIn) (segments.UserKey, *itemError) {
	switch {
	case u.UID != "":
		uid, ok := segments.UserFromUID(u.UID)
		if !ok {
			return uid, &itemError{Field: "user.uid", Message: "must be 32 hex digits"}
		}
		return uid, nil
	case u.IFA != "":
		if uid := segments.UserFromIFA(u.IFA); !uid.IsZero() {
			return uid, nil
		}
		return segments.UserKey{}, &itemError{Field: "user.ifa", Message: "is not an advertising id, or one that says no tracking"}
	case u.ID != "":
		if len(u.ID) > maxEventText {
			return segments.UserKey{}, &itemError{Field: "user.id", Message: "too long"}
		}
		return events.NamedID(shop, "visitor", u.ID), nil
	}
	return segments.UserKey{}, &itemError{Field: "user", Message: "needs uid, ifa or id"}
}

// authorised checks the bearer key against the shop's key hashes, which came
// with the campaigns.
func authorised(ctx *fasthttp.RequestCtx, shop *campaigns.Shop) bool {
	return keyScoped(ctx, shop, "events", "write")
}

// keyScoped tells whether the request's key is the shop's, valid, and has one
// of the scopes.
func keyScoped(ctx *fasthttp.RequestCtx, shop *campaigns.Shop, scopes ...string) bool {
	key, ok := strings.CutPrefix(string(ctx.Request.Header.Peek("Authorization")), "Bearer ")
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(key))
	got := hex.EncodeToString(sum[:])
	for _, k := range shop.Keys {
		if k.RevokedMS == 0 && subtle.ConstantTimeCompare([]byte(got), []byte(k.SHA256)) == 1 {
			return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(k.Scopes, s) })
		}
	}
	return false
}

// problem answers with an RFC 9457 problem document.
func problem(ctx *fasthttp.RequestCtx, status int, detail string) {
	writeJSON(ctx, status, map[string]any{"status": status, "title": fasthttp.StatusMessage(status), "detail": detail})
	ctx.SetContentType("application/problem+json")
}

func writeJSON(ctx *fasthttp.RequestCtx, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		ctx.Error("the answer could not be written", fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}
