package console

import (
	"context"
	"sync"
	"time"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/reporting/forecast"
)

// Ages of what the past taught. It is of weeks, so that minutes do not matter:
// a forecast that is asked for while somebody types must not wait for it.
const (
	pastFreshMS = 5 * 60 * 1000
	pastOldMS   = 24 * 60 * 60 * 1000
	pastTimeout = 30 * time.Second
	pastShops   = 10_000 // that are remembered
)

// pasts remembers what forecasts learn from ClickHouse: the prices of all
// markets, and how each shop's predictions came out. What is old is used at
// once and asked for anew beside it. Its goroutines end with close.
type pasts struct {
	mu      sync.Mutex
	wait    sync.WaitGroup
	life    context.Context
	end     context.CancelFunc
	closed  bool
	prices  []forecast.Price
	priceMS int64
	shops   map[uint32]shopPast
	asking  map[uint32]chan struct{} // closed when the answer is there, or none
}

type shopPast struct {
	report.Predicted
	atMS int64
}

func newPasts() *pasts {
	p := &pasts{shops: map[uint32]shopPast{}, asking: map[uint32]chan struct{}{}}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

func (p *pasts) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	p.wait.Wait()
	return nil
}

// known is what is remembered of a shop, and how old it is; ok is false where
// nothing is, or nothing that still speaks.
func (p *pasts) known(shop uint32, nowMS int64) (in forecast.Input, age int64, ok bool) {
	s, ok := p.shops[shop]
	age = nowMS - min(s.atMS, p.priceMS)
	if !ok || p.priceMS == 0 || age < 0 || age >= pastOldMS {
		return in, age, false
	}
	in.Landscape = p.prices
	in.Clicks = forecast.Level{Seen: s.Clicks, Expected: s.ClicksExpected}
	in.Orders = forecast.Level{Seen: s.Orders, Expected: s.OrdersExpected}
	return in, age, true
}

// experience is what the past teaches; without it a forecast is wider.
func (s *Server) experience(ctx context.Context, shop uint32) forecast.Input {
	from, ok := s.reports.(ForecastReports)
	if !ok {
		return forecast.Input{}
	}
	p := s.pasts
	p.mu.Lock()
	in, age, known := p.known(shop, s.clock.NowMS())
	if known && age < pastFreshMS || p.closed {
		p.mu.Unlock()
		return in
	}
	done := p.asking[shop]
	if done == nil {
		done = make(chan struct{})
		p.asking[shop] = done
		p.wait.Go(func() { s.learnPast(from, shop, done) })
	}
	p.mu.Unlock()
	if known {
		return in
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	in, _, _ = p.known(shop, s.clock.NowMS())
	return in
}

// learnPast asks, and remembers.
func (s *Server) learnPast(from ForecastReports, shop uint32, done chan struct{}) {
	p := s.pasts
	ctx, cancel := context.WithTimeout(p.life, pastTimeout)
	defer cancel()
	now := s.clock.NowMS()
	p.mu.Lock()
	asked := now-p.priceMS >= pastFreshMS || now < p.priceMS
	p.mu.Unlock()
	var prices []report.Landscape
	var err error
	if asked {
		prices, err = from.Landscape(ctx, now)
	}
	var was report.Predicted
	if err == nil {
		was, err = from.Predicted(ctx, shop, now)
	}
	if err != nil && p.life.Err() == nil {
		s.log.Warn("a forecast goes without the past", "shop", shop, "err", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asking, shop)
	close(done)
	if err != nil {
		return
	}
	if asked {
		p.prices, p.priceMS = make([]forecast.Price, 0, len(prices)), now
		for _, r := range prices {
			p.prices = append(p.prices, forecast.Price{Market: r.Market, CPM: r.CPM, Bids: r.Bids, Wins: r.Wins})
		}
	}
	if len(p.shops) >= pastShops {
		for k := range p.shops { // any: it is asked for again
			delete(p.shops, k)
			break
		}
	}
	p.shops[shop] = shopPast{was, now}
}
