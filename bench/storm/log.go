package storm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
)

// settled is what the log says of a bid: its first settling event.
type settled struct {
	amount, cost, fee int64 // nano-units, of the exchange's and of the shop's currency
	exchange          string
	currency          string
	campaign          uint32
}

// logBooks is a fold of the log.
type logBooks struct {
	bids                    map[events.ID]settled
	settling, notSettling   int // events
	rejections, adjustments int
}

// readLog folds everything that is in grosz.events by now.
func readLog(ctx context.Context, brokers []string, log *slog.Logger) (*logBooks, error) {
	l := &logBooks{bids: make(map[events.ID]settled)}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var read bool
	f := &kafka.Follower{
		Brokers: brokers, Topic: events.TopicEvents, Log: log, Handle: func(m kafka.Message) error { return l.message(m.Value) },
		CaughtUp: sync.OnceFunc(func() { read = true; stop() }),
	}
	if err := f.Run(ctx); err != nil {
		return nil, fmt.Errorf("storm: read the log: %w", err)
	}
	if !read {
		return nil, fmt.Errorf("storm: read the log: %w", context.Cause(ctx))
	}
	return l, nil
}

// message folds one message: lines of JSON, of one shop.
func (l *logBooks) message(value []byte) error {
	for line := range bytes.SplitSeq(value, []byte{'\n'}) {
		if len(line) == 0 {
			continue
		}
		var e struct {
			Type, Exchange, Currency string
			BidID                    string `json:"bid_id"`
			Settles, Test            bool
			Amount                   string
			Cost                     string `json:"shop_amount"`
			Fee                      string `json:"shop_fee"`
			Campaign                 uint32 `json:"campaign_id"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("a line of the log: %w", err)
		}
		switch {
		case e.Type == string(events.TypeRejection):
			l.rejections++
		case e.Type == string(events.TypeAdjustment):
			l.adjustments++
		case !e.Settles || e.Test:
			l.notSettling++
		default:
			l.settling++
			var id events.ID
			if err := id.UnmarshalText([]byte(e.BidID)); err != nil {
				return fmt.Errorf("a line of the log: %w", err)
			}
			if _, again := l.bids[id]; again {
				continue
			}
			s := settled{exchange: e.Exchange, currency: e.Currency, campaign: e.Campaign}
			for _, f := range []struct {
				text string
				to   *int64
			}{{e.Amount, &s.amount}, {e.Cost, &s.cost}, {e.Fee, &s.fee}} {
				if err := parseNano(f.text, f.to); err != nil {
					return fmt.Errorf("bid %s in the log: %w", e.BidID, err)
				}
			}
			l.bids[id] = s
		}
	}
	return nil
}

// parseNano reads an amount; an absent one is 0.
func parseNano(text string, to *int64) error {
	if text == "" {
		return nil
	}
	n, ok := nano(text)
	if !ok || !n.IsInt64() {
		return fmt.Errorf("amount %q", text)
	}
	*to = n.Int64()
	return nil
}
