package bidder

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/grosz/grosz/creatives"
)

// tcp is a bidder on a real socket.
type tcp struct {
	*world
	addr string
}

func hostileWorld(t *testing.T) *tcp {
	w := newWorld(t, openCampaign(1))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := w.b.Server()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = srv.ShutdownWithContext(ctx) // idle clients of the test may still hang on
		<-done
	})
	return &tcp{world: w, addr: l.Addr().String()}
}

func (h *tcp) dial() net.Conn {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	require.NoError(h.t, err)
	require.NoError(h.t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c
}

// send writes raw bytes and returns the statuses of the answers until the
// server closes; the writing side is closed after the bytes. Zero stands for
// a connection that was closed without an answer.
func (h *tcp) send(raw []byte) []int {
	h.t.Helper()
	c := h.dial()
	defer c.Close()
	go func() { // the server may answer and close before it has read all
		c.Write(raw)
		c.(*net.TCPConn).CloseWrite()
	}()
	var out []int
	r := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			var slow net.Error
			require.False(h.t, errors.As(err, &slow) && slow.Timeout(), "no answer within 30 s")
			if len(out) == 0 {
				return []int{0}
			}
			return out
		}
		_, _ = io.Copy(io.Discard, res.Body)
		out = append(out, res.StatusCode)
	}
}

// alive is another client's request, which must be bid on.
func (h *tcp) alive() {
	h.t.Helper()
	require.Equal(h.t, []int{200}, h.send(httpPost(bannerRequest)), "another client is served")
}

