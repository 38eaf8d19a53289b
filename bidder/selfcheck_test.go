package bidder

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// made is one bid as written, to be held against other requests.
type made struct {
	c         *bidContext
	head, bid []byte
	adm       span
}

// make runs a request through the bidder and keeps what it wrote.
func (w *world) make(exchange, request string) *made {
	w.t.Helper()
	c := newContext(w.b.nextSeed())
	c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges[exchange], time.Now(), w.clock.NowMS()
	require.NoError(w.t, c.view.Parse([]byte(request)))
	require.Equal(w.t, ReasonNone, w.b.bid(c))
	require.Len(w.t, c.bids, 1)
	const before, after = `"bid":[`, "]}]}"
	cut := bytes.Index(c.out, []byte(before)) + len(before)
	m := &made{c: c, head: bytes.Clone(c.out[:cut]), bid: bytes.Clone(c.out[cut : len(c.out)-len(after)])}
	m.locate()
	return m
}

// locate finds the markup.
func (m *made) locate() {
	m.adm.from = bytes.Index(m.bid, []byte(`,"adm":"`)) + len(`,"adm":"`)
	_, end, _ := text(m.bid, m.adm.from-1)
	m.adm.to = end - 1
}

// against holds the bid against a request.
func (m *made) against(t testing.TB, request string, full bool) selfRule {
	t.Helper()
	require.NoError(t, m.c.view.Parse([]byte(request)))
	m.c.check.begin(m.c, m.head, full)
	return m.c.check.check(&m.c.bids[0], m.bid, m.adm)
}

const videoRequest = `{"id":"v","imp":[{"id":"1","video":{"mimes":["video/mp4"],"minduration":5,"maxduration":30,"protocols":[2,3,7]}}]}`

const nativeAsked = `{\"ver\":\"1.2\",\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":40}},{\"id\":2,\"required\":1,\"img\":{\"type\":3,\"wmin\":300,\"hmin\":200}}]}`

const nativeBidRequest = `{"id":"n","imp":[{"id":"1","native":{"request":"` + nativeAsked + `"}}]}`

func selfCheckWorld(t testing.TB) *world {
	c := openCampaign(1)
	for i := range c.Creatives {
		c.Creatives[i].Attr = []int{6}
		if v := c.Creatives[i].Video; v != nil {
			v.SkipAfterMS = 5000
		}
	}
	return newWorld(t, c)
}

