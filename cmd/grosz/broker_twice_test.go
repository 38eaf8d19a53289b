package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/backup"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"
)

// A second broker on a log that is open ends before it touches a file: to
// compact a log that another one appends to would lose what comes in.
func TestASecondBrokerLeavesALogAlone(t *testing.T) {
	dir := t.TempDir()
	b := startLogBroker(t, dir, clock.System{}, lazy)
	b.topic(docs, map[string]string{"cleanup.policy": "compact", "segment.bytes": "4000"})
	for v := range 8 {
		b.publish(v)
	}
	size, err := logBytes(filepath.Join(dir, "broker", "partitions", docsPart))
	require.NoError(t, err)
	for _, c := range []struct{ name, addr string }{{"on another port", freeAddr()}, {"on the same port", b.addr}} {
		t.Run(c.name, func(t *testing.T) {
			second := &brokerConfig{Dir: dir, Addr: c.addr}
			ctx, cancel := context.WithTimeout(t.Context(), testBound)
			defer cancel()
			err := second.run(ctx, slog.New(slog.DiscardHandler), clock.System{}, eager)
			require.ErrorContains(t, err, "another broker has")
			now, err := logBytes(filepath.Join(dir, "broker", "partitions", docsPart))
			require.NoError(t, err)
			require.Equal(t, size, now)
		})
	}
	b.publish(9)
	want := lastOf(b.read(docs, 0))
	require.Equal(t, "9", want["end"])
	b.stop()
	b = startLogBroker(t, dir, clock.System{}, eager) // as soon as the first has ended
	require.Equal(t, want, lastOf(b.read(docs, 0)))
}

// A backup that is made after a crash amid a compaction, while no broker runs,
// has the partition that had made way.
func TestABackupAmidACompactionHasThePartition(t *testing.T) {
	dir, clk := t.TempDir(), clock.System{}
	b := startLogBroker(t, dir, clk, lazy)
	b.topic(docs, map[string]string{"cleanup.policy": "compact", "segment.bytes": "2000"})
	for v := range 8 {
		b.publish(v)
	}
	want := lastOf(b.read(docs, 0))
	b.stop()
	for _, step := range []string{"written", "away", "placed"} {
		t.Run(step, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "data")
			damagetest.CopyDir(t, dir, from)
			small := &compactor{dir: filepath.Join(from, "broker"), clock: clk, log: slog.New(slog.DiscardHandler), settled: map[string]int64{}}
			small.step = func(name string) error {
				if name == step {
					panic(name)
				}
				return nil
			}
			require.PanicsWithValue(t, step, func() { _ = small.run([]string{docsPart}) })
			to := filepath.Join(t.TempDir(), "backup")
			w, err := backup.New(from, to, clk.NowMS())
			require.NoError(t, err)
			c := &backupConfig{Dir: from}
			require.NoError(t, c.broker(t.Context(), w))
			files, err := filepath.Glob(filepath.Join(to, "broker", "*", docsPart+"*", "*.dat"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			restored := startLogBroker(t, to, clk, eager)
			require.Equal(t, want, lastOf(restored.read(docs, 0)))
		})
	}
}
