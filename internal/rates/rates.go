// Package rates keeps exchange rates fresh: a job reads money.Rates as JSON
// from a file or a URL, checks them, keeps the last good ones on disk, and
// publishes them behind an atomic pointer. Past a stated age it publishes
// rates that refuse every conversion: no bid rather than a wrong one.
//
// Rates is hot: two atomic loads, no allocation, safe for many goroutines. Everything else is
// slow and belongs to the job's one goroutine. Imports money and clock only.
package rates

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/internal/money"
)

// Defaults and bounds.
const (
	DefaultEvery  = 10 * time.Minute
	DefaultMaxAge = 96 * time.Hour // rates of a Friday last over a long weekend
	maxDocument   = 64 << 10       // bytes
	maxCurrencies = 400
	fetchTimeout  = 20 * time.Second
	retryAfter    = time.Minute     // after an error, if Every is longer
	maxAhead      = 5 * time.Minute // as_of may be so far in the future: clocks differ
)

// Config of a Refresher.
type Config struct {
	// File or URL is where rates come from, one of them. A URL is https, or
	// http to a loopback address.
	File, URL string
	// Keep is the file that holds the last good rates; empty: none are kept.
	Keep string
	// Every is how often they are read. Default DefaultEvery, at least a second.
	Every time.Duration
	// MaxAge is how old rates may be, by their as_of. Default DefaultMaxAge;
	// negative: any age.
	MaxAge time.Duration
	// Accept takes the first rates that are read even if they jumped by more
	// than half against the kept ones, or are older: an operator has looked.
	Accept bool
	// OnChange, when not nil, is called by the job with what Rates has begun to
	// return: new rates, or the ones that refuse.
	OnChange func(*money.Rates)
	Clock    clock.Clock
	Log      *slog.Logger
	// Client fetches URLs; nil means one with a timeout. Its redirects are
	// held to the rule of URL.
	Client *http.Client
}

// Validate lists all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if (c.File == "") == (c.URL == "") {
		errs = append(errs, errors.New("rates: a file or a URL, one of them"))
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil {
			errs = append(errs, errors.New("rates: the URL is not one")) // the error would repeat a password
		} else if err := fetchable(u); err != nil {
			errs = append(errs, fmt.Errorf("rates: %w", err))
		}
	}
	if c.Every != 0 && c.Every < time.Second {
		errs = append(errs, fmt.Errorf("rates: every %v is more often than once a second", c.Every))
	}
	if c.Keep != "" && c.Keep == c.File {
		errs = append(errs, errors.New("rates: the file that is read cannot be the one that keeps"))
	}
	if c.Clock == nil || c.Log == nil {
		errs = append(errs, errors.New("rates: Clock and Log are needed"))
	}
	return errors.Join(errs...)
}

// fetchable: https, or http that does not leave the machine.
func fetchable(u *url.URL) error {
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	if u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback)) {
		return fmt.Errorf("%s is not https, nor http to a loopback address", u.Redacted())
	}
	return nil
}

// published is what Rates returns until a time, and after it.
type published struct {
	rates, refuse *money.Rates
	untilMS       int64 // inclusive; rates are too old after it
}

func (p *published) at(nowMS int64) *money.Rates {
	if nowMS > p.untilMS {
		return p.refuse
	}
	return p.rates
}

// Refresher is the job. Run it by Run, or step by step by Step.
type Refresher struct {
	cfg    Config
	client *http.Client
	now    atomic.Pointer[published]

	mu       sync.Mutex // who steps
	nextMS   int64
	accept   bool
	told     *money.Rates // what OnChange was last called with
	reads    atomic.Uint64
	failures atomic.Uint64
}

// New returns a Refresher that starts from the rates kept on disk, if there
// are any. Until rates are read it refuses every conversion.
func New(cfg Config) (*Refresher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	client := http.Client{Timeout: fetchTimeout}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("more than 3 redirects")
		}
		return fetchable(req.URL)
	}
	r := &Refresher{cfg: cfg, client: &client, accept: cfg.Accept}
	r.now.Store(&published{rates: new(money.Rates), refuse: new(money.Rates)})
	if cfg.Keep == "" {
		return r, nil
	}
	switch text, err := readFile(cfg.Keep); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("kept rates: %w", err)
	default:
		if whole, serr := durable.Unseal(keptFormat, text); serr == nil {
			text = whole
		} // else it is of a version of before: a document; a damaged seal is none
		kept, err := Parse(text, cfg.Clock.NowMS())
		if err != nil { // they can be read anew; without them only jumps pass unseen
			cfg.Log.Warn("kept rates are left out", "file", cfg.Keep, "err", err)
			break
		}
		r.publish(kept)
	}
	return r, nil
}

