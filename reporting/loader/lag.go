package loader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/segmentio/kafka-go"
)

// Lag is a partition's backlog: messages in Kafka that are not committed as
// loaded.
type Lag struct {
	Topic     string
	Partition int
	Messages  int64
}

// lagWatch asks Kafka now and then; it keeps the last answer while Kafka or
// ClickHouse is away.
type lagWatch struct {
	group  string
	topics []string
	set    *metrics.Set
	client *kafka.Client

	mu    sync.Mutex
	known map[string][]Lag // by topic
}

func newLagWatch(cfg Config, topics []string, set *metrics.Set) *lagWatch {
	return &lagWatch{
		group: cfg.Group, topics: topics, set: set, known: make(map[string][]Lag),
		client: &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Timeout: 5 * time.Second, Transport: cfg.Security.Transport()},
	}
}

// run asks until ctx ends.
func (w *lagWatch) run(ctx context.Context) {
	defer w.client.Transport.(*kafka.Transport).CloseIdleConnections()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		for _, topic := range w.topics {
			if lags, err := w.ask(ctx, topic); err == nil {
				w.keep(topic, lags)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *lagWatch) keep(topic string, lags []Lag) {
	w.mu.Lock()
	w.known[topic] = lags
	w.mu.Unlock()
	for _, l := range lags {
		name := fmt.Sprintf(`grosz_loader_lag_messages{topic=%q,partition="%d"}`, l.Topic, l.Partition)
		w.set.GetOrCreateGauge(name, nil).Set(float64(l.Messages))
	}
}

// all returns the last answers.
func (w *lagWatch) all() []Lag {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Lag
	for _, topic := range w.topics {
		out = append(out, w.known[topic]...)
	}
	return out
}

func (w *lagWatch) ask(ctx context.Context, topic string) ([]Lag, error) {
	meta, err := w.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	if len(meta.Topics) != 1 || len(meta.Topics[0].Partitions) == 0 {
		return nil, errors.New("no such topic")
	}
	var ids []int
	var ends []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		ids = append(ids, p.ID)
		ends = append(ends, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	offsets, err := w.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ends}})
	if err != nil {
		return nil, err
	}
	done, err := w.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: groupID(w.group, topic), Topics: map[string][]int{topic: ids}})
	if err != nil {
		return nil, err
	}
	if done.Error != nil {
		return nil, done.Error
	}
	committed := make(map[int]int64)
	for _, p := range done.Topics[topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		committed[p.Partition] = p.CommittedOffset
	}
	var lags []Lag
	for _, o := range offsets.Topics[topic] {
		if o.Error != nil {
			return nil, o.Error
		}
		from := max(o.FirstOffset, committed[o.Partition]) // -1: none committed
		lags = append(lags, Lag{topic, o.Partition, max(0, o.LastOffset-from)})
	}
	return lags, nil
}