// TestTheSelfCheckFindsWhatAFilterMissed holds one bid against a request that
// breaks one rule, as if the filter of that rule had let it through. The
// filters themselves refuse each of these requests too.
func TestTheSelfCheckFindsWhatAFilterMissed(t *testing.T) {
	w := selfCheckWorld(t)
	imp := func(media string) string { return `{"id":"b","imp":[{"id":"1",` + media + `}]}` }
	with := func(fields string) string {
		return `{"id":"b","imp":[{"id":"1","banner":{"w":300,"h":250}}],` + fields + `}`
	}
	video := func(fields string) string {
		return `{"id":"v","imp":[{"id":"1","video":{"mimes":["video/mp4"],` + fields + `}}]}`
	}
	banner, vid, nat := w.make("burl", imp(`"banner":{"w":300,"h":250}`)), w.make("burl", videoRequest), w.make("burl", nativeBidRequest)
	deal := w.make("burl", imp(`"banner":{"w":300,"h":250},"pmp":{"private_auction":1,"deals":[{"id":"d"}]}`))
	inDeal := func(fields string) string {
		return imp(`"banner":{"w":300,"h":250},"pmp":{"private_auction":1,"deals":[{` + fields + `}]}`)
	}
	// Where the filters would bid otherwise (another size, file or deal) rather
	// than refuse, reason is empty.
	cases := []struct {
		name, request string
		bid           *made
		rule          selfRule
		reason        string
	}{
		{"another request", strings.Replace(bannerRequest, "r1", "r2", 1), banner, ruleResponse, ""},
		{"currency not listed", with(`"cur":["JPY"]`), banner, ruleCurrency, "currency"},
		{"seat not listed", with(`"wseat":["other"]`), banner, ruleSeat, "seat"},
		{"seat blocked", with(`"bseat":["x","seat-1"]`), banner, ruleSeat, "seat"},
		{"no such imp", `{"id":"b","imp":[{"id":"2","banner":{"w":300,"h":250}}]}`, banner, ruleImpID, ""},
		{"imp without id", `{"id":"b","imp":[{"banner":{"w":300,"h":250}}]}`, banner, ruleImpID, "malformed"},
		{"floor", imp(`"banner":{"w":300,"h":250},"bidfloor":3.000001`), banner, ruleFloor, "floor"},
		{"floor in another currency", imp(`"banner":{"w":300,"h":250},"bidfloor":12.000001,"bidfloorcur":"PLN"`), banner, ruleFloor, "floor"},
		{"floor in an unknown currency", imp(`"banner":{"w":300,"h":250},"bidfloor":0.01,"bidfloorcur":"XXX"`), banner, ruleFloor, "currency"},
		{"media not offered", imp(`"audio":{"mimes":["audio/mp4"]}`), banner, ruleMType, "media_not_taken"},
		{"size", imp(`"banner":{"w":123,"h":45}`), banner, ruleSize, "size"},
		{"size among formats", imp(`"banner":{"w":300,"h":250,"format":[{"w":123,"h":45}]}`), banner, ruleSize, "size"},
		{"ratio", imp(`"banner":{"format":[{"wratio":13,"hratio":1,"wmin":20}]}`), banner, ruleSize, "size"},
		{"least width", imp(`"banner":{"format":[{"wratio":6,"hratio":5,"wmin":5000}]}`), banner, ruleSize, "size"},
		{"domain blocked", with(`"badv":["other.example","SOFA.example"]`), banner, ruleBAdv, "advertiser_blocked"},
		{"domain blocked by its URL", with(`"badv":["https://www.sofa.example/x"]`), banner, ruleBAdv, "advertiser_blocked"},
		{"domain blocked by a wildcard", with(`"badv":["*.sofa.example"]`), banner, ruleBAdv, "advertiser_blocked"},
		{"parent domain blocked", with(`"badv":["example"]`), banner, ruleBAdv, "advertiser_blocked"},
		{"category blocked", with(`"bcat":["IAB1","IAB10-6"]`), banner, ruleBCat, "category_blocked"},
		{"parent category blocked", with(`"bcat":["iab10"]`), banner, ruleBCat, "category_blocked"},
		{"category not allowed", with(`"acat":["IAB1","IAB10-1"]`), banner, ruleACat, "category_blocked"},
		{"banner attribute", imp(`"banner":{"w":300,"h":250,"battr":[1,6]}`), banner, ruleAttr, "attr"},
		{"banner type", imp(`"banner":{"w":300,"h":250,"btype":[2]}`), banner, ruleBType, "banner_type"},
		{"banner mimes", imp(`"banner":{"w":300,"h":250,"mimes":["image/gif"]}`), banner, ruleMIME, "mime"},
		{"language", with(`"wlang":["de","en"]`), banner, ruleLanguage, "language"},
		{"language by tag", with(`"wlangb":["de-AT"]`), banner, ruleLanguage, "language"},
		{"private auction", imp(`"banner":{"w":300,"h":250},"pmp":{"private_auction":1}`), banner, rulePrivate, "deal_only"},
		{"https wanted", imp(`"secure":1,"banner":{"w":300,"h":250}`), banner, ruleSecure, ""},
		{"DSA wanted", with(`"regs":{"dsa":{"dsarequired":2}}`), banner, ruleDSA, ""},
		{"deal not offered", inDeal(`"id":"e"`), deal, ruleDeal, ""},
		{"deal for another seat", inDeal(`"id":"d","wseat":["zz"]`), deal, ruleDeal, "deal_only"},
		{"deal for another domain", inDeal(`"id":"d","wadomain":["x.example"]`), deal, ruleDeal, "deal_only"},
		{"deal floor", inDeal(`"id":"d","bidfloor":3.01`), deal, ruleFloor, "deal_only"},
		{"video protocol", video(`"protocols":[2]`), vid, ruleProtocol, ""},
		{"video mime", `{"id":"v","imp":[{"id":"1","video":{"mimes":["video/webm"]}}]}`, vid, ruleMIME, "mime"},
		{"video too short", video(`"minduration":20`), vid, ruleDuration, "duration"},
		{"video too long", video(`"maxduration":10`), vid, ruleDuration, "duration"},
		{"video durations", video(`"rqddurs":[10,30]`), vid, ruleDuration, "duration"},
		{"video pod", video(`"poddur":10`), vid, ruleDuration, "pod"},
		{"video bit rate too high", video(`"maxbitrate":200`), vid, ruleBitrate, "bitrate"},
		{"video bit rate too low", video(`"minbitrate":400`), vid, ruleBitrate, "bitrate"},
		{"video not to be skipped", video(`"skip":0`), vid, ruleSkip, ""},
		{"video too short to be skipped", video(`"skip":1,"skipmin":15`), vid, ruleSkip, ""},
		{"video, skippable blocked", video(`"battr":[16]`), vid, ruleSkip, ""},
		{"video attribute", video(`"battr":[6]`), vid, ruleAttr, "attr"},
		{"video nonlinear", video(`"linearity":2`), vid, ruleLinear, "linearity"},
		{"video streaming only", video(`"delivery":[1]`), vid, ruleLinear, "delivery"},
		{"video boxing", video(`"w":400,"h":400,"boxingallowed":0`), vid, ruleSize, "size"},
		{"video floor by duration", video(`"durfloors":[{"mindur":1,"maxdur":10,"bidfloor":0.1},{"mindur":11,"maxdur":15,"bidfloor":3.1}]`), vid, ruleFloor, "floor"},
		{"video floor by second", video(`"mincpmpersec":0.21`), vid, ruleFloor, "floor"},
		{"native attribute", strings.Replace(nativeBidRequest, `"native":{`, `"native":{"battr":[6],`, 1), nat, ruleAttr, "attr"},
		{"native asset", strings.Replace(nativeBidRequest, `\"assets\":[`, `\"assets\":[{\"id\":9,\"required\":1,\"data\":{\"type\":5}},`, 1), nat, ruleAsset, "native_asset"},
		{"native not readable", strings.Replace(nativeBidRequest, nativeAsked, "[", 1), nat, ruleAsset, "native_malformed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.rule.String(), c.bid.against(t, c.request, true).String())
			require.Equal(t, c.rule.String(), c.bid.against(t, c.request, false).String())
			if c.reason != "" {
				w.t = t
				require.Equal(t, c.reason, w.noBid("burl", c.request), "the filter's own reason")
			}
		})
	}
	require.Equal(t, ruleNone, banner.against(t, imp(`"banner":{"format":[{"w":1,"h":1},{"wratio":6,"hratio":5,"wmin":300}]},"secure":0,"bidfloor":3`), true))
	require.Equal(t, ruleNone, vid.against(t, video(`"durfloors":[{"mindur":11,"maxdur":15,"bidfloor":3}],"mincpmpersec":0.2`), true))
}

