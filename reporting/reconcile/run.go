package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Source is what Run asks of the books; *Books is one.
type Source interface {
	Entries(ctx context.Context, ids []events.ID) (map[events.ID]*Entry, error)
	ByRequest(ctx context.Context, exchange string, requests []string) (map[[2]string][]events.ID, error)
	EachSettled(ctx context.Context, exchange string, fromMS, toMS int64, fn func(id events.ID, amount money.Nano, currency money.Currency) error) error
}

// Config of a Run. Exchange, Books, Day, Fee and Book are needed.
type Config struct {
	Exchange string // whose report it is
	Columns  Columns
	Rules    Rules
	Books    Source
	// SettleType is the event that settles a media type at the exchange; nil:
	// nothing is settled by a report.
	SettleType func(media string) events.Type
	Fee        func(shop uint32) (fee money.Fee, ok bool) // the shop's, today
	NowMS      int64
	Day        func(shop uint32) string // NowMS's date in the shop's time zone
	Node       string
	Reference  string // of the report, kept in its adjustments; 64 bytes of it
	// FromMS and ToMS bound the bids that the report should have, by when they
	// were made; both zero: from the first to the last that it has.
	FromMS, ToMS int64
	// Book makes events durable, in their order. Nil books nothing.
	Book func(ctx context.Context, list []events.Event) error
	// Found is told of every finding but what matched.
	Found func(Finding) error
}

// Total is a kind's share of a report.
type Total struct {
	Count            int
	Reported, Booked map[money.Currency]money.Nano
	Change           map[money.Currency]money.Nano
}

// Summary is what a Run came to.
type Summary struct {
	Lines, Skipped int // lines read; lines of types that are not billed
	Kinds          map[Kind]*Total
	FromMS, ToMS   int64 // the bids that Missing was looked for among
	// Billed are the lines of bids of ours that are to be paid, Silent those of
	// them that no notice had told of, also where an earlier run has booked
	// them. SinceMS is when the first of these bids was made.
	Billed, Silent int
	SinceMS        int64
}

// batchLines are looked up at once.
const batchLines = 4000

// run is a Run under way.
type run struct {
	*Config
	sum  Summary
	seen map[events.ID]struct{}
}

// Run reads a report and compares each line with the books, batch by batch;
// what is to be booked of a batch is booked before the next is read. A line
// that is wrong holds up no other.
func Run(ctx context.Context, r io.Reader, cfg Config) (Summary, error) {
	rn := &run{Config: &cfg, seen: make(map[events.ID]struct{}), sum: Summary{Kinds: make(map[Kind]*Total), FromMS: cfg.FromMS, ToMS: cfg.ToMS}}
	err := rn.report(ctx, r)
	if err == nil {
		err = rn.missing(ctx)
	}
	if err != nil {
		return rn.sum, fmt.Errorf("report of %s: %w", cfg.Exchange, err)
	}
	return rn.sum, nil
}

func (rn *run) report(ctx context.Context, r io.Reader) error {
	in, err := newReader(r, rn.Columns)
	if err != nil {
		return err
	}
	defer func() { rn.sum.Skipped = in.skipped }()
	for batch := make([]Line, 0, batchLines); ; batch = batch[:0] {
		end := false
		for len(batch) < batchLines && !end {
			l, err := in.next()
			var bad *LineError
			switch {
			case errors.Is(err, io.EOF):
				end = true
			case errors.As(err, &bad):
				rn.sum.Lines++
				if err := rn.found(Finding{Kind: Bad, Line: bad.N, Note: bad.Err.Error()}); err != nil {
					return err
				}
			case err != nil:
				return err
			default:
				rn.sum.Lines++
				batch = append(batch, l)
			}
		}
		if err := rn.batch(ctx, batch); err != nil {
			return err
		}
		if end {
			return nil
		}
	}
}

