package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"
)

const (
	docs      = "grosz.campaigns"
	docsPart  = docs + "-0"
	testBound = 2 * time.Minute
)

// lazy never looks; eager compacts at each start whatever is worth it.
var (
	lazy  = housekeeping{Start: 1 << 40, Running: 1 << 40, Look: time.Hour, Retain: time.Hour}
	eager = housekeeping{Start: 1, Running: 1 << 40, Look: time.Hour, Retain: time.Hour}
)

// logBroker is a running embedded broker.
type logBroker struct {
	t    *testing.T
	dir  string // of all data
	addr string
	log  bytes.Buffer // read after stop
	stop func()
}

// startLogBroker starts one on a directory of data; the broker's own is below it.
func startLogBroker(t *testing.T, dir string, clk clock.Clock, keep housekeeping) *logBroker {
	t.Helper()
	b := &logBroker{t: t, dir: dir, addr: freeAddr()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	c := &brokerConfig{Dir: dir, Addr: b.addr}
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	go func() { ended <- c.run(ctx, log, clk, keep) }()
	stopped := false
	b.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(b.stop)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", b.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, testBound, 5*time.Millisecond)
	return b
}

func (b *logBroker) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testBound)
	b.t.Cleanup(cancel)
	return ctx
}

// topic makes a topic of one partition.
func (b *logBroker) topic(name string, settings map[string]string) {
	b.t.Helper()
	tc := kafkago.TopicConfig{Topic: name, NumPartitions: 1, ReplicationFactor: 1}
	for k, v := range settings {
		tc.ConfigEntries = append(tc.ConfigEntries, kafkago.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	cl := &kafkago.Client{Addr: kafkago.TCP(b.addr), Transport: &kafkago.Transport{}}
	res, err := cl.CreateTopics(b.ctx(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{tc}})
	require.NoError(b.t, err)
	require.NoError(b.t, res.Errors[name])
}

// write puts messages into one batch, as Grosz's own writers do.
func (b *logBroker) write(topic string, ms ...kafkago.Message) {
	b.t.Helper()
	w := &kafkago.Writer{Addr: kafkago.TCP(b.addr), Topic: topic, RequiredAcks: kafkago.RequireAll, BatchSize: len(ms), BatchTimeout: time.Millisecond, Compression: kafkago.Lz4, Transport: &kafkago.Transport{}}
	require.NoError(b.t, w.WriteMessages(b.ctx(), ms...))
	require.NoError(b.t, w.Close())
}

// ends is the first offset and the one behind the last.
func (b *logBroker) ends(topic string) (first, next int64) {
	b.t.Helper()
	c, err := kafkago.DialLeader(b.ctx(), "tcp", b.addr, topic, 0)
	require.NoError(b.t, err)
	defer c.Close()
	first, next, err = c.ReadOffsets()
	require.NoError(b.t, err)
	return first, next
}

// read reads a topic from an offset to its end.
func (b *logBroker) read(topic string, from int64) (got []kafkago.Message) {
	b.t.Helper()
	_, next := b.ends(topic)
	r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: []string{b.addr}, Topic: topic, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	require.NoError(b.t, r.SetOffset(from))
	for len(got) == 0 || got[len(got)-1].Offset < next-1 {
		m, err := r.ReadMessage(b.ctx())
		require.NoError(b.t, err)
		got = append(got, m)
	}
	return got
}

// lastOf are the values that a reader of all messages ends with.
func lastOf(ms []kafkago.Message) map[string]string {
	out := map[string]string{}
	for _, m := range ms {
		if m.Value == nil {
			delete(out, string(m.Key))
		} else {
			out[string(m.Key)] = string(m.Value)
		}
	}
	return out
}

func document(i, version int) kafkago.Message {
	return kafkago.Message{Key: fmt.Appendf(nil, "doc-%d", i), Value: fmt.Appendf(nil, "version %d of %d %s", version, i, strings.Repeat("x", 200))}
}

// publish writes all documents, and deletes those of before.
func (b *logBroker) publish(version int) {
	b.t.Helper()
	var ms []kafkago.Message
	for i := range 40 {
		ms = append(ms, document(i, version))
	}
	b.write(docs, ms...)
	b.write(docs, document(version%7, version+1000), kafkago.Message{Key: fmt.Appendf(nil, "gone-%d", version), Value: []byte("x")})
	b.write(docs, kafkago.Message{Key: fmt.Appendf(nil, "gone-%d", version)}) // a deletion
	b.write(docs, kafkago.Message{Key: []byte("end"), Value: fmt.Append(nil, version)})
}

// A crash at any step of a compaction leaves the log as it was or as it shall
// be: every last value is there, and offsets go on.
func TestACompactionThatACrashCutsShortLosesNothing(t *testing.T) {
	dir, clk := t.TempDir(), clock.NewManual(time.Now().UnixMilli())
	b := startLogBroker(t, dir, clk, lazy)
	b.topic(docs, map[string]string{"cleanup.policy": "compact", "segment.bytes": "2000"})
	for v := range 8 {
		b.publish(v)
	}
	want := lastOf(b.read(docs, 0))
	_, next := b.ends(docs)
	b.stop()
	removeOne := func(pattern string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, "broker", pattern))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			require.NoError(t, os.Remove(files[0]))
		}
	}
	for _, c := range []struct {
		name, step string
		also       func(t *testing.T, dir string)
	}{
		{"before anything is written", "begin", nil},
		{"written", "written", nil},
		{"written in part", "written", removeOne("compaction/*.new/*.dat")},
		{"cut", "written", func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, "broker", "compaction", "*.new", "*.dat"))
			require.NoError(t, err)
			require.NoError(t, os.Truncate(files[0], 100))
		}},
		{"the old one is away", "away", nil},
		{"the old one is away, and the new one damaged", "away", removeOne("compaction/*.new/*.dat")},
		{"the new one is in its place", "placed", nil},
		{"the old one is removed in part", "placed", removeOne("compaction/*.old/*.dat")},
	} {
		t.Run(c.name, func(t *testing.T) {
			copied := t.TempDir()
			damagetest.CopyDir(t, dir, copied)
			small := &compactor{dir: filepath.Join(copied, "broker"), clock: clk, log: slog.New(slog.DiscardHandler), settled: map[string]int64{}}
			small.step = func(name string) error {
				if name == c.step {
					panic(name)
				}
				return nil
			}
			require.PanicsWithValue(t, c.step, func() { _ = small.run([]string{docsPart}) })
			if c.also != nil {
				c.also(t, copied)
			}
			b := startLogBroker(t, copied, clk, eager)
			require.Equal(t, want, lastOf(b.read(docs, 0)))
			_, now := b.ends(docs)
			require.Equal(t, next, now)
			b.write(docs, document(0, 5000))
			got := b.read(docs, next)
			require.Len(t, got, 1)
			require.Equal(t, next, got[0].Offset)
			b.stop()
			left, err := os.ReadDir(filepath.Join(copied, "broker", compactionDir))
			require.NoError(t, err)
			require.Empty(t, left, "litter")
			have, err := readContents(small.partition(docsPart), 0)
			require.NoError(t, err)
			require.Less(t, 2*have.dead(), have.bytes, "it was compacted after all")
		})
	}
}

