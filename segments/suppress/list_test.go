package suppress

import (
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

const (
	noon = int64(1_773_144_000_000)
	day  = int64(86_400_000)
)

func open(t rapid.TB, cfg Config, now int64) *List {
	t.Helper()
	l, err := Open(cfg, now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	return l
}

func person(n int) (u events.ID) {
	binary.BigEndian.PutUint64(u[:], uint64(n+1))
	return u
}

func TestWhatIsSuppressed(t *testing.T) {
	l := open(t, Config{Path: filepath.Join(t.TempDir(), "s")}, noon)
	defer l.Close()
	news, err := l.Add(person(1), noon, false)
	require.NoError(t, err)
	require.True(t, news)
	_, err = l.Add(person(2), noon, true)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		who      int
		at       int64
		out, sup bool
	}{
		"before the erasure":         {1, noon - 1, false, true},
		"at its moment":              {1, noon, false, true},
		"after it: a new beginning":  {1, noon + 1, false, false},
		"before an opt-out":          {2, noon - 1, true, true},
		"after an opt-out: no more":  {2, noon + 1, true, true},
		"of whom nobody said so":     {3, noon, false, false},
		"without a time, of the old": {1, 0, false, true},
	} {
		require.Equal(t, c.out, l.OptedOut(person(c.who)), name)
		require.Equal(t, c.sup, l.Suppressed(person(c.who), c.at), name)
	}
	news, err = l.Add(person(2), noon-5, false)
	require.NoError(t, err)
	require.False(t, news)
	require.True(t, l.OptedOut(person(2)), "an opt-out stays")
	news, err = l.Add(events.ID{}, noon, true)
	require.NoError(t, err)
	require.False(t, news)
	require.False(t, l.OptedOut(events.ID{}), "nobody cannot opt out for all unknown")
}

// TestTheListIsAFold: whatever the order and however often, the same list;
// restarts and expiry change nothing else.
func TestTheListIsAFold(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		type add struct {
			who int
			at  int64
			out bool
		}
		adds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) add {
			return add{rapid.IntRange(0, 5).Draw(t, "who"), noon + rapid.Int64Range(0, 9).Draw(t, "at"), rapid.Bool().Draw(t, "out")}
		}), 1, 30).Draw(t, "adds")
		order := rapid.Permutation(adds).Draw(t, "order")
		a := open(t, Config{Path: filepath.Join(dir, strconv.Itoa(n)+"a")}, noon)
		b := open(t, Config{Path: filepath.Join(dir, strconv.Itoa(n)+"b")}, noon)
		for i := range adds {
			_, err := a.Add(person(adds[i].who), adds[i].at, adds[i].out)
			require.NoError(t, err)
			_, err = b.Add(person(order[i].who), order[i].at, order[i].out)
			require.NoError(t, err)
		}
		require.NoError(t, b.Close())
		b = open(t, Config{Path: filepath.Join(dir, strconv.Itoa(n)+"b")}, noon+day)
		all := func(l *List) map[events.ID]entry {
			m := map[events.ID]entry{}
			l.Each(0, func(u events.ID, at int64, out bool) { m[u] = entry{at, out} })
			return m
		}
		require.Equal(t, all(a), all(b))
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
}

func TestTheListIsBoundedAndForgets(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "s"), Max: 640}
	l := open(t, cfg, noon)
	for i := range 3000 {
		_, err := l.Add(person(i), noon+int64(i), true)
		require.NoError(t, err)
	}
	n, most, forgotten := l.Stats()
	require.LessOrEqual(t, n, most)
	require.EqualValues(t, 3000-n, forgotten)
	require.True(t, l.OptedOut(person(2999)))
	require.False(t, l.OptedOut(person(0)))
	info, err := os.Stat(cfg.Path)
	require.NoError(t, err)
	require.NoError(t, l.Expire(noon+401*day))
	n, _, _ = l.Stats()
	require.Zero(t, n)
	after, err := os.Stat(cfg.Path)
	require.NoError(t, err)
	require.Less(t, after.Size(), info.Size()/10)
	require.NoError(t, l.Close())
}

func TestADamagedListStillOpens(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "s")}
	l := open(t, cfg, noon)
	for i := range 3 {
		_, err := l.Add(person(i), noon, true)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	b, err := os.ReadFile(cfg.Path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cfg.Path, b[:len(b)-1], 0o600))
	l = open(t, cfg, noon)
	defer l.Close()
	require.True(t, l.OptedOut(person(1)))
	require.False(t, l.OptedOut(person(2)))
	_, err = Open(Config{Max: -1, TTL: -1}, noon, slog.Default())
	for _, part := range []string{"Path", "Max", "TTL"} {
		require.ErrorContains(t, err, part)
	}
}

func TestAskingDoesNotAllocate(t *testing.T) {
	l := open(t, Config{Path: filepath.Join(t.TempDir(), "s")}, noon)
	defer l.Close()
	_, err := l.Add(person(1), noon, true)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		l.OptedOut(person(1))
		l.Suppressed(person(2), noon)
	}))
}

func BenchmarkOptedOut(b *testing.B) {
	l := open(b, Config{Path: filepath.Join(b.TempDir(), "s")}, noon)
	defer l.Close()
	for i := range 100_000 {
		l.put(person(i), entry{noon, true})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if l.OptedOut(person(i)) != (i < 100_000) {
			b.Fatal(i)
		}
		i = (i + 7) % 200_000
	}
}
