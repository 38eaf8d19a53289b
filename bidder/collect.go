package bidder

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
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
	Offline bool   `json:"offline"` // of a purchase
	Status  string `json:"status"`  // of an order_status
	Name    string `json:"name"`    // of a conversion
}

// userIn names the person: one of uid, ifa, vid and id; an identify event has
// id beside another.
type userIn struct {
	UID string `json:"uid"` // the DSP's own cookie id, 32 hex digits
	IFA string `json:"ifa"` // the device's advertising id
	// VID is the pixel's first-party id of the browser, in the cookie
	// grosz_vid of the shop's own domain.
	VID string `json:"vid"`
	// ID is the shop's own id of a visitor, known nowhere else.
	ID string `json:"id"`
	// Sig proves to the pixel's identify that the shop's server knows ID.
	Sig string `json:"sig"`
}

// itemError says what is wrong with one event of a batch.
type itemError struct {
	Index   int    `json:"index"`
	Line    int    `json:"line,omitempty"` // of a CSV, the header's is 1
	Field   string `json:"field"`
	Message string `json:"message"`
}

// sender is who sends a batch. page is set for the pixel, which speaks for its
// own browser only: key is who that is, and beside it vid its first-party key,
// zero where there is none.
type sender struct {
	page     bool
	key, vid segments.UserKey
	backfill bool // times may be older
	browser  uint8
}

// batch is what is being taken from one request.
type batch struct {
	b     *Bidder
	shop  *campaigns.CompiledShop
	from  sender
	now   int64
	kept  []*events.ShopEvent
	recs  []spool.Record
	wrong []itemError
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
	csv := bytes.HasPrefix(ctx.Request.Header.ContentType(), []byte("text/csv"))
	from := sender{backfill: csv || len(ctx.QueryArgs().Peek("backfill")) > 0}
	t := &batch{b: b, shop: shop, from: from, now: b.clock.NowMS()}
	read := t.readJSON
	if csv {
		read = t.readCSV
	}
	if t.take(ctx, read) {
		t.answer(ctx, nil)
	}
}

// take reads a batch and makes what is right of it durable; false when it has
// answered by itself.
func (t *batch) take(ctx *fasthttp.RequestCtx, read func([]byte) (int, func(), error)) bool {
	n, each, err := read(ctx.PostBody())
	if err != nil {
		problem(ctx, fasthttp.StatusBadRequest, err.Error())
		return false
	}
	limit := t.b.fromShops
	if t.from.page {
		limit = t.b.fromPages
	}
	if ok, wait := limit.take(t.shop.ID, n, t.now); !ok {
		problem(ctx, fasthttp.StatusTooManyRequests, fmt.Sprintf("more than %d events of this shop in a second: send them again in %d s", limit.perSecond, wait))
		ctx.Response.Header.Set("Retry-After", strconv.FormatInt(wait, 10))
		return false
	}
	t.wrong = []itemError{}
	each()
	accepted := len(t.kept)
	if accepted > 0 {
		t.link()
		if err := t.b.spool.Append(t.recs...); err != nil {
			unavailable(ctx)
			return false
		}
	}
	t.b.metrics.shopEvents.Add(accepted)
	t.b.metrics.shopEventErrors.Add(len(t.wrong))
	return true
}

// answer says what was taken; more is what a page asked for beside it.
func (t *batch) answer(ctx *fasthttp.RequestCtx, more any) {
	status := fasthttp.StatusOK
	if len(t.kept) == 0 && len(t.wrong) > 0 {
		status = fasthttp.StatusUnprocessableEntity
	}
	out := map[string]any{"accepted": len(t.kept), "errors": t.wrong}
	if more != nil {
		out["profile"] = more
	}
	writeJSON(ctx, status, out)
}

// readJSON reads {"events": […]}.
func (t *batch) readJSON(body []byte) (int, func(), error) {
	var in struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return 0, nil, fmt.Errorf(`the body must be {"events": […]}: %w`, err)
	}
	least := 1
	if t.from.page {
		least = 0 // a page may only ask who is there
	}
	if n := len(in.Events); n < least || n > maxEventsPerBatch {
		return 0, nil, fmt.Errorf("events: 1 to %d of them, not %d", maxEventsPerBatch, n)
	}
	return len(in.Events), func() {
		for i, raw := range in.Events {
			var e shopEventIn
			bad := decodeEvent(raw, &e)
			if bad == nil {
				bad = t.add(&e)
			}
			if bad != nil {
				bad.Index = i
				t.wrong = append(t.wrong, *bad)
			}
		}
	}, nil
}

