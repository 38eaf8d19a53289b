package geo

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
)

// write makes a database of places by prefix.
func write(t testing.TB, path string, places map[string]Place) {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", RecordSize: 24, IncludeReservedNetworks: true, Languages: []string{"en"}})
	require.NoError(t, err)
	for prefix, p := range places {
		_, network, err := net.ParseCIDR(prefix)
		require.NoError(t, err)
		require.NoError(t, w.Insert(network, mmdbtype.Map{
			"country":      mmdbtype.Map{"iso_code": mmdbtype.String(p.Country), "geoname_id": mmdbtype.Uint32(798544)},
			"subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String(p.Region)}},
			"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(p.City), "de": mmdbtype.String("x")}},
		}))
	}
	var buf bytes.Buffer
	_, err = w.WriteTo(&buf)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, buf.Bytes(), 0o600))
}

func opened1(t testing.TB) (*DB, *clock.Manual, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "city.mmdb")
	write(t, path, map[string]Place{"203.0.113.0/25": {"PL", "12", "Krakow"}, "2001:db8:1::/48": {"DE", "BE", "Berlin"}})
	c := clock.NewManual(1_800_000_000_000)
	d, err := New(Config{Path: path}, c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return d, c, path
}

func TestLookup(t *testing.T) {
	d, _, _ := opened1(t)
	for _, c := range []struct {
		ip   string
		want Place
		ok   bool
	}{
		{"203.0.113.9", Place{"PL", "12", "Krakow"}, true},
		{"203.0.113.0", Place{"PL", "12", "Krakow"}, true},
		{"::ffff:203.0.113.9", Place{"PL", "12", "Krakow"}, true},
		{"203.0.113.200", Place{}, false},
		{"2001:db8:1::", Place{"DE", "BE", "Berlin"}, true},
		{"fe80::1%eth0", Place{}, false},
		{"nonsense", Place{}, false},
		{"", Place{}, false},
	} {
		for range 2 { // read, then remembered
			got, ok := d.Lookup(c.ip)
			assert.Equal(t, c.want, got, c.ip)
			assert.Equal(t, c.ok, ok, c.ip)
		}
	}
	var out bytes.Buffer
	d.WriteMetrics(&out)
	assert.Contains(t, out.String(), `grosz_geo_lookups_total{found="yes"} 8`)
}

func TestANewFileIsTakenAndABadOneIsNot(t *testing.T) {
	d, c, path := opened1(t)
	write(t, path, map[string]Place{"203.0.113.0/24": {"PL", "14", "Warsaw"}})
	require.NoError(t, os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)))
	changed, err := d.Poll()
	require.NoError(t, err)
	require.False(t, changed, "it is not time yet")
	c.Advance(61 * time.Second)
	changed, err = d.Poll()
	require.NoError(t, err)
	require.True(t, changed)
	p, _ := d.Lookup("203.0.113.200")
	assert.Equal(t, "Warsaw", p.City)

	require.NoError(t, os.WriteFile(path, []byte("half a file"), 0o600))
	c.Advance(61 * time.Second)
	_, err = d.Poll()
	require.Error(t, err)
	p, ok := d.Lookup("203.0.113.200")
	assert.True(t, ok, "the last good one stays")
	assert.Equal(t, "Warsaw", p.City)

	_, err = New(Config{Path: path}, c, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "city.mmdb")
	require.NoError(t, os.Remove(path))
	_, err = New(Config{Path: path}, c, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFill(t *testing.T) {
	p := Place{"PL", "12", "Krakow"}
	for _, c := range []struct{ name, country, region, city, c, r, t string }{
		{"nothing said", "", "", "", "PL", "12", "Krakow"},
		{"country only", "PL", "", "", "PL", "12", "Krakow"},
		{"another country", "DE", "", "", "DE", "", ""},
		{"all said", "PL", "14", "Warszawa", "PL", "14", "Warszawa"},
		{"three letters", "POL", "", "", "POL", "12", "Krakow"},
	} {
		same := func(a, b string) bool { return a == b || a == "POL" && b == "PL" }
		gotC, gotR, gotT := p.Fill(c.country, c.region, c.city, same)
		assert.Equal(t, [3]string{c.c, c.r, c.t}, [3]string{gotC, gotR, gotT}, c.name)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	d, _, _ := opened1(t)
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Lookup("203.0.113.9") }))
}

func BenchmarkLookup(b *testing.B) {
	d, _, _ := opened1(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Lookup("203.0.113.9"); !ok {
			b.Fatal("not found")
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add("203.0.113.9")
	f.Add("::")
	d, _, _ := opened1(f)
	f.Fuzz(func(_ *testing.T, ip string) { d.Lookup(ip) })
}
