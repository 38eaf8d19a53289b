package loader

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// place is where a line was read, and when it is loaded.
type place struct {
	partition uint32
	offset    uint64
	seq       uint32
	loadedAt  time.Time
}

// emit takes one row for a table, in the order of its columns.
type emit func(t *table, values ...any) error

// table is one that the loader inserts into.
type table struct {
	name    string
	columns []string
}

// target turns the lines of a topic into rows. Its error means that the line
// is poison; an error of emit is passed on as it is.
type target struct {
	topic  string
	tables []*table
	rows   func(d *events.Decoder, line []byte, at place, out emit) error
}

// emitError tells an error of emit from a line that cannot be read.
type emitError struct{ err error }

func (e emitError) Error() string { return e.err.Error() }
func (e emitError) Unwrap() error { return e.err }

func put(out emit, t *table, values ...any) error {
	if err := out(t, values...); err != nil {
		return emitError{err}
	}
	return nil
}

// errRange is wrapped where a value does not fit its column.
var errRange = errors.New("out of range")

// Bounds of times: what DateTime64 and Date hold, and what can be meant.
var (
	minMS = int64(0)
	maxMS = time.Date(2149, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// at returns the time of ms since the epoch.
func at(name string, ms int64) (time.Time, error) {
	if ms <= minMS || ms >= maxMS {
		return time.Time{}, fmt.Errorf("%s: %d ms: %w", name, ms, errRange)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// date reads YYYY-MM-DD; an empty one is t's date in UTC: no shop was known.
func date(text string, t time.Time) (time.Time, error) {
	if text == "" {
		return t.Truncate(24 * time.Hour), nil
	}
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return d, fmt.Errorf("day: %w", err)
	}
	if ms := d.UnixMilli(); ms < minMS || ms >= maxMS {
		return d, fmt.Errorf("day: %s: %w", text, errRange)
	}
	return d, nil
}

func id(v events.ID) uuid.UUID { return uuid.UUID(v) }

// Money as decimals; zero, the commonest value, costs nothing.
func nano(v money.Nano) decimal.Decimal { return dec(int64(v), -9) }
func cpm(v money.CPM) decimal.Decimal   { return dec(int64(v), -6) }
func rate(v money.Rate) decimal.Decimal { return dec(int64(v), -9) }

func dec(v int64, exp int32) decimal.Decimal {
	if v == 0 {
		return decimal.Zero
	}
	return decimal.New(v, exp)
}

// fit puts v into an unsigned column of the given bits.
func fit(name string, v int64, bits int) (uint64, error) {
	if v < 0 || (bits < 63 && v >= 1<<bits) {
		return 0, fmt.Errorf("%s: %d: %w", name, v, errRange)
	}
	return uint64(v), nil
}

// newTargets returns a target per topic.
func newTargets() []*target {
	return []*target{eventsTarget(), bidsTarget(), shopEventsTarget(), campaignsTarget(), erasuresTarget()}
}
