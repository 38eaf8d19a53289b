package traffic

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	chrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	cubot   = "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36"
	google  = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	android = "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A.240205.002)"
)

func TestBuiltinCrawlers(t *testing.T) {
	l := Builtin()
	for ua, want := range map[string]Reason{
		"": None, chrome: None, safari: None, cubot: None, android: None, google: Crawler,
		"okhttp/4.12.0": None, // apps of people
		"curl/8.5.0":    Crawler,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36": Crawler,
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)":                                     Crawler,
		"Mozilla/5.0 (curl/8 inside)": None, // libraries count at the start
	} {
		require.Equal(t, want, l.Check(ua, "203.0.113.1"), ua)
	}
	require.Equal(t, "crawler", Crawler.String())
	require.Equal(t, 3, Crawler.NBR())
	require.Equal(t, 5, DataCentre.NBR())
	require.Zero(t, None.NBR())
	require.Equal(t, "unknown", Reason(99).String())
}

func TestTheListOfSpiders(t *testing.T) {
	p, err := readCrawlers(strings.NewReader("\xef\xbb\xbf# pattern|active|exceptions|...\r\n" +
		"ExampleBot|1||0|2|0\r\n" +
		"sleeping bot|0||0|2|0|01/31/2020\n" +
		"crawl|1|crawlspace, Crawley |1|0|0\n" +
		"java|1||0|2|1\n" +
		"\n  plain-token  \n"))
	require.NoError(t, err)
	require.Len(t, p, 4)
	a, err := compileAgents(p)
	require.NoError(t, err)
	for ua, want := range map[string]bool{
		"x EXAMPLEBOT/1": true, "sleeping bot": false, "a crawler": true, "CrawlSpace 2": false, "crawl in CRAWLEY": false,
		"Java/1.8": true, "javascript": true, "with java": false, "Plain-Token": true, "plain token": false,
	} {
		require.Equal(t, want, a.match(ua), ua)
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	_, err := readCrawlers(strings.NewReader("good one\nx\na|b|c|d|e|f|g|h\nok|yes\n" + strings.Repeat("z", maxLine)))
	for _, part := range []string{"line 2: the pattern", "line 3: 8 fields", `line 4: the active flag is "yes"`, "line 5: longer"} {
		require.ErrorContains(t, err, part)
	}
	_, err = readRanges(strings.NewReader("10.0.0.0/8\n\nnonsense\n1.2.3.4/33\n0.0.0.0/0\n::ffff:1.2.3.4/120\n2000::/3\nfe80::1%eth0"))
	for _, part := range []string{"line 3", "line 4", "line 5", "too wide", "line 6", "line 7", "line 8"} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "line 1:")
	_, err = readRanges(strings.NewReader("# nothing\n"))
	require.ErrorIs(t, err, errEmpty)
	_, err = readCrawlers(strings.NewReader(strings.Repeat("x\n", 1000)))
	require.ErrorContains(t, err, "and 980 more lines")
	_, err = compileAgents([]pattern{{text: strings.Repeat("a", maxPatternBytes)}})
	require.ErrorContains(t, err, "at most")
}

func TestDataCentres(t *testing.T) {
	p, err := readRanges(strings.NewReader("192.0.2.0/25 # a comment\n192.0.2.128/25\n198.51.100.7\n10.0.0.0/8\n2001:db8::/32\tprovider\n2001:db8:1::/48\nfd00::1\n::ffff:203.0.113.9\n"))
	require.NoError(t, err)
	l, err := compile(nil, p)
	require.NoError(t, err)
	require.Len(t, l.ranges.v4, 4, "neighbours are joined")
	for ip, want := range map[string]bool{
		"192.0.2.0": true, "192.0.2.255": true, "192.0.3.0": false, "192.0.1.255": false, "198.51.100.7": true, "198.51.100.8": false,
		"10.200.3.4": true, "9.255.255.255": false, "11.0.0.0": false, "203.0.113.9": true, "::ffff:10.1.2.3": true,
		"2001:db8:ffff::1": true, "2001:db9::": false, "fd00::1": true, "fd00::2": false, "FD00:0:0:0:0:0:0:1": true,
		"": false, "10.1.2": false, "10.1.2.3.4": false, "10.01.2.3": false, "10.1.2.300": false, "ten": false, "::": false, "fe80::1%eth0": false,
	} {
		require.Equal(t, want, l.Check("", ip) == DataCentre, ip)
	}
	require.Equal(t, Crawler, l.Check(google, "10.1.1.1"), "the graver one")
}

