package certify

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// answer to a notice.
type answer struct {
	status   int
	header   http.Header
	location string
	body     []byte
}

// noticeClient follows no redirect: where a click leads is looked at.
func noticeClient(bidder *url.URL, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second, DisableCompression: true,
			// A trial on loopback signs its own certificate.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: loopback(bidder.Hostname())},
		},
	}
}

func (r *run) get(ctx context.Context, raw string) (answer, error) {
	to, err := r.noticesTo(raw)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return answer{}, fmt.Errorf("notice: %w", err)
	}
	r.rec.report.Notices++
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("notice: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{resp.StatusCode, resp.Header, resp.Header.Get("Location"), body}, err
}

// markup looks at what a browser would: the pixel and the click.
func (r *run) markup(ctx context.Context, ad m) {
	b, c, _, ok := r.auction(ctx, "rendered and clicked", one(ad))
	if !ok {
		return
	}
	if len(c.impressions) > 0 {
		at := fill(c.impressions[0], b, r.id, below(b.Price).String())
		res, err := r.get(ctx, at)
		ev := evidence{"pixel", at}
		r.rec.verdict(err == nil && (res.status == 200 || res.status == 204), ruleImpression, ev, "answered %d%s", res.status, errText(err))
		typ := res.header.Get("Content-Type")
		r.rec.verdict(strings.HasPrefix(typ, "image/") && isImage(res.body), rulePixel, ev, "%q, %d bytes", typ, len(res.body))
		cache := res.header.Get("Cache-Control")
		r.rec.verdict(strings.Contains(cache, "no-store") || strings.Contains(cache, "no-cache"), ruleNoStore, ev, "Cache-Control: %q", cache)
	}
	r.clicks(ctx, b, c)
}

