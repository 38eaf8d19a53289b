package learner

import (
	"context"
	"fmt"
	"io"

	"github.com/grosz/grosz/bidder/value"
)

// Model is what was learned so far, as bidders take it: weights, the mean
// order of each shop, the multipliers of campaigns with a target. version is
// ms UTC, and rises.
func (l *Learner) Model(version int64) *value.Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aims()
	m := l.trainer.Model(version)
	for id, b := range l.shops {
		if mean := b.mean(); mean > 0 {
			shopOf(m, id).OrderValue = mean
		}
	}
	l.control.Each(func(campaign uint32, k float64) {
		c := l.docs.Campaign(campaign)
		if c == nil || k == 1 {
			return
		}
		s := shopOf(m, c.ShopID)
		if s.Control == nil {
			s.Control = make(map[uint32]float32)
		}
		s.Control[campaign] = float32(k)
	})
	return m
}

func shopOf(m *value.Model, id uint32) *value.Shop {
	s := m.Shops[id]
	if s == nil {
		s = &value.Shop{}
		m.Shops[id] = s
	}
	return s
}

// warmUpMS is how long is learned before the first model: a click is learned
// at once and its absence ten minutes later, so that at first nearly
// everything looks clicked.
const warmUpMS = 30 * 60 * 1000

// publish sends a model, if it may be bid by.
func (l *Learner) publish(ctx context.Context) {
	l.mu.Lock()
	version := max(l.cfg.Clock.NowMS(), l.version+1)
	young := l.firstMS == 0 || l.nowMS-l.firstMS < warmUpMS
	l.mu.Unlock()
	if young {
		return
	}
	m := l.Model(version)
	err := m.Validate()
	var chunks []value.Chunk
	var size int
	if err == nil {
		b := m.Append(nil)
		size = len(b)
		chunks, err = value.Chunks(version, b)
	}
	if err == nil {
		err = l.cfg.Publish(ctx, chunks)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.counts.failed++
		l.cfg.Log.Error("model not published, bidders keep the one before", "version", version, "err", err)
		return
	}
	l.counts.published++
	l.version, l.size = version, size
}

// WriteMetrics writes everything in Prometheus' text format.
func (l *Learner) WriteMetrics(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, s := &l.counts, l.trainer.Counts()
	for _, m := range []struct {
		name string
		v    any
	}{
		{"bids_total", c.bids}, {"impressions_total", c.impressions}, {"clicks_total", c.clicks}, {"orders_total", c.orders},
		{"orders_taken_back_total", c.takenBack}, {"unreadable_total", c.unreadable},
		{"models_published_total", c.published}, {"models_failed_total", c.failed},
		{"states_stored_total", c.saved}, {"states_failed_total", c.saveFails},
		{"bids_waiting", len(l.pending.queue)}, {"bids_waiting_max", l.pending.max}, {"bids_forgotten_total", l.pending.dropped},
		{"early_waiting", len(l.early.queue)}, {"early_forgotten_total", l.early.dropped},
		{"impressions_waiting", s.Shown}, {"clicks_waiting", s.Clicked}, {"examples_forgotten_total", s.Dropped}, {"unknown_total", s.Unknown},
		{"model_version", l.version}, {"model_bytes", l.size}, {"lag_seconds", float64(l.cfg.Clock.NowMS()-l.lastMS) / 1000},
	} {
		fmt.Fprintf(w, "grosz_learner_%s %v\n", m.name, m.v)
	}
	for t := range value.NumTargets {
		x := l.trainer.Totals(t)
		fmt.Fprintf(w, "grosz_learner_examples_total{target=%q} %d\n", t, x.Examples)
		fmt.Fprintf(w, "grosz_learner_positives_total{target=%q} %d\n", t, x.Positives)
		fmt.Fprintf(w, "grosz_learner_calibration{target=%q} %.4f\n", t, x.Calibration)
	}
	l.control.Each(func(campaign uint32, k float64) {
		fmt.Fprintf(w, "grosz_learner_control{campaign=\"%d\"} %.4f\n", campaign, k)
	})
}
