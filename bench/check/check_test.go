package check

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
)

const (
	bannerAdm = `<div><a href="https://dsp.example/c?t=x">Ad</a><img width="1" height="1" src="https://dsp.example/i?t=x&p=${AUCTION_PRICE}"></div>`
	nativeAsk = `{"ver":"1.2","assets":[{"id":1,"required":1,"title":{"len":25}},{"id":2,"required":1,"img":{"type":3,"wmin":300,"hmin":200}},{"id":3,"data":{"type":1,"len":20}},{"id":4,"img":{"type":1,"w":50,"h":50}},{"id":5,"video":{"mimes":["video/mp4"]}}]}`
	nativeAdm = `{"link":{"url":"https://dsp.example/c?t=x"},"imptrackers":["https://dsp.example/i?t=x&p=${AUCTION_PRICE}"],"assets":[{"id":1,"title":{"text":"Oak table"}},{"id":2,"img":{"url":"https://img.example/1.png","w":600,"h":400}},{"id":3,"data":{"value":"Furniture"}}]}`
	vastAdm   = `<?xml version="1.0" encoding="UTF-8"?><VAST version="3.0"><Ad id="1"><InLine><AdSystem>G</AdSystem><AdTitle>T</AdTitle><Impression><![CDATA[https://dsp.example/i?t=x&p=${AUCTION_PRICE}]]></Impression><Creatives><Creative><Linear><Duration>00:00:15</Duration><MediaFiles><MediaFile delivery="progressive" type="video/mp4" bitrate="500" width="640" height="360"><![CDATA[https://dsp.example/a.mp4]]></MediaFile></MediaFiles></Linear></Creative></Creatives></InLine></Ad></VAST>`
)

// world is one request and the answer to it, open to change by path.
type world struct {
	req, resp map[string]any
	status    int
	ctype     string
	raw       []byte // sent instead of resp
	rawReq    []byte
	opt       Options
}

func newWorld(t *testing.T, media string) *world {
	t.Helper()
	w := &world{status: 200, ctype: "application/json"}
	m := map[string]string{
		"banner": `{"format":[{"w":300,"h":250},{"w":728,"h":90}]}`,
		"video":  `{"mimes":["video/mp4"],"minduration":5,"maxduration":30,"protocols":[2,3,7],"linearity":1}`,
		"native": `{"request":` + strconv.Quote(nativeAsk) + `,"ver":"1.2"}`,
	}[media]
	require.NoError(t, json.Unmarshal([]byte(`{"id":"r1","imp":[{"id":"i1","bidfloor":0.5,"`+media+`":`+m+`}],"site":{"domain":"a.example"}}`), &w.req))
	require.NoError(t, json.Unmarshal([]byte(`{"id":"r1","bidid":"x","cur":"USD","seatbid":[{"seat":"s","bid":[{"id":"b1","impid":"i1","price":1.25,"crid":"cr","cid":"7","adomain":["shop.example"],"cat":["IAB22"],"nurl":"https://dsp.example/n/win?t=x&p=${AUCTION_PRICE}","burl":"https://dsp.example/n/bill?t=x&p=${AUCTION_PRICE}","lurl":"https://dsp.example/n/loss?t=x&r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}","exp":300}]}]}`), &w.resp))
	switch media {
	case "banner":
		w.set("bid.adm", bannerAdm, "bid.mtype", 1, "bid.w", 300, "bid.h", 250)
	case "video":
		w.set("bid.adm", vastAdm, "bid.mtype", 2)
	case "native":
		w.set("bid.adm", nativeAdm, "bid.mtype", 4)
	}
	return w
}