// TestAgentsAreASearch: the automaton finds what a plain search finds.
func TestAgentsAreASearch(t *testing.T) {
	text := rapid.StringMatching(`[abAB ]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		var patterns []pattern
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			p := pattern{text: lowerASCII(text.Draw(t, "p")), atStart: rapid.Bool().Draw(t, "start")}
			if rapid.Bool().Draw(t, "excepted") {
				p.exceptions = []string{lowerASCII(text.Draw(t, "e"))}
			}
			patterns = append(patterns, p)
		}
		a, err := compileAgents(patterns)
		require.NoError(t, err)
		for range 20 {
			ua := rapid.StringMatching(`[abABc ]{0,20}`).Draw(t, "ua")
			low, want := strings.ToLower(ua), false
			for _, p := range patterns {
				hit := strings.Contains(low, p.text) && (!p.atStart || strings.HasPrefix(low, p.text))
				for _, e := range p.exceptions {
					hit = hit && !strings.Contains(low, e)
				}
				want = want || hit
			}
			require.Equal(t, want, a.match(ua), "%q in %q", patterns, ua)
		}
	})
}

// TestRangesAreASearch: ranges hold what one of the prefixes holds.
func TestRangesAreASearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := func(name string) netip.Addr {
			if rapid.Bool().Draw(t, "v4") {
				b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 254, 255}), 4, 4).Draw(t, name)
				return netip.AddrFrom4([4]byte(b))
			}
			b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 128, 255}), 16, 16).Draw(t, name)
			b[0] = 0x20 // no IPv4 inside
			return netip.AddrFrom16([16]byte(b))
		}
		var prefixes []netip.Prefix
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			a := addr("prefix")
			prefixes = append(prefixes, netip.PrefixFrom(a, rapid.IntRange(1, a.BitLen()).Draw(t, "bits")))
		}
		r := compileRanges(prefixes)
		for range 20 {
			a, want := addr("ip"), false
			for _, p := range prefixes {
				want = want || p.Contains(a)
			}
			require.Equal(t, want, r.has(a.String()), "%v in %v", a, prefixes)
		}
	})
}

// FuzzParseIP holds the parser to netip's, which allocates for what is none.
func FuzzParseIP(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::", "::1", "2001:db8::1", "::ffff:1.2.3.4", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "12345::", "01.2.3.4", "1:", ":1", ":::", "1.2.3.4:5", "a.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		a, v4, ok := parseIP(s)
		if strings.Contains(s, "%") {
			return // a zone: never a public address
		}
		if ok != (err == nil) {
			t.Fatalf("%q: %v, netip: %v", s, ok, err)
		}
		if !ok {
			return
		}
		want = want.Unmap()
		var got netip.Addr
		if v4 {
			got = netip.AddrFrom4([4]byte{byte(a.lo >> 24), byte(a.lo >> 16), byte(a.lo >> 8), byte(a.lo)})
		} else {
			var b [16]byte
			for i := range 8 {
				b[i], b[8+i] = byte(a.hi>>(56-8*i)), byte(a.lo>>(56-8*i))
			}
			got = netip.AddrFrom16(b)
		}
		if got != want {
			t.Fatalf("%q: %v, netip: %v", s, got, want)
		}
	})
}

func FuzzReadLists(f *testing.F) {
	f.Add("ExampleBot|1|a, b|0|2|1|01/02/2003\n# x\nplain")
	f.Add("10.0.0.0/8\n2001:db8::1\n")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := readCrawlers(strings.NewReader(s))
		if err == nil && len(s) < 10_000 {
			if a, err := compileAgents(p); err == nil {
				a.match(s)
			}
		}
		if p, err := readRanges(strings.NewReader(s)); err == nil {
			r := compileRanges(p)
			for _, x := range p {
				if !r.has(x.Addr().String()) {
					t.Fatal(x)
				}
			}
		}
	})
}

// large is a list of the published one's size, and 50,000 prefixes.
func large(tb testing.TB) *Lists {
	var patterns []pattern
	for i := range 1500 {
		patterns = append(patterns, pattern{text: lowerASCII(strings.Repeat(string(rune('a'+i%26)), 1+i%3) + "crawl" + netip.AddrFrom4([4]byte{1, 2, byte(i >> 8), byte(i)}).String())})
	}
	var prefixes []netip.Prefix
	for i := range 40_000 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(3 + i%97), byte(i >> 8), byte(i), byte(i * 7)}), 18+i%15))
	}
	for i := range 10_000 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x26, byte(i >> 8), byte(i), 1, byte(i * 3)}), 32+i%33))
	}
	l, err := compile(patterns, prefixes)
	require.NoError(tb, err)
	return l
}

func TestCheckDoesNotAllocate(t *testing.T) {
	l := large(t)
	require.Zero(t, testing.AllocsPerRun(200, func() {
		for _, ua := range []string{chrome, safari, google} {
			l.Check(ua, "203.0.113.77")
			l.Check("", "2600:1::1")
			l.Check("", "not an address: 1.2.3")
			l.Check("", "2001:::1")
		}
	}))
}

func BenchmarkAgent(b *testing.B) {
	l := large(b)
	b.ReportAllocs()
	for b.Loop() {
		if l.Check(safari, "") != None {
			b.Fatal("a person")
		}
	}
}

func BenchmarkIP(b *testing.B) {
	l := large(b)
	for name, ip := range map[string]string{"v4": "50.17.200.3", "v6": "2607:fb91:1e02:9b2a:8c5e:77ff:fe12:3456"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if l.ranges.has(ip) {
					n++
				}
			}
			if n != 0 && n != b.N {
				b.Fatal("not the same each time")
			}
		})
	}
}