// Rates are the rates to convert by now; never nil, immutable.
func (r *Refresher) Rates() *money.Rates { return r.now.Load().at(r.cfg.Clock.NowMS()) }

// Run reads rates at once and then every Config.Every until ctx ends.
func (r *Refresher) Run(ctx context.Context) {
	t := time.NewTicker(min(r.cfg.Every, 10*time.Second))
	defer t.Stop()
	for {
		_ = r.Step(ctx) // logged there
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Step does what is due by the clock: reads rates, and tells OnChange what
// has changed. It returns the error that it logged.
func (r *Refresher) Step(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Clock.NowMS()
	var err error
	// A clock that was set back far must not stop the job until it catches up.
	if now >= r.nextMS || r.nextMS-now > r.cfg.Every.Milliseconds() {
		wait := r.cfg.Every
		if err = r.refresh(ctx, now); err != nil && ctx.Err() == nil {
			r.failures.Add(1)
			wait = min(wait, retryAfter)
			r.cfg.Log.Warn("exchange rates not read", "err", err, "age", r.age(now).Round(time.Second), "refused", r.Expired())
		}
		r.nextMS = now + wait.Milliseconds()
	}
	r.tell()
	return err
}

// tell calls OnChange where Rates returns something else than it was told.
func (r *Refresher) tell() {
	cur := r.Rates()
	if cur == r.told {
		return
	}
	if r.Expired() {
		r.cfg.Log.Error("exchange rates are too old: nothing is converted", "age", r.age(r.cfg.Clock.NowMS()).Round(time.Second))
	}
	r.told = cur
	if r.cfg.OnChange != nil {
		r.cfg.OnChange(cur)
	}
}

func (r *Refresher) refresh(ctx context.Context, nowMS int64) error {
	text, err := r.read(ctx)
	if err != nil {
		return err
	}
	next, err := Parse(text, nowMS)
	if err != nil {
		return err
	}
	last := r.now.Load().rates
	if !r.accept && last.AsOfMS > 0 {
		if err := compare(last, next); err != nil {
			return err
		}
	}
	r.reads.Add(1)
	r.accept = false
	if same(last, next) {
		return nil
	}
	if r.cfg.Keep != "" {
		if err := keep(r.cfg.Keep, text); err != nil { // they are good all the same
			r.cfg.Log.Warn("exchange rates not kept", "file", r.cfg.Keep, "err", err)
		}
	}
	r.publish(next)
	r.cfg.Log.Info("exchange rates", "as_of", time.UnixMilli(next.AsOfMS).UTC(), "base", next.Base.String(), "currencies", len(next.PerBase))
	return nil
}

// keptFormat seals the file that keeps rates: one digit would be money.
const keptFormat = "grosz-rates 1"

func keep(path string, text []byte) error {
	text, err := durable.Seal(keptFormat, text)
	if err != nil {
		return err
	}
	return durable.ReplaceBytes(path, 0o644, text)
}

func (r *Refresher) publish(next *money.Rates) {
	until := int64(1<<63 - 1)
	if r.cfg.MaxAge >= 0 {
		until = next.AsOfMS + r.cfg.MaxAge.Milliseconds()
	}
	r.now.Store(&published{rates: next, refuse: &money.Rates{AsOfMS: next.AsOfMS, Base: next.Base}, untilMS: until})
}

func (r *Refresher) read(ctx context.Context) ([]byte, error) {
	if r.cfg.File != "" {
		return readFile(r.cfg.File)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.cfg.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for rates: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch rates: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch rates: %s answers %s", req.URL.Redacted(), resp.Status)
	}
	return readAll(resp.Body)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read rates: %w", err)
	}
	defer f.Close()
	return readAll(f)
}

func readAll(from io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read rates: %w", err)
	case len(text) > maxDocument:
		return nil, fmt.Errorf("read rates: more than %d bytes", maxDocument)
	}
	return text, nil
}
