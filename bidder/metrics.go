package bidder

import (
	"fmt"
	"io"
	"sync/atomic"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// metricSet holds the bidder's counters. Full names, declared once.
type metricSet struct {
	set             *vm.Set
	shopEvents      *vm.Counter
	shopEventErrors *vm.Counter
	clicksLost      *vm.Counter
	clicksBilled    *vm.Counter
	wanted          *vm.Counter
	wantedErrors    *vm.Counter
	repeated        *vm.Counter
	conflicts       *vm.Counter
	checkpointFails *vm.Counter
	clockSet        *vm.Counter
	latency         *vm.Histogram
	rejections      map[string]*vm.Counter
	notices         map[events.Type]*vm.Counter
	profiles        atomic.Pointer[segments.Stats] // of this scrape: to count them is to walk the store
}

func newMetrics(b *Bidder) *metricSet {
	s := vm.NewSet()
	m := &metricSet{
		set:             s,
		shopEvents:      s.NewCounter(`grosz_shop_events_total`),
		shopEventErrors: s.NewCounter(`grosz_shop_event_errors_total`),
		wanted:          s.NewCounter(`grosz_partner_intent_total`),
		wantedErrors:    s.NewCounter(`grosz_partner_intent_errors_total`),
		clicksLost:      s.NewCounter(`grosz_clicks_lost_total`),
		clicksBilled:    s.NewCounter(`grosz_clicks_billed_total`),
		repeated:        s.NewCounter(`grosz_notices_repeated_total`),
		conflicts:       s.NewCounter(`grosz_notices_conflicting_total`),
		checkpointFails: s.NewCounter(`grosz_checkpoint_failures_total`),
		clockSet:        s.NewCounter(`grosz_clock_set_total`),
		latency:         s.NewHistogram(`grosz_bid_request_seconds`),
		rejections:      make(map[string]*vm.Counter),
		notices:         make(map[events.Type]*vm.Counter),
	}
	for _, r := range []string{events.RejectForged, events.RejectExpired, events.RejectMalformed} {
		m.rejections[r] = s.NewCounter(fmt.Sprintf(`grosz_notices_rejected_total{reason=%q}`, r))
	}
	for _, t := range []events.Type{events.TypeWin, events.TypeBilling, events.TypeLoss, events.TypeImpression, events.TypeClick, events.TypeViewable, events.TypeHide} {
		m.notices[t] = s.NewCounter(fmt.Sprintf(`grosz_notices_total{type=%q}`, t))
	}
	gauge := func(name string, f func() float64) { s.NewGauge(name, f) }
	m.profiles.Store(new(segments.Stats))
	gauge(`grosz_holds`, func() float64 { return float64(b.book.Stats().Holds) })
	gauge(`grosz_holds_max`, func() float64 { return float64(b.book.Stats().MaxHolds) })
	gauge(`grosz_settled_remembered`, func() float64 { return float64(b.book.Stats().Settled) })
	gauge(`grosz_settled_remembered_max`, func() float64 { return float64(b.book.Stats().MaxSettled) })
	gauge(`grosz_holds_expired_total`, func() float64 { return float64(b.book.Stats().Expired) })
	gauge(`grosz_settlements_late_total`, func() float64 { return float64(b.book.Stats().Late) })
	gauge(`grosz_settlements_duplicate_total`, func() float64 { return float64(b.book.Stats().Duplicates) })
	if b.leases != nil {
		gauge(`grosz_leases_open`, func() float64 { return float64(b.leases.open()) })
		gauge(`grosz_leases_asked_total`, func() float64 { return float64(b.leases.requests.Load()) })
		gauge(`grosz_leases_granted_total`, func() float64 { return float64(b.leases.granted.Load()) })
		gauge(`grosz_leases_refused_total`, func() float64 { return float64(b.leases.refused.Load()) })
		gauge(`grosz_lease_looks_total`, func() float64 { return float64(b.leases.looks.Load()) })
		gauge(`grosz_leases_returned_total`, func() float64 { return float64(b.leases.returned.Load()) })
	}
	gauge(`grosz_spool_backlog_bytes`, func() float64 { return float64(b.spool.Stats().BacklogBytes) })
	gauge(`grosz_spool_bytes`, func() float64 { return float64(b.spool.Stats().DirBytes) })
	gauge(`grosz_spool_bytes_max`, func() float64 { return float64(b.spool.Stats().MaxBytes) })
	gauge(`grosz_spool_records_total`, func() float64 { return float64(b.spool.Stats().Records) })
	gauge(`grosz_spool_commits_total`, func() float64 { return float64(b.spool.Stats().Commits) })
	gauge(`grosz_spool_last_entry`, func() float64 { return float64(b.spool.Stats().Last) })
	gauge(`grosz_spool_shipped_entry`, func() float64 { return float64(b.spool.Stats().Shipped) })
	gauge(`grosz_spool_damaged_total`, func() float64 { return float64(b.spool.Stats().Damaged) })
	gauge(`grosz_bid_log_bytes`, func() float64 { return float64(b.bidLog.Stats().Held) })
	gauge(`grosz_bid_log_bytes_max`, func() float64 { return float64(b.bidLog.Stats().MaxBytes) })
	gauge(`grosz_bids_recorded_total`, func() float64 { return float64(b.bidLog.Stats().Sent) })
	gauge(`grosz_bids_dropped_total`, func() float64 { return float64(b.bidLog.Stats().Dropped) })
	gauge(`grosz_profiles`, func() float64 { return float64(m.profiles.Load().Profiles) })
	gauge(`grosz_profiles_fullness`, func() float64 { return m.profiles.Load().Fullness })
	gauge(`grosz_profile_bytes`, func() float64 { return float64(m.profiles.Load().Bytes) })
	gauge(`grosz_profile_users`, func() float64 { return float64(m.profiles.Load().Users) })
	gauge(`grosz_profiles_evicted_total`, func() float64 { return float64(m.profiles.Load().Evicted) })
	gauge(`grosz_profiles_expired_total`, func() float64 { return float64(m.profiles.Load().Expired) })
	gauge(`grosz_profile_opt_outs`, func() float64 { return float64(m.profiles.Load().OptOuts) })
	gauge(`grosz_profile_opt_outs_forgotten_total`, func() float64 { return float64(m.profiles.Load().ForgottenOptOuts) })
	gauge(`grosz_shop_events_repeated_total`, func() float64 { return float64(m.profiles.Load().Duplicates) })
	gauge(`grosz_shop_events_limited_total`, func() float64 { return float64(b.fromShops.refusals() + b.fromPages.refusals()) })
	gauge(`grosz_partner_intent_users`, func() float64 { return float64(b.wanted.Stats().Users) })
	gauge(`grosz_partner_intent_users_max`, func() float64 { return float64(b.wanted.Stats().MaxUsers) })
	gauge(`grosz_partner_intent_evicted_total`, func() float64 { return float64(b.wanted.Stats().Evicted) })
	gauge(`grosz_frequency_pairs`, func() float64 { n, _, _ := b.frequency.Stats(); return float64(n) })
	gauge(`grosz_frequency_pairs_max`, func() float64 { _, n, _ := b.frequency.Stats(); return float64(n) })
	gauge(`grosz_products_shown_people`, func() float64 { n, _, _ := b.shown.Stats(); return float64(n) })
	gauge(`grosz_products_shown_people_max`, func() float64 { _, n, _ := b.shown.Stats(); return float64(n) })
	gauge(`grosz_frequency_open_people`, func() float64 { n, _ := b.frequency.OpenStats(); return float64(n) })
	gauge(`grosz_frequency_open_full_total`, func() float64 { _, n := b.frequency.OpenStats(); return float64(n) })
	gauge(`grosz_products_viewed`, func() float64 { return float64(b.together.Products()) })
	gauge(`grosz_page_prices`, func() float64 { return float64(b.pagePrices.len()) })
	gauge(`grosz_page_prices_max`, func() float64 { return maxPagePrices })
	gauge(`grosz_hidden_people`, func() float64 { n, _, _ := b.hidden.Stats(); return float64(n) })
	gauge(`grosz_hidden_people_max`, func() float64 { _, n, _ := b.hidden.Stats(); return float64(n) })
	return m
}

func (m *metricSet) rejected(reason string) { m.rejections[reason].Inc() }

func (b *Bidder) noticed(t events.Type) { b.metrics.notices[t].Inc() }

// WriteMetrics writes everything in Prometheus' text format.
func (b *Bidder) WriteMetrics(w io.Writer) {
	profiles := b.profiles.Load().Stats()
	b.metrics.profiles.Store(&profiles)
	b.metrics.set.WritePrometheus(w)
	b.checks.write(w)
	b.gate.write(w)
	b.offers.writeMetrics(w)
	s := b.state.Load()
	if s == nil {
		return
	}
	fmt.Fprintf(w, "grosz_campaigns_live %d\n", len(s.Snapshot.Campaigns))
	for name, x := range s.Exchanges {
		c := &x.counters
		fmt.Fprintf(w, "grosz_bid_requests_total{exchange=%q} %d\n", name, c.requests.Load())
		fmt.Fprintf(w, "grosz_bid_responses_total{exchange=%q} %d\n", name, c.bids.Load())
		for r := range privacy.NumReasons {
			if n := c.privacy[r].Load(); n > 0 {
				fmt.Fprintf(w, "grosz_privacy_total{exchange=%q,reason=%q} %d\n", name, r, n)
			}
		}
		for r := range numReasons {
			if n := c.reasons[r].Load(); n > 0 {
				fmt.Fprintf(w, "grosz_no_bid_total{exchange=%q,reason=%q} %d\n", name, r, n)
			}
			if n := c.filtered[r].Load(); n > 0 {
				fmt.Fprintf(w, "grosz_campaigns_refused_total{exchange=%q,reason=%q} %d\n", name, r, n)
			}
		}
	}
	b.refusals.write(w)
	s.writeGoals(w)
	if b.leases != nil {
		b.leases.writeClickLosses(w)
	}
	s.writePaces(w)
	b.writeTraffic(w)
	b.writeShading(w)
	b.writeLost(w)
	b.writeModelMetrics(w)
	b.writeRequestMetrics(w)
	b.people.writeMetrics(w)
	b.judge.writeMetrics(w)
	b.played.write(w)
	b.segments.writeMetrics(w)
	if b.geo != nil {
		b.geo.WriteMetrics(w)
	}
}

// slotCounter counts within one slot of time at a time.
type slotCounter struct{ v atomic.Int64 }

// add counts one in slot and returns how many that makes. Slots are told
// apart by their low 32 bits; a count is bounded at 2^31.
func (s *slotCounter) add(slot int64) int64 {
	for {
		old := s.v.Load()
		next := slot<<32 | 1
		if old>>32 == slot<<32>>32 {
			next = old + 1
		}
		if s.v.CompareAndSwap(old, next) {
			return next & (1<<32 - 1)
		}
	}
}
