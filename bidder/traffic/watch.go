package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/internal/clock"
)

// WatchConfig names the files that lists come from.
type WatchConfig struct {
	// Crawlers are files of user-agent patterns, beside the built-in ones.
	Crawlers []string
	// DataCentres are files of IP prefixes.
	DataCentres []string
	// Every is how often the files are looked at; 0 means a minute.
	Every time.Duration
}

// Watch keeps Lists as the files are. A file that cannot be read, or has a
// bad line, is reported once per change, and its last good content stays.
type Watch struct {
	cfg   WatchConfig
	clock clock.Clock
	log   *slog.Logger
	lists atomic.Pointer[Lists]

	mu      sync.Mutex
	last    int64 // ms of the latest look
	files   []*listFile
	checked [numReasons]atomic.Uint64
	failing atomic.Int64
}

// listFile is one file with its last good content.
type listFile struct {
	path     string
	crawlers bool
	modified time.Time
	size     int64
	failed   bool
	patterns []pattern
	prefixes []netip.Prefix
}

// NewWatch reads all files. Here, where somebody looks on, a bad one is an
// error that lists all that is wrong.
func NewWatch(cfg WatchConfig, c clock.Clock, log *slog.Logger) (*Watch, error) {
	if cfg.Every == 0 {
		cfg.Every = time.Minute
	}
	w := &Watch{cfg: cfg, clock: c, log: log, last: c.NowMS()}
	for _, p := range cfg.Crawlers {
		w.files = append(w.files, &listFile{path: p, crawlers: true})
	}
	for _, p := range cfg.DataCentres {
		w.files = append(w.files, &listFile{path: p})
	}
	var errs []error
	for _, f := range w.files {
		if _, err := f.refresh(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return w, w.publish()
}

// refresh reads the file if it has changed.
func (f *listFile) refresh() (changed bool, err error) {
	info, err := os.Stat(f.path)
	if err != nil {
		first := !f.failed
		f.failed = true
		f.modified = time.Time{} // read it when it is back
		if !first {
			return false, nil
		}
		return false, fmt.Errorf("traffic list: %w", err)
	}
	if info.ModTime().Equal(f.modified) && info.Size() == f.size {
		return false, nil
	}
	f.modified, f.size = info.ModTime(), info.Size()
	f.failed = true
	in, err := os.Open(f.path)
	if err != nil {
		return false, fmt.Errorf("traffic list: %w", err)
	}
	err = f.read(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return false, fmt.Errorf("traffic list %s: %w", f.path, err)
	}
	f.failed = false
	return true, nil
}

func (f *listFile) read(r io.Reader) error {
	if f.crawlers {
		p, err := readCrawlers(r)
		if err == nil {
			f.patterns = p
		}
		return err
	}
	p, err := readRanges(r)
	if err == nil {
		f.prefixes = p
	}
	return err
}

func (w *Watch) publish() error {
	var patterns []pattern
	var prefixes []netip.Prefix
	for _, f := range w.files {
		patterns = append(patterns, f.patterns...)
		prefixes = append(prefixes, f.prefixes...)
	}
	l, err := compile(patterns, prefixes)
	if err != nil {
		return fmt.Errorf("traffic lists: %w", err)
	}
	w.lists.Store(l)
	return nil
}

// Poll looks at the files if it is time by the clock, and takes what has
// changed into force. The error lists files that are bad since this look;
// what was last good of them stays.
func (w *Watch) Poll() (changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.NowMS()
	if now-w.last < w.cfg.Every.Milliseconds() && now >= w.last {
		return false, nil
	}
	w.last = now
	var errs []error
	failing := int64(0)
	for _, f := range w.files {
		c, err := f.refresh()
		if err != nil {
			errs = append(errs, err)
		}
		if f.failed {
			failing++
		}
		changed = changed || c
	}
	w.failing.Store(failing)
	if changed {
		if err := w.publish(); err != nil {
			errs, changed = append(errs, err), false
		}
	}
	return changed, errors.Join(errs...)
}

// Run polls until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := w.Poll()
		if err != nil {
			w.log.Error("a list is not taken, the last good one stays", "err", err)
		}
		if changed {
			crawlers, prefixes := w.Lists().Size()
			w.log.Info("traffic lists changed", "crawlers", crawlers, "prefixes", prefixes)
		}
	}
}

// Lists is what is in force.
func (w *Watch) Lists() *Lists { return w.lists.Load() }

// Check is Lists().Check, counted.
func (w *Watch) Check(ua, ip string) Reason {
	r := w.lists.Load().Check(ua, ip)
	w.checked[r].Add(1)
	return r
}

// WatchStats of a Watch, for metrics.
type WatchStats struct {
	Crawlers, Prefixes int
	FilesFailing       int64              // whose last good content is old
	Checked            [numReasons]uint64 // by Reason
}

// Stats counts.
func (w *Watch) Stats() (s WatchStats) {
	s.Crawlers, s.Prefixes = w.Lists().Size()
	s.FilesFailing = w.failing.Load()
	for i := range s.Checked {
		s.Checked[i] = w.checked[i].Load()
	}
	return s
}
