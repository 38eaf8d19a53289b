package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// feedJob is an upload or a fetch under way; its counters are read meanwhile.
type feedJob struct {
	from            string
	startedMS       int64
	bytes, products atomic.Int64
	storing         atomic.Bool
}

// FeedJob is how far an upload or a fetch has come.
type FeedJob struct {
	From     string `json:"from" doc:"upload, update or fetch"`
	State    string `json:"state" doc:"reading or storing"`
	Started  int64  `json:"started" doc:"When it began, ms UTC"`
	Bytes    int64  `json:"bytes" doc:"Bytes read so far, as they came"`
	Products int64  `json:"products" doc:"Good rows so far"`
}

// progress tells how far a shop's job has come; nil if there is none.
func (u *uploads) progress(shop uint32) *FeedJob {
	u.mu.Lock()
	j := u.shops[shop]
	u.mu.Unlock()
	if j == nil {
		return nil
	}
	out := &FeedJob{From: j.from, State: "reading", Started: j.startedMS, Bytes: j.bytes.Load(), Products: j.products.Load()}
	if j.storing.Load() {
		out.State = "storing"
	}
	return out
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// load is one whole feed on its way in.
type load struct {
	shop   uint32
	format string
	body   io.Reader
	dry    bool
	actor  store.Actor
	match  func(version int64) error // of the feed that is replaced; may be nil
	job    *feedJob
}

// loadFeed reads a whole feed and puts it in force. It is read to disk first:
// a million products take little memory.
func (s *Server) loadFeed(ctx context.Context, l *load) (Feed, error) {
	start := time.Now()
	shop, err := s.store.View().Shop(ctx, l.shop)
	if err != nil {
		return Feed{}, err
	}
	old, err := s.store.View().Feed(ctx, l.shop)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Feed{}, err
	}
	if l.match != nil {
		if err := l.match(old.Version); err != nil {
			return Feed{}, err
		}
	}
	staging, err := store.NewStaging(s.cfg.Dir)
	if err != nil {
		return Feed{}, err
	}
	defer func() {
		if err := staging.Close(); err != nil {
			s.log.Warn("feed's files not removed", "shop", l.shop, "err", err)
		}
	}()
	report, err := s.readFeed(ctx, l, &shop.Shop, staging)
	if err != nil {
		return Feed{}, err
	}
	if l.dry {
		return Feed{ShopID: l.shop, Version: old.Version, Updated: old.UpdatedMS, Products: staging.Len(), Report: report}, nil
	}
	l.job.storing.Store(true)
	if err := staging.Seal(ctx, s.store.View(), l.shop, old.Buckets, s.clock.NowMS()); err != nil {
		return Feed{}, err
	}
	text, err := json.Marshal(report)
	if err != nil {
		return Feed{}, fmt.Errorf("write the report: %w", err)
	}
	var feed store.Feed
	var sent int
	err = s.store.Write(ctx, l.actor, func(tx *store.Tx) error {
		var err error
		feed, sent, err = tx.PutStaged(ctx, l.shop, staging, string(text))
		return err
	})
	if err != nil {
		return Feed{}, err
	}
	s.metrics.uploads.Inc()
	s.metrics.uploadS.UpdateDuration(start)
	s.log.Info("feed uploaded", "shop", l.shop, "from", l.job.from, "products", feed.Products, "rejected", report.Rejected, "messages", sent, "took", time.Since(start))
	return feedView(feed)
}

// readFeed reads the rows onto the disk.
func (s *Server) readFeed(ctx context.Context, l *load, shop *campaigns.Shop, to *store.Staging) (FeedReport, error) {
	body := http.MaxBytesReader(nil, io.NopCloser(counted{l.body, &l.job.bytes}), s.cfg.MaxFeedBytes)
	report, err := s.deps.ReadFeed(ctx, body, s.feedOptions(l.format, shop), func(p campaigns.Product) error {
		if to.Len() >= s.cfg.MaxProducts {
			return failure(http.StatusRequestEntityTooLarge, "the feed has more than "+strconv.Itoa(s.cfg.MaxProducts)+" products")
		}
		l.job.products.Add(1)
		return to.Add(&p)
	})
	if err != nil {
		return report, feedError(ctx, err, s.cfg.MaxFeedBytes)
	}
	report.Repeated += to.Repeated()
	report.Accepted = to.Len()
	if report.Problems == nil {
		report.Problems = []FeedProblem{}
	}
	report.Problems = report.Problems[:min(len(report.Problems), feedFileProblem)]
	if to.Len() == 0 {
		return report, noProducts(report)
	}
	return report, nil
}

