package events

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/grosz/grosz/internal/money"
)

// AppendJSON appends e as one line of JSON, newline included. Fields at their
// zero value are left out. A message of a topic is one or many such lines,
// all of one key.
func (e *Event) AppendJSON(dst []byte) []byte {
	w := lineWriter{dst: append(dst, `{"v":1`...)}
	w.id("event_id", e.EventID)
	w.str("type", string(e.Type))
	w.num("time", e.TimeMS)
	w.num("bid_time", e.BidMS)
	w.str("day", e.Day)
	w.id("bid_id", e.BidID)
	w.num("shop_id", int64(e.ShopID))
	w.num("campaign_id", int64(e.CampaignID))
	w.num("creative_id", int64(e.CreativeID))
	w.str("exchange", e.Exchange)
	w.str("media", e.Media)
	w.unsigned("user", e.User)
	w.flag("settles", e.Settles)
	w.decimal("price", int64(e.Price), 6)
	w.str("price_status", e.PriceStatus)
	w.decimal("bid_price", int64(e.BidPrice), 6)
	w.currency("currency", e.Currency)
	w.decimal("amount", int64(e.Amount), 9)
	w.currency("shop_currency", e.ShopCurrency)
	w.decimal("rate", int64(e.Rate), 9)
	w.decimal("shop_amount", int64(e.ShopAmount), 9)
	w.decimal("shop_fee", int64(e.ShopFee), 9)
	w.decimal("disputed", int64(e.Disputed), 9)
	w.flag("test", e.Test)
	w.flag("late", e.Late)
	w.num("loss_reason", int64(e.LossReason))
	w.decimal("min_to_win", int64(e.MinToWin), 6)
	w.str("product", e.Product)
	w.str("reason", e.Reason)
	w.str("raw", e.Raw)
	w.num("count", e.Count)
	w.str("node", e.Node)
	w.str("request_id", e.RequestID)
	w.str("imp_id", e.ImpID)
	w.str("domain", e.Domain)
	w.str("device", e.Device)
	w.str("country", e.Country)
	w.num("w", int64(e.W))
	w.num("h", int64(e.H))
	return append(w.dst, '}', '\n')
}

// AppendJSON appends e as one line of JSON, newline included.
func (e *ShopEvent) AppendJSON(dst []byte) []byte {
	w := lineWriter{dst: append(dst, `{"v":1`...)}
	w.id("event_id", e.EventID)
	w.str("type", string(e.Type))
	w.num("time", e.TimeMS)
	w.num("received", e.ReceivedMS)
	w.str("day", e.Day)
	w.num("shop_id", int64(e.ShopID))
	w.id("uid", e.UID)
	w.unsigned("user", e.User)
	w.id("click_bid", e.ClickBid)
	w.str("product", e.Product)
	w.str("category", e.Category)
	w.str("query", e.Query)
	w.num("quantity", e.Quantity)
	w.decimal("price", int64(e.Price), 9)
	w.str("order_id", e.OrderID)
	w.decimal("value", int64(e.Value), 9)
	w.currency("currency", e.Currency)
	if len(e.Items) > 0 {
		w.dst = append(w.dst, `,"items":[`...)
		for i := range e.Items {
			if i > 0 {
				w.dst = append(w.dst, ',')
			}
			it := lineWriter{dst: append(w.dst, `{"product":`...)}
			it.dst = AppendQuoted(it.dst, e.Items[i].Product)
			it.num("quantity", e.Items[i].Quantity)
			it.decimal("price", int64(e.Items[i].Price), 9)
			w.dst = append(it.dst, '}')
		}
		w.dst = append(w.dst, ']')
	}
	w.str("url", e.URL)
	w.str("node", e.Node)
	return append(w.dst, '}', '\n')
}

// lineWriter appends `,"name":value` for every value that is not zero.
type lineWriter struct{ dst []byte }

func (w *lineWriter) name(n string) {
	w.dst = append(w.dst, ',', '"')
	w.dst = append(w.dst, n...)
	w.dst = append(w.dst, '"', ':')
}

func (w *lineWriter) str(n, v string) {
	if v != "" {
		w.name(n)
		w.dst = AppendQuoted(w.dst, v)
	}
}

func (w *lineWriter) num(n string, v int64) {
	if v != 0 {
		w.name(n)
		w.dst = strconv.AppendInt(w.dst, v, 10)
	}
}

// unsigned writes a 64-bit number as a string: JSON readers that use floats
// would round it.
func (w *lineWriter) unsigned(n string, v uint64) {
	if v != 0 {
		w.name(n)
		w.dst = append(strconv.AppendUint(append(w.dst, '"'), v, 10), '"')
	}
}

func (w *lineWriter) flag(n string, v bool) {
	if v {
		w.name(n)
		w.dst = append(w.dst, "true"...)
	}
}

func (w *lineWriter) decimal(n string, v int64, places int) {
	if v != 0 {
		w.name(n)
		w.dst = append(money.AppendDecimal(append(w.dst, '"'), v, places, 0), '"')
	}
}

func (w *lineWriter) currency(n string, c money.Currency) {
	if c != (money.Currency{}) {
		w.name(n)
		w.dst = append(append(append(w.dst, '"'), c[:]...), '"')
	}
}

