package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, b *Broker, topic string, values ...string) {
	t.Helper()
	tr := &kafka.Transport{}
	defer tr.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(b.Addr()), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: tr}
	defer w.Close()
	for _, v := range values {
		require.NoError(t, w.WriteMessages(t.Context(), kafka.Message{Value: []byte(v)}))
	}
}

// read joins a group, reads n messages and commits them.
func read(t *testing.T, b *Broker, topic, group string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Bound)
	defer cancel()
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{b.Addr()}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond,
	})
	defer r.Close()
	var got []string
	for range n {
		m, err := r.FetchMessage(ctx)
		require.NoError(t, err)
		require.NoError(t, r.CommitMessages(ctx, m))
		got = append(got, string(m.Value))
	}
	return got
}

func TestBrokerKeepsDataOverStopAndKill(t *testing.T) {
	b := Start(t)
	b.Topic(t, "things", 1)
	b.Topic(t, "things", 1) // again: no error
	write(t, b, "things", "a", "b")
	require.Equal(t, []string{"a", "b"}, read(t, b, "things", "g", 2))

	for i, end := range []func() error{b.Stop, b.Kill} {
		addr, pid := b.Addr(), b.PID()
		require.NoError(t, end())
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "the process is gone")
		require.Zero(t, b.PID())
		require.NoError(t, b.Restart(t.Context()))
		require.Equal(t, addr, b.Addr())
		v := fmt.Sprint("after ", i)
		write(t, b, "things", v)
		require.Equal(t, []string{v}, read(t, b, "things", "g", 1), "committed offsets and data are kept")
	}
	require.Error(t, b.Restart(t.Context()), "a running broker is not started twice")
}

func TestUnknownTopicIsNotMade(t *testing.T) {
	b := Start(t)
	tr := &kafka.Transport{}
	defer tr.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(b.Addr()), Topic: "no-such-topic", MaxAttempts: 1, AllowAutoTopicCreation: true, Transport: tr}
	defer w.Close()
	require.Error(t, w.WriteMessages(t.Context(), kafka.Message{Value: []byte("x")}))
}

func TestRunUntilCancelled(t *testing.T) {
	if _, _, err := find(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var addr string
	err := Run(ctx, filepath.Join(t.TempDir(), "k"), 0, func(a string) { addr = a; cancel() })
	require.NoError(t, err)
	require.NotEmpty(t, addr)
	_, err = kafka.Dial("tcp", addr)
	require.Error(t, err, "the broker is stopped when Run returns")
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	err := Config{Port: 70000, HeapMB: -1}.Validate()
	require.Error(t, err)
	for _, part := range []string{"no directory", "port 70000", "heap of -1"} {
		require.True(t, strings.Contains(err.Error(), part), part)
	}
}

func TestMissingKafkaSaysHowToGetIt(t *testing.T) {
	t.Setenv(EnvDir, t.TempDir())
	_, err := Libs()
	require.True(t, errors.Is(err, ErrMissing))
	require.ErrorContains(t, err, "scripts/kafka.sh")
}
