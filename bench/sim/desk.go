package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/grosz/grosz/internal/money"
)

// desk sends shop events to the bidder. Behaviour is tried twice and then
// given up, counted; orders are journaled before they are sent and sent until
// they are accepted.
type desk struct {
	w       *World
	journal *journal
	run     int64
	seq     uint64 // of event ids; guarded by the world's lock

	mu      sync.Mutex
	pending []*Order
	warned  map[string]bool
}

// deskTimeout bounds one request.
const deskTimeout = 3 * time.Second

func openDesk(w *World) (*desk, error) {
	s := newTruthState(func(*Order) {})
	j, err := openJournal(truthPath(w.cfg.Dir), s.apply)
	if err != nil {
		return nil, err
	}
	d := &desk{w: w, journal: j, run: s.run + 1, warned: map[string]bool{}}
	for _, o := range s.pending {
		d.pending = append(d.pending, o)
		w.stats.ordersPending.Add(1)
	}
	return d, j.append(true, truthRecord{K: "run", Run: d.run})
}

// answer is what the bidder says to a batch.
type answer struct {
	Accepted   int `json:"accepted"`
	Duplicates int `json:"duplicates"`
	Errors     []struct {
		Index   int    `json:"index"`
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// post sends events of one shop.
func (d *desk) post(ctx context.Context, shop *Shop, events any) (answer, error) {
	body, err := json.Marshal(map[string]any{"events": events})
	if err != nil {
		return answer{}, fmt.Errorf("shop events: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	url := fmt.Sprintf("%s/api/v1/shops/%d/events", strings.TrimSuffix(d.w.cfg.BidderURL, "/"), shop.ID)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("shop events: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+shop.Key)
	resp, err := d.w.courier.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("shop events: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return answer{}, fmt.Errorf("shop events: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("shop %d: status %d: %.200s", shop.ID, resp.StatusCode, raw)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return answer{}, fmt.Errorf("shop %d: answer: %w", shop.ID, err)
	}
	return a, nil
}

// tell sends behaviour.
func (d *desk) tell(ctx context.Context, shop int, list []shopEvent) {
	s := &d.w.cfg.Shops[shop]
	a, err := d.post(ctx, s, list)
	if err != nil {
		a, err = d.post(ctx, s, list)
	}
	if err != nil {
		d.w.stats.eventsLost.Add(uint64(len(list)))
		d.warn(err.Error())
		return
	}
	d.w.stats.events.Add(uint64(a.Accepted))
	for _, e := range a.Errors {
		d.warn(fmt.Sprintf("shop %d: event %d: %s: %s", s.ID, e.Index, e.Field, e.Message))
	}
}

// warn logs a problem the first time, of a bounded number of them.
func (d *desk) warn(msg string) {
	d.mu.Lock()
	known := d.warned[msg] || len(d.warned) > 100
	d.warned[msg] = true
	if len(d.warned) > 101 {
		delete(d.warned, msg)
	}
	d.mu.Unlock()
	if !known {
		d.w.cfg.Log.Warn("shop events", slog.String("problem", msg))
	}
}

// buy makes an order true, then tells the bidder.
func (d *desk) buy(ctx context.Context, o *Order) {
	if err := d.journal.append(true, truthRecord{K: "order", Order: o}); err != nil {
		d.w.fail(err)
		return
	}
	st := d.w.stats
	st.orders.Add(1)
	st.ordersPending.Add(1)
	st.mu.Lock()
	st.revenue[o.Currency] = money.Add(st.revenue[o.Currency], o.Value)
	st.mu.Unlock()
	if !d.place(ctx, o) {
		d.mu.Lock()
		d.pending = append(d.pending, o)
		d.mu.Unlock()
	}
}

// place tries an order once; true when that settles it. A purchase that the
// bidder refuses is truth that it will never have: loud, and kept as refused.
func (d *desk) place(ctx context.Context, o *Order) bool {
	var shop *Shop
	for i := range d.w.cfg.Shops {
		if d.w.cfg.Shops[i].ID == o.Shop {
			shop = &d.w.cfg.Shops[i]
		}
	}
	if shop == nil {
		d.warn(fmt.Sprintf("order %s is of shop %d, which is not in this world", o.ID, o.Shop))
		return false
	}
	a, err := d.post(ctx, shop, []json.RawMessage{o.Body})
	if err != nil {
		d.warn(err.Error())
		return false
	}
	rec := truthRecord{K: "done", ID: o.ID}
	if a.Accepted+a.Duplicates == 0 {
		rec.Refuse = "no reason given"
		if len(a.Errors) > 0 {
			rec.Refuse = a.Errors[0].Field + ": " + a.Errors[0].Message
		}
		d.w.cfg.Log.Error("the bidder refuses an order", slog.String("order", o.ID), slog.String("reason", rec.Refuse))
	}
	if err := d.journal.append(false, rec); err != nil {
		d.w.fail(err)
	}
	d.w.stats.ordersPending.Add(^uint64(0))
	return true
}

// retry sends pending orders again until ctx ends.
func (d *desk) retry(ctx context.Context) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.mu.Lock()
		list := d.pending
		d.pending = nil
		d.mu.Unlock()
		for i, o := range list {
			if ctx.Err() == nil && d.place(ctx, o) {
				continue
			}
			d.mu.Lock()
			d.pending = append(d.pending, list[i:]...) // one failure: the others wait too
			d.mu.Unlock()
			break
		}
	}
}
