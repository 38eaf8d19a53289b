package openrtb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is a request of the corpus.
type sample struct {
	name string
	body []byte
}

// corpus returns testdata/requests and, when GROSZ_REQUESTS names a file with one request a line, that too.
func corpus(t testing.TB) []sample {
	t.Helper()
	files, err := filepath.Glob("testdata/requests/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 40)
	var samples []sample
	for _, f := range files {
		body, err := os.ReadFile(f)
		require.NoError(t, err)
		samples = append(samples, sample{filepath.Base(f), body})
	}
	if more := os.Getenv("GROSZ_REQUESTS"); more != "" {
		samples = append(samples, lines(t, more)...)
	}
	return samples
}

func lines(t testing.TB, path string) (samples []sample) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		in, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		samples = append(samples, sample{"extra", bytes.Clone(scan.Bytes())})
	}
	require.NoError(t, scan.Err())
	return samples
}

// TestCorpusAgainstReference reads every request with one Request, as a server would, and compares it with the reference.
func TestCorpusAgainstReference(t *testing.T) {
	var r Request
	compared := 0
	samples := corpus(t)
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			require.NoError(t, r.Parse(s.body), "%s", s.body)
			if reference(t, &r, s.body) {
				compared++
			}
			if t.Failed() {
				t.Logf("%s", s.body)
			}
		})
	}
	require.Greater(t, compared, len(samples)*3/4, "the reference refused too many")
}

// TestReuseLeavesNothing reads every request after every other: nothing of the earlier one may show.
func TestReuseLeavesNothing(t *testing.T) {
	samples := corpus(t)
	fresh := make([]string, len(samples))
	for i, s := range samples {
		var r Request
		require.NoError(t, r.Parse(s.body))
		fresh[i] = dump(&r)
	}
	var r Request
	for i, s := range samples {
		for j := 0; j < len(samples); j += 1 + len(samples)/60 {
			require.NoError(t, r.Parse(samples[j].body))
			require.NoError(t, r.Parse(s.body))
			if got := dump(&r); got != fresh[i] {
				t.Fatalf("%s after %s:\n%s\nwant\n%s", s.name, samples[j].name, got, fresh[i])
			}
		}
	}
}

// TestResetDropsReferences looks for what still points into an old body.
func TestResetDropsReferences(t *testing.T) {
	var r, empty Request
	empty.Reset()
	for _, s := range corpus(t) {
		require.NoError(t, r.Parse(s.body))
		r.Reset()
		require.Equal(t, dump(&empty), dump(&r), s.name)
		for _, m := range r.Imps[:cap(r.Imps)] {
			require.Equal(t, Imp{}, m, s.name)
		}
		for _, v := range r.strs[:cap(r.strs)] {
			require.Empty(t, v)
		}
		for _, d := range r.deals[:cap(r.deals)] {
			require.Equal(t, Deal{}, d)
		}
		for _, d := range r.companions[:cap(r.companions)] {
			require.Equal(t, Banner{}, d)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	samples := corpus(t)
	var r Request
	var q NativeRequest
	run := func() {
		for _, s := range samples {
			if err := r.Parse(s.body); err != nil {
				t.Fatal(err)
			}
			for i := range r.Imps {
				if n := &r.Imps[i].Native; n.Present {
					_ = q.Parse(n)
				}
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n != 0 {
		t.Fatalf("%v allocations for %d requests", n, len(samples))
	}
}
