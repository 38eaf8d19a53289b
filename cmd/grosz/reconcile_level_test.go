package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
)

// busyLog writes to the log without a pause, so that ClickHouse is never level
// with it, until the function that is returned is called.
func (w *settledWorld) busyLog() (quiet func()) {
	ctx, stop := context.WithCancel(context.Background())
	writer := kafka.NewWriter(w.n.kafka, slog.New(slog.DiscardHandler))
	var done sync.WaitGroup
	done.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			now := time.Now().UnixMilli()
			e := events.Event{EventID: events.NamedID(0, "traffic", fmt.Sprint("busy/", i)), Type: events.TypeTraffic, TimeMS: now, BidMS: now, Exchange: "busy", Count: 1, Node: "busy"}
			err := kafka.WriteEvents(ctx, writer, events.TopicEvents, [][]byte{events.ShopKey(0)}, [][]byte{e.AppendJSON(nil)})
			if ctx.Err() == nil {
				assert.NoError(w.t, err)
			}
		}
	})
	return func() {
		stop()
		done.Wait()
		assert.NoError(w.t, writer.Close())
	}
}
