// Package webhook calls the addresses that shops give for their alerts: each
// call is signed, bounded in time and bytes, and cannot reach what only we can
// reach. The address is looked at when it is dialled, after its name was
// resolved, so neither a name that resolves to an inner address nor one that
// changes its mind gets there; redirects are not followed, no proxy is used.
//
// Slow side; a Client is safe for many goroutines. Imports internal only.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	neturl "net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/grosz/grosz/internal/publicip"
)

// SignatureHeader carries t=SECONDS,v1=HEX: the hex HMAC-SHA256, under the
// webhook's secret, of SECONDS, a point and the body.
const SignatureHeader = "Grosz-Signature"

const callTimeout = 10 * time.Second

// Client calls webhooks.
type Client struct {
	private bool
	http    *http.Client
}

// New makes a Client. private lets it call inner addresses and http too, for
// trials and tests.
func New(private bool) *Client {
	c := &Client{private: private}
	d := &net.Dialer{Timeout: 5 * time.Second, Control: c.control}
	c.http = &http.Client{
		Timeout:       callTimeout,
		Transport:     &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// control looks at the very address that is being dialled.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	if c.private {
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", publicip.Err, address)
	}
	if !publicip.Is(ap.Addr()) || ap.Port() != 443 {
		return fmt.Errorf("%w: %s", publicip.Err, address)
	}
	return nil
}

// Check tells of an address that is never called, as far as it shows by itself:
// a name is looked at when it is dialled.
func (c *Client) Check(address string) error {
	if c.private {
		return nil
	}
	u, err := neturl.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("must begin with https:// and a name")
	}
	if port := u.Port(); port != "" && port != "443" {
		return fmt.Errorf("port %s is not called, only 443 is", port)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if ip, err := netip.ParseAddr(host); err == nil && !publicip.Is(ip) || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return publicip.Err
	}
	return nil
}

// Sign is the header's value for a body sent at a time.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Call sends a body; an answer of 2xx means that it was taken. The error is
// shown to the shop, so it says nothing of our network.
func (c *Client) Call(ctx context.Context, url, secret string, at time.Time, body []byte) error {
	if !c.private && !strings.HasPrefix(url, "https://") {
		return errors.New("the address is not https")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(body)))
	if err != nil {
		return errors.New("the address cannot be called")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Grosz/1 (webhook)")
	req.Header.Set(SignatureHeader, Sign(secret, at, body))
	res, err := c.http.Do(req)
	if err != nil {
		return outward(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10)) // its words do not matter
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("it answered %d", res.StatusCode)
	}
	return nil
}

// outward is an error without addresses and ports.
func outward(err error) error {
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, publicip.Err):
		return publicip.Err
	case errors.As(err, &dns):
		return errors.New("its name is not known")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("it did not answer in time")
	}
	return errors.New("it cannot be reached")
}
