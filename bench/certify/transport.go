package certify

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// transport sends the same request in every way that HTTP allows, and what is
// no bid request.
func (r *run) transport(ctx context.Context) error {
	for _, stage := range []func(context.Context){
		r.encodings, r.keepAlive, r.pipelining, r.expectContinue, r.methods, r.malformed, r.unknownExchange, r.tooLarge,
	} {
		if ctx.Err() != nil {
			return nil // Run tells
		}
		stage(ctx)
	}
	return nil
}

// deliver sends a raw request; it counts, and a missing answer fails rule.
func (r *run) deliver(ctx context.Context, rule string, ev evidence, method string, raw []byte) (check.Answer, bool) {
	r.rec.report.Requests++
	a, _, err := r.wire.send(ctx, method, raw)
	if err != nil {
		if ctx.Err() == nil {
			r.rec.fail(rule, ev, "no answer: %v", err)
		}
		return a, false
	}
	return a, true
}

// encodings: gzip both ways, chunks, a charset, no version header.
func (r *run) encodings(ctx context.Context) {
	target := r.wire.url.RequestURI()
	post := func(rule, name string, body []byte, raw []byte) {
		ev := evidence{name, string(body)}
		a, ok := r.deliver(ctx, rule, ev, http.MethodPost, raw)
		if !ok {
			return
		}
		before := r.rec.broken()
		res := r.judged(ev, body, a, 0)
		answered := a.Status == http.StatusOK || a.Status == http.StatusNoContent
		r.rec.verdict(answered && r.rec.broken() == before, rule, ev, "status %d, %d bids, %d violations", a.Status, len(res.Bids), len(res.Violations))
	}
	plain := func() []byte { return r.body(one(banner(300, 250))) }

	body := plain()
	packed := zip(body)
	post(ruleGzip, "gzip-ed body", body, append(r.wire.head(http.MethodPost, target, len(packed), append(usual(), "Content-Encoding", "gzip")...), packed...))
	body = plain()
	post(ruleGzipAnswer, "Accept-Encoding: gzip", body, append(r.wire.head(http.MethodPost, target, len(body), append(usual(), "Accept-Encoding", "gzip")...), body...))
	body = plain()
	post(ruleChunked, "chunked body", body, append(r.wire.head(http.MethodPost, target, -1, append(usual(), "Transfer-Encoding", "chunked")...), chunks(body)...))
	body = plain()
	post(ruleCharset, "Content-Type: application/json;charset=utf-8", body, append(r.wire.head(http.MethodPost, target, len(body), "Content-Type", "application/json;charset=utf-8"), body...))
	body = plain()
	post(ruleNoVersion, "no x-openrtb-version", body, append(r.wire.head(http.MethodPost, target, len(body), "Content-Type", "application/json"), body...))

	bomb := zip(bytes.Repeat([]byte(" "), 2*r.cfg.Oversize))
	ev := evidence{name: fmt.Sprintf("%d bytes that inflate to %d", len(bomb), 2*r.cfg.Oversize)}
	if a, ok := r.deliver(ctx, ruleGzipBomb, ev, http.MethodPost, append(r.wire.head(http.MethodPost, target, len(bomb), append(usual(), "Content-Encoding", "gzip")...), bomb...)); ok {
		r.rec.verdict(refused(a.Status), ruleGzipBomb, ev, "status %d", a.Status)
	}
}

// refused tells whether a status puts the blame on the client.
func refused(status int) bool { return status >= 400 && status < 500 }

func zip(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(b) // a buffer does not fail
	_ = z.Close()
	return buf.Bytes()
}

// chunks cuts a body in pieces of 100 bytes.
func chunks(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		n := min(100, len(b))
		out = fmt.Appendf(out, "%x\r\n%s\r\n", n, b[:n])
		b = b[n:]
	}
	return append(out, "0\r\n\r\n"...)
}

