package spool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func collect(t *testing.T, s *Spool, want int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var got []string
	err := s.Ship(ctx, func(_ context.Context, recs []Record) error {
		for _, r := range recs {
			got = append(got, fmt.Sprintf("%d/%s/%s", r.Topic, r.Key, r.Value))
		}
		if len(got) >= want {
			cancel()
		}
		return nil
	})
	require.NoError(t, err)
	return got
}

func TestAppendsComeOutOnceAndInOrder(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir()}, quiet())
	require.NoError(t, err)
	for i := range 50 {
		require.NoError(t, s.Append(Record{Topic: 1, Key: []byte("k"), Value: fmt.Appendf(nil, "v%d", i)}))
	}
	got := collect(t, s, 50)
	require.Len(t, got, 50)
	for i, g := range got {
		require.Equal(t, fmt.Sprintf("1/k/v%d", i), g)
	}
	require.True(t, s.Drained())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Append(Record{}), ErrClosed)
}

func TestWhatWasShippedIsGoneAfterRestartAndTheRestIsNot(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir}, quiet())
	require.NoError(t, err)
	require.NoError(t, s.Append(Record{Value: []byte("a")}))
	require.Len(t, collect(t, s, 1), 1)
	require.NoError(t, s.Append(Record{Value: []byte("b")}))
	require.NoError(t, s.Close())

	s, err = Open(Config{Dir: dir}, quiet())
	require.NoError(t, err)
	require.Equal(t, []string{"0//b"}, collect(t, s, 1))
	require.NoError(t, s.Close())
}

func TestAFailingSinkLosesNothing(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir()}, quiet())
	require.NoError(t, err)
	defer s.Close()
	for i := range 10 {
		require.NoError(t, s.Append(Record{Value: fmt.Appendf(nil, "%d", i)}))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	fails, got := 3, 0
	require.NoError(t, s.Ship(ctx, func(_ context.Context, recs []Record) error {
		if fails--; fails >= 0 {
			return errors.New("away")
		}
		if got += len(recs); got >= 10 {
			cancel()
		}
		return nil
	}))
	require.Equal(t, 10, got)
}

func TestASecondProcessIsToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir}, quiet())
	require.NoError(t, err)
	_, err = Open(Config{Dir: dir}, quiet())
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, s.Close())
	s, err = Open(Config{Dir: dir}, quiet())
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestFullAnswersErrFull(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), MaxBytes: 1}, quiet())
	require.NoError(t, err)
	defer s.Close()
	require.ErrorIs(t, s.Append(Record{Value: []byte("x")}), ErrFull)
}

func TestARecordThatKafkaCouldNotTakeIsRefused(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir()}, quiet())
	require.NoError(t, err)
	for _, c := range []struct {
		name       string
		key, value int
		want       error
	}{
		{"as large as may be", 4, MaxRecord - 4, nil},
		{"value a byte too long", 4, MaxRecord - 3, ErrTooLarge},
		{"longest key", 1<<16 - 1, 1, nil},
		{"key whose length does not fit the frame", 1 << 16, 1, ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := Record{Value: []byte("before")}
			require.ErrorIs(t, s.Append(good, Record{Key: make([]byte, c.key), Value: make([]byte, c.value)}), c.want)
		})
	}
	require.Len(t, collect(t, s, 4), 4, "an append is all or none")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
}

func TestFullIsSeenBeforeTheDirectoryIsMeasured(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), MaxBytes: 17 << 20, SegmentBytes: 1 << 20}, quiet())
	require.NoError(t, err)
	defer s.Close()
	taken := 0
	for taken < 100 && err == nil { // nothing ships, so nothing measures
		err = s.Append(Record{Value: make([]byte, 400<<10)})
		taken++
	}
	require.ErrorIs(t, err, ErrFull)
	require.Less(t, taken, 50)
}

// TestKillLosesNothingAcknowledged appends in a child process, kills it with
// SIGKILL in the middle, and looks for every value it had confirmed.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	if dir := os.Getenv("SPOOL_CHILD_DIR"); dir != "" {
		appendForever(dir)
		return
	}
	dir := t.TempDir()
	acked := 0
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKillLosesNothingAcknowledged$")
		cmd.Env = append(os.Environ(), "SPOOL_CHILD_DIR="+dir, fmt.Sprintf("SPOOL_CHILD_FROM=%d", round*1_000_000))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		seen := 0
		for lines.Scan() && seen < 200+137*round {
			seen++
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() { // acknowledged before the kill reached it
			seen++
		}
		_ = cmd.Wait()
		acked += seen
	}
	s, err := Open(Config{Dir: dir}, quiet())
	require.NoError(t, err)
	defer s.Close()
	got := collect(t, s, acked)
	require.GreaterOrEqual(t, len(got), acked)
}

func appendForever(dir string) {
	s, err := Open(Config{Dir: dir}, quiet())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1_000_000 {
				if s.Append(Record{Key: []byte{byte(g)}, Value: fmt.Appendf(nil, "%d-%d", g, i)}) != nil {
					return
				}
				mu.Lock()
				fmt.Println("ok")
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestATornOrFlippedTailIsNotFatalAndNeverInvents(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, SegmentBytes: 1 << 16}, quiet())
	require.NoError(t, err)
	for i := range 5 {
		require.NoError(t, s.Append(Record{Value: fmt.Appendf(nil, "value-%d", i)}))
	}
	require.NoError(t, s.Close())
	segs, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	require.NoError(t, err)
	require.NotEmpty(t, segs)
	whole, err := os.ReadFile(segs[0])
	require.NoError(t, err)
	used := len(whole)
	for used > 0 && whole[used-1] == 0 {
		used--
	}
	for cut := 0; cut < 40; cut += 3 {
		torn := append([]byte(nil), whole...)
		for i := used - cut; i < used; i++ {
			torn[i] = 0
		}
		copyDir := t.TempDir()
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			if filepath.Join(dir, e.Name()) == segs[0] {
				b = torn
			}
			require.NoError(t, os.WriteFile(filepath.Join(copyDir, e.Name()), b, 0o600))
		}
		s, err := Open(Config{Dir: copyDir, SegmentBytes: 1 << 16}, quiet())
		require.NoError(t, err, "cut %d", cut)
		recs, _, _, err := s.read(max(s.shipped.Load()+1, 1), 1<<20)
		require.NoError(t, err)
		for i, r := range recs {
			require.Equal(t, fmt.Sprintf("value-%d", i), string(r.Value))
		}
		require.NoError(t, s.Append(Record{Value: []byte("after")}))
		require.NoError(t, s.Close())
	}
}

func BenchmarkAppendGroupCommit(b *testing.B) {
	s, err := Open(Config{Dir: b.TempDir()}, quiet())
	require.NoError(b, err)
	defer s.Close()
	val := make([]byte, 400)
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Append(Record{Key: val[:4], Value: val}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(s.Stats().Records)/float64(s.Stats().Commits), "records/fsync")
}
