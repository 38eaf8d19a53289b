package match

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/clock"
)

const noon = 1_773_144_000_000

func open(t rapid.TB, cfg Config, c clock.Clock) *Table {
	t.Helper()
	tab, err := Open(cfg, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	return tab
}

func fresh(t testing.TB, max int) (*Table, *clock.Manual, Config) {
	c, cfg := clock.NewManual(noon), Config{Path: filepath.Join(t.TempDir(), "match.log"), MaxEntries: max}
	tab := open(t, cfg, c)
	t.Cleanup(func() { require.NoError(t, tab.Close()) })
	return tab, c, cfg
}

func person(n int) (id events.ID) {
	copy(id[:], fmt.Sprintf("%016d", n+1))
	return id
}

// TestSipHash holds the hash to the first outputs of the authors' test
// vectors: key 00…0f, inputs of 0 and 1 bytes.
func TestSipHash(t *testing.T) {
	h := hasher{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	for in, want := range map[string]string{
		"":     "a3817f04ba25a8e66df67214c7550293",
		"\x00": "da87c1d86b99af44347659119b22fc45",
	} {
		a, b := h.sum([]byte(in))
		require.Equal(t, want, hex.EncodeToString(appendKey(nil, key{a, b})))
	}
}

func TestTheLatestSyncCountsAndExchangesAreApart(t *testing.T) {
	tab, c, _ := fresh(t, 0)
	require.NoError(t, tab.Put("a", "u1", person(1), noon))
	require.NoError(t, tab.Put("b", "u1", person(2), noon))
	require.NoError(t, tab.Put("a", "u1", person(3), noon))
	uid, ok := tab.Lookup("a", "u1", noon)
	require.True(t, ok)
	require.Equal(t, person(3), uid)
	uid, _ = tab.Lookup("b", "u1", noon)
	require.Equal(t, person(2), uid)
	for _, id := range []string{"", "u2", string(make([]byte, 257))} {
		_, ok = tab.Lookup("a", id, noon)
		require.False(t, ok)
	}
	require.Error(t, tab.Put("a", "", person(1), noon))
	require.Error(t, tab.Put("a", "u", events.ID{}, noon))
	require.Error(t, tab.Put("a", string(make([]byte, 257)), person(1), noon))
	size := tab.Stats().FileBytes
	require.NoError(t, tab.Put("a", "u1", person(3), noon+3_600_000))
	require.Equal(t, size, tab.Stats().FileBytes, "seen an hour ago: nothing to write")
	c.Advance(181 * 24 * time.Hour)
	_, ok = tab.Lookup("a", "u1", c.NowMS())
	require.False(t, ok, "too old")
	for range shards {
		require.NoError(t, tab.Keep())
	}
	require.Zero(t, tab.Stats().Entries)
}

func TestARestartFindsEverything(t *testing.T) {
	tab, c, cfg := fresh(t, 0)
	for i := range 10_000 {
		require.NoError(t, tab.Put("x", strconv.Itoa(i), person(i%100), noon))
	}
	n, err := tab.Forget(person(7), noon)
	require.NoError(t, err)
	require.Equal(t, 100, n)
	for round := range 2 {
		again := open(t, cfg, c)
		require.Equal(t, 9900, again.Stats().Entries)
		for i := range 10_000 {
			uid, ok := again.Lookup("x", strconv.Itoa(i), noon)
			require.Equal(t, i%100 != 7, ok)
			if ok {
				require.Equal(t, person(i%100), uid)
			}
		}
		require.NoError(t, again.compact(), round)
		require.NoError(t, again.Close())
	}
}

// TestADeletedPersonLeavesTheFile: within the hour, also when the table was
// opened anew in between.
func TestADeletedPersonLeavesTheFile(t *testing.T) {
	tab, c, cfg := fresh(t, 0)
	for i := range 10 {
		require.NoError(t, tab.Put("x", strconv.Itoa(i), person(i), noon))
	}
	_, err := tab.Forget(person(3), noon-1000)
	require.NoError(t, err)
	require.Equal(t, 10, tab.Stats().Entries, "seen later than that")
	_, err = tab.Forget(person(3), noon)
	require.NoError(t, err)
	holds := func() bool {
		b, err := os.ReadFile(cfg.Path)
		require.NoError(t, err)
		id := person(3)
		return bytes.Contains(b, id[:])
	}
	again := open(t, cfg, c)
	require.NoError(t, again.Keep())
	require.True(t, holds())
	c.Advance(time.Hour)
	require.NoError(t, again.Keep())
	require.False(t, holds())
	require.Equal(t, 9, again.Stats().Entries)
	require.NoError(t, again.Close())
	require.Equal(t, 9, open(t, cfg, c).Stats().Entries)
}

func TestTheTableIsBounded(t *testing.T) {
	tab, c, cfg := fresh(t, 1024) // 4 a shard
	for i := range 20_000 {
		c.Advance(time.Second)
		require.NoError(t, tab.Put("x", strconv.Itoa(i), person(i), c.NowMS()))
	}
	st := tab.Stats()
	require.LessOrEqual(t, st.Entries, st.MaxEntries)
	require.Equal(t, 1024, st.MaxEntries)
	require.EqualValues(t, 20_000-st.Entries, st.Evicted)
	_, ok := tab.Lookup("x", "19999", c.NowMS())
	require.True(t, ok)
	_, ok = tab.Lookup("x", "0", c.NowMS())
	require.False(t, ok)
	// The file is bounded as well: it is written anew.
	for i := range compactSlack {
		require.NoError(t, tab.Put("x", strconv.Itoa(i), person(i+1), c.NowMS()))
	}
	big := tab.Stats().FileBytes
	c.Advance(time.Minute)
	require.NoError(t, tab.Keep())
	require.Less(t, tab.Stats().FileBytes, big/10)
	again := open(t, cfg, c)
	require.Equal(t, tab.Stats().Entries, again.Stats().Entries)
	require.NoError(t, again.Close())
}

// TestTheTableIsAMap: against Go's map, with restarts and compactions between.
func TestTheTableIsAMap(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		c, cfg := clock.NewManual(noon), Config{Path: filepath.Join(dir, strconv.Itoa(n))}
		tab := open(t, cfg, c)
		defer func() { require.NoError(t, tab.Close()) }()
		want := map[string]events.ID{}
		id, who := rapid.IntRange(0, 300), rapid.IntRange(0, 20)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 50).Draw(t, "n") {
					k, p := strconv.Itoa(id.Draw(t, "id")), person(who.Draw(t, "who"))
					require.NoError(t, tab.Put("x", k, p, noon))
					want[k] = p
				}
			},
			"forget": func(t *rapid.T) {
				p, gone := person(who.Draw(t, "who")), 0
				for k, v := range want {
					if v == p {
						delete(want, k)
						gone++
					}
				}
				got, err := tab.Forget(p, noon)
				require.NoError(t, err)
				require.Equal(t, gone, got)
			},
			"restart": func(t *rapid.T) {
				require.NoError(t, tab.Close())
				tab = open(t, cfg, c)
			},
			"compact": func(t *rapid.T) { require.NoError(t, tab.compact()) },
			"": func(t *rapid.T) {
				require.Equal(t, len(want), tab.Stats().Entries)
				for i := range 300 {
					k := strconv.Itoa(i)
					got, ok := tab.Lookup("x", k, noon)
					p, there := want[k]
					require.Equal(t, there, ok)
					require.Equal(t, p, got)
				}
			},
		})
	})
}

