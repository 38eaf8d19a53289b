package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Format is a feed's format.
type Format string

// Formats. Auto looks at the first bytes.
const (
	Auto   Format = ""
	CSV    Format = "csv" // separated by comma, semicolon or bar, with a header row
	TSV    Format = "tsv" // Google Merchant's text format
	Google Format = "google-xml"
	Ceneo  Format = "ceneo-xml"
	JSON   Format = "json"  // an array, or an object with an array "products" or "items"
	JSONL  Format = "jsonl" // one object a line
)

// ParseFormat reads a format's name; empty and "auto" are Auto.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "auto", Auto:
		return Auto, nil
	case CSV, TSV, Google, Ceneo, JSON, JSONL:
		return f, nil
	}
	return Auto, fmt.Errorf("feed format %q is none of auto, csv, tsv, google-xml, ceneo-xml, json, jsonl", s)
}

// Defaults of Options.
const (
	DefaultMaxProducts = 1_000_000
	DefaultMaxBytes    = 2 << 30
	DefaultMaxInflated = 4 << 30
	DefaultMaxRow      = 1 << 20
	DefaultMaxBad      = 100
)

// Options say how to read. The zero value reads anything, within the defaults.
type Options struct {
	Format Format
	// Currency is the shop's. Rows without one are in it; rows in another are
	// bad. Unknown: each row must name its own.
	Currency money.Currency
	// MaxProducts bounds the products accepted, MaxBytes the bytes read,
	// MaxInflated the bytes after gunzip, MaxRow those of one row, MaxBad the
	// bad rows that the report lists. 0 means the default.
	MaxProducts int
	MaxBytes    int64
	MaxInflated int64
	MaxRow      int64
	MaxBad      int
	// Now decides whether a sale price with dates holds; zero: it does not.
	Now time.Time
}

// Validate lists all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	if _, err := ParseFormat(string(o.Format)); err != nil {
		errs = append(errs, err)
	}
	for _, b := range []struct {
		name  string
		value int64
	}{{"MaxProducts", int64(o.MaxProducts)}, {"MaxBytes", o.MaxBytes}, {"MaxInflated", o.MaxInflated}, {"MaxRow", o.MaxRow}, {"MaxBad", int64(o.MaxBad)}} {
		if b.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative: %d", b.name, b.value))
		}
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	o.MaxProducts = orDefault(o.MaxProducts, DefaultMaxProducts)
	o.MaxBytes = orDefault(o.MaxBytes, DefaultMaxBytes)
	o.MaxInflated = orDefault(o.MaxInflated, DefaultMaxInflated)
	o.MaxRow = orDefault(o.MaxRow, DefaultMaxRow)
	o.MaxBad = orDefault(o.MaxBad, DefaultMaxBad)
	if o.Format == "auto" {
		o.Format = Auto
	}
	return o
}

func orDefault[T int | int64](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Errors of a whole feed.
var (
	ErrTooLarge    = errors.New("feed is too large")
	ErrTooMany     = errors.New("feed has too many products")
	ErrRowTooLarge = errors.New("row is too large")
	ErrFormat      = errors.New("feed format not recognised")
	ErrSyntax      = errors.New("feed cannot be read")
)

// BadRow is a row that was left out, or its first fault.
type BadRow struct {
	Line   int    `json:"line"`             // of the row's begin, from 1
	Column string `json:"column,omitempty"` // the feed's own name of the field
	ID     string `json:"id,omitempty"`     // the product's id, where it was read
	Reason string `json:"reason"`
}

// Report counts what was read. Rows = Accepted + Rejected.
type Report struct {
	Format      Format   `json:"format"`
	Gzip        bool     `json:"gzip,omitempty"`
	Bytes       int64    `json:"bytes"` // as they came
	Rows        int      `json:"rows"`
	Accepted    int      `json:"accepted"`
	Rejected    int      `json:"rejected"`
	Duplicates  int      `json:"duplicates"`  // of the rejected
	Unavailable int      `json:"unavailable"` // of the accepted
	NoImage     int      `json:"no_image"`    // of the accepted
	Bad         []BadRow `json:"bad,omitempty"`
	// MoreBad counts the rejected rows that Bad has no room for.
	MoreBad int `json:"more_bad,omitempty"`
}

// Read reads a feed and hands each good product to fn, in order. It ends at
// the end of the feed, when fn or the context fails, or when the feed cannot
// be read on; the report tells how far it came in every case.
func Read(ctx context.Context, r io.Reader, o Options, fn func(campaigns.Product) error) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, fmt.Errorf("feed options: %w", err)
	}
	o = o.withDefaults()
	s := &sink{ctx: ctx, o: &o, fn: fn, seen: map[uint64]struct{}{}}
	raw := &cappedReader{r: r, max: o.MaxBytes, what: "bytes"}
	body, err := s.open(raw)
	if err == nil {
		err = s.read(body)
	}
	s.report.Bytes = raw.read
	return s.report, err
}

// sink takes rows from a format's reader.
type sink struct {
	ctx    context.Context
	o      *Options
	fn     func(campaigns.Product) error
	seen   map[uint64]struct{}
	report Report
	// delta takes rows in place of fn: what changed in products that are known.
	delta func(Delta) error
}

func (s *sink) read(body *bufio.Reader) error {
	f := s.o.Format
	if f == Auto {
		head, err := body.Peek(peekBytes)
		if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("feed: %w", err)
		}
		if f, err = detect(head); err != nil {
			return err
		}
	}
	s.report.Format = f
	switch f {
	case CSV:
		return s.readCSV(body)
	case TSV:
		return s.readTSV(body)
	case Google, Ceneo:
		return s.readXML(body, f)
	case JSON:
		return s.readJSON(body)
	}
	return s.readJSONL(body)
}

// accept takes one row, good or bad. Its error ends the reading.
func (s *sink) accept(line int, row *record) error {
	s.report.Rows++
	if s.report.Rows&0xff == 0 {
		if err := s.ctx.Err(); err != nil {
			return fmt.Errorf("feed, line %d: %w", line, err)
		}
	}
	if s.delta != nil {
		return s.acceptDelta(line, row)
	}
	p, column, reason := row.product(s.o)
	if reason != "" {
		s.reject(BadRow{Line: line, Column: column, ID: clip(row.id, 64), Reason: reason})
		return nil
	}
	key := xxhash.Sum64String(p.ID)
	if _, again := s.seen[key]; again {
		s.report.Duplicates++
		s.reject(BadRow{Line: line, Column: "id", ID: clip(p.ID, 64), Reason: "the id was there before; the first row counts"})
		return nil
	}
	if len(s.seen) >= s.o.MaxProducts {
		s.report.Rows--
		return fmt.Errorf("%w: more than %d, at line %d", ErrTooMany, s.o.MaxProducts, line)
	}
	s.seen[key] = struct{}{}
	if err := s.fn(p); err != nil {
		s.report.Rows--
		return fmt.Errorf("feed, line %d, product %q: %w", line, clip(p.ID, 64), err)
	}
	s.report.Accepted++
	if !p.Available {
		s.report.Unavailable++
	}
	if p.ImageURL == "" {
		s.report.NoImage++
	}
	return nil
}

// broken records a row that could not even be split into fields.
func (s *sink) broken(line int, reason string) {
	s.report.Rows++
	s.reject(BadRow{Line: line, Reason: reason})
}

func (s *sink) reject(b BadRow) {
	s.report.Rejected++
	if len(s.report.Bad) >= s.o.MaxBad {
		s.report.MoreBad++
		return
	}
	s.report.Bad = append(s.report.Bad, b)
}
