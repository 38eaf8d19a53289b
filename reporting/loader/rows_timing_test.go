package loader

import (
	"testing"
	"time"

	"github.com/grosz/grosz/events"
)

// BenchmarkRows reads one event's line and makes its row.
func BenchmarkRows(b *testing.B) {
	line := message(billing(7, events.ID{1}, time.UnixMilli(1_700_000_000_000).UTC(), 910_000)).Value
	tg := eventsTarget()
	var d events.Decoder
	rows := 0
	out := func(*table, ...any) error { rows++; return nil }
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if err := tg.rows(&d, line, place{}, out); err != nil {
			b.Fatal(err)
		}
	}
	if rows < b.N {
		b.Fatalf("%d rows of %d", rows, b.N)
	}
}
