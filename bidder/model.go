package bidder

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
)

// modelCounts tell of the models that came.
type modelCounts struct{ taken, refused atomic.Uint64 }

// followModels puts each model that the learner publishes in force. A bidder
// bids without one too: it then believes what is usual. A model that does not
// read, or fails its checks, is refused, and the one before stays.
func (b *Bidder) followModels(ctx context.Context) error {
	var g value.Gather
	return b.follower(events.TopicModels, nil, func(m kafka.Message) error {
		model, err := g.Add(m.Value)
		if err != nil {
			b.models.refused.Add(1)
			b.skipBad(m, events.TopicModels, err)
		} else if model != nil {
			b.SetModel(model)
		}
		return nil
	}, nil).Run(ctx)
}

// SetModel puts a model in force that was validated, unless a newer one is.
// Called by one goroutine at a time.
func (b *Bidder) SetModel(m *value.Model) {
	if old := b.model.Load(); old == nil || m.Version >= old.Version {
		b.model.Store(m)
		b.models.taken.Add(1)
		b.publishMu.Lock()
		defer b.publishMu.Unlock()
		b.prepare()
	}
}

func (b *Bidder) writeModelMetrics(w io.Writer) {
	fmt.Fprintf(w, "grosz_models_taken_total %d\n", b.models.taken.Load())
	fmt.Fprintf(w, "grosz_models_refused_total %d\n", b.models.refused.Load())
	if m := b.model.Load(); m != nil {
		fmt.Fprintf(w, "grosz_model_version %d\n", m.Version)
		fmt.Fprintf(w, "grosz_model_age_seconds %.3f\n", float64(b.clock.NowMS()-m.Version)/1000)
		fmt.Fprintf(w, "grosz_model_shops %d\n", len(m.Shops))
	}
}
