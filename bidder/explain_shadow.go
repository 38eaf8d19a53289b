package bidder

import (
	"encoding/binary"
	"log/slog"
	"reflect"
	"time"
	"unsafe"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	ekafka "github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

// outside is everything outside of a request that an answer depends on.
type outside struct {
	snapshot  *campaigns.Snapshot
	exchange  *Exchange
	rates     *money.Rates
	nowMS     int64
	seed      [32]byte
	profiles  *segments.Store
	frequency *pacing.Frequency
	book      pacing.Config
}

// shadow decides as the bidder it was made of would, by the same code, and
// leaves no trace: budgets, counters, metrics and the bid log are its own and
// are thrown away with it. What it only reads (keys, catalogues, profiles) it
// shares: so a new part of Bidder that a bid changes, and that stands there by
// pointer, has to be replaced here. One goroutine uses a shadow.
type shadow struct {
	outside
	b     *Bidder
	state *State
	spent uint64 // settlements made to fill the book
}

func (b *Bidder) shadow(o outside) *shadow {
	sh, x := new(Bidder), new(Exchange)
	copyPlain(x, o.exchange)
	copyPlain(sh, b)
	sh.clock, sh.log = clock.NewManual(o.nowMS), slog.New(slog.DiscardHandler)
	sh.book, sh.frequency = pacing.NewBook(o.book), o.frequency
	sh.shadowed = true
	sh.offers = nil // what other exchanges were offered has passed
	sh.proofs = nil
	sh.bidLog = ekafka.NewBidLog(1, sh.log) // full after the first bid
	sh.exchanges, sh.rates = map[string]*Exchange{x.Name: x}, o.rates
	sh.metrics, sh.checks, sh.gate = newMetrics(sh), newSelfChecks(), newGate(0, -1)
	sh.profiles.Store(o.profiles)
	sh.model.Store(b.model.Load())
	sh.segments = b.segments.fromScratch(o.profiles)
	o.exchange = x
	s := &shadow{outside: o, b: sh}
	s.state = newState(o.snapshot, sh.exchanges, len(b.exchanges), o.rates, sh.book, &sh.refusals)
	s.state.borrowPaces(&b.refusals, len(b.exchanges))
	sh.state.Store(s.state)
	return s
}

// copyPlain copies the fields that are set once and then only read. Those
// with a lock or an atomic inside stay as they are in dst: they count or
// cache, and the two must not count together.
func copyPlain[T any](dst, src *T) {
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range to.NumField() {
		t := to.Type().Field(i).Type
		if hasLock(t) {
			continue
		}
		// Through NewAt, for most of them are not exported.
		reflect.NewAt(t, unsafe.Pointer(to.Field(i).UnsafeAddr())).Elem().
			Set(reflect.NewAt(t, unsafe.Pointer(from.Field(i).UnsafeAddr())).Elem())
	}
}

// hasLock tells whether values of the type hold something of sync or
// sync/atomic, other than by pointer.
func hasLock(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return hasLock(t.Elem())
	case reflect.Struct:
		if p := t.PkgPath(); p == "sync" || p == "sync/atomic" {
			return true
		}
		for i := range t.NumField() {
			if hasLock(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// context returns a context for one request. It begins in the future, so
// that no deadline passes while the shadow takes its time.
func (s *shadow) context() *bidContext {
	c := newContext(s.seed)
	c.state, c.exchange, c.nowMS = s.state, s.exchange, s.nowMS
	c.start = time.Now().Add(time.Hour)
	c.hidden, c.shown, c.pagePrices, c.together = s.b.hidden, s.b.shown, s.b.pagePrices, s.b.together
	return c
}

// spend makes the campaign's budget as used as it is said to be.
func (s *shadow) spend(camp *campaigns.CompiledCampaign, used, today money.Nano) {
	day := s.b.days.at(camp.Shop.Location, s.nowMS).number
	s.settle(camp.ID, today, day)
	s.settle(camp.ID, used-today, day-1)
}

func (s *shadow) settle(campaign uint32, amount money.Nano, day int32) {
	if amount == 0 {
		return
	}
	s.spent++
	var id events.ID
	binary.LittleEndian.PutUint64(id[:], s.spent)
	s.b.book.Settle(pacing.Settlement{BidID: id, Campaign: campaign, Amount: amount, Day: day, BidMS: s.nowMS})
}