// batch finds the bids of some lines, judges and books.
func (rn *run) batch(ctx context.Context, lines []Line) error {
	if err := rn.resolve(ctx, lines); err != nil {
		return err
	}
	var ids []events.ID
	for i := range lines {
		if !lines[i].BidID.IsZero() {
			ids = append(ids, lines[i].BidID)
		}
	}
	known, err := rn.Books.Entries(ctx, ids)
	if err != nil {
		return err
	}
	var due []events.Event
	for i := range lines {
		l := &lines[i]
		if l.BidID.IsZero() {
			continue // told already
		}
		f := Finding{Kind: Unknown, Line: l.N, BidID: l.BidID, Reported: l.Amount, Currency: l.Currency, Note: "no bid of ours is recorded"}
		var e *events.Event
		_, again := rn.seen[l.BidID]
		rn.seen[l.BidID] = struct{}{}
		switch b := known[l.BidID]; {
		case again:
			f.Kind, f.Note = Twice, "an earlier line has the bid; this one is passed over"
		case b != nil:
			f, e = rn.judge(l, b)
			rn.period(b)
			rn.notices(l, b, f.Kind)
		}
		if e != nil {
			due = append(due, *e)
		}
		if err := rn.found(f); err != nil {
			return err
		}
	}
	if len(due) == 0 || rn.Book == nil {
		return nil
	}
	if err := rn.Book(ctx, due); err != nil {
		return fmt.Errorf("book %d events: %w", len(due), err)
	}
	return nil
}

// resolve finds the bids of lines that name only a request and an imp.
func (rn *run) resolve(ctx context.Context, lines []Line) error {
	var requests []string
	for i := range lines {
		if lines[i].BidID.IsZero() {
			requests = append(requests, lines[i].RequestID)
		}
	}
	if len(requests) == 0 {
		return nil
	}
	found, err := rn.Books.ByRequest(ctx, rn.Exchange, requests)
	if err != nil {
		return err
	}
	for i := range lines {
		l := &lines[i]
		if !l.BidID.IsZero() {
			continue
		}
		f := Finding{Line: l.N, Reported: l.Amount, Currency: l.Currency}
		switch ids := found[[2]string{l.RequestID, l.ImpID}]; len(ids) {
		case 1:
			l.BidID = ids[0]
			continue
		case 0:
			f.Kind, f.Note = Unknown, fmt.Sprintf("no bid of ours is recorded on request %s, imp %s", clip(l.RequestID), clip(l.ImpID))
		default:
			f.Kind, f.Note = Ambiguous, fmt.Sprintf("%d bids on request %s, imp %s", len(ids), clip(l.RequestID), clip(l.ImpID))
		}
		if err := rn.found(f); err != nil {
			return err
		}
	}
	return nil
}

// period widens the time that the report covers.
func (rn *run) period(b *Entry) {
	if rn.Config.FromMS != 0 || rn.Config.ToMS != 0 || !b.Settled || b.Exchange != rn.Exchange {
		return
	}
	if rn.sum.FromMS == 0 || b.BidMS < rn.sum.FromMS {
		rn.sum.FromMS = b.BidMS
	}
	rn.sum.ToMS = max(rn.sum.ToMS, b.BidMS+1)
}

// notices counts a line of a bid of ours, and whether a notice had told of it.
func (rn *run) notices(l *Line, b *Entry, k Kind) {
	switch k {
	case Matched, Corrected, Booked, Drift, AboveBid, ClawedBack, Unbilled:
	default:
		return // another exchange's, in another currency, a test
	}
	if l.Amount <= 0 {
		return
	}
	rn.sum.Billed++
	if !b.Settled || b.Status == events.PriceReport {
		rn.sum.Silent++
	}
	if rn.sum.SinceMS == 0 || b.BidMS < rn.sum.SinceMS {
		rn.sum.SinceMS = b.BidMS
	}
}

// missing lists what was settled in the report's time and is not in it.
func (rn *run) missing(ctx context.Context) error {
	if rn.sum.ToMS <= rn.sum.FromMS {
		return nil
	}
	return rn.Books.EachSettled(ctx, rn.Exchange, rn.sum.FromMS, rn.sum.ToMS, func(id events.ID, amount money.Nano, currency money.Currency) error {
		if _, ok := rn.seen[id]; ok || amount == 0 {
			return nil
		}
		return rn.found(Finding{Kind: Missing, BidID: id, Currency: currency, BookedAmount: amount, Note: "the report does not have it"})
	})
}

func (rn *run) found(f Finding) error {
	t := rn.sum.Kinds[f.Kind]
	if t == nil {
		t = &Total{Reported: make(map[money.Currency]money.Nano), Booked: make(map[money.Currency]money.Nano), Change: make(map[money.Currency]money.Nano)}
		rn.sum.Kinds[f.Kind] = t
	}
	t.Count++
	for _, add := range []struct {
		to map[money.Currency]money.Nano
		n  money.Nano
	}{{t.Reported, f.Reported}, {t.Booked, f.BookedAmount}, {t.Change, f.Change}} {
		if add.n != 0 {
			add.to[f.Currency] = money.Add(add.to[f.Currency], add.n)
		}
	}
	if f.Kind == Matched || rn.Found == nil {
		return nil
	}
	return rn.Found(f)
}