// keepAlive counts connections over a few requests.
func (r *run) keepAlive(ctx context.Context) {
	const asked = 5
	r.wire.close()
	before := r.wire.dials
	var ev evidence
	for i := range asked {
		req := one(banner(300, 250))
		if i%2 == 1 {
			req = request(list{imp("1", banner(300, 250), m{"bidfloor": 1_000_000})}, nil)
		}
		body := r.body(req)
		ev = evidence{"five requests, one after another", string(body)}
		if _, ok := r.judge(ctx, ev, body); !ok {
			r.rec.fail(ruleKeepAlive, ev, "request %d was not answered", i+1)
			return
		}
	}
	n := r.wire.dials - before
	r.rec.verdict(n == 1, ruleKeepAlive, ev, "%d connections for %d requests", n, asked)
}

// pipelining writes several requests at once and reads the answers in order.
func (r *run) pipelining(ctx context.Context) {
	const asked = 6
	r.wire.close()
	var raw []byte
	var bodies [][]byte
	for i := range asked {
		req := one(banner(300, 250))
		if i%3 == 1 {
			req = request(list{imp("1", banner(300, 250), m{"bidfloor": 1_000_000})}, nil)
		}
		body := r.body(req)
		bodies = append(bodies, body)
		raw = append(append(raw, r.wire.head(http.MethodPost, r.wire.url.RequestURI(), len(body), usual()...)...), body...)
	}
	ev := evidence{"six requests in one write", string(bodies[0])}
	first, ok := r.deliver(ctx, rulePipelining, ev, http.MethodPost, raw)
	for i := range asked {
		a := first
		if i > 0 {
			if !ok || r.wire.conn == nil {
				break
			}
			r.rec.report.Requests++
			var err error
			if a, err = r.wire.read(http.MethodPost); err != nil {
				r.rec.fail(rulePipelining, ev, "answer %d of %d: %v", i+1, asked, err)
				return
			}
		}
		before := r.rec.broken()
		r.judged(evidence{ev.name, string(bodies[i])}, bodies[i], a, 0)
		if r.rec.broken() != before {
			r.rec.fail(rulePipelining, ev, "answer %d of %d is not request %d's", i+1, asked, i+1)
			return
		}
		if i == asked-1 {
			r.rec.pass(rulePipelining, ev, "%d answers in order", asked)
			return
		}
	}
	if ok {
		r.rec.fail(rulePipelining, ev, "the connection was closed before all were answered")
	}
}

// expectContinue sends the head, waits a moment for leave, then the body.
func (r *run) expectContinue(ctx context.Context) {
	body := r.body(one(banner(300, 250)))
	ev := evidence{"Expect: 100-continue", string(body)}
	r.wire.close()
	if err := r.wire.dial(ctx); err != nil {
		r.rec.fail(ruleExpect, ev, "%v", err)
		return
	}
	head := r.wire.head(http.MethodPost, r.wire.url.RequestURI(), len(body), append(usual(), "Expect", "100-continue")...)
	conn := r.wire.conn
	_ = conn.SetDeadline(time.Now().Add(r.cfg.Timeout)) // what fails shows in the next call
	if _, err := conn.Write(head); err != nil {
		r.rec.fail(ruleExpect, ev, "%v", err)
		return
	}
	leave, err := bufferedStatus(r.wire.br)
	if err != nil {
		r.wire.close()
		r.rec.fail(ruleExpect, ev, "no leave to send the body: %v", err)
		return
	}
	a, ok := r.deliver(ctx, ruleExpect, ev, http.MethodPost, body)
	if ok {
		r.rec.verdict(a.Status == http.StatusOK || a.Status == http.StatusNoContent, ruleExpect, ev, "%q, then status %d", leave, a.Status)
	}
}

// bufferedStatus looks at the status line that comes next, and leaves it.
func bufferedStatus(br *bufio.Reader) (string, error) {
	const line = len("HTTP/1.1 100 Continue")
	b, err := br.Peek(line)
	if err != nil {
		return "", err
	}
	s, _, _ := strings.Cut(string(b), "\r")
	if !strings.HasPrefix(s, "HTTP/1.1 100") {
		return s, fmt.Errorf("%q in place of it", s)
	}
	return s, nil
}

