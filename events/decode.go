package events

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/valyala/fastjson"

	"github.com/grosz/grosz/internal/money"
)

// Decoder reads batches back into events. It reuses its memory: the strings
// of an event it hands out are copies and stay valid. One per goroutine.
type Decoder struct{ parser fastjson.Parser }

// Events calls fn for every event of a message in order, until fn fails. A
// line that is not an event is passed over; the error, which wraps ErrSchema,
// then names the first of them when all others have been handed out.
func (d *Decoder) Events(msg []byte, fn func(seq int, e *Event) error) error {
	return d.lines(msg, func(seq int, v *fastjson.Value) error {
		var e Event
		if err := readEvent(v, &e); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrSchema, seq+1, err)
		}
		return fn(seq, &e)
	})
}

// ShopEvents is Events for messages of TopicShopEvents.
func (d *Decoder) ShopEvents(msg []byte, fn func(seq int, e *ShopEvent) error) error {
	return d.lines(msg, func(seq int, v *fastjson.Value) error {
		var e ShopEvent
		if err := readShopEvent(v, &e); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrSchema, seq+1, err)
		}
		return fn(seq, &e)
	})
}

// lines hands every line to fn and goes on after one that is no event; any
// other error of fn ends it.
func (d *Decoder) lines(msg []byte, fn func(seq int, v *fastjson.Value) error) error {
	var bad error
	for seq := 0; len(msg) > 0; seq++ {
		line := msg
		if i := bytes.IndexByte(msg, '\n'); i >= 0 {
			line, msg = msg[:i], msg[i+1:]
		} else {
			msg = nil
		}
		if len(line) == 0 {
			continue
		}
		v, err := d.parser.ParseBytes(line)
		if err != nil {
			err = fmt.Errorf("%w: line %d: %w", ErrSchema, seq+1, err)
		} else {
			err = fn(seq, v)
		}
		switch {
		case err == nil:
		case !errors.Is(err, ErrSchema):
			return err
		case bad == nil:
			bad = err
		}
	}
	return bad
}

// fieldReader reads typed fields and keeps the first mistake.
type fieldReader struct {
	v   *fastjson.Value
	err error
}

func (r *fieldReader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
}

// get is the field's value, nil when it is absent or null.
func (r *fieldReader) get(name string) *fastjson.Value {
	v := r.v.Get(name)
	if v == nil || v.Type() == fastjson.TypeNull {
		return nil
	}
	return v
}

// text is the field's string; ok is false when it is absent or no string. The
// bytes are the parser's own.
func (r *fieldReader) text(name string) (b []byte, ok bool) {
	v := r.get(name)
	if v == nil {
		return nil, false
	}
	b, err := v.StringBytes()
	if err != nil {
		r.fail(name, err)
	}
	return b, err == nil
}

func (r *fieldReader) str(name string) string {
	b, _ := r.text(name)
	return string(b)
}

func (r *fieldReader) num(name string) int64 {
	v := r.get(name)
	if v == nil {
		return 0
	}
	n, err := v.Int64()
	if err != nil {
		r.fail(name, err)
	}
	return n
}

// num32 reads an id: cutting off its upper half would book another shop's.
func (r *fieldReader) num32(name string) uint32 {
	n := r.num(name)
	if n < 0 || n > math.MaxUint32 {
		r.fail(name, fmt.Errorf("%d is not within 32 bits", n))
	}
	return uint32(n)
}

func (r *fieldReader) flag(name string) bool {
	v := r.get(name)
	if v == nil {
		return false
	}
	yes, err := v.Bool()
	if err != nil {
		r.fail(name, err)
	}
	return yes
}

func (r *fieldReader) id(name string) (id ID) {
	if b, ok := r.text(name); ok {
		if err := id.UnmarshalText(b); err != nil {
			r.fail(name, err)
		}
	}
	return id
}

func (r *fieldReader) unsigned(name string) (n uint64) {
	if b, ok := r.text(name); ok {
		var err error
		if n, err = strconv.ParseUint(string(b), 10, 64); err != nil {
			r.fail(name, err)
		}
	}
	return n
}

func (r *fieldReader) nano(name string) (n money.Nano) {
	if b, ok := r.text(name); ok {
		var err error
		if n, err = money.ParseNano(string(b)); err != nil {
			r.fail(name, err)
		}
	}
	return n
}

func (r *fieldReader) cpm(name string) (p money.CPM) {
	if b, ok := r.text(name); ok {
		var err error
		if p, err = money.ParseCPM(string(b)); err != nil {
			r.fail(name, err)
		}
	}
	return p
}

