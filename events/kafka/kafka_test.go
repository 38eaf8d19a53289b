package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/spool"
)

func TestTopicsHaveTheirRetentionSet(t *testing.T) {
	b := startBroker(t)
	for range 2 { // the second time there is nothing to do
		b.ensure(t, Topics(3)...)
	}
	b.ensure(t, Topics(5)...) // neither is what exists changed
	meta, err := client([]string{b.addr}).Metadata(waitCtx(t), &kafka.MetadataRequest{})
	require.NoError(t, err)
	parts := map[string]int{}
	for _, topic := range meta.Topics {
		parts[topic.Name] = len(topic.Partitions)
	}
	require.Equal(t, map[string]int{events.TopicEvents: 3, events.TopicBids: 3, events.TopicShopEvents: 3, events.TopicCampaigns: 1, events.TopicErasures: 1, events.TopicIntent: 3, events.TopicModels: 1, events.TopicRequests: 3}, parts)
	for _, c := range []struct{ topic, policy, retention string }{
		{events.TopicEvents, "delete", "2592000000"},
		{events.TopicBids, "delete", "172800000"},
		{events.TopicShopEvents, "delete", "2592000000"},
		{events.TopicRequests, "delete", "1209600000"},
		{events.TopicCampaigns, "compact", ""},
		{events.TopicModels, "compact", ""},
		{events.TopicErasures, "delete", "34560000000"},
		{events.TopicIntent, "delete", "2592000000"},
	} {
		t.Run(c.topic, func(t *testing.T) {
			got := b.topicConfig(t, c.topic)
			require.Equal(t, c.policy, got["cleanup.policy"])
			if c.retention != "" {
				require.Equal(t, c.retention, got["retention.ms"])
			}
		})
	}
}

func (b *broker) topicConfig(t *testing.T, topic string) map[string]string {
	t.Helper()
	res, err := client([]string{b.addr}).DescribeConfigs(waitCtx(t), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}},
	})
	require.NoError(t, err)
	require.NoError(t, res.Resources[0].Error)
	got := map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		got[e.ConfigName] = e.ConfigValue
	}
	return got
}

func TestEnsureTopicsWaitsForKafka(t *testing.T) {
	addr := freeAddr(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := EnsureTopics(ctx, []string{addr}, Topics(0), quiet())
	require.ErrorContains(t, err, "make Kafka topics at "+addr)

	done := make(chan error, 1)
	go func() { done <- EnsureTopics(waitCtx(t), []string{addr}, Topics(0), quiet()) }()
	time.Sleep(200 * time.Millisecond)
	startBrokerAt(t, addr)
	require.NoError(t, <-done)
}

func TestEnsureTopicsSaysWhatKafkaRefused(t *testing.T) {
	b := startBroker(t)
	b.ensure(t, Topics(0)...) // those that it says it made are looked for
	ctx, cancel := context.WithCancel(waitCtx(t))
	defer cancel()
	asked := 0
	b.ControlKey(int16(kmsg.CreateTopics), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		code := kerr.TopicAuthorizationFailed.Code
		if asked++; asked == 2 { // what a try comes to that is ended in its middle must not hide what the first was told
			cancel()
			code = kerr.RequestTimedOut.Code
		}
		res := kreq.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, topic := range kreq.(*kmsg.CreateTopicsRequest).Topics {
			rt := kmsg.NewCreateTopicsResponseTopic()
			rt.Topic = topic.Topic
			if rt.Topic == events.TopicBids {
				rt.ErrorCode = code
			}
			res.Topics = append(res.Topics, rt)
		}
		return res, nil, true
	})
	err := EnsureTopics(ctx, []string{b.addr}, Topics(0), quiet())
	require.ErrorIs(t, err, kafka.TopicAuthorizationFailed)
	require.ErrorContains(t, err, "topic grosz.bids: ")
	require.NotContains(t, err.Error(), "grosz.events")
}

func rec(topic uint8, key, value string) spool.Record {
	return spool.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
}

func TestNeighboursOfAKeyBecomeOneMessage(t *testing.T) {
	big := strings.Repeat("x", maxMessage-3)
	for _, c := range []struct {
		name string
		recs []spool.Record
		want []string // topic/key=value
	}{
		{"one key", []spool.Record{rec(0, "k", "a\n"), rec(0, "k", "b\n")}, []string{"grosz.events/k=a\nb\n"}},
		{"two keys", []spool.Record{rec(0, "k", "a\n"), rec(0, "l", "b\n"), rec(0, "k", "c\n")}, []string{"grosz.events/k=a\nc\n", "grosz.events/l=b\n"}},
		{"two topics", []spool.Record{rec(0, "k", "a\n"), rec(1, "k", "b\n"), rec(2, "", "c\n")}, []string{"grosz.events/k=a\n", "grosz.shop-events/k=b\n", "grosz.bids/=c\n"}},
		{"full message", []spool.Record{rec(0, "k", "a\n"), rec(0, "k", big), rec(0, "k", "b\n"), rec(0, "k", "c\n")}, []string{"grosz.events/k=a\n" + big, "grosz.events/k=b\nc\n"}},
		{"a record larger than a message", []spool.Record{rec(0, "k", "a\n"), rec(0, "k", big+"12345"), rec(0, "k", "b\n")}, []string{"grosz.events/k=a\n", "grosz.events/k=" + big + "12345", "grosz.events/k=b\n"}},
		{"none", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			msgs, n, err := cutRound(c.recs)
			require.NoError(t, err)
			require.Equal(t, len(c.recs), n)
			var got []string
			for _, m := range msgs {
				got = append(got, m.Topic+"/"+string(m.Key)+"="+string(m.Value))
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestRoundsKeepEveryRecordAndTheOrderOfAKey: whatever is spooled, a round
// fits one batch, and the lines of a key come out as they went in.
func TestRoundsKeepEveryRecordAndTheOrderOfAKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var recs []spool.Record
		want := map[string]string{}
		for i := range rapid.IntRange(0, 60).Draw(t, "records") {
			r := rec(rapid.Uint8Range(0, 2).Draw(t, "topic"), fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "key")), "")
			size := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, spool.MaxRecord-100), rapid.Just(spool.MaxRecord-1)).Draw(t, "size")
			r.Value = bytes.Repeat([]byte{byte('a' + i%26)}, size)
			recs = append(recs, r)
			want[SpoolTopics[r.Topic]+string(r.Key)] += string(r.Value)
		}
		got := map[string]string{}
		for rest := recs; len(rest) > 0; {
			msgs, n, err := cutRound(rest)
			require.NoError(t, err)
			require.Positive(t, n)
			size := 0
			for _, m := range msgs {
				size += len(m.Key) + len(m.Value) + perMessage
				got[m.Topic+string(m.Key)] += string(m.Value)
			}
			require.LessOrEqual(t, size, batchBytes)
			require.LessOrEqual(t, len(msgs), batchMessages)
			rest = rest[n:]
		}
		require.True(t, len(want) == len(got))
		for k := range want {
			require.True(t, want[k] == got[k], "order of %s", k)
		}
	})
}

