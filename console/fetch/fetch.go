// Package fetch gets a shop's feed from where the shop says, without letting
// the shop reach what only we can reach: addresses are checked when they are
// dialled, after the name was resolved, at each redirect anew, so neither a
// name that resolves to a private address nor one that changes its mind does.
// No proxy is used; only http and https, only the usual ports; size and time
// are bounded; a server that says 'unchanged' is believed.
//
// Slow side; a Client is safe for many goroutines. Imports internal only.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/grosz/grosz/internal/publicip"
)

// Bounds of one fetch.
const (
	DefaultTimeout = 15 * time.Minute
	maxRedirects   = 5
	headerWait     = 60 * time.Second
	dialWait       = 10 * time.Second
)

// ErrURL is for a URL that may not be fetched; for an address it is
// publicip.Err.
var ErrURL = errors.New("the URL cannot be fetched")

// Config of a Client.
type Config struct {
	// AllowPrivate lets it fetch from private and loopback addresses, and from
	// any port: for trials and tests.
	AllowPrivate bool
	// MaxBytes bounds what is read of an answer; 0 means 256 MiB.
	MaxBytes int64
	// Timeout bounds a whole fetch; 0 means 15 minutes.
	Timeout time.Duration
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
}

// Validators are what a server said of the version that we have.
type Validators struct{ ETag, Modified string }

// Client fetches.
type Client struct {
	cfg  Config
	http *http.Client
}

// New returns a Client.
func New(cfg Config) *Client {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 256 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	c := &Client{cfg: cfg}
	dialer := &net.Dialer{Timeout: dialWait, Resolver: cfg.Resolver, Control: c.control}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialWait, ResponseHeaderTimeout: headerWait,
			MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: more than %d redirects", ErrURL, maxRedirects)
			}
			if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return fmt.Errorf("%w: it leads from https to %s", ErrURL, r.URL.Scheme)
			}
			return c.Check(r.URL.String())
		},
	}
	return c
}

// Check tells what is wrong with a URL before anything is dialled.
func (c *Client) Check(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%w: it names no host", ErrURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%w: it is neither http nor https", ErrURL)
	case u.User != nil:
		return fmt.Errorf("%w: it holds a user name", ErrURL)
	case c.cfg.AllowPrivate:
		return nil
	case !slices.Contains([]string{"", "80", "443", "8080", "8443"}, u.Port()):
		return fmt.Errorf("%w: port %s", ErrURL, u.Port())
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !publicip.Is(ip) {
		return fmt.Errorf("%w: %s", publicip.Err, ip)
	}
	return nil
}

// control looks at the address that is really dialled.
func (c *Client) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("%w: %s %s", publicip.Err, network, address)
	}
	if c.cfg.AllowPrivate || publicip.Is(at.Addr()) {
		return nil
	}
	return fmt.Errorf("%w: %s", publicip.Err, at.Addr())
}

// Answer is what was fetched. Body must be closed, unless Unchanged.
type Answer struct {
	Unchanged bool
	Validators
	Body io.ReadCloser
}

// Get fetches a URL unless it is what the validators name. The answer's body
// fails once it is larger than MaxBytes or takes longer than Timeout.
func (c *Client) Get(ctx context.Context, raw string, have Validators) (Answer, error) {
	if err := c.Check(raw); err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		cancel()
		return Answer{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	req.Header.Set("User-Agent", "grosz-feeds")
	req.Header.Set("Accept-Encoding", "gzip")
	if have.ETag != "" {
		req.Header.Set("If-None-Match", have.ETag)
	}
	if have.Modified != "" {
		req.Header.Set("If-Modified-Since", have.Modified)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		cancel()
		return Answer{}, fmt.Errorf("fetch the feed: %w", err)
	}
	a := Answer{Validators: Validators{clip(resp.Header.Get("ETag")), clip(resp.Header.Get("Last-Modified"))}}
	if resp.StatusCode == http.StatusOK && resp.ContentLength <= c.cfg.MaxBytes {
		a.Body = &body{ReadCloser: resp.Body, left: c.cfg.MaxBytes, max: c.cfg.MaxBytes, cancel: cancel}
		return a, nil
	}
	_ = resp.Body.Close() // nothing of it is wanted
	cancel()
	switch {
	case resp.StatusCode == http.StatusNotModified && have != Validators{}:
		return Answer{Unchanged: true, Validators: have}, nil
	case resp.StatusCode == http.StatusOK:
		return Answer{}, fmt.Errorf("fetch the feed: %d bytes, more than %d", resp.ContentLength, c.cfg.MaxBytes)
	}
	return Answer{}, fmt.Errorf("fetch the feed: the server answers %s", resp.Status)
}

// clip bounds what is kept of a header; a cut validator would be another.
func clip(s string) string {
	if len(s) > 512 {
		return ""
	}
	return s
}

// body bounds an answer's bytes and frees its context.
type body struct {
	io.ReadCloser
	left, max int64
	cancel    context.CancelFunc
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("fetch the feed: more than %d bytes", b.max)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
