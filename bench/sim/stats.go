package sim

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/grosz/grosz/internal/money"
)

// Figures of one exchange since the start of the process.
type Figures struct {
	Requests, NoBids, Bids, Invalid, Failed, Wins, Billed uint64
	Spend                                                 money.Nano // billed, in Currency
	Currency                                              money.Currency
	Competitors                                           uint64 // imps sold to others
}

// Snapshot is a live summary since the start of the process.
type Snapshot struct {
	Exchanges        map[string]Figures
	Views, Clicks    uint64
	Sessions, Events uint64
	Orders           uint64
	Revenue          map[money.Currency]money.Nano
	Undelivered      uint64 // notices that wait
	Delivered        uint64
	NoticeFailures   uint64
	OrdersPending    uint64
	EventsLost       uint64 // shop events (never orders) given up
	Skipped          uint64 // page views skipped because the world lagged
	// Violations counts breaches by rule; LastViolation is the newest.
	Violations    map[string]uint64
	LastViolation string
}

type stats struct {
	views, clicks, sessions, events, orders, pending, delivered atomic.Uint64
	noticeFailures, ordersPending, eventsLost, skipped          atomic.Uint64

	mu         sync.Mutex
	exchanges  map[string]*Figures
	revenue    map[money.Currency]money.Nano
	violations map[string]uint64
	last       string
}

func newStats(xs []Exchange) *stats {
	s := &stats{exchanges: map[string]*Figures{}, revenue: map[money.Currency]money.Nano{}, violations: map[string]uint64{}}
	for _, x := range xs {
		s.exchanges[x.Name] = &Figures{Currency: x.Currency}
	}
	return s
}

func (s *stats) add(exchange string, f func(*Figures)) {
	s.mu.Lock()
	f(s.exchanges[exchange])
	s.mu.Unlock()
}

func (s *stats) snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Snapshot{
		Exchanges: map[string]Figures{}, Revenue: map[money.Currency]money.Nano{}, Violations: map[string]uint64{},
		Views: s.views.Load(), Clicks: s.clicks.Load(), Sessions: s.sessions.Load(), Events: s.events.Load(),
		Orders: s.orders.Load(), Undelivered: s.pending.Load(), Delivered: s.delivered.Load(),
		NoticeFailures: s.noticeFailures.Load(), OrdersPending: s.ordersPending.Load(), EventsLost: s.eventsLost.Load(),
		Skipped: s.skipped.Load(), LastViolation: s.last,
	}
	for k, v := range s.exchanges {
		out.Exchanges[k] = *v
	}
	for k, v := range s.revenue {
		out.Revenue[k] = v
	}
	for k, v := range s.violations {
		out.Violations[k] = v
	}
	return out
}

// WriteMetrics writes the figures in Prometheus' text form.
func (s Snapshot) WriteMetrics(w io.Writer) {
	var names []string
	for n := range s.Exchanges {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		f := s.Exchanges[n]
		for _, m := range []struct {
			name string
			v    uint64
		}{{"requests", f.Requests}, {"no_bids", f.NoBids}, {"bids", f.Bids}, {"invalid_bids", f.Invalid}, {"failed", f.Failed}, {"wins", f.Wins}, {"billed", f.Billed}} {
			fmt.Fprintf(w, "grosz_sim_%s_total{exchange=%q} %d\n", m.name, n, m.v)
		}
		fmt.Fprintf(w, "grosz_sim_spend_total{exchange=%q,currency=%q} %s\n", n, f.Currency, f.Spend)
	}
	for _, m := range []struct {
		name string
		v    uint64
	}{{"views_total", s.Views}, {"clicks_total", s.Clicks}, {"sessions_total", s.Sessions}, {"shop_events_total", s.Events},
		{"orders_total", s.Orders}, {"undelivered_notices", s.Undelivered}, {"delivered_notices_total", s.Delivered},
		{"notice_failures_total", s.NoticeFailures}, {"undelivered_orders", s.OrdersPending}, {"shop_events_lost_total", s.EventsLost},
		{"skipped_page_views_total", s.Skipped}} {
		fmt.Fprintf(w, "grosz_sim_%s %d\n", m.name, m.v)
	}
	for rule, v := range s.Violations {
		fmt.Fprintf(w, "grosz_sim_violations_total{rule=%q} %d\n", rule, v)
	}
}

// Wins is how many auctions were won over all exchanges.
func (s Snapshot) Wins() uint64 {
	var n uint64
	for _, f := range s.Exchanges {
		n += f.Wins
	}
	return n
}
