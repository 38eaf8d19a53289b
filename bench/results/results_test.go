package results

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkReference is what times are related to.
func BenchmarkReference(b *testing.B) {
	b.Run("sha256-1KB", func(b *testing.B) {
		text := bytes.Repeat([]byte("grosz"), 205)[:1024]
		var sum [32]byte
		for b.Loop() {
			sum = sha256.Sum256(text)
			text[0] = sum[0]
		}
		if sum == ([32]byte{}) {
			b.Fatal("no sum")
		}
	})
}

const head = "goarch: amd64\ncpu: A Processor\ncpus: 2\npkg: github.com/grosz/grosz/bidder\n"

// runs are n runs on a machine so much slower, of a stage that takes ns with
// noise, and allocates.
func runs(t *testing.T, seed uint64, machine string, n int, slow, ns, noise, allocs float64) *Set {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(head, "A Processor", machine))
	for range n {
		around := func(v float64) float64 { return v * (1 + noise*(2*r.Float64()-1)) }
		fmt.Fprintf(&b, "BenchmarkReference/sha256-1KB-2 \t 100 \t %f ns/op\n", around(500*slow))
		fmt.Fprintf(&b, "BenchmarkStage-2 \t 100 \t %f ns/op\t 16 B/op\t %g allocs/op\n", around(ns*slow), allocs)
		fmt.Fprintf(&b, "BenchmarkStage/100000-2 100 %f ns/op %f mean-best-ns 22 median-matches\n", around(9*ns*slow), around(8*ns*slow))
	}
	s, err := Read(strings.NewReader(b.String()))
	require.NoError(t, err)
	return s
}

func TestReadKeepsNamesUnitsAndReferences(t *testing.T) {
	s, err := Read(strings.NewReader(head + `PASS
BenchmarkReference/sha256-1KB-2   200   500 ns/op
BenchmarkA/1000-8                 100  1000 ns/op   3 allocs/op
BenchmarkPrinted
BenchmarkReference/sha256-1KB-2   200   1000 ns/op
pkg: github.com/grosz/grosz/cmd/grosz
BenchmarkA/1000-8                 100  1000 ns/op   3 allocs/op
BenchmarkLoad/grosz/0.5           1  7 p99-ns
BenchmarkReference/sha256-1KB-2   200   600 ns/op
cpu: Another
`))
	require.NoError(t, err)
	require.Equal(t, []float64{2}, s.Get("bidder A/1000", "ns/op"+perReference).Values)
	require.Equal(t, []float64{1}, s.Get("A/1000", "ns/op"+perReference).Values)
	require.Equal(t, []float64{3}, s.Get("A/1000", "allocs/op").Values)
	require.Nil(t, s.Get("Load/grosz/0.5", "p99-ns"+perReference), "a latency is no computing")
	require.Equal(t, []float64{500, 1000, 600}, s.Get(Reference, "ns/op").Values)
	require.InDelta(t, 600, s.Get(Reference, "ns/op").Median(), 0)
	require.Equal(t, "Another", s.Config["cpu"])
	require.Zero(t, s.Get("nothing", "ns/op").Median())
	for _, bad := range []string{"", "BenchmarkA 1 x ns/op\n", "BenchmarkA 1 NaN ns/op\n"} {
		_, err := Read(strings.NewReader(bad))
		require.Error(t, err, bad)
	}
}

func TestARegressionIsFoundAndNoiseIsNot(t *testing.T) {
	for _, c := range []struct {
		name      string
		kept, now *Set
		bad       []string
	}{
		{"the same, with noise", runs(t, 1, "A", 8, 1, 1000, 0.08, 0), runs(t, 2, "A", 8, 1, 1000, 0.08, 0), nil},
		{"much noise hides a little", runs(t, 1, "A", 6, 1, 1000, 0.5, 0), runs(t, 2, "A", 6, 1, 1120, 0.5, 0), nil},
		{"a third slower", runs(t, 1, "A", 6, 1, 1000, 0.05, 0), runs(t, 2, "A", 6, 1, 1330, 0.05, 0),
			[]string{"bidder Stage ns/op", "bidder Stage/100000 ns/op", "bidder Stage/100000 mean-best-ns"}},
		{"7 % slower is certain, and too little to name", runs(t, 1, "A", 8, 1, 1000, 0.001, 0), runs(t, 2, "A", 8, 1, 1070, 0.001, 0), nil},
		{"faster", runs(t, 1, "A", 6, 1, 1000, 0.05, 3), runs(t, 2, "A", 6, 1, 500, 0.05, 2), nil},
		{"one allocation more", runs(t, 1, "A", 6, 1, 1000, 0.05, 100), runs(t, 2, "A", 6, 1, 1000, 0.05, 101), []string{"bidder Stage allocs/op"}},
		{"the first allocation, in one run", runs(t, 1, "A", 1, 1, 1000, 0, 0), runs(t, 2, "A", 1, 1, 1000, 0, 1), []string{"bidder Stage allocs/op"}},
		{"the machine is slower today", runs(t, 1, "A", 6, 1, 1000, 0.03, 0), runs(t, 2, "A", 6, 2, 1000, 0.03, 0), nil},
		{"another machine, twice as slow", runs(t, 1, "A", 6, 1, 1000, 0.03, 0), runs(t, 2, "B", 6, 2, 1000, 0.03, 0), nil},
		{"another machine, and slower for it", runs(t, 1, "A", 6, 1, 1000, 0.03, 0), runs(t, 2, "B", 6, 0.5, 1500, 0.03, 0),
			[]string{"bidder Stage ns/op×sha256", "bidder Stage/100000 ns/op×sha256", "bidder Stage/100000 mean-best-ns×sha256"}},
		{"too few runs", runs(t, 1, "A", 3, 1, 1000, 0.01, 0), runs(t, 2, "A", 3, 1, 2000, 0.01, 0), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range Regressions(Compare(c.kept, c.now)) {
				got = append(got, r.Name+" "+r.Unit)
			}
			require.Equal(t, c.bad, got)
			var out bytes.Buffer
			Print(&out, c.kept, c.now)
			if c.bad == nil {
				require.Contains(t, out.String(), "no regressions")
			}
			for _, name := range got {
				stage, unit, _ := strings.Cut(strings.TrimPrefix(name, "bidder "), " ")
				require.Contains(t, out.String(), "  bidder "+stage+": "+unit+" was")
			}
		})
	}
}