// decodeEvent reads one event and names the field that is wrong or unknown.
func decodeEvent(raw []byte, in *shopEventIn) *itemError {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(in)
	if err == nil {
		return nil
	}
	bad := &itemError{Message: err.Error()}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		bad.Field = mistyped.Field
	}
	if name, ok := strings.CutPrefix(bad.Message, "json: unknown field "); ok {
		bad.Field, bad.Message = strings.Trim(name, `"`), "there is no such field"
	}
	return bad
}

// add checks one event, gives it its ids and keeps it.
func (t *batch) add(in *shopEventIn) *itemError {
	if t.from.page && !inTime(in.TimeMS, t.now, maxEventAge) {
		in.TimeMS = t.now // a browser's clock may be anything; a server's is told
	}
	if bad := t.check(in); bad != nil {
		return bad
	}
	uid, bad := t.person(in)
	if bad != nil {
		return bad
	}
	if t.b.people.optedOut(uid) {
		return &itemError{Field: "user", Message: "this person opted out of being known here"}
	}
	e := &events.ShopEvent{
		Type: in.Type, TimeMS: in.TimeMS, ReceivedMS: t.now, ShopID: t.shop.ID, UID: uid,
		Product: in.Product, Category: in.Category, Query: in.Query, Quantity: in.Quantity, Price: in.Price,
		OrderID: in.OrderID, Value: in.Value, Currency: in.Currency, Items: in.Items, URL: in.URL,
		Offline: in.Offline, Status: in.Status, Name: in.Name, Page: t.from.page, Browser: events.BrowserName(t.from.browser),
	}
	if in.Type == events.ShopIdentify {
		e.Name, e.Alias = events.AliasCustomer, segments.UserFromShop(t.shop.Salt, events.AliasCustomer, in.User.ID)
	}
	if in.Type == events.ShopPurchase {
		e.Margin = orderMargin(t.shop.Catalogue, e)
	}
	e.EventID = t.b.shopEventID(t.shop.ID, in)
	e.ClickBid = t.b.clickBid(t.shop.ID, in.ClickID, t.now)
	t.keep(e)
	if f := &t.from; e.Type == events.ShopOptOut && !f.vid.IsZero() && f.vid != f.key {
		both := *e // the browser, under either id
		both.EventID, both.UID, both.User = t.b.randomID(), f.vid, segments.Pseudonym(t.shop.Salt, f.vid)
		t.record(&both)
	}
	return nil
}

// keep fills in what every event has, and makes its record.
func (t *batch) keep(e *events.ShopEvent) {
	e.User, e.AliasUser, e.Node = segments.Pseudonym(t.shop.Salt, e.UID), segments.Pseudonym(t.shop.Salt, e.Alias), t.b.cfg.Node
	if e.TimeMS == 0 {
		e.TimeMS = t.now
	}
	e.Day = t.b.days.at(t.shop.Location, e.TimeMS).text
	if e.Currency == (money.Currency{}) {
		e.Currency = t.shop.Currency
	}
	t.kept = append(t.kept, e)
	t.record(e)
}

func (t *batch) record(e *events.ShopEvent) {
	t.recs = append(t.recs, spool.Record{
		Topic: kafka.SpoolShopEvents, Key: events.ShopUserKey(t.shop.ID, e.UID), Value: e.AppendJSON(nil),
	})
}

// link joins the browser's id at exchanges with the shop's first-party id,
// once: what the shop's server tells under the latter is then the same person.
func (t *batch) link() {
	f := &t.from
	if f.vid.IsZero() || f.vid == f.key || t.b.profiles.Load().IsLinked(f.key, t.shop.ID, events.AliasVisitor, f.vid) {
		return
	}
	t.record(&events.ShopEvent{
		EventID: events.NamedID(t.shop.ID, "link", f.key.String()+f.vid.String()), Type: events.ShopIdentify,
		TimeMS: t.now, ReceivedMS: t.now, Day: t.b.days.at(t.shop.Location, t.now).text, ShopID: t.shop.ID,
		UID: f.key, User: segments.Pseudonym(t.shop.Salt, f.key), Alias: f.vid, AliasUser: segments.Pseudonym(t.shop.Salt, f.vid), Name: events.AliasVisitor,
		Currency: t.shop.Currency, Node: t.b.cfg.Node,
	})
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