// TestRemovalMovesUp drives one shard with keys that all want few places.
func TestRemovalMovesUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh, want := &shard{max: 1000}, map[key]bool{}
		for i, home := range rapid.SliceOfN(rapid.Uint64Range(12, 18), 1, 40).Draw(t, "homes") {
			k := key{uint64(i), home}
			sh.put(slot{key: k, uid: person(i)})
			want[k] = true
		}
		gone := rapid.SliceOf(rapid.IntRange(0, 39)).Draw(t, "gone")
		out := map[uint64]bool{}
		for _, g := range gone {
			out[uint64(g)] = true
		}
		for k := range want {
			if out[k.a] {
				delete(want, k)
			}
		}
		sh.removeWhere(func(s *slot) bool { return out[s.key.a] })
		require.Equal(t, len(want), sh.n)
		for k := range want {
			_, ok := sh.find(k)
			require.True(t, ok, k)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	tab, _, _ := fresh(t, 0)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				if err := tab.Put("x", strconv.Itoa(i), person(g), noon); err != nil {
					t.Error(err)
				}
				tab.Lookup("x", strconv.Itoa(i), noon)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := tab.Forget(person(1), noon); err != nil {
				t.Error(err)
			}
			if err := tab.compact(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	require.LessOrEqual(t, tab.Stats().Entries, 2000)
}

// TestAKilledProcessLosesNothing kills one that writes, and finds all that it
// had said was written.
func TestAKilledProcessLosesNothing(t *testing.T) {
	if path := os.Getenv("MATCH_TEST_PATH"); path != "" {
		tab := open(t, Config{Path: path}, clock.NewManual(noon))
		for i := 0; ; i++ {
			require.NoError(t, tab.Put("x", strconv.Itoa(i), person(i), noon))
			if i%1000 == 500 {
				go func() { _ = tab.compact() }()
			}
			fmt.Println("put", i)
		}
	}
	path := filepath.Join(t.TempDir(), "match.log")
	cmd := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessLosesNothing$")
	cmd.Env = append(os.Environ(), "MATCH_TEST_PATH="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	last := -1
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if _, err := fmt.Sscanf(sc.Text(), "put %d", &last); err == nil && last == 5000 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	require.GreaterOrEqual(t, last, 5000)
	tab := open(t, Config{Path: path}, clock.NewManual(noon))
	defer tab.Close()
	for i := range last + 1 {
		uid, ok := tab.Lookup("x", strconv.Itoa(i), noon)
		require.True(t, ok, i)
		require.Equal(t, person(i), uid)
	}
}

func TestWhatIsNoMatchTableIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, []byte("something else altogether"), 0o600))
	_, err := Open(Config{Path: path}, clock.NewManual(noon), slog.Default())
	require.Error(t, err)
	_, err = Open(Config{MaxEntries: -1, TTL: -1}, clock.NewManual(noon), slog.Default())
	for _, part := range []string{"Path", "MaxEntries", "TTL"} {
		require.ErrorContains(t, err, part)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte{recordKey, 16: 1})
	f.Add(appendPut(nil, &slot{key: key{1, 2}, uid: person(1), seen: noon / 1000}))
	f.Add(appendKey([]byte{recordDrop}, key{1, 2}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) == 0 {
			return // the journal has no empty records
		}
		tab := &Table{ttl: 1}
		for i := range tab.shards {
			tab.shards[i].max = 4
		}
		_ = tab.load(p, noon/1000)
	})
}