func httpPost(body string, headers ...string) []byte {
	head := "POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\n"
	for _, x := range headers {
		head += x + "\r\n"
	}
	return []byte(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
}

const hostileVideo = `{"id":"v","imp":[{"id":"1","video":{"mimes":["video/mp4"],"protocols":[3]}}]}`

type hostile struct {
	name string
	raw  []byte
	want []int // any of these, for each answer
}

// hostileRequests is what a socket on the Internet sees.
func hostileRequests() []hostile {
	deep := strings.Repeat("[", 100_000)
	in := func(s string) string { return strings.Replace(bannerRequest, `"cur"`, s+`,"cur"`, 1) }
	page := strings.Replace(bannerRequest, "https://news.example/a", "https://news.example/"+strings.Repeat("a%zz&<", 17_000), 1)
	bid, none, bad, odd := []int{200}, []int{204}, []int{400}, []int{200, 204, 400}
	return []hostile{
		{"nothing", nil, []int{0}},
		{"not HTTP", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), []int{0, 400}},
		{"zeros", make([]byte, 4096), []int{0, 400, 431}},
		{"no body", httpPost(""), bad},
		{"empty object", httpPost("{}"), bad},
		{"deep lists", httpPost(deep), bad},
		{"deep lists in an unknown field", httpPost(in(`"zz":` + deep)), bad},
		{"deep and closed", httpPost(in(`"zz":` + deep + strings.Repeat("]", 100_000))), bad},
		{"deep objects", httpPost(strings.Repeat(`{"a":`, 100_000)), bad},
		{"deep native", httpPost(`{"id":"n","imp":[{"id":"1","native":{"request":"` + deep + `"}}]}`), none},
		{"10 MB", httpPost(strings.Repeat(" ", 10<<20)), []int{413, 0}},
		{"10 MB announced, none sent", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: 10485760\r\n\r\n"), []int{413, 0}},
		{"a terabyte announced", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: 1099511627776\r\n\r\nx"), []int{413, 400, 0}},
		{"10 MB by chunks", chunked(strings.Repeat(" ", 10<<20), 64<<10), []int{413, 0}},
		{"chunks", chunked(bannerRequest, 7), bid},
		{"chunk sizes that are none", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), []int{400, 0}},
		{"a chunk size beyond all numbers", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"), []int{400, 413, 0}},
		{"chunks and a length", append([]byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n"), chunkedBody(bannerRequest, 50)...), []int{200, 400}},
		{"negative length", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: -1\r\n\r\n{}"), bad},
		{"length in words", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: ten\r\n\r\n{}"), bad},
		{"two lengths", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "), bad},
		{"length above the body", []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: 500\r\n\r\n{}"), []int{0, 400}},
		{"headers of 64 KB", httpPost(bannerRequest, "X-A: "+strings.Repeat("a", 64<<10)), []int{431, 0}},
		{"10,000 headers", httpPost(bannerRequest, strings.TrimSpace(strings.Repeat("X-A: b\r\n", 10_000))), []int{431, 0}},
		{"a header without a name", httpPost(bannerRequest, ": x"), []int{400, 200}},
		{"a header with a line break", httpPost(bannerRequest, "X-A: b\r c"), []int{200, 400}},
		{"100-continue", httpPost(bannerRequest, "Expect: 100-continue"), []int{100, 200}},
		{"HTTP/1.0", bytes.Replace(httpPost(bannerRequest), []byte("HTTP/1.1"), []byte("HTTP/1.0"), 1), bid},
		{"HTTP/9.9", bytes.Replace(httpPost(bannerRequest), []byte("HTTP/1.1"), []byte("HTTP/9.9"), 1), []int{200, 400, 0}},
		{"GET", []byte("GET /openrtb2/burl HTTP/1.1\r\nHost: b\r\n\r\n"), []int{405}},
		{"an unknown method", bytes.Replace(httpPost(bannerRequest), []byte("POST"), []byte("BREW"), 1), []int{405, 400}},
		{"an unknown exchange", bytes.Replace(httpPost(bannerRequest), []byte("/burl"), []byte("/%00%ff"), 1), []int{404}},
		{"a path of %zz", []byte("GET /%zz HTTP/1.1\r\nHost: b\r\n\r\n"), []int{404, 400}},
		{"%zz below the exchanges", bytes.Replace(httpPost(bannerRequest), []byte("/burl"), []byte("/%zz"), 1), []int{404, 400}},
		{"a path that climbs", []byte("GET /assets/../../../../etc/passwd HTTP/1.1\r\nHost: b\r\n\r\n"), []int{404, 400, 403}},
		{"a path that climbs in code", []byte("GET /assets/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: b\r\n\r\n"), []int{404, 400, 403}},
		{"a notice with a token of 8 KB", []byte("GET /n/bill?t=" + strings.Repeat("A", 8<<10) + " HTTP/1.1\r\nHost: b\r\n\r\n"), none},
		{"a notice of %zz", []byte("GET /n/bill?t=%zz&p=%zz HTTP/1.1\r\nHost: b\r\n\r\n"), none},
		{"page URL of 100 kB", httpPost(page), bid},
		{"ids of 100 kB", httpPost(strings.Replace(bannerRequest, `"r1"`, `"`+strings.Repeat("i", 100<<10)+`"`, 1)), bid},
		{"NaN", httpPost(strings.Replace(bannerRequest, "0.5", "NaN", 1)), odd},
		{"infinity", httpPost(strings.Replace(bannerRequest, "0.5", "1e999", 1)), odd},
		{"a floor of 400 digits", httpPost(strings.Replace(bannerRequest, "0.5", strings.Repeat("9", 400), 1)), none},
		{"a floor below zero", httpPost(strings.Replace(bannerRequest, "0.5", "-1e9", 1)), bid},
		{"sizes below zero", httpPost(strings.Replace(bannerRequest, "300", "-300", 1)), none},
		{"sizes beyond all numbers", httpPost(strings.Replace(bannerRequest, "300", "9223372036854775808", 1)), none},
		{"tmax below zero", httpPost(in(`"tmax":-5`)), odd},
		{"tmax beyond all numbers", httpPost(in(`"tmax":9e18`)), odd},
		{"wrong types", httpPost(`{"id":{},"imp":{"id":["1"],"banner":"x"},"site":[],"cur":5}`), odd},
		{"wrong types below", httpPost(`{"id":"x","imp":[{"id":"1","banner":{"w":[300],"h":{"h":250},"format":"f"}}],"device":7,"user":[[]],"regs":"y"}`), none},
		{"imps that are none", httpPost(`{"id":"x","imp":[1,"2",null,[],{}]}`), none},
		{"duplicate keys", httpPost(strings.Replace(bannerRequest, `"imp"`, `"id":"r2","imp":[],"imp"`, 1)), odd},
		{"duplicate keys by the thousand", httpPost(in(strings.TrimSuffix(strings.Repeat(`"badv":["a.example"],`, 5000), ","))), bid},
		{"20,000 blocked domains", httpPost(in(`"badv":[` + strings.TrimSuffix(strings.Repeat(`"aaaa.example",`, 20_000), ",") + `]`)), odd},
		{"10,000 imps", httpPost(`{"id":"x","imp":[` + strings.TrimSuffix(strings.Repeat(`{"id":"1","banner":{"w":300,"h":250}},`, 10_000), ",") + `]}`), none},
		{"invalid UTF-8", httpPost(strings.Replace(bannerRequest, "r1", "r\xff\xc0\x80\xed\xa0\x80", 1)), bid},
		{"control characters", httpPost(strings.Replace(bannerRequest, "r1", "r\x00\x01\n", 1)), odd},
		{"lone surrogates", httpPost(strings.Replace(bannerRequest, "r1", `r\ud800\udfff\ud800`, 1)), bid},
		{"broken escapes", httpPost(strings.Replace(bannerRequest, "r1", `r\u12\q\`, 1)), odd},
		{"gzip bomb", httpPost(string(packed(strings.Repeat(" ", 100<<20))), "Content-Encoding: gzip"), []int{413}},
		{"gzip in gzip in gzip", httpPost(string(packed(string(packed(string(packed(bannerRequest)))))), "Content-Encoding: gzip"), bad},
		{"gzip that is none", httpPost(bannerRequest, "Content-Encoding: gzip"), bad},
		{"gzip cut short", httpPost(string(packed(bannerRequest)[:40]), "Content-Encoding: gzip"), bad},
		{"gzip with a wrong sum", httpPost(spoiled(packed(bannerRequest)), "Content-Encoding: gzip"), bad},
		{"deflate", httpPost(bannerRequest, "Content-Encoding: deflate"), []int{415}},
		{"br", httpPost(bannerRequest, "Content-Encoding: br"), []int{415}},
		{"one after a malformed one", append(httpPost("{"), httpPost(bannerRequest)...), []int{400, 200}},
	}
}

func spoiled(b []byte) string {
	b[len(b)-6] ^= 0xff
	return string(b)
}

func chunked(body string, size int) []byte {
	return append([]byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\n"), chunkedBody(body, size)...)
}

func chunkedBody(body string, size int) []byte {
	var b bytes.Buffer
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// TestHostileRequests: never a crash, a 5xx or a silence, and the next client
// is served.
func TestHostileRequests(t *testing.T) {
	h := hostileWorld(t)
	for _, c := range hostileRequests() {
		t.Run(c.name, func(t *testing.T) {
			h.t, h.world.t = t, t
			for _, status := range h.send(c.raw) {
				require.Contains(t, c.want, status)
			}
			h.alive()
		})
	}
}

// TestRequestsCutAtEveryByte: a body cut anywhere is malformed, whatever its
// media.
func TestRequestsCutAtEveryByte(t *testing.T) {
	h := hostileWorld(t)
	for name, body := range map[string]string{"banner": bannerRequest, "video": hostileVideo, "native": nativeBidRequest} {
		var raw []byte
		for n := range len(body) {
			raw = append(raw, httpPost(body[:n])...)
		}
		got := h.send(raw) // pipelined
		require.Len(t, got, len(body), name)
		for n, status := range got {
			require.Equal(t, 400, status, "%s cut at %d", name, n)
		}
		whole := httpPost(body)
		for n := 0; n < len(whole); n += 7 { // the connection ends there
			require.Contains(t, []int{0, 400}, h.send(whole[:n])[0], "%s cut at %d", name, n)
		}
		require.Equal(t, []int{200}, h.send(whole), name)
	}
}

// TestAThousandPipelinedRequests come in one write and are answered in order.
func TestAThousandPipelinedRequests(t *testing.T) {
	h := hostileWorld(t)
	var raw bytes.Buffer
	for i := range 1000 {
		raw.Write(httpPost(strings.Replace(bannerRequest, "r1", fmt.Sprintf("r%d", i), 1)))
	}
	c := h.dial()
	defer c.Close()
	go c.Write(raw.Bytes())
	r := bufio.NewReader(c)
	for i := range 1000 {
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		var answer struct{ ID string }
		require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
		_, _ = io.Copy(io.Discard, res.Body)
		require.Equal(t, fmt.Sprintf("r%d", i), answer.ID)
	}
}

// TestSlowClientsCostTheOthersNothing: headers that drip, bodies that never
// come, answers that nobody reads and idle connections all stand open while
// another client is served.
func TestSlowClientsCostTheOthersNothing(t *testing.T) {
	h := hostileWorld(t)
	stop := make(chan struct{})
	var drips sync.WaitGroup
	t.Cleanup(drips.Wait)
	t.Cleanup(func() { close(stop) })
	for i := range 200 {
		c := h.dial()
		t.Cleanup(func() { c.Close() })
		switch i % 4 {
		case 0: // idle
		case 1:
			c.Write([]byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nContent-Length: 500000\r\n\r\n{"))
		case 2: // never reads
			go func() {
				for range 200 {
					if _, err := c.Write(httpPost(bannerRequest)); err != nil {
						return
					}
				}
			}()
		case 3:
			drips.Go(func() {
				for _, b := range []byte("POST /openrtb2/burl HTTP/1.1\r\nHost: b\r\nX-A: aaaaaaaaaaaaaaaaaaaaaa") {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
			})
		}
	}
	for range 50 {
		h.alive()
	}
}

// TestHostileRequestsLeaveNoMemory compares the heap after the first thousand
// with the heap after two thousand more.
func TestHostileRequestsLeaveNoMemory(t *testing.T) {
	h := hostileWorld(t)
	table := hostileRequests()
	round := func(n int) uint64 {
		for i := range n {
			if c := table[i%len(table)]; !strings.Contains(c.name, "10 MB") && !strings.Contains(c.name, "bomb") {
				h.send(c.raw)
			}
		}
		runtime.GC()
		runtime.GC() // pools are emptied in two steps
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := round(1000)
	after := round(2000)
	require.Less(t, after, before+16<<20, "bytes")
}

// TestNothingOfARequestRunsInACreative puts markup into every string of a
// request and looks for it in the ad as a browser or player would read it.
func TestNothingOfARequestRunsInACreative(t *testing.T) {
	h := hostileWorld(t)
	for _, evil := range []string{
		`"><script>evil()</script>`, `' onload='evil()`, `" onerror="evil()`, `]]><evil/><![CDATA[`, `</style><evil>`, `javascript:evil()`,
		`\"}],\"evil\":[{\"a\":\"`, "\u2028evil()\u2029", `<!--evil`, `${evil}`, "\x00<evil>",
	} {
		text, err := json.Marshal(evil)
		require.NoError(t, err)
		e := string(text[1 : len(text)-1])
		context := `"site":{"id":"` + e + `","name":"` + e + `","domain":"` + e + `","page":"https://x/` + e + `","search":"` + e + `","keywords":"sofa,` + e +
			`","content":{"title":"` + e + `"}},"device":{"ua":"` + e + `","language":"` + e + `","ifa":"` + e + `"},"user":{"id":"` + e + `","buyeruid":"` + e +
			`","keywords":"` + e + `"},"source":{"tid":"` + e + `"},"regs":{"ext":{"dsa":{"dsarequired":1,"datatopub":2}}}`
		for _, media := range []string{`"banner":{"w":300,"h":250,"id":"` + e + `"}`, `"video":{"mimes":["video/mp4"],"companionad":[{"id":"` + e + `","w":300,"h":250}]}`, `"native":{"request":"` + nativeAsked + `","ver":"` + e + `"}`} {
			request := `{"id":"` + e + `","imp":[{"id":"` + e + `","tagid":"` + e + `",` + media + `,"pmp":{"deals":[{"id":"` + e + `"}]}}],` + context + `}`
			bid := h.bid("burl", request).SeatBid[0].Bid[0]
			require.Equal(t, strings.ToValidUTF8(evil, "\uFFFD"), bid.ImpID, "the id comes back as it was")
			require.NotContains(t, bid.AdM, "evil", "no string of the request is in the ad")
			switch {
			case strings.Contains(media, "banner"):
				checkHTML(t, bid.AdM)
			case strings.Contains(media, "video"):
				checkXML(t, bid.AdM)
			default:
				require.True(t, json.Valid([]byte(bid.AdM)))
			}
			for _, u := range []string{bid.NURL, bid.BURL, bid.LURL, bid.IURL} {
				require.NotContains(t, u, "evil")
			}
		}
	}
}

// checkHTML refuses elements and attributes that run something.
func checkHTML(t *testing.T, text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	require.NoError(t, err)
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" && n.FirstChild != nil && n.FirstChild.Data == ownScript() {
			continue // the constant one, which tells that the ad is seen
		}
		if n.Data == "form" { // the one that hides the ad
			require.Len(t, n.Attr, 2)
			require.Equal(t, "post", n.Attr[0].Val)
			require.Regexp(t, `^https?://bid\.example/hide\?t=[\w-]+&in=ad$`, n.Attr[1].Val)
			continue
		}
		require.NotContains(t, []string{"script", "iframe", "object", "embed", "base", "form"}, n.Data)
		for _, a := range n.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on"), "%s has %s", n.Data, a.Key)
			require.False(t, strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:"), a.Val)
		}
	}
}

// ownScript is the script of an ad into which nobody wrote anything.
func ownScript() string {
	ad := creatives.AppendBanner(nil, &creatives.Banner{W: 300, H: 250, Links: &creatives.Links{ViewURL: []byte("https://dsp.example/i/v?t=x")}})
	_, rest, _ := strings.Cut(string(ad), "<script>")
	script, _, _ := strings.Cut(rest, "</script>")
	return script
}

// checkXML reads the whole document, and the companion's HTML in it.
func checkXML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	inHTML := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		switch x := tok.(type) {
		case xml.StartElement:
			inHTML = x.Name.Local == "HTMLResource"
		case xml.CharData:
			if inHTML {
				checkHTML(t, string(x))
			}
		case xml.EndElement:
			inHTML = false
		}
	}
}

// TestAShopsOwnStringsAreEscaped: what a shop writes is no more trusted.
func TestAShopsOwnStringsAreEscaped(t *testing.T) {
	c := openCampaign(1)
	const evil = `</style><script>evil()</script>"' onload=evil() ]]><evil/>`
	for i := range c.Creatives {
		c.Creatives[i].Title, c.Creatives[i].Body, c.Creatives[i].CTA = evil, evil, evil
	}
	w := newWorld(t, c)
	w.in.Shops[0].Name = evil
	for i := range w.in.Buckets[0].Items {
		w.in.Buckets[0].Items[i].Title = evil
	}
	w.in.Version = 2
	require.Empty(t, w.b.Publish(w.in))
	checkHTML(t, w.bid("burl", bannerRequest).SeatBid[0].Bid[0].AdM)
	checkXML(t, w.bid("burl", `{"id":"v","imp":[{"id":"1","video":{"mimes":["video/mp4"],"companionad":[{"w":300,"h":250}]}}]}`).SeatBid[0].Bid[0].AdM)
	require.True(t, json.Valid([]byte(w.bid("burl", nativeBidRequest).SeatBid[0].Bid[0].AdM)))
}