// A log that another program began anew while ours was away is not taken for
// the compacted one.
func TestALogThatWasBegunAnewIsNotTakenForACompactedOne(t *testing.T) {
	dir := t.TempDir()
	small := &compactor{dir: dir, clock: clock.System{}, log: slog.New(slog.DiscardHandler)}
	for path, offset := range map[string]int64{small.before("x-0"): 100, small.partition("x-0"): 5} {
		require.NoError(t, os.MkdirAll(path, 0o700))
		damagetest.Overwrite(t, keyedBatch(t, 0, []written{{offset, 1, "a", "one"}}), path, fmt.Sprintf("%d.dat", offset))
	}
	require.ErrorIs(t, small.undo(), errDamaged)
	require.FileExists(t, filepath.Join(small.before("x-0"), "100.dat"))
	require.FileExists(t, filepath.Join(small.partition("x-0"), "5.dat"))
}

// What a crash leaves of a segment that expired goes; what is not the broker's stays.
func TestAnIndexWithoutItsSegmentIsRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"5.idx", "9.dat", "9.idx"} {
		damagetest.Overwrite(t, nil, dir, name)
	}
	require.NoError(t, sweepIndexes(dir, []string{filepath.Join(dir, "9.dat")}))
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "9.dat"), filepath.Join(dir, "9.idx")}, left)
}

