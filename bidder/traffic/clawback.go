package traffic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
	"strings"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Clawback is what an exchange takes back of one bid that it had billed: a
// line of its report of invalid traffic.
type Clawback struct {
	// BidID is our own bid id, as bid.id and AUCTION_BID_ID carried it.
	BidID events.ID `json:"bid_id"`
	// Amount taken back, in Currency, above zero; zero is the whole.
	Amount   money.Nano     `json:"amount"`
	Currency money.Currency `json:"currency"` // empty: the settlement's
	// Reference is the exchange's own id of this correction. Two of one bid
	// with different references are two; the same one again, also in another
	// file, is the same. Without it there is one per bid.
	Reference string `json:"reference"`
	Reason    string `json:"reason"` // the exchange's words, at most 64 bytes are kept
	Line      int    `json:"-"`
}

// Settled is what was booked for a bid.
type Settled struct {
	Event events.Event // the event that settled it
	// Adjusted is what earlier adjustments changed, in Event.Currency: zero or
	// below.
	Adjusted money.Nano
	// References of those, as Event.Raw has them.
	References []string
}

// ClawbackConfig says where a report is from and how bids are found.
type ClawbackConfig struct {
	// Exchange whose report it is: it takes back only what is its own.
	Exchange string
	// Find returns what was settled for a bid; ok is false for one that was
	// not. Its error ends the reading.
	Find  func(ctx context.Context, bid events.ID) (s Settled, ok bool, err error)
	NowMS int64
	// Day is NowMS's date in a shop's time zone, YYYY-MM-DD.
	Day  func(shop uint32) string
	Node string
}

// ClawbackSummary is what became of a report.
type ClawbackSummary struct {
	Booked   int
	Known    int // booked before
	Unknown  int // of bids that were never settled: nothing to take back
	Bad      int // lines that cannot be read or must not be booked
	Amount   map[money.Currency]money.Nano
	BadLines []error // the first 100 of them, *LineError
}

const (
	maxClawbackLine  = 16 << 10
	maxClawbackLines = 5_000_000
	maxBadClawbacks  = 100
)

// What is wrong with a clawback that can be read.
var (
	ErrOtherExchange = errors.New("the bid was billed by another exchange")
	ErrOtherCurrency = errors.New("the currency is not the settlement's")
	ErrTooMuch       = errors.New("it takes back more than was billed")
)

// ReadClawbacks reads a report and hands an adjustment event to book for each
// line of it, in order. A report is CSV with a head (bid_id, and any of amount,
// currency, reference, reason; other columns are passed over) or one JSON
// object per line with the same names; its first byte tells. A line that
// cannot be booked is listed by number and holds up no other. An error of
// book or Find ends it; reading the report again books nothing twice, for the
// event ids are the same.
func ReadClawbacks(ctx context.Context, r io.Reader, cfg ClawbackConfig, book func(*events.Event) error) (ClawbackSummary, error) {
	b := &clawbacks{cfg: cfg, book: book, seen: make(map[events.ID]money.Nano), sum: ClawbackSummary{Amount: make(map[money.Currency]money.Nano)}}
	in := bufio.NewReaderSize(r, 64<<10)
	if bom, _ := in.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3)
	}
	first, err := in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		return b.sum, fmt.Errorf("clawbacks of %s: %w", cfg.Exchange, errEmpty)
	case err == nil && first[0] == '{':
		err = b.readJSON(ctx, in)
	case err == nil:
		err = b.readCSV(ctx, in)
	}
	if err != nil {
		return b.sum, fmt.Errorf("clawbacks of %s: %w", cfg.Exchange, err)
	}
	return b.sum, nil
}

type clawbacks struct {
	cfg  ClawbackConfig
	book func(*events.Event) error
	sum  ClawbackSummary
	seen map[events.ID]money.Nano // event id → amount, of this report; zero: of an earlier one
	bid  map[events.ID]money.Nano // taken back in this report, by bid
}

