package sim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

type counter = atomic.Uint64

// Bounds of delivery.
const (
	noticeTimeout = 3 * time.Second
	firstBackoff  = 200 * time.Millisecond
	maxBackoff    = 5 * time.Second
	retryParallel = 8
	retryTick     = 50 * time.Millisecond
)

// courier delivers notices: the first try is the caller's, the others are its
// own, until the bidder answers 200 or 204 (a redirect, for a click). What it
// holds is bounded by what was won while the bidder was there.
type courier struct {
	client *http.Client
	target *url.URL // where the bidder listens
	hosts  map[string]bool
	log    *slog.Logger
	clock  Timer
	stats  *stats

	mu    sync.Mutex
	queue []*notice
}

func newCourier(cfg *Config, st *stats) (*courier, error) {
	target, err := url.Parse(cfg.BidderURL)
	if err != nil {
		return nil, fmt.Errorf("bidder url: %w", err)
	}
	public, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("public url: %w", err)
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}
	return &courier{
		client: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		target: target, hosts: map[string]bool{target.Host: true, public.Host: true},
		log: cfg.Log, clock: cfg.Timer, stats: st,
	}, nil
}

// ours tells whether a URL leads to the bidder.
func (c *courier) ours(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && c.hosts[u.Host]
}

// route sends every URL of the bidder's to its listener: in production a
// proxy ends TLS on the public host, here there is none.
func (c *courier) route(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("notice url: %w", err)
	}
	u.Scheme, u.Host = c.target.Scheme, c.target.Host
	return u.String(), nil
}

// get fetches one URL as the browser ua, or as a server; location is a
// redirect's.
func (c *courier) get(ctx context.Context, raw, ua string) (status int, location string, err error) {
	to, err := c.route(raw)
	if err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return 0, "", fmt.Errorf("notice: %w", err)
	}
	if ua != "" {
		req.Header.Set("User-Agent", ua)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("notice: %w", err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, resp.Header.Get("Location"), err
}

// deliver tries once, and keeps the notice for later if that fails.
func (c *courier) deliver(ctx context.Context, n *notice) {
	c.stats.pending.Add(1)
	if !c.try(ctx, n) {
		c.later(n)
	}
}

func (c *courier) try(ctx context.Context, n *notice) bool {
	status, location, err := c.get(ctx, n.URL, n.UA)
	n.tries++
	delivered := status == http.StatusOK || status == http.StatusNoContent
	if n.Kind == noticeClick {
		// A page in place of a redirect is not the ad's click: banners also
		// link to why they are shown. It is read, and leads nowhere.
		delivered = status == http.StatusOK || status >= 300 && status < 400 && location != ""
	}
	if err != nil || !delivered {
		c.stats.noticeFailures.Add(1)
		if n.tries == 5 {
			c.log.Warn("a notice is not taken", slog.String("kind", n.Kind), slog.Int("status", status), slog.Any("error", err), slog.String("url", n.URL))
		}
		return false
	}
	rec := record{K: "done", N: n.N, AtMS: c.clock.NowMS()}
	if n.Kind == noticeClick {
		rec.ClickID = clickID(location)
		rec.Page = location == ""
	}
	if err := n.book.append(n.Touch != nil, rec); err != nil {
		c.log.Error("journal", slog.Any("error", err))
	}
	c.stats.pending.Add(^uint64(0))
	c.stats.delivered.Add(1)
	if n.after != nil {
		n.after(location)
	}
	return true
}

// clickID is the landing URL's click id.
func clickID(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	return u.Query().Get("gzclid")
}

// later puts the notice back, twice as long each time.
func (c *courier) later(n *notice) {
	d := maxBackoff
	if n.tries < 6 {
		d = min(d, firstBackoff<<max(n.tries-1, 0))
	}
	n.dueMS = time.Now().Add(d).UnixMilli()
	c.mu.Lock()
	c.queue = append(c.queue, n)
	c.mu.Unlock()
}

// due takes the notices whose time has come.
func (c *courier) due() []*notice {
	now := time.Now().UnixMilli()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*notice
	kept := c.queue[:0]
	for _, n := range c.queue {
		if n.dueMS <= now && len(out) < 512 {
			out = append(out, n)
		} else {
			kept = append(kept, n)
		}
	}
	clear(c.queue[len(kept):])
	c.queue = kept
	return out
}

// run retries until ctx ends.
func (c *courier) run(ctx context.Context) {
	tick := time.NewTicker(retryTick)
	defer tick.Stop()
	for ctx.Err() == nil {
		sem := make(chan struct{}, retryParallel)
		var wg sync.WaitGroup
		for _, n := range c.due() {
			sem <- struct{}{}
			wg.Go(func() {
				defer func() { <-sem }()
				if !c.try(ctx, n) {
					c.later(n)
				}
			})
		}
		wg.Wait()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