func filled(tb testing.TB, n int) *Table {
	tab, _, _ := fresh(tb, 0)
	for i := range n {
		require.NoError(tb, tab.Put("exchange", "6bd4a6d5-"+strconv.Itoa(i)+"-user-id-of-36", person(i), noon))
	}
	return tab
}

func TestALookupDoesNotAllocate(t *testing.T) {
	tab := filled(t, 1000)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		tab.Lookup("exchange", "6bd4a6d5-500-user-id-of-36", noon)
		tab.Lookup("exchange", "none", noon)
	}))
}

// BenchmarkLookup among a million: of ids that come again, and of so many
// that each is a miss of the processor's caches, the id's own text included.
func BenchmarkLookup(b *testing.B) {
	tab := filled(b, 1_000_000)
	for name, n := range map[string]int{"warm": 1 << 10, "cold": 1 << 16} {
		b.Run(name, func(b *testing.B) {
			ids := make([]string, n)
			for i := range ids {
				ids[i] = "6bd4a6d5-" + strconv.Itoa(i*15) + "-user-id-of-36"
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := tab.Lookup("exchange", ids[i&(n-1)], noon); !ok {
					b.Fatal("not found")
				}
				i++
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	tab, _, _ := fresh(b, 0)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := tab.Put("exchange", strconv.Itoa(i), person(i), noon); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkForgetAmongAMillion(b *testing.B) {
	tab := filled(b, 1_000_000)
	for b.Loop() {
		if _, err := tab.Forget(person(-2), noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenAMillion(b *testing.B) {
	tab := filled(b, 1_000_000)
	require.NoError(b, tab.Close())
	for b.Loop() {
		again := open(b, tab.cfg, tab.clock)
		if again.Stats().Entries != 1_000_000 {
			b.Fatal(again.Stats().Entries)
		}
		require.NoError(b, again.Close())
	}
}

func BenchmarkHash(b *testing.B) {
	h := hasher{1, 2}
	b.ReportAllocs()
	for b.Loop() {
		if k, ok := h.key("exchange", "6bd4a6d5-500000-user-id-of-36"); !ok || k == (key{}) {
			b.Fatal("no key")
		}
	}
}
