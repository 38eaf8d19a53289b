package main

import (
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"
)

// killed is a copy of a broker's files while it has them open: what a kill -9
// would leave.
func killed(t *testing.T, dir string) string {
	t.Helper()
	out := t.TempDir()
	damagetest.CopyDir(t, dir, out)
	require.NoError(t, filepath.WalkDir(out, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "snapshot.json" {
			return os.Remove(path)
		}
		return err
	}))
	return out
}

// What has expired goes, by time and by size, and the offsets of a partition
// that is quiet go on after a crash. Compacted topics keep what is old.
func TestExpiryLeavesTheEndOfEachPartition(t *testing.T) {
	const timed, sized = "grosz.bids", "grosz.requests"
	dir, clk := t.TempDir(), clock.NewManual(time.Now().UnixMilli())
	b := startLogBroker(t, dir, clk, lazy)
	b.topic(timed, map[string]string{"retention.ms": "3600000", "segment.bytes": "300"})
	b.topic(sized, map[string]string{"retention.ms": "-1", "retention.bytes": "900", "segment.bytes": "300"})
	b.topic(docs, map[string]string{"cleanup.policy": "compact"})
	for i := range 10 {
		for _, topic := range []string{timed, sized, docs} {
			b.write(topic, document(i, 0))
		}
	}
	b.stop()

	b = startLogBroker(t, dir, clk, lazy)
	require.Eventually(t, func() bool { first, _ := b.ends(sized); return first > 0 }, testBound, 5*time.Millisecond)
	first, next := b.ends(timed)
	require.Equal(t, [2]int64{0, 10}, [2]int64{first, next}, "nothing is an hour old")
	first, next = b.ends(sized)
	require.Equal(t, int64(10), next)
	require.Greater(t, first, int64(3))
	size, err := logBytes(filepath.Join(dir, "broker", "partitions", sized+"-0"))
	require.NoError(t, err)
	require.LessOrEqual(t, size, int64(1200), "but for the rest of a segment")
	b.stop()

	clk.Advance(400 * 24 * time.Hour)
	b = startLogBroker(t, dir, clk, lazy)
	require.Eventually(t, func() bool { first, _ := b.ends(timed); return first == 9 }, testBound, 5*time.Millisecond, "all but the last")
	for _, at := range []string{dir, killed(t, dir)} {
		if at != dir {
			b.stop()
			b = startLogBroker(t, at, clk, lazy)
		}
		_, next = b.ends(timed)
		require.Equal(t, int64(10), next)
		require.Len(t, lastOf(b.read(docs, 0)), 10)
	}
	b.write(timed, document(1, 1))
	require.Equal(t, int64(10), b.read(timed, 10)[0].Offset)
}

// A backup and a compaction wait for each other.
func TestABackupAndACompactionDoNotMeet(t *testing.T) {
	dir := t.TempDir()
	b := startLogBroker(t, dir, clock.System{}, lazy)
	b.topic(docs, map[string]string{"cleanup.policy": "compact"})
	for v := range 4 {
		b.publish(v)
	}
	b.stop()
	small := &compactor{dir: filepath.Join(dir, "broker"), clock: clock.System{}, log: slog.New(slog.DiscardHandler), settled: map[string]int64{}}
	before, err := logBytes(small.partition(docsPart))
	require.NoError(t, err)
	release, err := holdFile(filepath.Join(small.dir, "lock"), syscall.LOCK_SH)
	require.NoError(t, err)
	require.False(t, small.free())
	require.NoError(t, small.run([]string{docsPart}))
	size, err := logBytes(small.partition(docsPart))
	require.NoError(t, err)
	require.Equal(t, before, size, "a backup reads")
	release()
	require.True(t, small.free())

	unlock, err := small.hold()
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "copy")
	e := env{nil, io.Discard, io.Discard, slog.New(slog.DiscardHandler)}
	require.ErrorContains(t, runBackup(t.Context(), e, []string{"--data", dir, "--wait", "1ms", to}), "compaction")
	unlock()
	require.NoError(t, os.RemoveAll(to))
	require.NoError(t, runBackup(t.Context(), e, []string{"--data", dir, to}))
	require.NoError(t, small.run([]string{docsPart}))
	size, err = logBytes(small.partition(docsPart))
	require.NoError(t, err)
	require.Less(t, size, before/2)
}
