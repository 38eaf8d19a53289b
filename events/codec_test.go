package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenEvent() *Event {
	bid := ID{0xab, 15: 0xcd}
	return &Event{
		EventID: EventID(bid, TypeBilling, 0), Type: TypeBilling, TimeMS: 1_790_000_001_234, BidMS: 1_790_000_000_000, Day: "2026-09-21",
		BidID: bid, ShopID: 7, CampaignID: 42, CreativeID: 3, Exchange: "demo", Media: "banner", User: math.MaxUint64,
		Settles: true, Price: 910_000, PriceStatus: PriceOK, BidPrice: 1_000_000, Currency: money.MustCurrency("USD"), Amount: 910_000,
		ShopCurrency: money.MustCurrency("PLN"), Rate: 3_650_000_000, ShopAmount: 3_321_500, ShopFee: 166_075, FeeCPM: 250_000, ClickPrice: 1_250_000_000, Disputed: 1,
		Test: true, Late: true, LossReason: 102, MinToWin: 900_000, Product: "sku \"1\" <b>żółty</b>", Reason: "none", Raw: "0.91", Count: 5,
		Lease: math.MaxUint64, BidDay: 20_717, TTLMS: 60_000, LimitTotal: 3, LimitWeek: 2, LimitDay: 1, Version: 9, Shows: "00000001ffffffff",
		Node: "node-1", RequestID: "r\n1", ImpID: "1", Domain: "news.example", Device: "phone", Browser: "safari", Country: "POL", W: 300, H: 250,
		Features: "AQEBAAAA", ClickPPB: 1_000_000, OrderPPB: 20_000_000, WinPPB: 300_000_000, Segments: "3,17",
	}
}

func goldenShopEvent() *ShopEvent {
	return &ShopEvent{
		EventID: NamedID(7, "order", "A-1"), Type: ShopPurchase, TimeMS: 1_790_000_001_234, ReceivedMS: 1_790_000_002_000, Day: "2026-09-21",
		ShopID: 7, UID: ID{1}, User: 1 << 60, ClickBid: ID{2}, Product: "p", Category: "shoes > boots", Query: "red & blue",
		Quantity: 2, Price: 1_990_000_000, OrderID: "A-1", Value: 5_970_000_000, Margin: -1_500_000_000, Currency: money.MustCurrency("PLN"),
		Items: []Item{{Product: "sku-1", Quantity: 2, Price: 1_990_000_000}, {Product: "", Quantity: -1}},
		URL:   "https://shop.example/thanks?o=A-1&x=1", Node: "node-1",
		Offline: true, Status: OrderReturned, Name: "lead", Browser: "edge", Page: true, Alias: ID{3}, AliasUser: 1 << 61,
	}
}

func TestGoldenLines(t *testing.T) {
	for _, c := range []struct {
		name string
		line []byte
	}{
		{"event", goldenEvent().AppendJSON(nil)},
		{"event_smallest", (&Event{Type: TypeLoss}).AppendJSON(nil)},
		{"shop_event", goldenShopEvent().AppendJSON(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join("testdata", c.name+".golden.jsonl")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, c.line, 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), string(c.line))
		})
	}
}

// TestGoldenEventsFillEveryField keeps the golden lines and the tests below
// honest when a field is added.
func TestGoldenEventsFillEveryField(t *testing.T) {
	for _, v := range []reflect.Value{reflect.ValueOf(*goldenEvent()), reflect.ValueOf(*goldenShopEvent())} {
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%s.%s", v.Type(), v.Type().Field(i).Name)
		}
	}
}

// anyText is text with whatever bytes.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\"\\\n\x00<>&\u2028ż{}"))),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
	)
}

// fill sets every field of the struct at p to something drawn.
func fill(t *rapid.T, p any) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if rapid.IntRange(0, 4).Draw(t, name+" zero") == 0 {
			continue
		}
		switch f.Interface().(type) {
		case ID:
			f.Set(reflect.ValueOf(ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))))
			continue
		case money.Currency:
			f.Set(reflect.ValueOf(money.MustCurrency(rapid.StringMatching(`[A-Z]{3}`).Draw(t, name))))
			continue
		case []Item:
			n := rapid.IntRange(0, 3).Draw(t, name)
			for range n {
				var it Item
				fill(t, &it)
				f.Set(reflect.Append(f, reflect.ValueOf(it)))
			}
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(anyText().Draw(t, name))
		case reflect.Bool:
			f.SetBool(rapid.Bool().Draw(t, name))
		case reflect.Int, reflect.Int64:
			f.SetInt(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})).Draw(t, name))
		case reflect.Int32:
			f.SetInt(int64(rapid.Int32().Draw(t, name)))
		case reflect.Uint32:
			f.SetUint(uint64(rapid.Uint32().Draw(t, name)))
		case reflect.Uint64:
			f.SetUint(rapid.Uint64().Draw(t, name))
		default:
			t.Fatalf("field %s has a type this test does not know: %s", name, f.Type())
		}
	}
}

