package sim

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// World is the simulated world. Make one with New, play it with Run.
type World struct {
	cfg       Config
	stats     *stats
	courier   *courier
	desk      *desk
	exchanges []*exchange
	shopIndex map[string]int // by domain
	live      live           // sales to real browsers

	mu       sync.Mutex // guards what follows
	rng      *rand.Rand
	shoppers []*shopper
	agenda   agenda
	seq      uint64
	stopping bool
	err      error

	wg sync.WaitGroup // handlers at work
}

// task is something that will happen at a time.
type task struct {
	at  int64 // ms
	seq uint64
	do  func(context.Context)
}

type agenda []task

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(v any)   { *a = append(*a, v.(task)) }
func (a *agenda) Pop() any {
	old := *a
	t := old[len(old)-1]
	old[len(old)-1] = task{}
	*a = old[:len(old)-1]
	return t
}

// Bounds of the world.
const (
	maxAgenda = 200_000 // tasks ahead; page views wait while it is full
	maxLagMS  = 2_000   // of a page view behind its time; later ones are skipped
	dirMode   = 0o755
)

// New makes a world and opens its journals: what was pending when the last
// one stopped is pending again.
func New(cfg Config) (*World, error) {
	cfg.defaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("simulation: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("simulation: %w", err)
	}
	w := &World{cfg: cfg, stats: newStats(cfg.Exchanges), shopIndex: map[string]int{}, shoppers: population(&cfg)}
	for i, s := range cfg.Shops {
		w.shopIndex[s.Domain] = i
	}
	var err error
	if w.courier, err = newCourier(&w.cfg, w.stats); err != nil {
		return nil, err
	}
	if w.desk, err = openDesk(w); err != nil {
		return nil, err
	}
	for i, x := range cfg.Exchanges {
		b, err := openBook(cfg.Dir, x.Name, cfg.JournalBytes)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.exchanges = append(w.exchanges, &exchange{cfg: x, index: i, pubs: publishers(), book: b, tmax: cfg.TMax, secure: cfg.SecureShare, w: w})
		w.recall(b)
	}
	w.rng = rand.New(rand.NewPCG(cfg.Seed, uint64(w.desk.run)))
	return w, nil
}

// recall takes up what an earlier run left: touches and undelivered notices.
func (w *World) recall(b *book) {
	for _, t := range b.state.touches {
		if st := w.state(t.Shopper, t.Shop); st != nil {
			own := *t
			st.touched(&own)
		}
	}
	for _, kept := range b.state.pendingInOrder() {
		n := kept.copy()
		n.book = b
		if t := n.Touch; t != nil && t.Shopper < len(w.shoppers) {
			s := w.shoppers[t.Shopper]
			s.inflight++
			n.after = func(location string) {
				if t.Click && location == "" {
					w.released(s)
					return
				}
				t.AtMS, t.ClickID = w.cfg.Timer.NowMS(), clickID(location)
				w.mu.Lock()
				s.inflight--
				if st := w.state(t.Shopper, t.Shop); st != nil {
					st.touched(t)
				}
				w.mu.Unlock()
			}
		}
		w.stats.pending.Add(1)
		w.courier.later(n)
	}
}

func (w *World) state(shopper int, shop uint32) *shopState {
	for i, s := range w.cfg.Shops {
		if s.ID == shop && shopper < len(w.shoppers) {
			return &w.shoppers[shopper].shops[i]
		}
	}
	return nil
}

// touched keeps the newest touch of its kind.
func (st *shopState) touched(t *touch) {
	old := st.view
	if t.Click {
		old = st.click
	}
	if old != nil && old.AtMS > t.AtMS {
		return
	}
	if t.Click {
		st.click, st.clickID = t, t.ClickID
	} else {
		st.view = t
	}
}

// Snapshot is the live summary. Safe for many goroutines.
func (w *World) Snapshot() Snapshot { return w.stats.snapshot() }

// Run plays the world until ctx ends or, with a Duration, until everything
// that began within it has run its course. It returns once all goroutines
// have ended and the journals are closed; what the bidder has not taken
// within Drain stays in them for the next run.
func (w *World) Run(ctx context.Context) error {
	back, stopBack := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	helpers.Go(func() { w.courier.run(back) })
	helpers.Go(func() { w.desk.retry(back) })
	w.arrivals()
	w.play(ctx, back)
	w.mu.Lock()
	w.stopping = true
	w.mu.Unlock()
	w.wg.Wait()
	w.drain()
	stopBack()
	helpers.Wait()
	w.courier.client.CloseIdleConnections()
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.err, w.close())
}

func (w *World) close() error {
	var errs []error
	for _, x := range w.exchanges {
		errs = append(errs, x.book.close())
	}
	return errors.Join(append(errs, w.desk.journal.close())...)
}

