package feed

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/grosz/grosz/campaigns"
)

// Delta is one row of an update: what changed of a product, or that it is
// gone.
type Delta struct {
	Line    int
	ID      string
	Deleted bool
	row     record
	o       *Options
}

// Apply writes what the row says over a product of the feed; what it leaves
// out stays. A product that is not there yet (old is nil) needs a whole row.
// column and reason say what is wrong.
func (d *Delta) Apply(old *campaigns.Product) (p campaigns.Product, column, reason string) {
	row := d.row
	if old != nil {
		row.fillFrom(old)
	}
	p, column, reason = row.product(d.o)
	if reason != "" && old == nil {
		reason += "; the feed has no such product, so the row must be whole"
	}
	if old == nil || reason != "" {
		return p, column, reason
	}
	// What of the old one does not pass through text, and was not named anew.
	priced := d.names(fieldPrice) || d.names(fieldSale)
	if !priced {
		p.ListPrice = old.ListPrice
	}
	if !d.names(fieldLowest) && !priced {
		p.Lowest30 = old.Lowest30
	}
	if !d.names(fieldMargin) {
		p.MarginBPS = old.MarginBPS
	}
	if !d.names(fieldAvailability) && !d.names(fieldStock) {
		p.Available = old.Available
	}
	return p, "", ""
}

func (d *Delta) names(f field) bool { return strings.TrimSpace(d.row.values[f]) != "" }

// fillFrom puts the fields of a known product where the row has none.
func (r *record) fillFrom(p *campaigns.Product) {
	fill := func(f field, v string) {
		if strings.TrimSpace(r.values[f]) == "" {
			r.values[f] = v
		}
	}
	fill(fieldTitle, p.Title)
	fill(fieldLink, p.URL)
	fill(fieldImage, p.ImageURL)
	fill(fieldPrice, p.Price.String()+" "+p.Currency.String())
	fill(fieldBrand, p.Brand)
	if strings.TrimSpace(r.values[fieldGoogleCategory]) == "" {
		fill(fieldCategory, p.Category)
	}
	fill(fieldGTIN, p.GTIN)
	fill(fieldGroup, p.Group)
	fill(fieldMarginClass, p.MarginClass)
	for i, l := range p.Labels {
		fill(fieldLabel0+field(i), l)
	}
}

// ReadDelta reads an update in any of the formats: rows with an id and what
// changed, or with "deleted" set. Of rows with the same id the last one
// counts, so all of them are handed on, in order.
func ReadDelta(ctx context.Context, r io.Reader, o Options, fn func(Delta) error) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, fmt.Errorf("feed options: %w", err)
	}
	o = o.withDefaults()
	s := &sink{ctx: ctx, o: &o, seen: map[uint64]struct{}{}, delta: fn}
	raw := &cappedReader{r: r, max: o.MaxBytes, what: "bytes"}
	body, err := s.open(raw)
	if err == nil {
		err = s.read(body)
	}
	s.report.Bytes = raw.read
	return s.report, err
}

// acceptDelta takes one row of an update. Whether it makes a whole product is
// known only beside the product itself.
func (s *sink) acceptDelta(line int, row *record) error {
	id := strings.TrimSpace(row.values[fieldID])
	if id == "" || len(id) > maxID {
		s.reject(BadRow{Line: line, Column: "id", Reason: "is missing or too long"})
		return nil
	}
	d := Delta{Line: line, ID: id, row: *row, o: s.o}
	switch text := strings.ToLower(strings.TrimSpace(row.values[fieldDeleted])); text {
	case "", "false", "no", "0", "nie":
	case "true", "yes", "1", "tak":
		d.Deleted = true
	default:
		s.reject(BadRow{Line: line, Column: "deleted", ID: clip(id, 64), Reason: fmt.Sprintf("%q is neither true nor false", clip(text, 40))})
		return nil
	}
	key := xxhash.Sum64String(id)
	if _, again := s.seen[key]; !again && len(s.seen) >= s.o.MaxProducts {
		s.report.Rows--
		return fmt.Errorf("%w: more than %d, at line %d", ErrTooMany, s.o.MaxProducts, line)
	}
	s.seen[key] = struct{}{}
	if err := s.delta(d); err != nil {
		s.report.Rows--
		return fmt.Errorf("feed, line %d, product %q: %w", line, clip(id, 64), err)
	}
	s.report.Accepted++
	return nil
}