func (b *clawbacks) bad(line int, err error) {
	if b.sum.Bad++; len(b.sum.BadLines) < maxBadClawbacks {
		b.sum.BadLines = append(b.sum.BadLines, &LineError{line, err})
	}
}

// eachClawback calls fn with every line that is not empty. One line is one
// clawback, also in CSV: a quote that is not closed spoils its line only.
func eachClawback(in io.Reader, fn func(n int, line []byte) error) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 4<<10), maxClawbackLine)
	n := 0
	for sc.Scan() {
		n++
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		if n > maxClawbackLines {
			return fmt.Errorf("more than %d lines: divide the report", maxClawbackLines)
		}
		if err := fn(n, line); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

func (b *clawbacks) readJSON(ctx context.Context, in io.Reader) error {
	return eachClawback(in, func(n int, line []byte) error {
		c := Clawback{Line: n}
		if err := json.Unmarshal(line, &c); err != nil {
			b.bad(n, err)
			return nil
		}
		return b.one(ctx, &c)
	})
}

func (b *clawbacks) readCSV(ctx context.Context, in io.Reader) error {
	var column map[string]int
	return eachClawback(in, func(n int, line []byte) error {
		rec, err := csvLine(line)
		if column == nil {
			if err == nil {
				column, err = columns(rec)
			}
			return err
		}
		c := Clawback{Line: n}
		if err == nil && len(rec) != len(column) {
			err = fmt.Errorf("%d fields, the head has %d", len(rec), len(column))
		}
		if err == nil {
			err = c.fromCSV(rec, column)
		}
		if err != nil {
			b.bad(n, err)
			return nil
		}
		return b.one(ctx, &c)
	})
}

func csvLine(line []byte) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(line))
	r.TrimLeadingSpace = true
	return r.Read()
}

// columns tells where each named field is.
func columns(head []string) (map[string]int, error) {
	column := make(map[string]int, len(head))
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			name = fmt.Sprint("column ", i+1)
		}
		if _, twice := column[name]; twice {
			return nil, fmt.Errorf("the head names %q twice", clip(name))
		}
		column[name] = i
	}
	if _, ok := column["bid_id"]; !ok {
		return nil, fmt.Errorf("the head %q names no column bid_id", clip(strings.Join(head, ",")))
	}
	return column, nil
}

func (c *Clawback) fromCSV(rec []string, column map[string]int) error {
	field := func(name string) string {
		if i, ok := column[name]; ok {
			return strings.TrimSpace(rec[i])
		}
		return ""
	}
	var errs []error
	if err := c.BidID.UnmarshalText([]byte(field("bid_id"))); err != nil {
		errs = append(errs, err)
	}
	if s := field("amount"); s != "" {
		var err error
		if c.Amount, err = money.ParseNano(s); err != nil {
			errs = append(errs, fmt.Errorf("amount: %w", err))
		}
	}
	if s := field("currency"); s != "" {
		var err error
		if c.Currency, err = money.ParseCurrency(s); err != nil {
			errs = append(errs, fmt.Errorf("currency: %w", err))
		}
	}
	c.Reference, c.Reason = field("reference"), field("reason")
	return errors.Join(errs...)
}

