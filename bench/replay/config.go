package replay

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// Config says what to send where.
type Config struct {
	// Files of JSON lines, gzip-ed or not; "-" is standard input.
	Files []string
	// URL of the bidder's endpoint, such as http://127.0.0.1:8080/openrtb2/demo.
	URL string
	// Rate is requests per second; 0 means as fast as answers come.
	Rate float64
	// Concurrency bounds requests under way; 0 means 8.
	Concurrency int
	// Limit ends after so many requests; 0 means all.
	Limit int
	// Loops sends the files so many times; 0 means once.
	Loops int
	// Timeout of one request; 0 means 5 s.
	Timeout time.Duration
	// Gzip sends the bodies compressed.
	Gzip bool
	// Show bounds how many violations are printed; 0 means 50.
	Show int
	// Check adapts the rules.
	Check check.Options
}

func (c *Config) defaults() {
	if c.Concurrency == 0 {
		c.Concurrency = 8
	}
	if c.Loops == 0 {
		c.Loops = 1
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Show == 0 {
		c.Show = 50
	}
}

// Validate lists everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Files) == 0 {
		errs = append(errs, errors.New("replay: no file"))
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("replay: url %q is not an http(s) URL", c.URL))
	}
	if c.Rate < 0 || c.Limit < 0 || c.Loops < 0 || c.Timeout < 0 || c.Show < 0 {
		errs = append(errs, errors.New("replay: rate, limit, loops, timeout and show must not be negative"))
	}
	if c.Concurrency < 0 || c.Concurrency > 4096 {
		errs = append(errs, fmt.Errorf("replay: concurrency %d is not within 1 and 4,096", c.Concurrency))
	}
	return errors.Join(errs...)
}