func (w *lineWriter) id(n string, id ID) {
	if !id.IsZero() {
		w.name(n)
		w.dst = append(hex.AppendEncode(append(w.dst, '"'), id[:]), '"')
	}
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Invalid UTF-8 becomes U+FFFD, and
// <, >, & and the line separators are escaped, so that the text is safe
// inside HTML as well.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if (r == utf8.RuneError && size == 1) || r == '\u2028' || r == '\u2029' {
				dst = append(dst, s[start:i]...)
				if size == 1 {
					dst = append(dst, "\ufffd"...)
				} else {
					dst = append(dst, `\u202`...)
					dst = append(dst, hexDigits[r&0xf])
				}
				i += size
				start = i
				continue
			}
			i += size
			continue
		}
		if b >= ' ' && b != '"' && b != '\\' && b != '<' && b != '>' && b != '&' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// Decoder reads batches back into events. It reuses its memory: the strings
// of an event it hands out are copies and stay valid. One per goroutine.
type Decoder struct{ parser fastjson.Parser }

// Events calls fn for every event of a message in order. A line that is not
// an event ends it with an error that wraps ErrSchema and names the line;
// the lines before it have been handed out.
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

func (d *Decoder) lines(msg []byte, fn func(seq int, v *fastjson.Value) error) error {
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
			return fmt.Errorf("%w: line %d: %w", ErrSchema, seq+1, err)
		}
		if err := fn(seq, v); err != nil {
			return err
		}
	}
	return nil
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

func (r *fieldReader) str(name string) string { return string(r.v.GetStringBytes(name)) }
func (r *fieldReader) num(name string) int64  { return r.v.GetInt64(name) }
func (r *fieldReader) flag(name string) bool  { return r.v.GetBool(name) }

func (r *fieldReader) id(name string) (id ID) {
	if b := r.v.GetStringBytes(name); b != nil {
		if err := id.UnmarshalText(b); err != nil {
			r.fail(name, err)
		}
	}
	return id
}

func (r *fieldReader) unsigned(name string) uint64 {
	b := r.v.GetStringBytes(name)
	if b == nil {
		return 0
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		r.fail(name, err)
	}
	return n
}

func (r *fieldReader) nano(name string) (n money.Nano) {
	if b := r.v.GetStringBytes(name); b != nil {
		var err error
		if n, err = money.ParseNano(string(b)); err != nil {
			r.fail(name, err)
		}
	}
	return n
}

func (r *fieldReader) cpm(name string) (p money.CPM) {
	if b := r.v.GetStringBytes(name); b != nil {
		var err error
		if p, err = money.ParseCPM(string(b)); err != nil {
			r.fail(name, err)
		}
	}
	return p
}

func (r *fieldReader) currency(name string) (c money.Currency) {
	if b := r.v.GetStringBytes(name); b != nil {
		if err := c.UnmarshalText(b); err != nil {
			r.fail(name, err)
		}
	}
	return c
}

func (r *fieldReader) schema() {
	if got := r.v.GetInt("v"); got != SchemaVersion {
		r.fail("v", fmt.Errorf("schema version %d, this program reads %d", got, SchemaVersion))
	}
}

func readEvent(v *fastjson.Value, e *Event) error {
	r := fieldReader{v: v}
	r.schema()
	*e = Event{
		EventID: r.id("event_id"), Type: Type(r.str("type")),
		TimeMS: r.num("time"), BidMS: r.num("bid_time"), Day: r.str("day"), BidID: r.id("bid_id"),
		ShopID: uint32(r.num("shop_id")), CampaignID: uint32(r.num("campaign_id")), CreativeID: uint32(r.num("creative_id")),
		Exchange: r.str("exchange"), Media: r.str("media"), User: r.unsigned("user"),
		Settles: r.flag("settles"), Price: r.cpm("price"), PriceStatus: r.str("price_status"), BidPrice: r.cpm("bid_price"),
		Currency: r.currency("currency"), Amount: r.nano("amount"), ShopCurrency: r.currency("shop_currency"),
		Rate: money.Rate(r.nano("rate")), ShopAmount: r.nano("shop_amount"), ShopFee: r.nano("shop_fee"), Disputed: r.nano("disputed"),
		Test: r.flag("test"), Late: r.flag("late"),
		LossReason: int(r.num("loss_reason")), MinToWin: r.cpm("min_to_win"), Product: r.str("product"),
		Reason: r.str("reason"), Raw: r.str("raw"), Count: r.num("count"), Node: r.str("node"),
		RequestID: r.str("request_id"), ImpID: r.str("imp_id"), Domain: r.str("domain"),
		Device: r.str("device"), Country: r.str("country"), W: int(r.num("w")), H: int(r.num("h")),
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
		Day: r.str("day"), ShopID: uint32(r.num("shop_id")), UID: r.id("uid"), User: r.unsigned("user"), ClickBid: r.id("click_bid"),
		Product: r.str("product"), Category: r.str("category"), Query: r.str("query"), Quantity: r.num("quantity"),
		Price: r.nano("price"), OrderID: r.str("order_id"), Value: r.nano("value"), Currency: r.currency("currency"),
		URL: r.str("url"), Node: r.str("node"),
	}
	for _, it := range v.GetArray("items") {
		ir := fieldReader{v: it}
		e.Items = append(e.Items, Item{Product: ir.str("product"), Quantity: ir.num("quantity"), Price: ir.nano("price")})
		if ir.err != nil {
			r.fail("items", ir.err)
		}
	}
	if e.Type == "" {
		r.fail("type", errMissing)
	}
	return r.err
}

// ShopKey is the Kafka key of a shop's events: the shop account in 4 bytes.
func ShopKey(shop uint32) []byte { return binary.BigEndian.AppendUint32(nil, shop) }

// ShopUserKey is the Kafka key of a shop event: shop and user, 20 bytes.
func ShopUserKey(shop uint32, uid ID) []byte {
	return append(ShopKey(shop), uid[:]...)
}
