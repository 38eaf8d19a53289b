package publish

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/events"
)

// RecordStore is what Records needs of the store.
type RecordStore interface {
	AccountRecords(ctx context.Context, limit int) ([]store.AccountRecord, error)
	AccountRecordsSent(ctx context.Context, upTo int64) error
	Recorded() <-chan struct{}
}

// Records carries deposits and terms of accounts to grosz.events, keyed by
// shop as all that touches money, in the order of their changes. What a crash
// leaves undecided is sent again: the fold passes over numbers it has.
type Records struct {
	store  RecordStore
	writer Writer
	log    *slog.Logger

	sent, failed atomic.Int64
}

// NewRecords returns a Records; Run makes it work.
func NewRecords(s RecordStore, w Writer, log *slog.Logger) *Records {
	return &Records{store: s, writer: w, log: log}
}

// Stats are records sent since the start and attempts that failed.
func (r *Records) Stats() (sent, failed int64) { return r.sent.Load(), r.failed.Load() }

// Run sends until ctx ends, and then tries once more; a nil Records does
// nothing.
func (r *Records) Run(ctx context.Context) {
	if r == nil {
		return
	}
	backoff := minBackoff
	for ctx.Err() == nil {
		n, err := r.round(ctx)
		wait := idle
		switch {
		case err != nil && ctx.Err() == nil:
			if r.failed.Add(1)%64 == 1 {
				r.log.Warn("cannot record deposits and terms, trying again", "err", err)
			}
			wait, backoff = backoff, min(2*backoff, maxBackoff)
		case n > 0:
			backoff = minBackoff
			continue
		default:
			backoff = minBackoff
		}
		changed := r.store.Recorded()
		if err != nil {
			changed = nil // a pause, whatever comes
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-changed:
		}
		t.Stop()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for {
		if n, err := r.round(last); err != nil || n == 0 {
			return
		}
	}
}

// round sends the oldest records. All of them are sent again unless all were
// taken: their order is worth more than their number.
func (r *Records) round(ctx context.Context) (int, error) {
	recs, err := r.store.AccountRecords(ctx, roundRecords)
	if err != nil || len(recs) == 0 {
		return 0, err
	}
	msgs := make([]kafka.Message, len(recs))
	for i, rec := range recs {
		msgs[i] = kafka.Message{Topic: events.TopicEvents, Key: events.ShopKey(rec.Shop), Value: rec.Line}
	}
	if err := r.writer.WriteMessages(ctx, msgs...); err != nil {
		return 0, fmt.Errorf("send %d account records to Kafka: %w", len(recs), err)
	}
	mark, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.store.AccountRecordsSent(mark, recs[len(recs)-1].ID); err != nil {
		return 0, err
	}
	r.sent.Add(int64(len(recs)))
	return len(recs), nil
}
