package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

// TestWrittenEventsStayInOrder: lines of a shop are in the log as they were
// given, also where they fill many messages.
func TestWrittenEventsStayInOrder(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, Topics(3)...)
	w := NewWriter([]string{b.addr}, quiet())
	defer w.Close()
	var keys, lines [][]byte
	want := map[string]string{}
	for n := range 3000 {
		k := events.ShopKey(uint32(n % 7))
		line := fmt.Sprintf("%d %s\n", n, strings.Repeat("x", n%700))
		keys, lines = append(keys, k), append(lines, []byte(line))
		want[string(k)] += line
	}
	require.NoError(t, WriteEvents(waitCtx(t), w, events.TopicEvents, keys, lines))
	require.NoError(t, WriteEvents(waitCtx(t), w, events.TopicEvents, nil, nil))
	got, messages := map[string]string{}, int64(0)
	ctx, stop := context.WithCancel(waitCtx(t))
	f := Follower{Brokers: []string{b.addr}, Topic: events.TopicEvents, Log: quiet(), CaughtUp: stop, Handle: func(m Message) error {
		require.LessOrEqual(t, len(m.Value), maxMessage+1000)
		got[string(m.Key)] += string(m.Value)
		messages++
		return nil
	}}
	require.NoError(t, f.Run(ctx))
	require.Equal(t, want, got)

	// Whoever has committed nothing is behind by all; then by what is left.
	cluster := Cluster{Brokers: []string{b.addr}}
	behind := func() int64 {
		end, err := cluster.End(waitCtx(t), events.TopicEvents)
		require.NoError(t, err)
		n, err := cluster.Behind(waitCtx(t), "g", end)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, messages, behind())
	end, err := cluster.End(waitCtx(t), events.TopicEvents)
	require.NoError(t, err)
	untilEnd := func() int64 {
		n, err := cluster.Behind(waitCtx(t), "g", end)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, messages, untilEnd())
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{b.addr}, Topic: events.TopicEvents, GroupID: "g", StartOffset: kafka.FirstOffset})
	for range messages {
		m, err := r.FetchMessage(waitCtx(t))
		require.NoError(t, err)
		require.NoError(t, r.CommitMessages(waitCtx(t), m))
	}
	require.NoError(t, r.Close())
	require.Zero(t, behind())
	require.Zero(t, untilEnd())

	// What comes later is behind, and not before an end that was asked for earlier.
	require.NoError(t, WriteEvents(waitCtx(t), w, events.TopicEvents, keys[:1], lines[:1]))
	require.EqualValues(t, 1, behind())
	require.Zero(t, untilEnd())
	_, err = cluster.End(waitCtx(t), "grosz.nothing")
	require.Error(t, err)
}
