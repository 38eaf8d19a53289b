package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Message is what a follower sees.
type Message struct {
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
}

// Follower reads every partition of a topic from given offsets on, for as
// long as it runs: each node folds the whole log by itself, without a group.
type Follower struct {
	Brokers []string
	Topic   string
	// From holds the first offset to read by partition; a missing partition
	// is read from its beginning.
	From map[int]int64
	// Handle is called for one message at a time, of all partitions; it owns
	// nothing of the message afterwards. Its error ends Run.
	Handle func(Message) error
	// CaughtUp, if set, is called once, when everything that was in the topic
	// at the start has been handled.
	CaughtUp func()
	Log      *slog.Logger
}

// Run reads until ctx ends (nil) or Handle fails.
func (f *Follower) Run(ctx context.Context) error {
	ends, err := f.ends(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // Handle is called for one message at a time
	behind := 0
	for p, o := range ends {
		if o.last > max(f.From[p], o.first) {
			behind++
		}
	}
	caughtUp := func() {
		if f.CaughtUp != nil {
			f.CaughtUp()
		}
	}
	if behind == 0 {
		caughtUp()
	}
	var wg sync.WaitGroup
	for p, o := range ends {
		wg.Go(func() {
			from, waits := max(f.From[p], o.first), o.last > max(f.From[p], o.first)
			err := f.partition(ctx, p, from, func(m Message) error {
				mu.Lock()
				defer mu.Unlock()
				if err := f.Handle(m); err != nil {
					return err
				}
				if waits && m.Offset >= o.last-1 {
					waits = false
					if behind--; behind == 0 {
						caughtUp()
					}
				}
				return nil
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("follow %s: %w", f.Topic, err)
	}
	return nil
}

type span struct{ first, last int64 }

// ends asks for the offsets of every partition, trying until ctx ends.
func (f *Follower) ends(ctx context.Context) (map[int]span, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		got, err := f.askEnds(ctx)
		if err == nil {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("read offsets of %s: %w", f.Topic, err)
		case <-time.After(pause):
			f.Log.Debug("offsets not to be had yet", "topic", f.Topic, "err", err)
		}
	}
}

func (f *Follower) askEnds(ctx context.Context) (map[int]span, error) {
	c := client(f.Brokers)
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{f.Topic}})
	if err != nil {
		return nil, err
	}
	if len(meta.Topics) == 0 || len(meta.Topics[0].Partitions) == 0 {
		return nil, fmt.Errorf("topic %s does not exist", f.Topic)
	}
	if err := meta.Topics[0].Error; err != nil {
		return nil, err
	}
	var reqs []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		reqs = append(reqs, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	res, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{f.Topic: reqs}})
	if err != nil {
		return nil, err
	}
	got := make(map[int]span, len(reqs)/2)
	for _, o := range res.Topics[f.Topic] {
		if o.Error != nil {
			return nil, o.Error
		}
		got[o.Partition] = span{max(o.FirstOffset, 0), max(o.LastOffset, 0)}
	}
	return got, nil
}

func (f *Follower) partition(ctx context.Context, p int, from int64, fn func(Message) error) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: f.Brokers, Topic: f.Topic, Partition: p,
		MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 200 * time.Millisecond,
		ReadBackoffMin: 10 * time.Millisecond, ReadBackoffMax: time.Second,
		ErrorLogger: errorLogger(f.Log),
	})
	defer r.Close()
	if err := r.SetOffset(from); err != nil {
		return fmt.Errorf("seek partition %d to %d: %w", p, from, err)
	}
	for {
		m, err := r.ReadMessage(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			// kafka-go reconnects by itself; what reaches here is rare, such
			// as an offset that retention has removed.
			if errors.Is(err, kafka.OffsetOutOfRange) {
				if err := r.SetOffset(kafka.FirstOffset); err == nil {
					f.Log.Warn("log starts later than where we were", "topic", f.Topic, "partition", p, "wanted", from)
				}
			}
			f.Log.Debug("read failed", "topic", f.Topic, "partition", p, "err", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(200 * time.Millisecond):
			}
		default:
			if err := fn(Message{Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value}); err != nil {
				return err
			}
		}
	}
}
