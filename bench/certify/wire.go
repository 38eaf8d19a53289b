package certify

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// maxAnswer bounds an answer, bytes.
const maxAnswer = 16 << 20

// wire is one HTTP/1.1 connection to the bidder, kept as long as it lasts.
// Client libraries hide what an exchange's own would trip over, such as a
// body behind a 204.
type wire struct {
	url     *url.URL
	timeout time.Duration
	conn    net.Conn
	br      *bufio.Reader
	dials   int
}

// loopback tells whether a host is this machine: its certificates are tried
// ones, and are not verified.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (w *wire) dial(ctx context.Context) error {
	addr := w.url.Host
	if w.url.Port() == "" {
		addr = net.JoinHostPort(w.url.Hostname(), map[string]string{"http": "80", "https": "443"}[w.url.Scheme])
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	var err error
	if w.url.Scheme == "https" {
		d := tls.Dialer{Config: &tls.Config{ServerName: w.url.Hostname(), InsecureSkipVerify: loopback(w.url.Hostname()), NextProtos: []string{"http/1.1"}}}
		w.conn, err = d.DialContext(ctx, "tcp", addr)
	} else {
		var d net.Dialer
		w.conn, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		w.conn = nil
		return fmt.Errorf("connect to the bidder: %w", err)
	}
	w.br = bufio.NewReaderSize(w.conn, 64<<10)
	w.dials++
	return nil
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing more is wanted of it
		w.conn = nil
	}
}

// head is the request's first lines; length < 0 leaves Content-Length out.
func (w *wire) head(method, target string, length int, headers ...string) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, w.url.Host)
	if length >= 0 {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", length)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		b = fmt.Appendf(b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	return append(b, "\r\n"...)
}

// usual are the headers of an ordinary bid request.
func usual() []string {
	return []string{"Content-Type", "application/json", "X-Openrtb-Version", "2.6", "Connection", "keep-alive"}
}

// post sends one bid request with the usual headers.
func (w *wire) post(ctx context.Context, body []byte) (check.Answer, time.Duration, error) {
	return w.send(ctx, http.MethodPost, append(w.head(http.MethodPost, w.url.RequestURI(), len(body), usual()...), body...))
}

// send writes one whole request and reads its answer. A kept connection may
// have been closed by the other side in the meantime: then a new one is
// tried, once.
func (w *wire) send(ctx context.Context, method string, raw []byte) (check.Answer, time.Duration, error) {
	for {
		kept := w.conn != nil
		if !kept {
			if err := w.dial(ctx); err != nil {
				return check.Answer{}, 0, err
			}
		}
		start := time.Now()
		a, err := w.exchange(ctx, method, raw)
		if err == nil || !kept || !errors.Is(err, errNoAnswer) || ctx.Err() != nil {
			return a, time.Since(start), err
		}
	}
}

// errNoAnswer: the connection ended before the answer began.
var errNoAnswer = errors.New("no answer")

// exchange writes and reads. What was refused early is answered before all
// of it is written, so a failed write does not end it.
func (w *wire) exchange(ctx context.Context, method string, raw []byte) (check.Answer, error) {
	conn := w.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // one that is closed already needs no end
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(w.timeout)); err != nil {
		w.close()
		return check.Answer{}, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	_, werr := conn.Write(raw)
	a, err := w.read(method)
	if err != nil && werr != nil {
		err = fmt.Errorf("%w; and writing: %w", err, werr)
	}
	if err != nil || werr != nil {
		w.close()
	}
	return a, err
}

// exchangeLarge writes the head, and the body only if that is not answered.
func (w *wire) exchangeLarge(ctx context.Context, head []byte, body func() []byte) (check.Answer, error) {
	const wait = 500 * time.Millisecond
	if err := w.conn.SetDeadline(time.Now().Add(w.timeout)); err != nil {
		return check.Answer{}, fmt.Errorf("connection: %w", err)
	}
	if _, err := w.conn.Write(head); err != nil {
		return check.Answer{}, fmt.Errorf("head: %w", err)
	}
	if w.early(min(wait, w.timeout)) {
		return w.read(http.MethodPost)
	}
	return w.exchange(ctx, http.MethodPost, body())
}

// early waits a moment for an answer to what was written so far, and tells
// whether one begins.
func (w *wire) early(wait time.Duration) bool {
	_ = w.conn.SetReadDeadline(time.Now().Add(wait)) // what fails shows in the next call
	_, err := w.br.Peek(1)
	return err == nil
}

// read reads one answer, past any 1xx.
func (w *wire) read(method string) (check.Answer, error) {
	for range 8 {
		if _, err := w.br.Peek(1); err != nil {
			w.close()
			return check.Answer{}, fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		resp, err := http.ReadResponse(w.br, &http.Request{Method: method})
		if err != nil {
			w.close()
			return check.Answer{}, fmt.Errorf("answer: %w", err)
		}
		if resp.StatusCode < 200 {
			continue
		}
		return w.finish(resp)
	}
	w.close()
	return check.Answer{}, errors.New("answer: nothing but 1xx")
}

func (w *wire) finish(resp *http.Response) (check.Answer, error) {
	defer resp.Body.Close()
	a := check.Answer{Status: resp.StatusCode, Header: resp.Header}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a.Body = body
	if err != nil {
		w.close()
		return a, fmt.Errorf("answer's body: %w", err)
	}
	if resp.StatusCode == http.StatusNoContent {
		a.Body = w.behind204(resp.Header)
	}
	if resp.Close || len(body) == maxAnswer {
		w.close()
	}
	return a, nil
}

// behind204 is a body where none may be.
func (w *wire) behind204(h http.Header) []byte {
	n, err := strconv.Atoi(h.Get("Content-Length"))
	if err != nil || n <= 0 {
		return nil
	}
	body := make([]byte, min(n, 1<<16))
	k, _ := io.ReadFull(w.br, body) // what is there is enough
	w.close()
	return body[:max(k, 1)]
}