func (r *run) methods(ctx context.Context) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		ev := evidence{name: method + " " + r.wire.url.RequestURI()}
		if a, ok := r.deliver(ctx, ruleMethod, ev, method, r.wire.head(method, r.wire.url.RequestURI(), -1)); ok {
			r.rec.verdict(refused(a.Status), ruleMethod, ev, "status %d", a.Status)
		}
	}
}

// malformed: what is no JSON object is refused; what lacks the required, or
// has nonsense in it, may also go without a bid.
func (r *run) malformed(ctx context.Context) {
	for _, c := range []struct {
		name, body string
		lenient    bool
	}{
		{"cut off", `{"id":"certify","imp":[{"id":"1","banner":{"w":300,"h":250}`, false},
		{"no JSON", `id=certify&imp=1`, false},
		{"an array", `[]`, false},
		{"text", `"certify"`, false},
		{"nothing", ``, false},
		{"something behind the object", `{"id":"certify","imp":[{"id":"1","banner":{"w":300,"h":250}}]} more`, false},
		{"NaN", `{"id":"certify","imp":[{"id":"1","banner":{"w":NaN,"h":250}}]}`, true},
		{"an object without id", `{"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, true},
		{"an object without imp", `{"id":"certify"}`, true},
		{"no imps", `{"id":"certify","imp":[]}`, true},
		{"nested 100,000 deep", `{"id":"certify","imp":[{"id":"1","banner":{"w":300,"h":250}}],"ext":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, true},
	} {
		ev := evidence{"malformed: " + c.name, c.body[:min(len(c.body), 200)]}
		a, ok := r.deliver(ctx, ruleMalformed, ev, http.MethodPost, append(r.wire.head(http.MethodPost, r.wire.url.RequestURI(), len(c.body), usual()...), c.body...))
		if ok {
			right := a.Status == http.StatusBadRequest || c.lenient && a.Status == http.StatusNoContent
			r.rec.verdict(right, ruleMalformed, ev, "status %d", a.Status)
		}
	}
}

func (r *run) unknownExchange(ctx context.Context) {
	path := strings.TrimSuffix(r.wire.url.Path, "/")
	path = path[:strings.LastIndexByte(path, '/')+1] + "certify-nobody-" + r.id
	body := r.body(one(banner(300, 250)))
	ev := evidence{"POST " + path, string(body)}
	if a, ok := r.deliver(ctx, ruleUnknown, ev, http.MethodPost, append(r.wire.head(http.MethodPost, path, len(body), usual()...), body...)); ok {
		r.rec.verdict(a.Status == http.StatusNotFound, ruleUnknown, ev, "status %d", a.Status)
	}
}

// tooLarge announces a body beyond all measure, and sends it if that alone is
// not refused: who is refused in the middle may lose the answer on the way.
func (r *run) tooLarge(ctx context.Context) {
	const front, back = `{"id":"certify","imp":[{"id":"1","banner":{"w":300,"h":250}}],"ext":{"x":"`, `"}}`
	length := len(front) + r.cfg.Oversize + len(back)
	ev := evidence{name: fmt.Sprintf("a body of %d bytes", length)}
	r.wire.close()
	defer r.wire.close()
	if err := r.wire.dial(ctx); err != nil {
		r.rec.fail(ruleTooLarge, ev, "%v", err)
		return
	}
	r.rec.report.Requests++
	a, err := r.wire.exchangeLarge(ctx, r.wire.head(http.MethodPost, r.wire.url.RequestURI(), length, usual()...), func() []byte {
		body := append(make([]byte, 0, length), front...)
		return append(append(body, bytes.Repeat([]byte("x"), r.cfg.Oversize)...), back...)
	})
	r.rec.verdict(err == nil && a.Status == http.StatusRequestEntityTooLarge, ruleTooLarge, ev, "status %d%s", a.Status, errText(err))
}

// broken counts all that was seen broken so far.
func (rec *recorder) broken() int {
	n := 0
	for i := range rec.report.Findings {
		n += rec.report.Findings[i].Failed
	}
	return n
}
