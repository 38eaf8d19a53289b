package kafka

import (
	"context"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/freeport"
)

// bound is how long a test waits for an effect.
const bound = 3 * time.Minute

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// broker is an embedded one on a port of its own, which nobody else is given
// while the broker is away between two starts.
type broker struct {
	*kfake.Cluster
	addr  string
	later atomic.Bool // for hide: something came after what is hidden
}

func startBroker(t *testing.T, opts ...kfake.Opt) *broker {
	t.Helper()
	return startBrokerAt(t, freeAddr(t), opts...)
}

func startBrokerAt(t *testing.T, addr string, opts ...kfake.Opt) *broker {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(n), kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &broker{Cluster: c, addr: l.Addr().String()}
}

// freeAddr is an address where nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := freeport.Loopback()
	require.NoError(t, err)
	return freeport.Addr(port)
}

func (b *broker) ensure(t *testing.T, specs ...TopicSpec) {
	t.Helper()
	require.NoError(t, EnsureTopics(waitCtx(t), []string{b.addr}, specs, quiet()))
}

func waitCtx(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

func newWriter(t *testing.T, addr string) *kafka.Writer {
	t.Helper()
	w := NewWriter([]string{addr}, quiet())
	t.Cleanup(func() { w.Close() })
	return w
}

// write puts one message per value into a partition.
func (b *broker) write(t *testing.T, topic string, partition int, values ...string) {
	t.Helper()
	w := newWriter(t, b.addr)
	w.Balancer = kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition })
	for _, v := range values { // each in a batch of its own
		require.NoError(t, w.WriteMessages(waitCtx(t), kafka.Message{Topic: topic, Key: []byte(v), Value: []byte(v)}))
	}
}

// request sends a request that kafka-go does not offer.
func (b *broker) request(t *testing.T, req kmsg.Request) kmsg.Response {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	require.NoError(t, err)
	defer c.Close()
	res, err := c.Request(waitCtx(t), req)
	require.NoError(t, err)
	return res
}

// writeGap puts a batch of n offsets into a partition, of which compaction has
// left the first record only.
func (b *broker) writeGap(t *testing.T, topic string, partition, n int32, value string) {
	t.Helper()
	rec := kmsg.Record{Key: []byte(value), Value: []byte(value)}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1) // its own length is one byte
	batch := kmsg.RecordBatch{
		Magic: 2, PartitionLeaderEpoch: -1, LastOffsetDelta: n - 1, NumRecords: n, Records: rec.AppendTo(nil),
		FirstTimestamp: 1_790_000_000_000, MaxTimestamp: 1_790_000_000_000, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
	}
	raw := batch.AppendTo(nil)
	batch.Length = int32(len(raw) - 12)
	raw = batch.AppendTo(nil)
	batch.CRC = int32(crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))

	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, batch.AppendTo(nil)
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	c, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.MaxVersions(kversion.V2_8_0())) // names topics by name
	require.NoError(t, err)
	defer c.Close()
	res, err := c.Broker(int(b.LeaderFor(topic, partition))).Request(waitCtx(t), req)
	require.NoError(t, err)
	require.Zero(t, res.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
}

// followed is a Follower at work.
type followed struct {
	mu     sync.Mutex
	got    []Message
	caught int
	atEnd  int // messages handled when CaughtUp came
	cancel context.CancelFunc
	done   chan error
}

func startFollower(t *testing.T, f *Follower) *followed {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &followed{cancel: cancel, done: make(chan error, 1)}
	inner := f.Handle
	f.Handle = func(m Message) error {
		w.mu.Lock()
		m.Value = append([]byte(nil), m.Value...)
		w.got = append(w.got, m)
		w.mu.Unlock()
		if inner != nil {
			return inner(m)
		}
		return nil
	}
	f.CaughtUp = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.caught++
		w.atEnd = len(w.got)
	}
	f.Log = quiet()
	if f.Topic == "" {
		f.Topic = events.TopicEvents
	}
	go func() { w.done <- f.Run(ctx) }()
	t.Cleanup(cancel)
	return w
}

func (w *followed) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.got)
}

func (w *followed) timesCaught() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.caught
}

// byPartition is what was handled, in order.
func (w *followed) byPartition() map[int][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := map[int][]string{}
	for _, m := range w.got {
		got[m.Partition] = append(got[m.Partition], string(m.Value))
	}
	return got
}

// end stops the follower and returns what Run returned.
func (w *followed) end(t *testing.T) error {
	t.Helper()
	w.cancel()
	select {
	case err := <-w.done:
		return err
	case <-time.After(bound):
		t.Fatal("Run does not end")
		return nil
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, bound, 5*time.Millisecond, what)
}