// play hands out tasks when their time comes.
func (w *World) play(ctx, back context.Context) {
	sem := make(chan struct{}, w.cfg.Concurrency)
	for ctx.Err() == nil && w.failed() == nil {
		now := w.cfg.Timer.NowMS()
		t, next, due := w.take(now)
		switch {
		case due:
			sem <- struct{}{}
			w.wg.Go(func() {
				defer func() { <-sem }()
				t.do(back)
			})
			if w.cfg.Concurrency == 1 {
				w.wg.Wait()
			}
		case next == 0 && w.cfg.Duration > 0:
			w.wg.Wait() // handlers at work may add tasks
			if _, next, due = w.take(0); next == 0 && !due {
				return
			}
		default:
			_ = w.cfg.Timer.Sleep(ctx, max(now+1, min(next, now+50))) // its error is ctx's, seen above
		}
	}
}

// take pops the first task if it is due at now; else next is when it will
// be, 0 if there is none.
func (w *World) take(now int64) (t task, next int64, due bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.agenda) == 0 {
		return task{}, 0, false
	}
	if next = w.agenda[0].at; next > now {
		return task{}, next, false
	}
	return heap.Pop(&w.agenda).(task), next, true
}

// drain waits, within bounds, until the bidder has taken everything.
func (w *World) drain() {
	end := time.Now().Add(w.cfg.Drain)
	for time.Now().Before(end) && w.stats.pending.Load()+w.stats.ordersPending.Load() > 0 {
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *World) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *World) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// later puts do on the agenda; when draws the delay in ms and whether it will
// happen at all.
func (w *World) later(when func(*rand.Rand) (int64, bool), do func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delay, yes := when(w.rng); yes && !w.stopping {
		w.push(w.cfg.Timer.NowMS()+delay, do)
	}
}

func (w *World) push(at int64, do func(context.Context)) {
	w.seq++
	heap.Push(&w.agenda, task{at, w.seq, do})
}

func (w *World) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Float64() < p
}

func (w *World) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// arrivals starts the two streams of chance: page views and shop sessions.
func (w *World) arrivals() {
	now := w.cfg.Timer.NowMS()
	var end int64
	if w.cfg.Duration > 0 {
		end = now + w.cfg.Duration.Milliseconds()
	}
	w.stream(float64(now), w.cfg.Rate, end, w.viewArrives)
	if len(w.cfg.Shops) > 0 {
		w.stream(float64(now), w.cfg.SessionRate, end, w.sessionArrives)
	}
}

// stream is a Poisson process of rate per second until end (0: for ever).
func (w *World) stream(at, rate float64, end int64, do func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := float64(w.cfg.Timer.NowMS()); now-at > maxLagMS {
		w.stats.skipped.Add(uint64((now - at) / 1000 * rate))
		at = now
	}
	at += w.rng.ExpFloat64() / rate * 1000
	if rate <= 0 || w.stopping || (end > 0 && int64(at) > end) {
		return
	}
	w.push(int64(at), func(ctx context.Context) {
		w.stream(at, rate, end, do)
		do(ctx)
	})
}

func (w *World) viewArrives(ctx context.Context) {
	w.mu.Lock()
	if len(w.agenda) > maxAgenda {
		w.mu.Unlock()
		w.stats.skipped.Add(1)
		return
	}
	s := w.shoppers[w.rng.IntN(len(w.shoppers))]
	if w.rng.Float64() < 0.5 { // half of the traffic comes from a tenth of the people
		s = w.shoppers[w.rng.IntN(len(w.shoppers)/10+1)]
	}
	x := w.exchanges[w.rng.IntN(len(w.exchanges))]
	p, err := x.pageFor(w.rng, s, w.cfg.Shops)
	w.mu.Unlock()
	if err != nil {
		w.fail(fmt.Errorf("bid request: %w", err))
		return
	}
	x.pageView(ctx, s, p)
}

// shopOf is the index of the shop that advertises, -1 if it is none of ours.
func (w *World) shopOf(domains []string) int {
	for _, d := range domains {
		if i, ok := w.shopIndex[d]; ok {
			return i
		}
	}
	return -1
}

func (w *World) touch(s *shopper, win *won, click bool) *touch {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.inflight++
	return &touch{Shopper: s.index, Shop: w.cfg.Shops[win.shop].ID, Bid: win.line.BidID, Campaign: win.line.Campaign, Click: click}
}

// viewed notes a view that the bidder has heard of.
func (w *World) viewed(s *shopper, shop int, t *touch) {
	w.stats.views.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	s.inflight--
	t.AtMS = w.cfg.Timer.NowMS()
	s.shops[shop].touched(t)
	s.shops[shop].seen++
}

// released lets a shopper go on after a touch that came to nothing.
func (w *World) released(s *shopper) {
	w.mu.Lock()
	s.inflight--
	w.mu.Unlock()
}

// clicks draws whether the shopper clicks, from the true probability.
func (w *World) clicks(s *shopper, win *won) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Float64() < s.shops[win.shop].clickChance(win.media, w.cfg.ClickScale)
}

// clicked notes a click that the bidder has heard of, and visits the shop.
func (w *World) clicked(s *shopper, shop int, t *touch, location string) {
	if location == "" {
		w.released(s)
		return
	}
	w.stats.clicks.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	s.inflight--
	t.AtMS, t.ClickID = w.cfg.Timer.NowMS(), clickID(location)
	s.shops[shop].touched(t)
	if !w.stopping {
		w.push(t.AtMS+500, func(ctx context.Context) { w.beginSession(ctx, s, shop, true) })
	}
}
