package certify

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grosz/grosz/internal/money"
)

const fakeMaxBody = 256 << 10

// fakeBidder holds every rule but the one that broken names, and keeps books.
type fakeBidder struct {
	t      testing.TB
	srv    *httptest.Server
	broken string

	mu       sync.Mutex
	n        int
	dead     bool
	test     map[string]bool // by bid
	called   map[string]int  // by bid/kind
	books    map[string]*settlement
	rejected map[string]int // by the token's first 64 characters
}

func newFake(t testing.TB, broken string) *fakeBidder {
	f := &fakeBidder{t: t, broken: broken, test: map[string]bool{}, called: map[string]int{}, books: map[string]*settlement{}, rejected: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/openrtb2/", f.openrtb)
	mux.HandleFunc("/n/{kind}", f.notice)
	mux.HandleFunc("/c", f.click)
	mux.HandleFunc("/clickhouse/", f.clickhouse)
	f.srv = httptest.NewServer(mux)
	t.Cleanup(f.srv.Close)
	return f
}

func (f *fakeBidder) config() Config {
	cfg := Config{
		URL: f.srv.URL + "/openrtb2/fake", Timeout: 10 * time.Second, Oversize: 2 * fakeMaxBody,
		Ledger: LedgerConfig{URL: f.srv.URL + "/clickhouse/", User: "default", Password: "secret", Wait: 300 * time.Millisecond},
	}
	if f.broken != "" && !strings.HasPrefix(f.broken, "settle.") {
		cfg.Ledger.URL = "" // it takes time, and shows nothing new
	}
	return cfg
}

// advertiser of the fake.
type advertiser struct {
	domain, cat, bundle string
	attr                int
}

func advertisers() []advertiser {
	return []advertiser{{"one-shop.example", "IAB18-1", "com.one.shop", 7}, {"two-shop.example", "IAB22", "com.two.shop", 8}}
}

const fakeSeat = "fake-seat"

func text(o m, key string) string {
	switch v := o[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func num(o m, key string) float64 {
	v, _ := strconv.ParseFloat(text(o, key), 64) // absent is 0
	return v
}

func texts(o m, key string) []string {
	in, _ := o[key].([]any)
	var out []string
	for _, e := range in {
		out = append(out, text(m{"": e}, ""))
	}
	return out
}

func sub(o m, key string) m { v, _ := o[key].(m); return v }

func has(in []string, s string) bool {
	return slices.ContainsFunc(in, func(e string) bool { return strings.EqualFold(e, s) })
}

// openrtb reads HTTP, then answers.
func (f *fakeBidder) openrtb(w http.ResponseWriter, r *http.Request) {
	is := func(rule string) bool { return f.broken == rule }
	f.mu.Lock()
	dead := f.dead
	f.mu.Unlock()
	switch {
	case is(ruleExpect) && r.Header.Get("Expect") != "":
		w.WriteHeader(http.StatusExpectationFailed)
		return
	case dead:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case !strings.HasSuffix(r.URL.Path, "/fake") && !is(ruleUnknown):
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost && !is(ruleMethod):
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case is(ruleChunked) && len(r.TransferEncoding) > 0, is(ruleCharset) && r.Header.Get("Content-Type") != "application/json",
		is(ruleNoVersion) && r.Header.Get("X-Openrtb-Version") == "", is(ruleGzip) && r.Header.Get("Content-Encoding") != "":
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body, ok := f.read(w, r)
	if !ok || r.Method != http.MethodPost { // then 200 and nothing
		return
	}
	if is(ruleKeepAlive) {
		w.Header().Set("Connection", "close")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var req m
	if err := dec.Decode(&req); err != nil || dec.More() || text(req, "id") == "" {
		w.WriteHeader(map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[is(ruleMalformed)])
		return
	}
	f.answer(w, r, req)
}

func (f *fakeBidder) read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	limit := int64(fakeMaxBody)
	if f.broken == ruleTooLarge || f.broken == ruleGzipBomb {
		limit = 64 << 20
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if r.Header.Get("Content-Encoding") != "gzip" {
		return body, true
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(z, limit+1))
	}
	if f.broken == ruleGzipBomb && err == nil && len(body) > fakeMaxBody {
		w.WriteHeader(http.StatusInternalServerError)
		return nil, false
	}
	if err != nil || int64(len(body)) > limit {
		w.WriteHeader(http.StatusBadRequest)
		return nil, false
	}
	return body, true
}

func (f *fakeBidder) answer(w http.ResponseWriter, r *http.Request, req m) {
	if f.broken == ruleTMax && num(req, "tmax") == 250 {
		time.Sleep(260 * time.Millisecond)
	}
	if f.broken == ruleLenient && req["zzz"] != nil || f.broken == ruleDOOH && req["dooh"] != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	resp := f.respond(req)
	if resp == nil {
		f.noBid(w)
		return
	}
	out, err := json.Marshal(resp)
	if err != nil {
		f.t.Error(err)
	}
	switch f.broken {
	case "utf8":
		out = bytes.Replace(out, []byte("one-shop ad"), []byte("\xff\xfe"), 1)
	case "json":
		out = out[:len(out)-1]
	case rulePipelining:
		w.Header().Set("Connection", "close")
	case ruleGzipAnswer:
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
		}
	}
	w.Header().Set("Content-Type", map[bool]string{true: "text/html", false: "application/json"}[f.broken == "content_type"])
	_, _ = w.Write(out)
}

func (f *fakeBidder) noBid(w http.ResponseWriter) {
	switch f.broken {
	case "status":
		w.WriteHeader(http.StatusInternalServerError)
	case "no_bid":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"x","seatbid":[]}`)
	case "empty_204":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			f.t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
		_ = conn.Close()
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func sign(id string) string {
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(id))
	return id + hex.EncodeToString(mac.Sum(nil)[:16])
}

// verify returns the bid of a token.
func (f *fakeBidder) verify(token string) (string, bool) {
	if len(token) >= 32 && (token == sign(token[:32]) || f.broken == ruleUntrusted) {
		return token[:32], true
	}
	if f.broken != ruleRejections {
		f.rejected[token[:min(len(token), 64)]]++
	}
	return "", false
}

func (f *fakeBidder) notice(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind, price := r.PathValue("kind"), r.FormValue("p")
	f.dead = f.dead || f.broken == ruleAlive
	bid, ok := f.verify(r.FormValue("t"))
	status := map[bool]int{true: http.StatusOK, false: http.StatusNoContent}[kind == kindImpression]
	again := f.called[bid+"/"+kind]
	_, err := money.ParseCPM(price)
	switch {
	case !ok && f.broken == ruleToken, f.broken == "notice."+kind:
		status = http.StatusInternalServerError
	case !ok:
	case f.broken == ruleRepeat && again > 0, f.broken == ruleOrder && kind == kindBilling && f.called[bid+"/"+kindWin] == 0,
		f.broken == ruleLateLoss && kind == kindLoss && f.called[bid+"/"+kindBilling] > 0, f.broken == rulePriceText && err != nil:
		status = http.StatusConflict
	}
	if ok {
		f.called[bid+"/"+kind]++
		if kind == kindBilling || kind == kindLoss && f.broken == ruleLost {
			f.settle(bid, price)
		}
	}
	if kind == kindImpression {
		w.Header().Set("Content-Type", map[bool]string{true: "text/plain", false: "image/gif"}[f.broken == rulePixel])
		if f.broken != ruleNoStore {
			w.Header().Set("Cache-Control", "no-store")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "GIF89a")
		return
	}
	w.WriteHeader(status)
}

const fakePrice = 3_250_000

// settle books a billing notice once.
func (f *fakeBidder) settle(bid, text string) {
	s := f.books[bid]
	switch {
	case f.test[bid] && f.broken != ruleTestFree, text == "AUDIT" && f.broken != ruleAudited,
		f.broken == ruleAfterLoss && f.called[bid+"/"+kindLoss] > 0:
		return
	case s != nil && f.broken != ruleOnce:
		return
	}
	price, err := money.ParseCPM(text)
	var disputed money.CPM
	switch {
	case err != nil || price <= 0:
		price = fakePrice
		if f.broken == ruleAtBid {
			price = 0
		}
	case price > fakePrice && f.broken != ruleDisputed:
		price, disputed = fakePrice, price-fakePrice
	case f.broken == ruleBooked:
		price = fakePrice
	}
	f.books[bid] = &settlement{ID: bid, Amount: price.PerImpression().String(), Disputed: disputed.PerImpression().String(), Conflicts: "0", Status: "ok"}
}

func (f *fakeBidder) click(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.verify(r.FormValue("t")); !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	to := "https://www." + r.FormValue("d") + "/p/1"
	switch {
	case r.FormValue("d") != advertisers()[0].domain && r.FormValue("d") != advertisers()[1].domain:
		to = "https://one-shop.example/"
	case f.broken == ruleClick:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case f.broken == ruleTarget:
		to = "https://elsewhere.example/"
	case f.broken == ruleTampered && r.FormValue("url") != "":
		to = r.FormValue("url")
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

func (f *fakeBidder) clickhouse(w http.ResponseWriter, r *http.Request) {
	sql, _ := io.ReadAll(r.Body)
	if _, password, _ := r.BasicAuth(); password != "secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, raw, ok := strings.Cut(string(sql), "x.raw = '"); ok {
		raw, _, _ = strings.Cut(raw, "'")
		fmt.Fprintln(w, f.rejected[raw])
		return
	}
	for id, s := range f.books {
		if strings.Contains(strings.ReplaceAll(string(sql), "-", ""), id) {
			_ = json.NewEncoder(w).Encode(s)
		}
	}
}