// TestTheSelfCheckReadsTheBytes changes what was written and leaves the
// request as it is.
func TestTheSelfCheckReadsTheBytes(t *testing.T) {
	w := selfCheckWorld(t)
	banner := `{"id":"b","imp":[{"id":"1","banner":{"w":300,"h":250}}]}`
	cases := []struct {
		name, old, new string
		rule           selfRule
	}{
		{"as it is", "{", "{", ruleNone},
		{"price of nothing", `"price":3.00`, `"price":0.00`, rulePrice},
		{"price below zero", `"price":3.00`, `"price":-3.00`, ruleJSON},
		{"price that is no number", `"price":3.00`, `"price":NaN`, ruleJSON},
		{"price above the hold", `"price":3.00`, `"price":3.01`, rulePrice},
		{"price with an exponent", `"price":3.00`, `"price":3e5`, ruleJSON},
		{"no id", `"id":"`, `"ix":"`, ruleIDs},
		{"no cid", `"cid":"1"`, `"cid":""`, ruleIDs},
		{"no crid", `"crid":"s7`, `"crix":"s7`, ruleIDs},
		{"no adomain", `"adomain":["sofa.example"]`, `"adomain":[]`, ruleADomain},
		{"adomain that is none", `"adomain":["sofa.example"]`, `"adomain":["sofa"]`, ruleADomain},
		{"wrong width", `"w":300`, `"w":301`, ruleSize},
		{"no mtype", `"mtype":1`, `"mtypo":1`, ruleMType},
		{"mtype of audio", `"mtype":1`, `"mtype":3`, ruleMType},
		{"mtype of a video", `"mtype":1`, `"mtype":2`, ruleMType},
		{"unclosed", `,"exp":120}`, `,"exp":120`, ruleJSON},
		{"text after it", `,"exp":120}`, `,"exp":120}]`, ruleJSON},
		{"exp of nothing", `"exp":120`, `"exp":0`, ruleExp},
		{"deal out of nowhere", `"exp":120`, `"dealid":"x","exp":120`, ruleDeal},
		{"burl without token", `/n/bill?t=A`, `/n/bill?x=A`, ruleToken},
		{"lurl with another token", `/n/loss?t=A`, `/n/loss?t=B`, ruleToken},
		{"no burl", `"burl":`, `"nope":`, ruleToken},
		{"pixel without token", `/i?t=A`, `/i?t=B`, ruleToken},
		{"no pixel", `/i?t=`, `/j?t=`, ruleToken},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := w.make("burl", banner)
			require.Contains(t, string(m.bid), c.old)
			m.bid = []byte(strings.Replace(string(m.bid), c.old, c.new, 1))
			m.locate()
			require.Equal(t, c.rule.String(), m.against(t, banner, true).String())
			require.Equal(t, c.rule.String(), m.against(t, banner, false).String())
		})
	}
	markup := map[string]string{"empty": "", "too large": strings.Repeat("<", maxMarkup+1), "of a video": "<?xml>", "JSON": "{}"}
	for name, adm := range markup {
		m := w.make("burl", banner)
		m.bid = append(append(bytes.Clone(m.bid[:m.adm.from]), adm...), m.bid[m.adm.to:]...)
		m.locate()
		want := ruleMType
		if adm == "" || adm[0] == '<' && adm[1] == '<' {
			want = ruleMarkup
		}
		require.Equal(t, want.String(), m.against(t, banner, true).String(), name)
	}
	m := w.make("burl", banner)
	for _, head := range []string{`{"id":"b","cur":"USDX","seatbid":[{"bid":[`, `{"id":"b","seatbid":[{"bid":[`, `{"id":"b`, ``} {
		m.head = []byte(head)
		require.Equal(t, ruleJSON, m.against(t, banner, true), head)
	}
}

