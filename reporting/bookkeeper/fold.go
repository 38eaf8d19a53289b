package bookkeeper

import (
	"fmt"
	"io"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/ledger"
)

// row is an entry with the place of its event.
type row struct {
	ledger.Entry
	kind      ledger.Kind
	leg       uint8
	day       string
	bid       events.ID
	late      bool
	reference string
	partition int
	offset    int64
	seq       int
}

// fold is the state that follows from the log: two folds that have read the
// same are equal. One goroutine uses it.
type fold struct {
	book   *pacing.Book // which settlement is the first of its bid
	ledger *ledger.Fold
	next   map[int]int64 // the first offset not folded, by partition
	dec    events.Decoder
	legs   []ledger.Entry
	counts counts
}

// counts are of this run.
type counts struct {
	events, settlements, repeated, adjustments, deposits int64
	entries, houseWins, lateHouseWins, disputes, bad     int64
}

func newFold(maxSettled int) *fold {
	return &fold{book: pacing.NewBook(pacing.Config{MaxSettled: maxSettled}), ledger: ledger.New(), next: map[int]int64{}}
}

// message folds a message and appends the entries it makes. Lines that are no
// events are counted and passed over: the loader keeps them.
func (f *fold) message(m kafka.Message, dst []row) []row {
	err := f.dec.Events(m.Value, func(seq int, e *events.Event) error {
		dst = f.event(e, m, seq, dst)
		return nil
	})
	if err != nil {
		f.counts.bad++
	}
	f.next[m.Partition] = m.Offset + 1
	return dst
}

func (f *fold) event(e *events.Event, m kafka.Message, seq int, dst []row) []row {
	r, ok := ledger.FromEvent(e)
	if !ok || !f.first(e, &r) {
		return dst
	}
	f.counts.events++
	f.legs = f.ledger.Apply(&r, f.legs[:0])
	for i, leg := range f.legs {
		dst = append(dst, row{
			Entry: leg, kind: r.Kind, leg: uint8(i), day: e.Day, bid: e.BidID, late: e.Late, reference: reference(e),
			partition: m.Partition, offset: m.Offset, seq: seq,
		})
		f.count(&leg, r.Kind, e.Late)
	}
	f.counts.entries += int64(len(f.legs))
	return dst
}

// first tells whether a record is the first of its kind for its bid, and so
// moves money: the same rule, by the same code, as on every bidder.
func (f *fold) first(e *events.Event, r *ledger.Record) bool {
	switch r.Kind {
	case ledger.Settlement:
		f.counts.settlements++
		if !f.book.Fold(pacing.Settlement{BidID: e.BidID, Campaign: e.CampaignID, Amount: money.Add(e.ShopAmount, e.ShopFee), Day: e.BidDay, BidMS: e.BidMS}) {
			f.counts.repeated++
			return false
		}
	case ledger.Adjustment:
		f.counts.adjustments++
		if e.Test || !f.book.Adjust(pacing.Adjustment{EventID: e.EventID, Campaign: e.CampaignID, Amount: money.Add(e.ShopAmount, e.ShopFee), Day: e.BidDay, BidMS: e.BidMS}) {
			f.counts.repeated++
			return false
		}
	case ledger.Deposit:
		f.counts.deposits++
	}
	return true
}

func (f *fold) count(leg *ledger.Entry, kind ledger.Kind, late bool) {
	if leg.From == ledger.Dispute {
		f.counts.disputes++
	}
	if leg.From == ledger.House && kind == ledger.Settlement {
		f.counts.houseWins++
		if late {
			f.counts.lateHouseWins++
		}
	}
}

// reference is what the other side calls the payment.
func reference(e *events.Event) string {
	if e.Type == events.TypeDeposit || e.Type == events.TypeAdjustment {
		return e.Raw
	}
	return ""
}

var kindNames = map[ledger.Kind]string{ledger.Settlement: "settlement", ledger.Adjustment: "adjustment", ledger.Deposit: "deposit"}

// date is the day of a row's event; an event without one has its time's.
func (r *row) date() time.Time {
	if t, err := time.Parse(time.DateOnly, r.day); err == nil {
		return t
	}
	return time.UnixMilli(r.AtMS).UTC().Truncate(24 * time.Hour)
}

// snapshot writes the fold with its offsets.
func (f *fold) snapshot(w io.Writer) error {
	if err := f.book.Snapshot(w, f.next); err != nil {
		return err
	}
	return f.ledger.Snapshot(w)
}

func restoreFold(r io.Reader, maxSettled int) (*fold, error) {
	f := newFold(maxSettled)
	next, err := f.book.Restore(r)
	if err != nil {
		return nil, fmt.Errorf("settled bids: %w", err)
	}
	if f.ledger, err = ledger.Restore(r); err != nil {
		return nil, fmt.Errorf("balances: %w", err)
	}
	f.next = next
	return f, nil
}