// valid replaces in every string of the struct at p what is not UTF-8.
func valid(p any) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Kind() == reflect.String:
			f.SetString(string([]rune(f.String())))
		case f.Type() == reflect.TypeFor[[]Item]():
			for j := range f.Len() {
				valid(f.Index(j).Addr().Interface())
			}
		}
	}
}

func TestEventsComeBackWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Event
		var msg []byte
		for range rapid.IntRange(0, 4).Draw(t, "events") {
			var e Event
			fill(t, &e)
			if e.Type == "" {
				e.Type = TypeClick
			}
			msg = e.AppendJSON(msg)
			valid(&e)
			want = append(want, e)
		}
		var got []Event
		var d Decoder
		require.NoError(t, d.Events(msg, func(seq int, e *Event) error {
			require.Equal(t, len(got), seq)
			got = append(got, *e)
			return nil
		}))
		require.Equal(t, want, got)
		requireAsEncodingJSON(t, msg, want)
	})
}

func TestShopEventsComeBackWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []ShopEvent
		var msg []byte
		for range rapid.IntRange(0, 4).Draw(t, "events") {
			var e ShopEvent
			fill(t, &e)
			if e.Type == "" {
				e.Type = ShopVisit
			}
			msg = e.AppendJSON(msg)
			valid(&e)
			want = append(want, e)
		}
		var got []ShopEvent
		var d Decoder
		require.NoError(t, d.ShopEvents(msg, func(_ int, e *ShopEvent) error {
			got = append(got, *e)
			return nil
		}))
		require.Equal(t, want, got)
		requireAsEncodingJSON(t, msg, want)
	})
}

// requireAsEncodingJSON reads every line with encoding/json by the structs'
// own tags. User ids are strings in a line, so that readers with floats keep
// them; the structs have them as numbers, and the test turns them back.
func requireAsEncodingJSON[E any](t *rapid.T, msg []byte, want []E) {
	lines := bytes.SplitAfter(msg, []byte{'\n'})
	require.Empty(t, lines[len(lines)-1])
	for i, line := range lines[:len(lines)-1] {
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &fields), "%s", line)
		for _, name := range []string{"user", "alias_user", "lease"} {
			if n, ok := fields[name]; ok {
				fields[name] = n[1 : len(n)-1]
			}
		}
		require.Equal(t, fmt.Sprint(SchemaVersion), string(fields["v"]))
		again, err := json.Marshal(fields)
		require.NoError(t, err)
		var got E
		require.NoError(t, json.Unmarshal(again, &got), "%s", line)
		require.Equal(t, want[i], got)
	}
}

func TestStringsOutliveTheDecoder(t *testing.T) {
	var d Decoder
	var kept *Event
	msg := goldenEvent().AppendJSON(nil)
	require.NoError(t, d.Events(msg, func(_ int, e *Event) error { kept = e; return nil }))
	for i := range msg {
		msg[i] = 'x'
	}
	require.NoError(t, d.Events((&Event{Type: "other", Product: strings.Repeat("y", 2000)}).AppendJSON(nil), func(int, *Event) error { return nil }))
	require.Equal(t, goldenEvent(), kept)
}

func TestDecoderSaysWhatIsWrongAndWhere(t *testing.T) {
	const good = `{"v":1,"type":"win"}` + "\n"
	for _, c := range []struct {
		name, msg string
		before    int // events handed out first
		want      string
	}{
		{"not JSON", good + "{", 1, "line 2"},
		{"not an object", good + good + `"v"`, 2, "line 3: line: a JSON string, not an object"},
		{"array", "[]", 0, "line 1: line: a JSON array, not an object"},
		{"empty line counts", good + "\n" + `{"v":1}`, 1, "line 3: type: missing"},
		{"newer version", good + `{"v":2,"type":"win"}`, 1, "line 2: v: schema version 2, this program reads 1"},
		{"no version", `{"type":"win"}`, 0, "line 1: v: schema version 0"},
		{"version as a string", `{"v":"1","type":"win"}`, 0, "line 1: v: "},
		{"type is a number", `{"v":1,"type":7}`, 0, "line 1: type: "},
		{"short id", `{"v":1,"type":"win","bid_id":"abc"}`, 0, `line 1: bid_id: id "abc" is not 32 hex digits`},
		{"id is not hex", `{"v":1,"type":"win","bid_id":"zz000000000000000000000000000000"}`, 0, "line 1: bid_id: "},
		{"shop beyond 32 bits", `{"v":1,"type":"win","shop_id":4294967297}`, 0, "line 1: shop_id: 4294967297 is not within 32 bits"},
		{"negative campaign", `{"v":1,"type":"win","campaign_id":-1}`, 0, "line 1: campaign_id: -1 is not within 32 bits"},
		{"shop as a string", `{"v":1,"type":"win","shop_id":"7"}`, 0, "line 1: shop_id: "},
		{"half a millisecond", `{"v":1,"type":"win","time":1.5}`, 0, "line 1: time: "},
		{"time beyond 64 bits", `{"v":1,"type":"win","time":92233720368547758070}`, 0, "line 1: time: "},
		{"amount as a float", `{"v":1,"type":"win","amount":0.91}`, 0, "line 1: amount: "},
		{"amount is no number", `{"v":1,"type":"win","amount":"1e3"}`, 0, "line 1: amount: not a decimal number"},
		{"price too fine", `{"v":1,"type":"win","price":"0.0000001"}`, 0, "line 1: price: "},
		{"currency", `{"v":1,"type":"win","currency":"PL"}`, 0, "line 1: currency: "},
		{"settles is text", `{"v":1,"type":"win","settles":"true"}`, 0, "line 1: settles: "},
		{"user beyond 64 bits", `{"v":1,"type":"win","user":"18446744073709551616"}`, 0, "line 1: user: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			n := 0
			err := d.Events([]byte(c.msg), func(int, *Event) error { n++; return nil })
			require.ErrorIs(t, err, ErrSchema)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.before, n)
		})
	}
}

func TestShopDecoderSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ name, msg, want string }{
		{"items is an object", `{"v":1,"type":"purchase","items":{}}`, "line 1: items: "},
		{"item is a number", `{"v":1,"type":"purchase","items":[{},5]}`, "line 1: items[1]: item: "},
		{"item's price", `{"v":1,"type":"purchase","items":[{"price":"x"}]}`, "line 1: items[0]: price: not a decimal number"},
		{"no type", `{"v":1}`, "line 1: type: missing"},
		{"uid", `{"v":1,"type":"visit","uid":"12"}`, "line 1: uid: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			err := d.ShopEvents([]byte(c.msg), func(int, *ShopEvent) error { return errors.New("handed out") })
			require.ErrorIs(t, err, ErrSchema)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestUnknownAndNullFieldsArePassedOver(t *testing.T) {
	var d Decoder
	var got *Event
	msg := `{"v":1,"type":"win","new":{"a":[1]},"shop_id":null,"amount":null,"late":null,"day":null,"bid_id":null}`
	require.NoError(t, d.Events([]byte(msg), func(_ int, e *Event) error { got = e; return nil }))
	require.Equal(t, &Event{Type: TypeWin}, got)
}

func TestTheHandlersErrorEndsIt(t *testing.T) {
	var d Decoder
	stop, n := errors.New("stop"), 0
	msg := bytes.Repeat([]byte(`{"v":1,"type":"win"}`+"\n"), 3)
	require.Equal(t, stop, d.Events(msg, func(seq int, _ *Event) error {
		if n++; seq == 1 {
			return stop
		}
		return nil
	}))
	require.Equal(t, 2, n)
}

func TestIDs(t *testing.T) {
	bid := ID{1}
	require.Equal(t, EventID(bid, TypeWin, 0), EventID(bid, TypeWin, 0))
	seen := map[ID]string{}
	for _, typ := range []Type{TypeWin, TypeBilling, TypeLoss, TypeImpression, TypeClick} {
		for nonce := range uint64(3) {
			for _, b := range []ID{bid, {2}} {
				what := fmt.Sprint(b, typ, nonce)
				require.Empty(t, seen[EventID(b, typ, nonce)], what)
				seen[EventID(b, typ, nonce)] = what
			}
		}
	}
	require.Equal(t, NamedID(1, "order", "x"), NamedID(1, "order", "x"))
	for _, other := range []ID{NamedID(2, "order", "x"), NamedID(1, "event", "x"), NamedID(1, "order", "y"), NamedID(1, "orde", "rx")} {
		require.NotEqual(t, NamedID(1, "order", "x"), other)
	}
	require.Equal(t, []byte{0, 0, 1, 2}, ShopKey(258))
	require.Len(t, ShopUserKey(258, bid), 20)
}

func FuzzDecoder(f *testing.F) {
	f.Add(goldenEvent().AppendJSON(nil))
	f.Add(goldenShopEvent().AppendJSON(nil))
	f.Add([]byte(`{"v":1,"type":"win","amount":"-9223372036.854775808","items":[{}]}` + "\n\n[" + "\n"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var d, again Decoder
		err := d.Events(msg, func(_ int, e *Event) error {
			var back *Event
			line := e.AppendJSON(nil)
			if err := again.Events(line, func(_ int, e *Event) error { back = e; return nil }); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			valid(e)
			require.Equal(t, e, back)
			return nil
		})
		if err != nil && !errors.Is(err, ErrSchema) {
			t.Fatal(err)
		}
		err = d.ShopEvents(msg, func(_ int, e *ShopEvent) error {
			var back *ShopEvent
			line := e.AppendJSON(nil)
			if err := again.ShopEvents(line, func(_ int, e *ShopEvent) error { back = e; return nil }); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			valid(e)
			require.Equal(t, e, back)
			return nil
		})
		if err != nil && !errors.Is(err, ErrSchema) {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	e := goldenEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
	if len(buf) < 500 {
		b.Fatal("too short")
	}
}

func BenchmarkDecoder(b *testing.B) {
	msg := bytes.Repeat(goldenEvent().AppendJSON(nil), 100)
	var d Decoder
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		n := 0
		if err := d.Events(msg, func(int, *Event) error { n++; return nil }); err != nil || n != 100 {
			b.Fatal(n, err)
		}
	}
}
