package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// End is where a topic ended at one moment.
type End struct {
	topic string
	spans map[int]span
}

// End asks where a topic ends now.
func (k Cluster) End(ctx context.Context, topic string) (End, error) {
	c, done := k.asking()
	defer done()
	f := Follower{Topic: topic}
	spans, err := f.ask(ctx, c)
	if err != nil {
		return End{}, fmt.Errorf("ask for the end of %s: %w", topic, err)
	}
	return End{topic: topic, spans: spans}, nil
}

// asking is a client with connections of its own, and what closes them.
func (k Cluster) asking() (*kafka.Client, func()) {
	c, transport := client(k.Brokers), k.Security.Transport()
	c.Transport = transport
	return c, transport.CloseIdleConnections
}

// Behind is how many messages before that end a consumer group has not
// committed. It comes to 0 however fast the topic goes on growing.
func (k Cluster) Behind(ctx context.Context, group string, end End) (int64, error) {
	c, closeIdle := k.asking()
	defer closeIdle()
	var parts []int
	for p := range end.spans {
		parts = append(parts, p)
	}
	done, err := c.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{end.topic: parts}})
	if err == nil && !errors.Is(done.Error, kafka.GroupIdNotFound) {
		err = done.Error
	}
	if err != nil {
		return 0, fmt.Errorf("ask how far %s is: %w", group, err)
	}
	behind := int64(0)
	if errors.Is(done.Error, kafka.GroupIdNotFound) { // it has committed nothing yet
		for _, s := range end.spans {
			behind += s.end - s.next
		}
		return behind, nil
	}
	for _, p := range done.Topics[end.topic] {
		if p.Error != nil {
			return 0, fmt.Errorf("ask how far %s is: %w", group, p.Error)
		}
		s, ok := end.spans[p.Partition]
		if !ok {
			return 0, errors.New("an answer names a partition that was not asked for")
		}
		behind += max(0, s.end-max(s.next, p.CommittedOffset)) // -1: none committed
	}
	return behind, nil
}

// WriteEvents writes events, given as lines with their shop's key, and returns
// when Kafka has them. Lines of one key stay in order; a failed call may have
// written some of them, and may be called again.
func WriteEvents(ctx context.Context, w *kafka.Writer, topic string, keys [][]byte, lines [][]byte) error {
	var msgs []kafka.Message
	at := make(map[string]int)
	flush := func() error {
		err := w.WriteMessages(ctx, msgs...)
		msgs = msgs[:0]
		clear(at)
		return err
	}
	for i, line := range lines {
		k := string(keys[i])
		if m, ok := at[k]; ok && len(msgs[m].Value)+len(line) <= maxMessage {
			msgs[m].Value = append(msgs[m].Value, line...)
			continue
		} else if ok || len(msgs) == batchMessages {
			// What is full goes first, so that a later one cannot overtake it.
			if err := flush(); err != nil {
				return fmt.Errorf("write to %s: %w", topic, err)
			}
		}
		at[k] = len(msgs)
		msgs = append(msgs, kafka.Message{Topic: topic, Key: keys[i], Value: append([]byte(nil), line...)})
	}
	if len(msgs) == 0 {
		return nil
	}
	if err := flush(); err != nil {
		return fmt.Errorf("write to %s: %w", topic, err)
	}
	return nil
}