// Each start of everything publishes all documents again. The log does not grow
// with the starts.
func TestABrokerThatIsStartedOftenStaysSmall(t *testing.T) {
	dir := t.TempDir()
	keep := eager
	keep.Start = 20_000
	largest, grown := int64(0), int64(0)
	for v := range 12 {
		b := startLogBroker(t, dir, clock.System{}, keep)
		if v == 0 {
			b.topic(docs, map[string]string{"cleanup.policy": "compact", "segment.bytes": "4000"})
		}
		size, err := logBytes(filepath.Join(dir, "broker", "partitions", docsPart))
		require.NoError(t, err)
		largest = max(largest, size)
		for range 8 {
			b.publish(v)
		}
		now, err := logBytes(filepath.Join(dir, "broker", "partitions", docsPart))
		require.NoError(t, err)
		grown += now - size
		got := lastOf(b.read(docs, 0))
		require.Len(t, got, 41)
		require.Equal(t, fmt.Sprint(v), got["end"])
		b.stop()
	}
	require.Greater(t, grown, 3*keep.Start, "enough is written")
	require.Less(t, largest, keep.Start, "after a start")
}

// A running broker compacts what has grown: writers and readers that are at
// work go on, and nothing that was acknowledged is missing.
func TestARunningBrokerCompactsWhatHasGrown(t *testing.T) {
	dir := t.TempDir()
	b := startLogBroker(t, dir, clock.System{}, housekeeping{Start: 1 << 40, Running: 30_000, Look: 20 * time.Millisecond, Retain: time.Hour})
	b.topic(docs, map[string]string{"cleanup.policy": "compact", "segment.bytes": "4000"})
	r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: []string{b.addr}, Topic: docs, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	w := &kafkago.Writer{Addr: kafkago.TCP(b.addr), Topic: docs, RequiredAcks: kafkago.RequireAll, BatchSize: 50, BatchTimeout: time.Millisecond, MaxAttempts: 100, Compression: kafkago.Lz4, Transport: &kafkago.Transport{}}
	want, seen := map[string]string{}, map[string]string{}
	part := filepath.Join(dir, "broker", "partitions", docsPart)
	last, shrunk := int64(0), 0
	end := time.Now().Add(testBound)
	for v := 0; shrunk < 2; v++ {
		require.True(t, time.Now().Before(end), "it was not compacted twice")
		var ms []kafkago.Message
		for i := range 50 {
			m := document(i, v)
			want[string(m.Key)] = string(m.Value)
			ms = append(ms, m)
		}
		require.NoError(t, w.WriteMessages(b.ctx(), ms...))
		for seen["doc-49"] != want["doc-49"] {
			m, err := r.ReadMessage(b.ctx())
			require.NoError(t, err)
			seen[string(m.Key)] = string(m.Value)
		}
		size, err := logBytes(part)
		require.NoError(t, err)
		if size < last/2 {
			shrunk++
		}
		last = size
	}
	require.Equal(t, want, seen)
	require.NoError(t, w.Close())
	first, next := b.ends(docs)
	require.Positive(t, first, "the first messages are compacted away")
	require.Equal(t, want, lastOf(b.read(docs, 0)), "from an offset that is no more")
	got := b.read(docs, first+1)
	require.Equal(t, next-1, got[len(got)-1].Offset)
	b.stop()
	require.Contains(t, b.log.String(), "is compacted")
}