func TestOneOpenBidAndOnePerDeal(t *testing.T) {
	w := selfCheckWorld(t)
	request := `{"id":"b","imp":[{"id":"1","banner":{"w":300,"h":250}}]}`
	m := w.make("burl", request)
	require.Equal(t, ruleNone, m.against(t, request, true))
	require.Equal(t, ruleOneBid, m.c.check.check(&m.c.bids[0], m.bid, m.adm), "a second one")
	request = `{"id":"b","imp":[{"id":"1","banner":{"w":300,"h":250},"pmp":{"private_auction":1,"deals":[{"id":"d"}]}}]}`
	m = w.make("burl", request)
	require.Equal(t, ruleNone, m.against(t, request, true))
	require.Equal(t, ruleOneBid, m.c.check.check(&m.c.bids[0], m.bid, m.adm), "a second one in the deal")
}

// TestADroppedBidLeavesNothing makes a filter fail and looks at what remains:
// no answer, no hold, a count, one line in the log.
func TestADroppedBidLeavesNothing(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	var rules []string
	w.violation = func(rule, request string) { rules = append(rules, rule+" "+request) }
	for range 3 {
		c := newContext(w.b.nextSeed())
		c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], time.Now(), w.clock.NowMS()
		require.NoError(t, c.view.Parse([]byte(bannerRequest)))
		c.view.BAdv = nil
		require.Equal(t, ReasonNone, w.b.accept(c))
		w.b.describeRequest(c)
		require.Equal(t, ReasonNone, w.b.bidImp(c, 0))
		c.view.BAdv = []string{"sofa.example"} // as if the filter had not seen it
		require.Equal(t, ReasonSelfCheck, w.b.respond(c))
		require.Empty(t, c.out)
		require.Empty(t, c.bids)
	}
	require.Equal(t, []string{"badv r1", "badv r1", "badv r1"}, rules)
	require.Zero(t, w.b.book.Stats().Holds)
	var out bytes.Buffer
	w.b.WriteMetrics(&out)
	require.Contains(t, out.String(), `grosz_selfcheck_dropped_total{rule="badv"} 3`)
	require.Contains(t, out.String(), `grosz_selfcheck_dropped_total{rule="floor"} 0`)
}