func TestRoundsAreBoundedInMessages(t *testing.T) {
	recs := make([]spool.Record, 3*batchMessages)
	for i := range recs {
		recs[i] = rec(1, fmt.Sprint(i), "x\n")
	}
	msgs, n, err := cutRound(recs)
	require.NoError(t, err)
	require.Len(t, msgs, batchMessages)
	require.Equal(t, batchMessages, n)
}

func TestSinkKeepsWhatItDoesNotKnow(t *testing.T) {
	b := startBroker(t)
	err := Sink(newWriter(t, b.addr))(waitCtx(t), []spool.Record{rec(uint8(len(SpoolTopics)), "k", "v")})
	require.ErrorContains(t, err, "written by a newer one")
}

// TestSinkLosesNothingAndSwapsNothing ships a spool while Kafka refuses some
// of the writes. Records may be repeated; by their first appearance each key's
// are all there and in order.
func TestSinkLosesNothingAndSwapsNothing(t *testing.T) {
	for _, lanes := range []int{1, Lanes} {
		t.Run(fmt.Sprint(lanes, " writers"), func(t *testing.T) { sinkLosesNothing(t, lanes) })
	}
}

func sinkLosesNothing(t *testing.T, lanes int) {
	b := startBroker(t)
	// One partition each, so that it takes several batches.
	b.ensure(t, eventsTopic(1), TopicSpec{Name: events.TopicShopEvents, Partitions: 1, RetentionMS: day})
	var produces atomic.Int32
	b.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		switch produces.Add(1) {
		case 2, 5, 9, 16:
			return refuse(kreq.(*kmsg.ProduceRequest), kerr.InvalidRequiredAcks.Code), nil, true // kafka-go does not try that again
		case 12:
			return nil, errors.New("the connection breaks"), true
		}
		return nil, nil, false
	})
	s, err := spool.Open(spool.Config{Dir: t.TempDir()}, quiet())
	require.NoError(t, err)
	defer s.Close()
	const n, keys = 240, 3
	pad := strings.Repeat("x", 20<<10) // some rounds' worth
	for i := range n {
		require.NoError(t, s.Append(rec(uint8(i%2), fmt.Sprint("key", i%keys), fmt.Sprintf("%d %s\n", i, pad))))
	}
	ctx, cancel := context.WithCancel(context.Background())
	shipped := make(chan error, 1)
	writers := Cluster{Brokers: []string{b.addr}}.NewWriters(lanes, quiet())
	defer func() { require.NoError(t, CloseWriters(writers)) }()
	go func() { shipped <- s.Ship(ctx, Sink(writers...)) }()
	eventually(t, "everything is shipped", s.Drained)
	cancel()
	require.NoError(t, <-shipped)
	require.Greater(t, produces.Load(), int32(16), "some writes were refused")

	for topic := range 2 {
		w := startFollower(t, &Follower{Brokers: []string{b.addr}, Topic: SpoolTopics[topic]})
		eventually(t, "caught up", func() bool { return w.timesCaught() == 1 })
		require.NoError(t, w.end(t))
		last, total := map[string]int{}, 0
		for _, m := range w.got {
			for line := range strings.Lines(string(m.Value)) {
				var i int
				_, err := fmt.Sscanf(line, "%d ", &i)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint("key", i%keys), string(m.Key))
				before, seen := last[string(m.Key)]
				if seen && i <= before {
					continue // repeated
				}
				if seen {
					require.Equal(t, before+2*keys, i, "the next of its key")
				}
				last[string(m.Key)] = i
				total++
			}
		}
		require.Equal(t, n/2, total)
	}
}

// refuse answers a produce request with an error for every partition.
func refuse(req *kmsg.ProduceRequest, code int16) kmsg.Response {
	res := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewProduceResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			sp := kmsg.NewProduceResponseTopicPartition()
			sp.Partition, sp.ErrorCode = rp.Partition, code
			st.Partitions = append(st.Partitions, sp)
		}
		res.Topics = append(res.Topics, st)
	}
	return res
}

func TestIsClosed(t *testing.T) {
	require.True(t, IsClosed(fmt.Errorf("read: %w", context.Canceled)))
	require.False(t, IsClosed(errors.New("other")))
	require.False(t, IsClosed(nil))
}