// set writes values at paths such as "req.imp.0.secure" or "bid.price"; a nil
// value deletes.
func (w *world) set(pairs ...any) *world {
	for i := 0; i < len(pairs); i += 2 {
		path := strings.Replace(pairs[i].(string), "imp.", "req.imp.0.", 1)
		path = strings.Replace(path, "bid.", "resp.seatbid.0.bid.0.", 1)
		parts := strings.Split(path, ".")
		at := any(map[string]any{"req": w.req, "resp": w.resp})
		for _, p := range parts[:len(parts)-1] {
			switch c := at.(type) {
			case map[string]any:
				at = c[p]
			case []any:
				n, _ := strconv.Atoi(p)
				at = c[n]
			}
		}
		last := parts[len(parts)-1]
		if pairs[i+1] == nil {
			delete(at.(map[string]any), last)
		} else {
			at.(map[string]any)[last] = pairs[i+1]
		}
	}
	return w
}

func (w *world) run(t *testing.T) Result {
	t.Helper()
	req, body := w.rawReq, w.raw
	var err error
	if req == nil {
		req, err = json.Marshal(w.req)
		require.NoError(t, err)
	}
	if body == nil {
		body, err = json.Marshal(w.resp)
		require.NoError(t, err)
	}
	return Answered(req, Answer{w.status, http.Header{"Content-Type": {w.ctype}}, body}, w.opt)
}

func list(v ...any) []any { return v }

func object(s string) any {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		panic(err)
	}
	return v
}

func TestGoodAnswers(t *testing.T) {
	cases := []struct {
		name, media string
		edit        func(*world)
	}{
		{"banner", "banner", func(*world) {}},
		{"video", "video", func(*world) {}},
		{"native", "native", func(*world) {}},
		{"204", "banner", func(w *world) { w.status, w.raw = 204, []byte{} }},
		{"nbr alone", "banner", func(w *world) { w.raw = []byte(`{"id":"r1","nbr":8}`) }},
		{"400 on what is no JSON", "banner", func(w *world) { w.status, w.rawReq = 400, []byte(`{"id":`) }},
		{"charset", "banner", func(w *world) { w.ctype = "application/json; charset=UTF-8" }},
		{"size as text", "banner", func(w *world) { w.set("imp.banner", object(`{"w":"300","h":250.0}`)) }},
		{"no size at all", "banner", func(w *world) { w.set("imp.banner", object(`{}`), "bid.w", nil, "bid.h", nil) }},
		{"ratio", "banner", func(w *world) { w.set("imp.banner", object(`{"format":[{"wratio":6,"hratio":5,"wmin":300}]}`)) }},
		{"2.5's size range", "banner", func(w *world) { w.set("imp.banner", object(`{"wmax":320,"hmax":250,"format":[{"w":1,"h":2}]}`)) }},
		{"floor as text", "banner", func(w *world) { w.set("imp.bidfloor", "1.25") }},
		{"negative floor", "banner", func(w *world) { w.set("imp.bidfloor", -3) }},
		{"unknown floor currency", "banner", func(w *world) { w.set("imp.bidfloor", 99, "imp.bidfloorcur", "EUR") }},
		{"deal below the imp's floor", "banner", func(w *world) {
			w.set("imp.bidfloor", 9, "imp.pmp", object(`{"private_auction":1,"deals":[{"id":"d","bidfloor":1}]}`), "bid.dealid", "d")
		}},
		{"sister category", "banner", func(w *world) { w.set("req.bcat", list("IAB2", "IAB22-1")) }},
		{"another taxonomy", "banner", func(w *world) { w.set("req.bcat", list("IAB22"), "req.cattax", 6) }},
		{"similar domain", "banner", func(w *world) { w.set("req.badv", list("hop.example", "other.example")) }},
		{"secure", "banner", func(w *world) { w.set("imp.secure", 1, "bid.burl", "http://dsp.example/n?p=${AUCTION_PRICE}") }},
		{"required duration", "video", func(w *world) { w.set("imp.video.rqddurs", list(6, 15), "imp.video.maxduration", 6) }},
		{"extended duration", "video", func(w *world) { w.set("imp.video.maxduration", 10, "imp.video.maxextended", -1) }},
		{"VAST namespace with secure", "video", func(w *world) {
			w.set("imp.secure", 1, "bid.adm", strings.Replace(vastAdm, "<VAST ", `<VAST xmlns:xs="http://www.w3.org/2001/XMLSchema" `, 1))
		}},
		{"wrapped native", "native", func(w *world) {
			w.set("imp.native.request", `{"native":`+nativeAsk+`}`, "bid.adm", `{"native":`+nativeAdm+`}`)
		}},
		{"native request as an object", "native", func(w *world) { w.set("imp.native.request", object(nativeAsk)) }},
		{"doubled asset id", "native", func(w *world) {
			w.set("imp.native.request", strings.Replace(nativeAsk, `"id":2`, `"id":1`, 1), "bid.adm", strings.Replace(nativeAdm, `"id":2`, `"id":1`, 1))
		}},
		{"doubled imp id", "banner", func(w *world) {
			w.req["imp"] = append(list(object(`{"id":"i1","video":{"mimes":["video/mp4"]}}`)), w.req["imp"].([]any)...)
		}},
		{"dsa", "banner", func(w *world) {
			w.set("req.regs", object(`{"dsa":{"dsarequired":3,"pubrender":0,"datatopub":2}}`),
				"bid.ext", object(`{"dsa":{"behalf":"A","paid":"B","adrender":1,"transparency":[{"domain":"a.example","dsaparams":[1]}]}}`))
		}},
		{"a script's own braces", "banner", func(w *world) { w.set("bid.adm", bannerAdm+"<script>let a=`${x.y}`</script>") }},
		{"site and app ids as numbers", "banner", func(w *world) { w.set("req.id", 17, "resp.id", "17") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.media)
			c.edit(w)
			r := w.run(t)
			require.Empty(t, r.Violations)
			for _, b := range r.Bids {
				require.True(t, b.Valid)
			}
		})
	}
}