func (s *Server) feedOptions(format string, shop *campaigns.Shop) FeedOptions {
	return FeedOptions{Format: format, Currency: shop.Currency, MaxProducts: s.cfg.MaxProducts, MaxBytes: s.cfg.MaxFeedBytes, Now: time.UnixMilli(s.clock.NowMS())}
}

// maxDelta bounds the rows of an update: more are a feed.
const maxDelta = 100_000

// FeedDelta is one row of an update.
type FeedDelta struct {
	Line    int
	ID      string
	Deleted bool
	// Apply makes the product of what it was, nil for a new one; column and
	// reason say what is wrong.
	Apply func(old *campaigns.Product) (p campaigns.Product, column, reason string)
}

// FeedDeltaReader reads an update row by row.
type FeedDeltaReader func(context.Context, io.Reader, FeedOptions, func(FeedDelta) error) (FeedReport, error)

func (s *Server) feedDeltaRoute(binary *huma.MediaType) {
	const path = "/api/v1/shops/{shop}/feed"
	register(s, route{Operation: huma.Operation{
		OperationID: "update-feed", Method: http.MethodPatch, Path: path, Tags: []string{"Feed"}, Summary: "Change products of the feed",
		Description: "Rows in any of the upload's formats with an id and only what changed, such as price and availability, or with deleted set. " +
			"A product that is new needs a whole row. What is wrong is reported and does not hold up the rest.",
		Errors:   []int{http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusConflict, http.StatusServiceUnavailable},
		Metadata: map[string]any{uploadKey: true},
	}, access: accessWrite}, s.updateFeed)
	operationOf(s.api.OpenAPI(), http.MethodPatch, path).RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv": binary, "application/json": binary, "application/x-ndjson": binary, "application/octet-stream": binary,
	}}
}

// updateFeed applies an update to the feed that is there.
func (s *Server) updateFeed(ctx context.Context, in *uploadInput) (*feedOutput, error) {
	if s.deps.ReadDelta == nil {
		return nil, failure(http.StatusNotImplemented, "updates of feeds cannot be read here")
	}
	job, end, err := s.uploads.begin(in.Shop, "update", s.clock.NowMS())
	if err != nil {
		return nil, err
	}
	defer end()
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	old, err := s.store.View().Feed(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	if err := in.check(old.Version); err != nil {
		return nil, err
	}
	var rows []FeedDelta
	opts := s.feedOptions(in.Format, &shop.Shop)
	opts.MaxProducts = maxDelta
	body := http.MaxBytesReader(nil, io.NopCloser(counted{in.body, &job.bytes}), s.cfg.MaxFeedBytes)
	report, err := s.deps.ReadDelta(ctx, body, opts, func(d FeedDelta) error {
		if len(rows) >= maxDelta {
			return failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("an update has at most %d rows: upload the feed", maxDelta))
		}
		rows = append(rows, d)
		job.products.Add(1)
		return nil
	})
	if err != nil {
		return nil, feedError(ctx, err, s.cfg.MaxFeedBytes)
	}
	job.storing.Store(true)
	feed, err := s.applyDelta(ctx, in, rows, &report)
	if err != nil {
		return nil, err
	}
	v, err := feedView(feed)
	v.Report = report // of this update; the feed keeps that of its upload
	return &feedOutput{ETag: etag(feed.Version), Body: v}, err
}

// applyDelta makes products of the rows, beside those that are there.
func (s *Server) applyDelta(ctx context.Context, in *uploadInput, rows []FeedDelta, report *FeedReport) (store.Feed, error) {
	read := *report
	var feed store.Feed
	err := s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		*report = read
		report.Problems = append([]FeedProblem{}, read.Problems[:min(len(read.Problems), feedFileProblem)]...)
		var changes []store.ProductChange
		for i := range rows {
			d := &rows[i]
			changes = append(changes, store.ProductChange{ID: d.ID, Make: func(old *campaigns.Product) *campaigns.Product {
				if d.Deleted {
					return nil
				}
				p, column, reason := d.Apply(old)
				if reason == "" {
					return &p
				}
				report.Accepted--
				report.Rejected++
				if len(report.Problems) < feedFileProblem {
					report.Problems = append(report.Problems, FeedProblem{Line: d.Line, Column: column, Product: d.ID, Reason: reason})
				}
				return old
			}})
		}
		var err error
		feed, _, err = tx.PatchFeed(ctx, in.Shop, changes)
		if errors.Is(err, store.ErrRebuild) {
			return failure(http.StatusConflict, err.Error())
		}
		return err
	})
	return feed, err
}
