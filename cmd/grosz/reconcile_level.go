package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/reporting/loader"
)

// level waits until ClickHouse has what the log had when it was called: the log
// grows all the while, and what comes later was not booked by anybody before.
func (r *reconciler) level(ctx context.Context) error {
	end, asked := kafka.End{}, false
	for late := time.Now().Add(r.cfg.Wait); ; {
		var err error
		if !asked {
			end, err = r.kafka.End(ctx, events.TopicEvents)
			asked = err == nil
		}
		n := int64(0)
		if asked {
			n, err = r.kafka.Behind(ctx, loader.DefaultGroup+"."+events.TopicEvents, end)
		}
		if err == nil && n == 0 {
			return nil
		}
		if time.Now().After(late) || ctx.Err() != nil {
			return errors.Join(ctx.Err(), err, fmt.Errorf("ClickHouse is %d messages behind the log: nothing more is booked before it is level; is the loader running?", n))
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