// TestNoiseIsSeldomNamed: of many comparisons of the same with the same, few
// are named, whatever the noise.
func TestNoiseIsSeldomNamed(t *testing.T) {
	named := 0
	for seed := range uint64(200) {
		named += len(Regressions(Compare(runs(t, 2*seed, "A", 6, 1, 1000, 0.3, 0), runs(t, 2*seed+1, "A", 6, 1, 1000, 0.3, 0))))
	}
	require.Less(t, named, 25, "of 800 figures; one in fifty")
}

func TestUnitsThatAreBetterAbove(t *testing.T) {
	set := func(v ...float64) *Set {
		var b strings.Builder
		for _, x := range v {
			fmt.Fprintf(&b, "BenchmarkBidder/grosz 1 %g rate/fixed %g requests/s\n", x, 1000*x)
		}
		s, err := Read(strings.NewReader("cpu: A\n" + b.String()))
		require.NoError(t, err)
		return s
	}
	kept := set(0.5, 0.51, 0.52, 0.53)
	bad := Regressions(Compare(kept, set(0.4, 0.41, 0.42, 0.43)))
	require.Len(t, bad, 2)
	require.InDelta(t, -0.194, bad[0].By, 0.001)
	require.Empty(t, Regressions(Compare(kept, set(0.6, 0.61, 0.62, 0.63))))
	require.Empty(t, Regressions(Compare(kept, set(0.505, 0.515, 0.512, 0.518))))
}

// TestMannWhitney: exact values from tables of the test, and with ties by
// counting by hand.
func TestMannWhitney(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		p    float64
	}{
		{[]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 2.0 / 70},
		{[]float64{1, 2, 3, 4, 5, 6}, []float64{7, 8, 9, 10, 11, 12}, 2.0 / 924},
		{[]float64{1, 2, 3, 5}, []float64{4, 6, 7, 8}, 4.0 / 70},
		{[]float64{1, 4}, []float64{2, 3}, 1},
		{[]float64{1, 1, 1}, []float64{1, 1, 1}, 1},
		{[]float64{1, 1}, []float64{1, 2}, 1},
		{[]float64{5, 6, 7, 8}, []float64{1, 2, 3, 4}, 2.0 / 70},
	} {
		require.InDelta(t, c.p, mannWhitney(c.a, c.b), 1e-9, "%v %v", c.a, c.b)
	}
}

func TestTheTableHasGoalsAndStages(t *testing.T) {
	s, err := Read(strings.NewReader(head + `BenchmarkReference/sha256-1KB-2 1 500 ns/op
BenchmarkStage-2 1 1500 ns/op 0 allocs/op
pkg: github.com/grosz/grosz/cmd/grosz
BenchmarkBidder/grosz 1 50000 cpu-ns/request 9000 requests/s 2.1 cpu/204 0.31 rate/fixed 1.5 mallocs/request
BenchmarkLoad/grosz/0.8 1 3000000 p99-ns 0.00100 late-%
`))
	require.NoError(t, err)
	var out bytes.Buffer
	Print(&out, nil, s)
	for _, part := range []string{"≤ 2.2 yes", "≥ 0.5 no", "≤ 0 no", "not run", "bidder Stage", "1.5µs", "nothing is kept"} {
		require.Contains(t, out.String(), part)
	}
	require.True(t, math.IsNaN(change(&Series{Values: []float64{1}}, &Series{Values: []float64{1}}, lower).P))
}

// TestTheKeptResultIsWhole: what is in the repository can be compared with.
func TestTheKeptResultIsWhole(t *testing.T) {
	f, err := os.Open("kept.txt")
	require.NoError(t, err)
	defer f.Close()
	s, err := Read(f)
	require.NoError(t, err)
	for _, key := range []string{"cpu", "cpus", "go", "goarch", "kernel", "version", "date"} {
		require.NotEmpty(t, s.Config[key], key)
	}
	require.GreaterOrEqual(t, len(s.Get(Reference, "ns/op").Values), minRuns)
	stages := 0
	for _, name := range s.names {
		if s.Get(name, "allocs/op") != nil {
			require.GreaterOrEqual(t, len(s.Get(name, "allocs/op").Values), minRuns, name)
			stages++
		}
	}
	require.GreaterOrEqual(t, stages, 15)
	require.Empty(t, Regressions(Compare(s, s)))
}
