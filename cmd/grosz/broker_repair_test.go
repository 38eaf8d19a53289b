package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

// damagedLog stands for a segment that is refused.
const damagedLog = "refused"

// batchOf is a batch of one message.
func batchOf(offset uint64, body string) []byte {
	body = string(make([]byte, 2+4)) + body // attributes, the last offset's distance
	b := binary.BigEndian.AppendUint64(nil, offset)
	b = binary.BigEndian.AppendUint32(b, uint32(batchHead-12+len(body)))
	b = append(b, 0, 0, 0, 0, 2)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum([]byte(body), castagnoli))
	return append(b, body...)
}

// However the end of a segment is damaged, what is left is a beginning of
// whole batches, and nothing of it is lost that is whole.
func TestTornWritesAreCutOffTheBrokersLog(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, "partitions", "x-0")
	require.NoError(t, os.MkdirAll(part, 0o700))
	damagetest.Overwrite(t, []byte("{}"), dir, "meta.json")
	damagetest.Overwrite(t, []byte(`{"topics": [{"name": "x", "partitions": 1}]}`), dir, "topics.json")
	one, two := batchOf(7, "the first batch"), batchOf(8, "the second")
	whole := append(append([]byte(nil), one...), two...)
	path := filepath.Join(part, "7.dat")
	repaired := func(b []byte) string {
		damagetest.Overwrite(t, b, path)
		damagetest.Overwrite(t, []byte("index"), part, "7.idx")
		refused := repairLog(dir, slog.New(slog.DiscardHandler))
		got, err := os.ReadFile(path)
		if refused != nil {
			require.ErrorIs(t, refused, errDamaged)
			require.Equal(t, string(b), string(got), "left as it was")
			return damagedLog
		}
		require.NoError(t, err)
		if len(got) < len(b) {
			require.NoFileExists(t, filepath.Join(part, "7.idx"))
		}
		return string(got)
	}
	require.Equal(t, string(whole), repaired(whole))
	require.Equal(t, string(whole), repaired(append(append([]byte(nil), whole...), one[:20]...)))
	require.Equal(t, string(whole), repaired(append(append([]byte(nil), whole...), make([]byte, 100)...)))
	damagetest.Every(t, whole, func(what string, bad []byte) {
		got := repaired(bad)
		if len(bad) == len(whole) && (string(bad[:8]) != string(whole[:8]) || string(bad[len(one):len(one)+8]) != string(two[:8])) {
			require.Equal(t, damagedLog, got, "%s: another offset", what)
			return
		}
		follows := len(bad) == len(whole) && string(bad[len(one):]) == string(two)
		if follows && string(bad[17:]) != string(whole[17:]) {
			require.Equal(t, damagedLog, got, "%s: a whole batch follows", what)
		}
		if got == damagedLog {
			require.True(t, follows, what)
			return
		}
		require.Contains(t, []string{"", string(one), string(bad)}, got, what)
		if len(bad) >= len(one) && string(bad[:len(one)]) == string(one) {
			require.GreaterOrEqual(t, len(got), len(one), what)
		}
	})
}