func TestEveryRuleHasAName(t *testing.T) {
	seen := map[string]bool{}
	for r := range numSelfRules {
		require.NotEmpty(t, r.String())
		require.False(t, seen[r.String()], r.String())
		seen[r.String()] = true
	}
	require.Equal(t, "unknown", numSelfRules.String())
}

func TestSameText(t *testing.T) {
	for _, s := range []string{"", "a", `a"b\c`, "a\nb\r\tc", "\x00\x1f", "zażółć", "\u2028", "a\xffb", "😀"} {
		got := quoted(nil, s)
		require.True(t, sameText(got[1:len(got)-1], s), "%q", s)
		require.False(t, sameText(got[1:len(got)-1], s+"x"), "%q", s)
		require.False(t, sameText(append(got[1:len(got)-1:len(got)-1], 'x'), s), "%q", s)
	}
	require.False(t, sameText([]byte(`a\\b`), `a\\b`), "an escape is not its own text")
}

func TestInsecureFindsHTTPAnywhere(t *testing.T) {
	for pad := range 40 {
		for tail := range 12 {
			text := strings.Repeat("x", pad) + "HTTP://a" + strings.Repeat("y", tail)
			require.True(t, insecure([]byte(text)), text)
			require.False(t, insecure([]byte(strings.Replace(text, "HTTP:", "https:", 1))))
		}
	}
	require.False(t, insecure([]byte("::://///https://x:/y")))
	require.False(t, insecure(nil))
}

func TestTheSelfCheckDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("not measured under the race detector")
		return
	}
	w := selfCheckWorld(t)
	for _, request := range []string{bannerRequest, videoRequest, nativeBidRequest} {
		m := w.make("burl", request)
		require.Zero(t, testing.AllocsPerRun(200, func() {
			m.c.check.begin(m.c, m.head, false)
			if r := m.c.check.check(&m.c.bids[0], m.bid, m.adm); r != ruleNone {
				t.Error(r)
			}
		}), request)
	}
}

func BenchmarkSelfCheck(b *testing.B) {
	w := selfCheckWorld(b)
	secure := strings.Replace(bannerRequest, `"banner"`, `"secure":1,"banner"`, 1)
	for _, c := range []struct{ name, request string }{{"banner", bannerRequest}, {"secure", secure}, {"video", videoRequest}, {"native", nativeBidRequest}} {
		for _, full := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/full=%v", c.name, full), func(b *testing.B) {
				m := w.make("burl", c.request)
				b.ReportAllocs()
				b.SetBytes(int64(len(m.bid)))
				for b.Loop() {
					m.c.check.begin(m.c, m.head, full)
					if r := m.c.check.check(&m.c.bids[0], m.bid, m.adm); r != ruleNone {
						b.Fatal(r)
					}
				}
			})
		}
	}
}

// FuzzSelfCheckReads feeds bytes to the reader of written bids: it never
// panics, and what it takes without being told where the markup stands has
// the shape of an object.
func FuzzSelfCheckReads(f *testing.F) {
	f.Add([]byte(`{"id":"a","price":1.5,"adm":"x\"y","adomain":["a.b"],"cat":["IAB1"],"attr":[1,2],"ext":{"dsa":{"paid":"]"}},"w":1}`), 30, 33)
	f.Add([]byte(`{"adm":"","x":[[{"a":"b"}]]}`), 8, 8)
	f.Add([]byte(`{"id":"b","cur":"USD","seatbid":[{"seat":"s","bid":[`), 0, -1)
	f.Fuzz(func(t *testing.T, data []byte, from, to int) {
		var b written
		var h head
		h.read(data)
		b.read(data, span{from, to}, false)
		if b.read(data, span{}, true) && (data[0] != '{' || data[len(data)-1] != '}') {
			t.Fatalf("%q was taken", data)
		}
		insecure(data)
		tracked(data, []byte("token"))
		answersAsset(data, 1)
		quotedAttr(data, "<VAST", ` version=\"`)
		sameText(data, string(data))
	})
}
