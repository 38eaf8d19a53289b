package certify

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"time"

	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/internal/money"
)

// Config says whom to certify, and how.
type Config struct {
	// URL of the bidder's endpoint, such as http://127.0.0.1:8080/openrtb2/demo.
	URL string
	// Currency of the requests and floors; empty means USD.
	Currency string
	// Timeout of one answer; 0 means 5 s.
	Timeout time.Duration
	// Test marks every request test: 1, so that nothing is billed.
	Test bool
	// Oversize is the length of a body that the bidder must refuse with 413,
	// bytes; 0 means 32 MiB.
	Oversize int
	// Landing are hosts beside the bid's adomain to which a click may lead.
	// A loopback bidder may lead to loopback shops without them.
	Landing []string
	// NoticesTo, a base URL, takes the notices in place of the host that the
	// bid's URLs name; empty: they are called as they stand.
	NoticesTo string
	// Check adapts the rules of bench/check.
	Check check.Options
	// Ledger, if its URL is set, is asked what was booked.
	Ledger LedgerConfig
}

// LedgerConfig leads to Grosz's ClickHouse, over HTTP.
type LedgerConfig struct {
	URL            string // such as http://127.0.0.1:8123; empty: the books are not read
	User, Password string
	// Exchange as the books name it; empty: the last part of Config.URL.
	Exchange string
	// Wait is how long a settlement may take to be seen; 0 means 30 s.
	Wait time.Duration
}

const (
	defaultTimeout  = 5 * time.Second
	defaultOversize = 32 << 20
	maxOversize     = 256 << 20
	defaultWait     = 30 * time.Second
)

func (c *Config) defaults() {
	if c.Currency == "" {
		c.Currency = "USD"
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Oversize == 0 {
		c.Oversize = defaultOversize
	}
	if c.Ledger.Wait == 0 {
		c.Ledger.Wait = defaultWait
	}
	if u, err := url.Parse(c.URL); err == nil && c.Ledger.Exchange == "" {
		c.Ledger.Exchange = path.Base(u.Path)
	}
}

var exchangeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Validate lists everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("certify: "+format, args...)) }
	u, err := httpURL(c.URL)
	if err != nil {
		bad("url: %w", err)
	} else if u.Path == "" || u.Path == "/" {
		bad("url %q has no path: it is the endpoint's, such as http://127.0.0.1:8080/openrtb2/demo", c.URL)
	}
	if _, err := money.ParseCurrency(c.Currency); err != nil {
		bad("currency: %w", err)
	}
	if c.Timeout < 0 || c.Ledger.Wait < 0 {
		bad("timeout and wait must not be negative")
	}
	if c.Oversize < 0 || c.Oversize > maxOversize {
		bad("oversize %d is not within 0 and %d bytes", c.Oversize, maxOversize)
	}
	if c.NoticesTo != "" {
		if _, err := httpURL(c.NoticesTo); err != nil {
			bad("notices-to: %w", err)
		}
	}
	if c.Ledger.URL != "" {
		if _, err := httpURL(c.Ledger.URL); err != nil {
			bad("clickhouse: %w", err)
		}
		if !exchangeName.MatchString(c.Ledger.Exchange) {
			bad("exchange %q: letters, digits, '-', '_' and '.' only", c.Ledger.Exchange)
		}
	}
	return errors.Join(errs...)
}

func httpURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not an absolute http(s) URL", s)
	}
	return u, nil
}