func (r *fieldReader) currency(name string) (c money.Currency) {
	if b, ok := r.text(name); ok {
		if err := c.UnmarshalText(b); err != nil {
			r.fail(name, err)
		}
	}
	return c
}

func (r *fieldReader) schema() {
	if r.v.Type() != fastjson.TypeObject {
		r.fail("line", fmt.Errorf("a JSON %s, not an object", r.v.Type()))
		return
	}
	if got := r.num("v"); got != SchemaVersion {
		r.fail("v", fmt.Errorf("schema version %d, this program reads %d", got, SchemaVersion))
	}
}

func readEvent(v *fastjson.Value, e *Event) error {
	r := fieldReader{v: v}
	r.schema()
	*e = Event{
		EventID: r.id("event_id"), Type: Type(r.str("type")),
		TimeMS: r.num("time"), BidMS: r.num("bid_time"), Day: r.str("day"), BidID: r.id("bid_id"),
		ShopID: r.num32("shop_id"), CampaignID: r.num32("campaign_id"), CreativeID: r.num32("creative_id"),
		Exchange: r.str("exchange"), Media: r.str("media"), User: r.unsigned("user"),
		Settles: r.flag("settles"), Price: r.cpm("price"), PriceStatus: r.str("price_status"), BidPrice: r.cpm("bid_price"),
		Currency: r.currency("currency"), Amount: r.nano("amount"), ShopCurrency: r.currency("shop_currency"),
		Rate: money.Rate(r.nano("rate")), ShopAmount: r.nano("shop_amount"), ShopFee: r.nano("shop_fee"), FeeCPM: r.cpm("fee_cpm"), ClickPrice: r.nano("click_price"), Disputed: r.nano("disputed"),
		Test: r.flag("test"), Late: r.flag("late"),
		LossReason: int(r.num("loss_reason")), MinToWin: r.cpm("min_to_win"), Product: r.str("product"),
		Reason: r.str("reason"), Raw: r.str("raw"), Count: r.num("count"), Node: r.str("node"),
		Lease: r.unsigned("lease"), BidDay: int32(r.num("bid_day")), TTLMS: r.num("ttl"),
		LimitTotal: r.nano("limit_total"), LimitWeek: r.nano("limit_week"), LimitDay: r.nano("limit_day"), Version: r.num("version"), Shows: r.str("shows"),
		RequestID: r.str("request_id"), ImpID: r.str("imp_id"), Domain: r.str("domain"),
		Device: r.str("device"), Browser: r.str("browser"), Country: r.str("country"), W: int(r.num("w")), H: int(r.num("h")),
		Features: r.str("features"), ClickPPB: r.num("click_ppb"), OrderPPB: r.num("order_ppb"), WinPPB: r.num("win_ppb"), Segments: r.str("segments"),
	}
	if e.Type == "" {
		r.fail("type", errMissing)
	}
	return r.err
}

func readShopEvent(v *fastjson.Value, e *ShopEvent) error {
	r := fieldReader{v: v}
	r.schema()
	*e = ShopEvent{
		EventID: r.id("event_id"), Type: ShopType(r.str("type")), TimeMS: r.num("time"), ReceivedMS: r.num("received"),
		Day: r.str("day"), ShopID: r.num32("shop_id"), UID: r.id("uid"), User: r.unsigned("user"), ClickBid: r.id("click_bid"),
		Product: r.str("product"), Category: r.str("category"), Query: r.str("query"), Quantity: r.num("quantity"),
		Price: r.nano("price"), OrderID: r.str("order_id"), Value: r.nano("value"), Margin: r.nano("margin"), Currency: r.currency("currency"),
		URL: r.str("url"), Node: r.str("node"),
		Browser: r.str("browser"), Page: r.flag("page"),
		Offline: r.flag("offline"), Status: r.str("status"), Name: r.str("name"), Alias: r.id("alias"), AliasUser: r.unsigned("alias_user"),
	}
	e.Items = r.items()
	if e.Type == "" {
		r.fail("type", errMissing)
	}
	return r.err
}

func (r *fieldReader) items() []Item {
	v := r.get("items")
	if v == nil {
		return nil
	}
	list, err := v.Array()
	if err != nil {
		r.fail("items", err)
	}
	var items []Item
	for i, it := range list {
		ir := fieldReader{v: it}
		items = append(items, Item{Product: ir.str("product"), Quantity: ir.num("quantity"), Price: ir.nano("price")})
		if _, err := it.Object(); err != nil {
			ir.fail("item", err)
		}
		if ir.err != nil {
			r.fail(fmt.Sprintf("items[%d]", i), ir.err)
		}
	}
	return items
}