// one books a clawback; its error ends the reading.
func (b *clawbacks) one(ctx context.Context, c *Clawback) error {
	switch {
	case c.BidID.IsZero():
		b.bad(c.Line, errors.New("bid_id is missing"))
		return nil
	case c.Amount < 0:
		b.bad(c.Line, fmt.Errorf("amount %s is below zero: what is taken back is written above it", c.Amount))
		return nil
	case len(c.Reference) > 64:
		b.bad(c.Line, errors.New("reference is longer than 64 bytes"))
		return nil
	}
	id := c.eventID()
	if _, again := b.seen[id]; again {
		b.sum.Known++
		return nil
	}
	s, ok, err := b.cfg.Find(ctx, c.BidID)
	if err != nil {
		return fmt.Errorf("line %d: find bid %s: %w", c.Line, c.BidID, err)
	}
	if !ok {
		b.sum.Unknown++
		return nil
	}
	for _, r := range s.References {
		if r == c.Reference {
			b.seen[id] = 0
			b.sum.Known++
			return nil
		}
	}
	s.Adjusted = money.Add(s.Adjusted, b.bid[c.BidID])
	e, err := c.adjustment(&s, &b.cfg)
	if err != nil {
		b.bad(c.Line, err)
		return nil
	}
	if err := b.book(&e); err != nil {
		return fmt.Errorf("line %d: book the adjustment: %w", c.Line, err)
	}
	b.seen[id] = e.Amount
	if b.bid == nil {
		b.bid = make(map[events.ID]money.Nano)
	}
	b.bid[c.BidID] = money.Add(b.bid[c.BidID], e.Amount)
	b.sum.Booked++
	b.sum.Amount[e.Currency] = money.Add(b.sum.Amount[e.Currency], e.Amount)
	return nil
}

func (c *Clawback) eventID() events.ID {
	if c.Reference == "" {
		return events.EventID(c.BidID, events.TypeAdjustment, 0)
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.Reference) // never fails
	return events.EventID(c.BidID, events.TypeAdjustment, max(h.Sum64(), 1))
}

// adjustment is the event that takes the amount back from what was settled:
// of the shop's cost and of the fee the same share. What is taken back in
// several parts and what was booked meet in zero, never below.
func (c *Clawback) adjustment(s *Settled, cfg *ClawbackConfig) (events.Event, error) {
	was := &s.Event
	left := money.Add(was.Amount, s.Adjusted)
	take := c.Amount
	if take == 0 {
		take = left
	}
	switch {
	case was.Exchange != cfg.Exchange:
		return events.Event{}, fmt.Errorf("%w, %q", ErrOtherExchange, was.Exchange)
	case c.Currency != (money.Currency{}) && c.Currency != was.Currency:
		return events.Event{}, fmt.Errorf("%w: %s, not %s", ErrOtherCurrency, c.Currency, was.Currency)
	case take > left || take <= 0:
		return events.Event{}, fmt.Errorf("%w: %s of %s %s left", ErrTooMuch, take, left, was.Currency)
	}
	e := events.Event{
		EventID: c.eventID(), Type: events.TypeAdjustment, TimeMS: cfg.NowMS, BidMS: was.BidMS, Day: cfg.Day(was.ShopID), BidID: c.BidID,
		ShopID: was.ShopID, CampaignID: was.CampaignID, CreativeID: was.CreativeID, Exchange: was.Exchange, Media: was.Media,
		BidPrice: was.BidPrice, Currency: was.Currency, Amount: -take, ShopCurrency: was.ShopCurrency, Rate: was.Rate, ClickPrice: was.ClickPrice,
		Reason: "clawback", Raw: c.Reference, Node: cfg.Node,
	}
	if c.Reason != "" {
		e.Reason = "clawback: " + clip(c.Reason)
	}
	// The share of everything that is gone by now, less what was before: so
	// that parts add up to the whole without a rounding left over.
	before, after := -s.Adjusted, money.Add(take, -s.Adjusted)
	e.ShopAmount = share(was.ShopAmount, before, was.Amount) - share(was.ShopAmount, after, was.Amount)
	e.ShopFee = share(was.ShopFee, before, was.Amount) - share(was.ShopFee, after, was.Amount)
	return e, nil
}

// share is whole × part / of, rounded half to even; 0 ≤ part ≤ of, 0 ≤ whole.
func share(whole, part, of money.Nano) money.Nano {
	if of <= 0 || part <= 0 || whole <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(whole), uint64(part))
	q, rem := bits.Div64(hi, lo, uint64(of)) // part ≤ of: the quotient fits
	if half := uint64(of) - rem; rem > half || rem == half && q&1 == 1 {
		q++
	}
	return money.Nano(q)
}