func isImage(b []byte) bool {
	for _, magic := range []string{"GIF8", "\x89PNG", "\xff\xd8\xff", "RIFF", "<svg"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return false
}

// evil is where no click may lead.
const evil = "https://evil.example/"

// clicks follows every link of the ad: each answers a page of the bidder's
// or leads to the advertiser.
func (r *run) clicks(ctx context.Context, b check.Bid, c calls) {
	led := ""
	for _, raw := range c.clicks {
		at := fill(raw, b, r.id, "")
		ev := evidence{"click", at}
		res, err := r.get(ctx, at)
		if err != nil || res.location == "" {
			if err != nil || res.status != http.StatusOK { // a page, such as 'why this ad'
				r.rec.fail(ruleClick, ev, "answered %d%s", res.status, errText(err))
			}
			continue
		}
		r.rec.verdict(res.status >= 300 && res.status < 400, ruleClick, ev, "%d to %s", res.status, hostOf(res.location))
		r.rec.verdict(r.leadsTo(res.location, b), ruleTarget, ev, "leads to %s, the advertiser is %v", hostOf(res.location), b.ADomain)
		if led == "" {
			led = at
		}
	}
	if led == "" {
		return
	}
	sep := "&"
	if !strings.Contains(led, "?") {
		sep = "?"
	}
	var tries []string
	for _, key := range []string{"url", "u", "r", "p", "to", "dest", "redirect", "landing"} {
		tries = append(tries, led+sep+key+"="+url.QueryEscape(evil))
	}
	if u, err := url.Parse(led); err == nil { // and in place of what each parameter says
		for key := range u.Query() {
			q := u.Query()
			q.Set(key, evil)
			v := *u
			v.RawQuery = q.Encode()
			tries = append(tries, v.String())
		}
	}
	for _, at := range tries {
		res, err := r.get(ctx, at)
		ok := err == nil && res.status < 500 && (res.location == "" || r.leadsTo(res.location, b))
		r.rec.verdict(ok, ruleTampered, evidence{"altered click", at}, "%d %s%s", res.status, res.location, errText(err))
	}
}

// leadsTo tells whether a redirect is to the advertiser, or to a host that
// the caller named. On loopback, shops are on loopback too.
func (r *run) leadsTo(location string, b check.Bid) bool {
	u, err := url.Parse(location)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, d := range b.ADomain {
		d = strings.ToLower(d)
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return slices.Contains(r.cfg.Landing, u.Host) || slices.Contains(r.cfg.Landing, host) || loopback(host) && loopback(r.wire.url.Hostname())
}

// altered calls every notice of two bids with tokens that were changed.
func (r *run) altered(ctx context.Context) {
	ad := one(banner(300, 250))
	first, a, ev, ok := r.auction(ctx, "altered notices", ad)
	second, b, _, ok2 := r.auction(ctx, "altered notices", ad)
	if !ok || !ok2 {
		r.rec.unseen(ruleToken, evidence{name: "altered notices"}, "no two valid bids to alter the notices of")
		return
	}
	pairs := []struct{ kind, a, b string }{{kindWin, a.win, b.win}, {kindBilling, a.billing, b.billing}, {kindLoss, a.loss, b.loss}}
	if len(a.impressions) > 0 && len(b.impressions) > 0 {
		pairs = append(pairs, struct{ kind, a, b string }{kindImpression, a.impressions[0], b.impressions[0]})
	}
	if len(a.clicks) > 0 && len(b.clicks) > 0 {
		pairs = append(pairs, struct{ kind, a, b string }{"click", a.clicks[0], b.clicks[0]})
	}
	sent := 0
	for _, p := range pairs {
		for _, t := range alterations(p.a, p.b) {
			at := fill(t.url, first, r.id, below(first.Price).String())
			res, err := r.get(ctx, at)
			ok := err == nil && res.status < 500 && res.location == ""
			r.rec.verdict(ok, ruleToken, evidence{p.kind + " with " + t.how, at}, "answered %d %s%s", res.status, res.location, errText(err))
			if ok && p.kind != "click" {
				sent++
				r.refused = append(r.refused, refusal{t.token, evidence{p.kind + " with " + t.how, at}})
			}
		}
	}
	if sent == 0 {
		return
	}
	for _, id := range []string{first.ID, second.ID} {
		r.booked = append(r.booked, booking{bid: id, rule: ruleUntrusted, ev: ev})
	}
}

// alteration is a notice URL with another token.
type alteration struct{ how, token, url string }

// alterations change the token of a: the longest value of its query. b is
// another bid's URL of the same kind.
func alterations(a, b string) []alteration {
	token, other := tokenOf(a), tokenOf(b)
	if len(token) < 16 || len(other) < 16 {
		return nil
	}
	flip := func(i int) string {
		c := byte('A')
		if token[i] == c {
			c = 'B'
		}
		return token[:i] + string(c) + token[i+1:]
	}
	var out []alteration
	for _, t := range []struct{ how, token string }{
		{"a changed front", flip(2)}, {"a changed middle", flip(len(token) / 2)}, {"a changed end", flip(len(token) - 5)},
		{"a token cut in half", token[:len(token)/2]}, {"a token cut by one", token[:len(token)-1]},
		{"another bid's signature", token[:len(token)-20%len(token)] + other[len(other)-20%len(token):]},
		{"an invented token", strings.Repeat("A", len(token))},
	} {
		if t.token != token && t.token != other {
			out = append(out, alteration{t.how, t.token, strings.Replace(a, token, t.token, 1)})
		}
	}
	return append(out, alteration{"no token", "", strings.Replace(a, token, "", 1)})
}

// tokenOf is the longest value in a URL's query, macros left out.
func tokenOf(raw string) string {
	_, query, _ := strings.Cut(raw, "?")
	best := ""
	for part := range strings.SplitSeq(query, "&") {
		_, v, _ := strings.Cut(part, "=")
		if len(v) > len(best) && !strings.Contains(v, "${") {
			best = v
		}
	}
	return best
}