// Offsets go on where the batch, and the segment, before them ended; only
// compaction leaves gaps, and nothing makes them go back.
func TestOffsetsOfTheBrokersLogGoOn(t *testing.T) {
	for _, c := range []struct {
		name           string
		segments       map[string][]uint64
		whole, compact bool // accepted, in an ordinary and in a compacted topic
	}{
		{"one segment", map[string][]uint64{"7.dat": {7, 8, 9}}, true, true},
		{"two", map[string][]uint64{"9.dat": {9, 10}, "10.dat": nil, "11.dat": {11}}, false, false},
		{"two that go on", map[string][]uint64{"9.dat": {9, 10}, "11.dat": {11}}, true, true},
		{"by number, not by name", map[string][]uint64{"99.dat": {99}, "100.dat": {100}}, true, true},
		{"an empty one", map[string][]uint64{"9.dat": {9, 10}, "11.dat": nil}, true, true},
		{"a gap", map[string][]uint64{"7.dat": {7, 9}}, false, true},
		{"a gap between two", map[string][]uint64{"7.dat": {7}, "9.dat": {9}}, false, true},
		{"back", map[string][]uint64{"7.dat": {7, 8, 8}}, false, false},
		{"back between two", map[string][]uint64{"7.dat": {7, 8, 9}, "9.dat": {9}}, false, false},
		{"another than its name", map[string][]uint64{"7.dat": {8}}, false, true},
		{"below its name", map[string][]uint64{"7.dat": {6}}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var paths []string
			for name, offsets := range c.segments {
				var b []byte
				for _, o := range offsets {
					b = append(b, batchOf(o, "x")...)
				}
				damagetest.Overwrite(t, b, dir, name)
				paths = append(paths, filepath.Join(dir, name))
			}
			for compacted, want := range map[bool]bool{false: c.whole, true: c.compact} {
				err := checkOffsets(paths, compacted)
				require.Equal(t, want, err == nil, "compacted %t: %v", compacted, err)
				if !want {
					require.ErrorIs(t, err, errDamaged)
				}
			}
		})
	}
}

// A broker with a log does not begin anew where its own files are damaged, and
// a message that was acknowledged is there or the broker does not start.
func TestADamagedBrokerKeepsItsMessagesOrDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	const topic, all = "grosz.events", 5
	kafkaWith := func(dir string, do func(ctx context.Context, addr string) error) error {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		addr, ended := freeAddr(), make(chan error, 1)
		go func() {
			defer stop() // nobody waits for one that does not start
			ended <- runBroker(ctx, env{nil, io.Discard, io.Discard, slog.New(slog.DiscardHandler)}, []string{"--data", dir, "--broker", addr})
		}()
		for ctx.Err() == nil {
			if c, err := net.Dial("tcp", addr); err == nil {
				_ = c.Close()
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		err := do(ctx, addr)
		stop()
		if refused := <-ended; refused != nil {
			return refused
		}
		require.NoError(t, err)
		return nil
	}
	require.NoError(t, kafkaWith(dir, func(ctx context.Context, addr string) error {
		_, err := (&kafkago.Client{Addr: kafkago.TCP(addr)}).CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}}})
		w := &kafkago.Writer{Addr: kafkago.TCP(addr), Topic: topic, RequiredAcks: kafkago.RequireAll, BatchSize: 1, Transport: &kafkago.Transport{}}
		for i := range all {
			err = errors.Join(err, w.WriteMessages(ctx, kafkago.Message{Value: fmt.Append(nil, i)}))
		}
		return errors.Join(err, w.Close())
	}))
	files, err := filepath.Glob(filepath.Join(dir, "broker", "*.*"))
	require.NoError(t, err)
	require.Contains(t, files, filepath.Join(dir, "broker", "topics.json"))
	refused, copied := 0, t.TempDir()
	for _, f := range append(files, filepath.Join(dir, "broker", "partitions", topic+"-0", "0.idx"), filepath.Join(dir, "broker", "partitions", topic+"-0", "snapshot.json")) {
		whole, err := os.ReadFile(f)
		require.NoError(t, err)
		name, err := filepath.Rel(dir, f)
		require.NoError(t, err)
		for i := range 5 {
			bad := bytes.Clone(whole[:len(whole)*i/4])
			if at := len(whole) * i / 5; i > 0 && at < len(whole) {
				bad = bytes.Clone(whole)
				bad[at] ^= 2
			}
			require.NoError(t, os.RemoveAll(copied))
			damagetest.CopyDir(t, dir, copied)
			damagetest.Overwrite(t, bad, copied, name)
			if err := kafkaWith(copied, func(ctx context.Context, addr string) error {
				c, err := kafkago.DialLeader(ctx, "tcp", addr, topic, 0)
				if err != nil {
					return err
				}
				defer c.Close()
				first, last, err := c.ReadOffsets()
				require.Equal(t, [2]int64{0, all}, [2]int64{first, last}, "%s, damage %d", name, i)
				return err
			}); err != nil {
				refused++
			}
		}
	}
	require.Positive(t, refused)
}