type badCase struct {
	rule  Rule
	media string
	edit  func(*world)
}

func change(pairs ...any) func(*world) { return func(w *world) { w.set(pairs...) } }

func adm(s string, old, with string) func(*world) {
	return change("bid.adm", strings.Replace(s, old, with, 1))
}

func badCases() []badCase {
	private := object(`{"private_auction":1,"deals":[{"id":"d","bidfloor":2,"wseat":["z"],"wadomain":["q.example"]}]}`)
	eur := money.MustCurrency("EUR")
	rates := &money.Rates{Base: money.MustCurrency("USD"), PerBase: map[money.Currency]money.Rate{eur: 500_000_000}}
	return []badCase{
		{RuleStatus, "banner", func(w *world) { w.status = 500 }},
		{RuleStatus, "banner", func(w *world) { w.status = 400 }},
		{RuleStatus, "banner", func(w *world) { w.rawReq = []byte(`[`) }},
		{RuleEmpty204, "banner", func(w *world) { w.status = 204 }},
		{RuleContentType, "banner", func(w *world) { w.ctype = "text/plain" }},
		{RuleContentType, "banner", func(w *world) { w.ctype = "application/json; charset=latin2" }},
		{RuleUTF8, "banner", func(w *world) { w.raw = []byte("{\"id\":\"r1\",\"nbr\":2,\"x\":\"\xff\"}") }},
		{RuleJSON, "banner", func(w *world) { w.raw = []byte(`{"id":"r1"`) }},
		{RuleJSON, "banner", func(w *world) { w.raw = []byte(`{"id":"r1","nbr":1} {}`) }},
		{RuleJSON, "banner", change("bid.w", "300")},
		{RuleResponseID, "banner", change("resp.id", "r2")},
		{RuleNoBid, "banner", change("resp.seatbid", list())},
		{RuleNoBid, "banner", func(w *world) { w.raw = []byte(`{"id":"r1"}`) }},
		{RuleCurrency, "banner", change("resp.cur", "EUR")},
		{RuleCurrency, "banner", change("req.cur", list("PLN"))},
		{RuleCurrency, "banner", change("resp.cur", "usd")},
		{RuleSeat, "banner", change("req.wseat", list("t"))},
		{RuleSeat, "banner", change("req.bseat", list("s"))},
		{RuleBidID, "banner", change("bid.id", "")},
		{RuleBidID, "banner", func(w *world) {
			s := w.resp["seatbid"].([]any)[0].(map[string]any)
			s["bid"] = append(s["bid"].([]any), s["bid"].([]any)[0])
		}},
		{RuleOneBid, "banner", func(w *world) {
			w.resp["seatbid"] = append(w.resp["seatbid"].([]any), object(strings.Replace(mustJSON(w.resp["seatbid"].([]any)[0]), `"b1"`, `"b2"`, 1)))
		}},
		{RuleImpID, "banner", change("bid.impid", "i9")},
		{RulePrice, "banner", change("bid.price", 0)},
		{RulePrice, "banner", change("bid.price", -1)},
		{RuleFloor, "banner", change("imp.bidfloor", 1.250001)},
		{RuleFloor, "banner", change("imp.bidfloor", "1.2500001")},
		{RuleFloor, "banner", func(w *world) { w.set("imp.bidfloor", 1, "imp.bidfloorcur", "EUR"); w.opt.Rates = rates }},
		{RuleFloor, "video", change("bid.dur", 15, "imp.video.durfloors", list(object(`{"mindur":10,"bidfloor":2}`)))},
		{RuleFloor, "video", change("bid.dur", 15, "imp.video.mincpmpersec", 0.1)},
		{RuleCrid, "banner", change("bid.crid", nil)},
		{RuleCID, "banner", change("bid.cid", nil)},
		{RuleADomain, "banner", change("bid.adomain", nil)},
		{RuleADomain, "banner", change("bid.adomain", list("https://shop.example/"))},
		{RuleMType, "banner", change("bid.mtype", nil)},
		{RuleMType, "banner", change("bid.mtype", 2)},
		{RuleMarkup, "banner", change("bid.adm", nil)},
		{RuleMarkup, "banner", change("bid.adm", vastAdm)},
		{RuleSize, "banner", change("bid.w", 301)},
		{RuleSize, "banner", change("bid.w", nil, "bid.h", nil)},
		{RuleSize, "banner", change("imp.banner", object(`{"format":[{"wratio":16,"hratio":9}]}`))},
		{RuleBCat, "banner", change("req.bcat", "IAB22")},
		{RuleBCat, "banner", change("req.bcat", list("IAB22"), "bid.cat", list("IAB22-3"))},
		{RuleACat, "banner", change("req.acat", list("IAB1"))},
		{RuleACat, "banner", change("req.acat", list("IAB1"), "bid.cat", nil)},
		{RuleBAdv, "banner", change("req.badv", list("WWW.shop.example"))},
		{RuleBAdv, "banner", change("req.badv", list("shop.example"), "bid.adomain", list("pl.shop.example"))},
		{RuleBApp, "banner", change("req.bapp", list("com.shop"), "bid.bundle", "com.shop")},
		{RuleBAttr, "banner", change("imp.banner.battr", list("13"), "bid.attr", list(13))},
		{RuleBType, "banner", change("imp.banner.btype", list(2))},
		{RuleBType, "banner", change("imp.banner.btype", list(3), "bid.adm", bannerAdm+"<script>1</script>")},
		{RuleBType, "banner", change("imp.banner.btype", list(4), "bid.adm", bannerAdm+"<iframe src=x></iframe>")},
		{RuleMIME, "banner", change("imp.banner.mimes", list("image/gif"))},
		{RuleMIME, "video", change("imp.video.mimes", list("video/webm"))},
		{RuleAPI, "banner", change("bid.apis", list(5), "imp.banner.api", list(3))},
		{RuleAPI, "video", adm(vastAdm, "bitrate=", `apiFramework="VPAID" bitrate=`)},
		{RuleExpand, "banner", change("bid.attr", list(4))},
		{RuleLanguage, "banner", change("req.wlang", list("pl"), "bid.language", "en")},
		{RuleLanguage, "banner", change("req.wlangb", list("pl-PL"), "bid.langb", "en-GB")},
		{RuleSecure, "banner", change("imp.secure", "1", "bid.adm", bannerAdm+`<img src="http://img.example/a">`)},
		{RuleSecure, "banner", change("imp.secure", 1, "bid.iurl", "http://img.example/a.png")},
		{RuleSecure, "banner", func(w *world) {
			w.set("imp.secure", 1, "bid.nurl", "http://dsp.example/n?p=${AUCTION_PRICE}")
			w.opt.SecureNotices = true
		}},
		{RuleSecure, "native", change("imp.secure", 1, "bid.adm", strings.Replace(nativeAdm, "https://img.", `http:\/\/img.`, 1))},
		{RuleDeal, "banner", change("bid.dealid", "d")},
		{RuleDealFloor, "banner", change("imp.pmp", private, "bid.dealid", "d")},
		{RuleDealSeat, "banner", change("imp.pmp", private, "bid.dealid", "d")},
		{RulePrivate, "banner", change("imp.pmp", private)},
		{RuleURL, "banner", change("bid.burl", "/n/bill?p=${AUCTION_PRICE}")},
		{RuleURL, "banner", change("bid.nurl", "https://dsp.example/a b")},
		{RuleMacro, "banner", change("bid.nurl", "https://dsp.example/?p=${AUCTION_COST}")},
		{RuleMacro, "banner", change("bid.nurl", "https://dsp.example/?p=${AUCTION_PRICE")},
		{RuleMacro, "banner", change("bid.burl", "https://dsp.example/?p=%24%7BAUCTION_PRICE%7D")},
		{RuleMacro, "banner", change("bid.burl", nil, "bid.nurl", nil, "bid.adm", `<img width=1 src="https://a.example/i">`)},
		{RuleTracker, "banner", change("bid.adm", `<a href="https://a.example">Ad</a><img src="https://img.example/p.png" width="300">`)},
		{RuleTracker, "video", adm(vastAdm, "https://dsp.example/i?t=x&p=${AUCTION_PRICE}", "")},
		{RuleTracker, "native", adm(nativeAdm, `"imptrackers":["https://dsp.example/i?t=x&p=${AUCTION_PRICE}"],`, "")},
		{RuleExp, "banner", change("bid.exp", 0)},
		{RuleVAST, "video", adm(vastAdm, "</VAST>", "</Vast>")},
		{RuleVAST, "video", adm(vastAdm, "</VAST>", "</VAST>x")},
		{RuleVAST, "video", change("bid.adm", `<VAST version="3.0"></VAST>`)},
		{RuleVAST, "video", adm(vastAdm, "<AdTitle>T</AdTitle>", "")},
		{RuleVAST, "video", adm(vastAdm, "00:00:15", "15s")},
		{RuleVAST, "video", adm(vastAdm, "https://dsp.example/a.mp4", "")},
		{RuleProtocol, "video", change("imp.video.protocols", list(2, 7))},
		{RuleProtocol, "video", adm(vastAdm, `version="3.0"`, `version="9"`)},
		{RuleProtocol, "video", change("bid.protocol", 7)},
		{RuleDuration, "video", change("imp.video.maxduration", 14)},
		{RuleDuration, "video", change("imp.video.minduration", 16)},
		{RuleDuration, "video", change("imp.video.rqddurs", list(30))},
		{RuleDuration, "video", change("imp.video.poddur", 10)},
		{RuleDuration, "video", change("bid.dur", 30)},
		{RuleLinearity, "video", change("imp.video.linearity", 2)},
		{RuleLinearity, "video", adm(strings.Replace(vastAdm, "</Linear>", "</NonLinearAds>", 1), "<Linear>", "<NonLinearAds>")},
		{RuleSkip, "video", change("imp.video.skip", 0, "bid.adm", strings.Replace(vastAdm, "<Linear>", `<Linear skipoffset="00:00:05">`, 1))},
		{RuleSkip, "video", change("imp.video.skipmin", 15, "bid.adm", strings.Replace(vastAdm, "<Linear>", `<Linear skipoffset="00:00:05">`, 1))},
		{RuleBitrate, "video", change("imp.video.maxbitrate", 300)},
		{RuleDelivery, "video", change("imp.video.delivery", list(1))},
		{RuleNative, "native", change("imp.native.request", "not json")},
		{RuleNative, "native", change("bid.adm", "{")},
		{RuleNative, "native", adm(nativeAdm, `"link":{"url":"https://dsp.example/c?t=x"},`, "")},
		{RuleAsset, "native", adm(nativeAdm, `{"id":1,"title":{"text":"Oak table"}},`, "")},
		{RuleAsset, "native", adm(nativeAdm, "Oak table", "A table so long that no slot takes it")},
		{RuleAsset, "native", adm(nativeAdm, `"w":600`, `"w":200`)},
		{RuleAsset, "native", adm(nativeAdm, `{"id":3,"data"`, `{"id":9,"data"`)},
		{RuleAsset, "native", adm(nativeAdm, `{"id":3,"data"`, `{"id":2,"data"`)},
		{RuleAsset, "native", adm(nativeAdm, `{"id":3,"data":{"value":"Furniture"}}`, `{"id":4,"img":{"url":"https://a.example/i","w":60,"h":50}}`)},
		{RuleAsset, "native", adm(nativeAdm, `{"id":3,"data":{"value":"Furniture"}}`, `{"id":5,"video":{"vasttag":"<x"}}`)},
		{RuleAsset, "native", adm(nativeAdm, `{"id":1,"title"`, `{"id":1,"data"`)},
		{RuleDSA, "banner", change("req.regs", object(`{"ext":{"dsa":{"dsarequired":2}}}`))},
		{RuleDSA, "banner", change("req.regs", object(`{"dsa":{"dsarequired":3,"pubrender":0}}`), "bid.ext", object(`{"dsa":{"behalf":"A","paid":"B"}}`))},
		{RuleDSA, "banner", change("req.regs", object(`{"dsa":{"dsarequired":3,"datatopub":2}}`), "bid.ext", object(`{"dsa":{"behalf":"A","paid":"B"}}`))},
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestEveryRuleCatches(t *testing.T) {
	caught := map[Rule]bool{}
	for i, c := range badCases() {
		t.Run(strconv.Itoa(i)+" "+string(c.rule), func(t *testing.T) {
			w := newWorld(t, c.media)
			c.edit(w)
			r := w.run(t)
			var got []Rule
			for _, v := range r.Violations {
				got = append(got, v.Rule)
				require.NotEmpty(t, v.Section)
				require.NotEmpty(t, v.Msg)
			}
			require.Contains(t, got, c.rule)
			valid := 0
			for _, b := range r.Bids {
				if b.Valid {
					valid++
				}
			}
			require.Less(t, valid, max(len(r.Bids), 1))
			caught[c.rule] = true
		})
	}
	for r := range Rules() {
		require.True(t, caught[r], "no failing case for rule %s", r)
	}
}

func FuzzAnswered(f *testing.F) {
	f.Add([]byte(`{"id":"r","imp":[{"id":"1","banner":{"w":300,"h":250}}]}`), []byte(`{"id":"r","seatbid":[{"bid":[{"id":"1","impid":"1","price":1,"mtype":1,"adm":"<img>"}]}]}`))
	f.Add([]byte(`{"id":"r","imp":[{"id":"1","bidfloor":1e999,"video":{"rqddurs":[1e400]}}]}`), []byte(`{"id":"r","seatbid":[{"bid":[{"id":"1","impid":"1","price":1e300,"mtype":2,"adm":"<VAST>"}]}]}`))
	f.Fuzz(func(t *testing.T, req, body []byte) {
		a := Answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
		r := Answered(req, a, Options{})
		for _, b := range r.Bids {
			if b.Valid && (b.Price <= 0 || len(r.Violations) > 0 && b.ID == "") {
				t.Fatalf("a bad bid passed: %+v", b)
			}
		}
	})
}
