package stream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/kafkatest"
)

// embedded is the broker that `grosz broker` runs: every batch is fsynced.
func embedded(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(tb, err)
	n, err := strconv.Atoi(port)
	require.NoError(tb, err)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(n), kfake.DataDir(tb.TempDir()), kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }))
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	return l.Addr().String()
}

func run(tb testing.TB, addr string, tag uint64, change func(*Config)) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cfg := Config{
		Kafka: kafka.Cluster{Brokers: []string{addr}}, Dir: filepath.Join(tb.TempDir(), fmt.Sprint(tag)),
		Events: 5_000, Tag: tag, Log: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	res, err := Run(ctx, cfg)
	require.NoError(tb, err)
	require.Zero(tb, res.Missing, "every event is in the log")
	require.Zero(tb, res.Doubled, "and once, where nothing failed")
	return res
}

func TestEveryEventIsDurableThenInTheLogOnce(t *testing.T) {
	addr := embedded(t)
	for tag, c := range []func(*Config){
		func(c *Config) { c.Senders = 64 },
		func(c *Config) { c.PerAppend, c.Senders, c.Shops = 100, 4, 3 },
		func(c *Config) { c.Backlog, c.PerAppend, c.Senders = true, 10, 8 },
		func(c *Config) { c.Events, c.Senders, c.PerAppend = 7, 16, 3 },
	} {
		res := run(t, addr, uint64(tag)+1, c)
		require.Positive(t, res.Rate())
		require.Less(t, res.Commits, uint64(res.Events), "appends share an fsync")
	}
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	err := Config{Events: 0, Kafka: kafka.Cluster{Replication: 1, MinInSync: 2}}.Validate()
	for _, part := range []string{"brokers and a directory", "at least one event", "2 replicas in sync"} {
		require.ErrorContains(t, err, part)
	}
}

// BenchmarkEvents is the whole way, an iteration an event: into the spool,
// fsynced, and acknowledged by Kafka with acks=all.
func BenchmarkEvents(b *testing.B) {
	for _, k := range []struct {
		name  string
		start func(testing.TB) string
	}{
		{"apache", func(tb testing.TB) string { return kafkatest.Start(tb).Addr() }},
		{"embedded", embedded},
	} {
		b.Run(k.name, func(b *testing.B) {
			addr := k.start(b)
			tag := uint64(time.Now().UnixNano())
			run(b, addr, tag, func(c *Config) { c.Events = 200_000 }) // a warm broker
			for _, v := range []struct {
				name   string
				change func(*Config)
			}{
				{"notices", func(c *Config) { c.Senders = 2048 }},
				{"batches", func(c *Config) { c.PerAppend, c.Senders = 250, 64 }},
				{"backlog", func(c *Config) { c.PerAppend, c.Senders, c.Backlog = 250, 64, true }},
				{"backlog-one-lane", func(c *Config) { c.PerAppend, c.Senders, c.Backlog, c.Lanes = 250, 64, true, 1 }},
			} {
				b.Run(v.name, func(b *testing.B) {
					tag++
					res := run(b, addr, tag, func(c *Config) { c.Events = b.N; v.change(c) })
					b.ReportMetric(res.Rate(), "events/s")
					b.ReportMetric(float64(res.Events)/float64(max(res.Commits, 1)), "events/fsync")
					b.ReportMetric(float64(res.Events)/res.Durable.Seconds(), "fsynced/s")
					b.ReportMetric(float64(res.CPU.Nanoseconds())/float64(res.Events), "cpu-ns/event")
				})
			}
		})
	}
}
