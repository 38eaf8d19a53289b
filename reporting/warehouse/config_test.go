package warehouse

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	require.NoError(t, Config{Dir: "data", Addr: "127.0.0.1:8123"}.Validate())
	err := Config{Addr: "8123", MemoryBytes: 1, Queries: 65, Waiting: -1, MaxBodyBytes: -1, QueueTimeout: -1, QueryTimeout: -1, CloseTimeout: -1}.Validate()
	for _, field := range []string{"Dir", "Addr", "MemoryBytes", "Queries", "Waiting", "MaxBodyBytes", "QueueTimeout", "QueryTimeout", "CloseTimeout"} {
		require.ErrorContains(t, err, field)
	}
	require.ErrorContains(t, Config{Dir: "a{b}", Addr: ":1"}.Validate(), "patterns")
}

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GROSZ_HOME", dir)
	t.Setenv("GROSZ_LIBCHDB", "")
	_, err := FindLibrary("")
	require.ErrorIs(t, err, ErrNoLibrary)
	require.ErrorContains(t, err, "make libchdb")
	require.ErrorContains(t, err, "GROSZ_LIBCHDB")

	cached, err := LibraryCachePath()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "lib", "libchdb-"+LibraryVersion, "libchdb.so"), cached)
	require.NoError(t, os.MkdirAll(filepath.Dir(cached), 0o700))
	require.NoError(t, os.WriteFile(cached, nil, 0o600))
	got, err := FindLibrary("")
	require.NoError(t, err)
	require.Equal(t, cached, got)

	named := filepath.Join(dir, "mine.so")
	t.Setenv("GROSZ_LIBCHDB", named)
	_, err = FindLibrary("")
	require.ErrorIs(t, err, ErrNoLibrary, "a named file that is missing is not passed over")
	require.ErrorContains(t, err, named)
	got, err = FindLibrary(cached)
	require.NoError(t, err, "the configuration goes before the environment")
	require.Equal(t, cached, got)
}

func TestLoadPassword(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], _ = LoadPassword(dir) })
	}
	wg.Wait()
	for _, p := range got {
		require.Len(t, p, 64)
		require.Equal(t, got[0], p, "all that start at once get the same")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, os.WriteFile(PasswordFile(dir), []byte("short\n"), 0o600))
	_, err = LoadPassword(dir)
	require.ErrorContains(t, err, "16")
}

func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		header, name string
		want         bool
	}{
		{"gzip, deflate", "gzip", true}, {"GZIP;q=0.5", "gzip", true}, {"gzip;q=0", "gzip", false}, {"gzip; q=0.0", "gzip", false},
		{"", "gzip", false}, {"br", "gzip", false},
	} {
		require.Equal(t, c.want, accepts(c.header, c.name), c.header)
	}
}

func TestHeads(t *testing.T) {
	for _, c := range []struct{ name, format, piece, want string }{
		{"one line", "TSVWithNames", "a\tb\n1\t2\n", "1\t2\n"},
		{"two lines", "TabSeparatedWithNamesAndTypes", "a\nInt\n1\n", "1\n"},
		{"quoted line end", "CSVWithNames", "\"a\nb\"\n1\n", "1\n"},
		{"binary", "RowBinaryWithNamesAndTypes", "\x01\x01a\x05Int32\x09\x08\x07\x06", "\x09\x08\x07\x06"},
		{"broken binary", "RowBinaryWithNames", "\x01\xff\x01", ""},
		{"head alone", "TSVWithNames", "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			measure, ok := streamed(c.format)
			require.True(t, ok)
			h := header{measure: measure}
			require.Equal(t, c.piece, string(h.strip([]byte(c.piece))), "the first keeps its head")
			require.Equal(t, c.want, string(h.strip([]byte(c.piece))))
		})
	}
	_, ok := streamed("JSON")
	require.False(t, ok)
}

// Blocks come out framed for the client's revision, one after another, and a broken one is an error.
func TestReencodeNative(t *testing.T) {
	block := "\x01\x02\x01n\x05Int32\x01\x00\x00\x00\x02\x00\x00\x00"
	got, err := reencodeNative([]byte(block+block), 54454)
	require.NoError(t, err)
	info := "\x01\x00\x02\xff\xff\xff\xff\x00"
	want := info + strings.Replace(block, "Int32", "Int32\x00", 1) // and a byte for custom serialisation
	require.Equal(t, want+want, string(got))
	_, err = reencodeNative([]byte(block[:len(block)-1]), 54454)
	require.Error(t, err)
	_, err = reencodeNative([]byte("\x01\x01\x01n\x04Nope\x01"), 54454)
	require.Error(t, err)
}
