package loader

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

func TestTokenNamesContent(t *testing.T) {
	batchOf := func(msgs ...kafka.Message) *batch {
		b := new(batch)
		for _, m := range msgs {
			b.add(m)
		}
		return b
	}
	m := func(p int, o int64, v string) kafka.Message {
		return kafka.Message{Partition: p, Offset: o, Value: []byte(v)}
	}
	a := batchOf(m(0, 5, "a"), m(0, 6, "b"), m(2, 1, "c"), m(0, 8, "d")).token("t")
	require.True(t, strings.HasPrefix(a, "t/0:5-6/2:1-1/0:8-8#"), a)
	require.Equal(t, a, batchOf(m(0, 5, "a"), m(0, 6, "b"), m(2, 1, "c"), m(0, 8, "d")).token("t"))
	require.NotEqual(t, a, batchOf(m(0, 5, "a"), m(0, 6, "b"), m(2, 1, "c"), m(0, 8, "e")).token("t"), "the same offsets of a topic made anew")
	require.NotEqual(t, batchOf(m(0, 1, "ab"), m(0, 2, "")).token("t"), batchOf(m(0, 1, "a"), m(0, 2, "b")).token("t"))
	long := new(batch)
	for i := range 10_000 {
		long.add(m(i%3, int64(i), "x"))
	}
	require.Less(t, len(long.token("t")), 400)
}

func TestBatchCountsAndForgets(t *testing.T) {
	var b batch
	b.add(kafka.Message{Value: []byte("one\ntwo\n")})
	b.add(kafka.Message{Key: []byte("k"), Value: []byte("three")})
	require.Equal(t, []any{3, int64(14)}, []any{b.rows, b.bytes})
	b.reset()
	require.Equal(t, []any{0, 0, int64(0)}, []any{len(b.msgs), b.rows, b.bytes})
}

func TestLines(t *testing.T) {
	var got []string
	require.NoError(t, lines([]byte("a\n\n b\r\n \nc"), func(seq int, line []byte) error {
		got = append(got, string(rune('0'+seq))+strings.TrimSpace(string(line)))
		return nil
	}))
	require.Equal(t, []string{"0a", "2b", "4c"}, got)
}

func TestRowsRefuseWhatDoesNotFit(t *testing.T) {
	id := `"event_id":"00000000000000000000000000000001"`
	cases := []struct{ name, topic, line, want string }{
		{"no id", events.TopicEvents, `{"v":1,"type":"win","time":1}`, "event_id is missing"},
		{"no time", events.TopicEvents, `{"v":1,"type":"win",` + id + `}`, "time: 0 ms: out of range"},
		{"bid time", events.TopicEvents, `{"v":1,"type":"win","time":1,"bid_time":-5,` + id + `}`, "bid_time: -5"},
		{"day", events.TopicEvents, `{"v":1,"type":"win","time":1,"day":"2026-02-30",` + id + `}`, "day:"},
		{"day too far", events.TopicBids, `{"v":1,"type":"bid","time":1,"day":"2200-01-01",` + id + `}`, "out of range"},
		{"loss reason", events.TopicEvents, `{"v":1,"type":"loss","time":1,"loss_reason":65536,` + id + `}`, "loss_reason: 65536"},
		{"count", events.TopicBids, `{"v":1,"type":"dropped","time":1,"count":-1,` + id + `}`, "count: -1"},
		{"width", events.TopicBids, `{"v":1,"type":"bid","time":1,"w":-300,` + id + `}`, "w: -300"},
		{"received", events.TopicShopEvents, `{"v":1,"type":"visit","time":1,"received":-1,` + id + `}`, "received: -1"},
		{"another schema", events.TopicEvents, `{"v":9,"type":"win","time":1,` + id + `}`, "schema version 9"},
		{"record", events.TopicCampaigns, `{`, "campaign record"},
		{"deleted record", events.TopicCampaigns, `{"key":"shop/x","deleted":true}`, "not a number"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, tg := range newTargets() {
				if tg.topic == c.topic {
					err := tg.rows(new(events.Decoder), []byte(c.line), place{}, func(*table, ...any) error { t.Error("a row came out"); return nil })
					require.ErrorContains(t, err, c.want)
				}
			}
		})
	}
}

func TestDayOfUnknownShopIsUTC(t *testing.T) {
	d, err := date("", time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, "2026-03-01", d.Format(time.DateOnly))
}

// FuzzRows feeds any bytes to every topic's decoder: each line is a row with
// as many values as columns, or an error; never both, never a panic.
func FuzzRows(f *testing.F) {
	e := events.Event{EventID: events.ID{1}, Type: events.TypeBilling, TimeMS: 1_700_000_000_000, Count: 3}
	f.Add(e.AppendJSON(nil))
	s := events.ShopEvent{EventID: events.ID{1}, Type: events.ShopVisit, TimeMS: 5, Items: []events.Item{{Product: "p"}}}
	f.Add(s.AppendJSON(nil))
	f.Add([]byte(`{"key":"shop/1","version":1,"shop":{"id":1}}`))
	f.Add([]byte("{\"key\":\"campaign/1\",\"deleted\":true}\n\x00"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, tg := range newTargets() {
			var d events.Decoder
			_ = lines(msg, func(seq int, line []byte) error {
				rows := 0
				err := tg.rows(&d, line, place{}, func(tb *table, values ...any) error {
					rows++
					if len(values) != len(tb.columns) {
						t.Errorf("%s: %d values for %d columns", tb.name, len(values), len(tb.columns))
					}
					return nil
				})
				if rows > 1 || (err != nil && rows > 0) {
					t.Errorf("%s: %d rows and error %v", tg.topic, rows, err)
				}
				return nil
			})
		}
	})
}

func TestRefusedRowBecomesPoison(t *testing.T) {
	in := inserter{target: eventsTarget()}
	e := events.Event{EventID: events.ID{1}, Type: events.TypeWin, TimeMS: 5}
	b := &batch{}
	b.add(kafka.Message{Value: e.AppendJSON(nil)})
	refused := errors.New("refused")
	var got []string
	out := func(tb *table, _ ...any) error {
		got = append(got, tb.name)
		if tb == eventsTable {
			return appendError{refused}
		}
		return nil
	}
	res := result{}
	require.ErrorIs(t, in.decode(b, time.Now(), out, &res), refused)
	require.NoError(t, in.decode(b, time.Now(), out, &res))
	require.Equal(t, []string{eventsTable.name, poisonTable.name}, got)
	require.Equal(t, 1, res.poison)
}
