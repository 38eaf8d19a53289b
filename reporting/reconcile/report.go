package reconcile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Columns say how a report is written. Each name is one of its head; an empty
// one is the field's own name, such as bid_id.
type Columns struct {
	Delimiter    string // one character; empty is a comma
	DecimalComma bool
	BidID, RequestID, ImpID,
	Price, Amount, Currency, Type string
	PriceMicros bool     // the price is in millionths of a CPM
	BilledTypes []string // of Type; empty: every line is billed
}

// names lists the fields with the settings that name them.
func (c *Columns) names() map[string]*string {
	return map[string]*string{
		"bid_id": &c.BidID, "request_id": &c.RequestID, "imp_id": &c.ImpID, "price": &c.Price, "amount": &c.Amount, "currency": &c.Currency, "type": &c.Type,
	}
}

// Set names a field's column; an unknown field is an error.
func (c *Columns) Set(field, column string) error {
	to, ok := c.names()[field]
	if !ok {
		return fmt.Errorf("no field %q: bid_id, request_id, imp_id, price, amount, currency or type", field)
	}
	*to = column
	return nil
}

// Line is a line of a report.
type Line struct {
	N         int // in the file, from 1
	BidID     events.ID
	RequestID string
	ImpID     string
	Amount    money.Nano // of the impression, in Currency
	Currency  money.Currency
}

// LineError is a line that cannot be read.
type LineError struct {
	N   int
	Err error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.N, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// MaxLines bounds a report.
const MaxLines = 5_000_000

// Errors of a report.
var (
	ErrEmpty   = errors.New("the report is empty")
	ErrTooLong = fmt.Errorf("more than %d lines: divide the report", MaxLines)
	errNoBid   = errors.New("neither bid_id nor request_id")
	errNoPrice = errors.New("neither amount nor price")
	errBelow   = errors.New("the amount is below zero: credits are booked with --clawbacks")
)

// reader reads a report line by line.
type reader struct {
	csv     *csv.Reader
	cols    Columns
	at      map[string]int
	n       int
	skipped int // of types that are not billed
}

func newReader(r io.Reader, cols Columns) (*reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if bom, _ := in.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3)
	}
	rd := &reader{csv: csv.NewReader(in), cols: cols, at: make(map[string]int)}
	rd.csv.TrimLeadingSpace, rd.csv.FieldsPerRecord = true, -1
	if cols.Delimiter != "" {
		rd.csv.Comma, _ = utf8.DecodeRuneInString(cols.Delimiter)
	}
	head, err := rd.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, ErrEmpty
	}
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	return rd, rd.head(slices.Clone(head))
}

// head finds the columns; upper and lower case are one.
func (r *reader) head(names []string) error {
	for i := range names {
		names[i] = strings.ToLower(strings.TrimSpace(names[i]))
	}
	var errs []error
	fields := r.cols.names()
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		column := fields[field]
		name := strings.ToLower(strings.TrimSpace(*column))
		if name == "" {
			name = field
		}
		i := slices.Index(names, name)
		switch {
		case i >= 0 && slices.Contains(names[i+1:], name):
			errs = append(errs, fmt.Errorf("the head names %q twice", clip(name)))
		case i >= 0:
			r.at[field] = i
		case *column != "":
			errs = append(errs, fmt.Errorf("the head has no %q, which is to be %s", clip(*column), field))
		}
	}
	has := func(field string) bool { _, ok := r.at[field]; return ok }
	if !has("bid_id") && !has("request_id") {
		errs = append(errs, errNoBid)
	}
	if !has("amount") && !has("price") {
		errs = append(errs, errNoPrice)
	}
	if len(r.cols.BilledTypes) > 0 && !has("type") {
		errs = append(errs, errors.New("billed types are given, and the head has no type"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("head %q: %w", clip(strings.Join(names, ",")), err)
	}
	return nil
}

// next returns the next billed line; a *LineError spoils only its line.
func (r *reader) next() (Line, error) {
	for {
		rec, err := r.csv.Read()
		if errors.Is(err, io.EOF) {
			return Line{}, io.EOF
		}
		n, _ := r.csv.FieldPos(0)
		if r.n++; r.n > MaxLines {
			return Line{}, ErrTooLong
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return Line{}, &LineError{bad.Line, bad.Err}
		}
		if err != nil {
			return Line{}, fmt.Errorf("read the report: %w", err)
		}
		if t := r.field(rec, "type"); len(r.cols.BilledTypes) > 0 && !slices.ContainsFunc(r.cols.BilledTypes, func(b string) bool { return strings.EqualFold(b, t) }) {
			r.skipped++
			continue
		}
		l, err := r.line(rec)
		l.N = n
		if err != nil {
			return l, &LineError{n, err}
		}
		return l, nil
	}
}

func (r *reader) field(rec []string, name string) string {
	if i, ok := r.at[name]; ok && i < len(rec) {
		return strings.TrimSpace(rec[i])
	}
	return ""
}

func (r *reader) line(rec []string) (l Line, err error) {
	l.RequestID, l.ImpID = r.field(rec, "request_id"), r.field(rec, "imp_id")
	id := strings.ReplaceAll(r.field(rec, "bid_id"), "-", "")
	if err := l.BidID.UnmarshalText([]byte(id)); err != nil {
		return l, fmt.Errorf("bid_id: %w", err)
	}
	if l.BidID.IsZero() && l.RequestID == "" {
		return l, errNoBid
	}
	if s := r.field(rec, "currency"); s != "" {
		if l.Currency, err = money.ParseCurrency(strings.ToUpper(s)); err != nil {
			return l, fmt.Errorf("currency: %w", err)
		}
	}
	amount, price := r.number(rec, "amount", 9), r.number(rec, "price", 6)
	switch {
	case amount != "":
		l.Amount, err = money.ParseNano(amount)
	case price == "":
		return l, errNoPrice
	case r.cols.PriceMicros:
		l.Amount, err = micros(price)
	default:
		var p money.CPM
		p, err = money.ParseCPM(price)
		l.Amount = p.PerImpression()
	}
	if err == nil && l.Amount < 0 {
		err = errBelow
	}
	return l, err
}

// micros reads an integer of millionths of a CPM.
func micros(s string) (money.Nano, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if strings.Trim(frac, "0") != "" {
		return 0, fmt.Errorf("%q is no whole number of micros", clip(s))
	}
	n, err := money.ParseNano(whole) // ×10⁹
	return n / money.NanoUnit, err
}

// number is a decimal as money reads it; finer digits than places are cut, as
// those of a notice are.
func (r *reader) number(rec []string, name string, places int) string {
	s := r.field(rec, name)
	if r.cols.DecimalComma {
		s = strings.Replace(s, ",", ".", 1)
	}
	if whole, frac, ok := strings.Cut(s, "."); ok && len(frac) > places && strings.Trim(frac, "0123456789") == "" {
		s = whole + "." + frac[:places]
	}
	return s
}

// clip keeps a message short whatever came in.
func clip(s string) string { return s[:min(len(s), 64)] }
