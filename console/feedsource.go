package console

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/fetch"
	"github.com/grosz/grosz/console/store"
)

// FeedSource is where a feed is fetched from.
type FeedSource struct {
	Version      int64  `json:"version" readOnly:"true" doc:"Grows with each change; the ETag. 0: the feed is fetched from nowhere"`
	URL          string `json:"url" doc:"Where the feed is; http or https, on the public internet" format:"uri" maxLength:"2048"`
	Format       string `json:"format,omitempty" doc:"Format of the feed; left out, it is told from the bytes"`
	EveryMinutes int    `json:"every_minutes" doc:"How often it is fetched; 60 if left out" minimum:"5" maximum:"10080" required:"false"`
	Checked      int64  `json:"checked" readOnly:"true" doc:"Last fetch that worked, ms UTC; 0: none"`
	Due          int64  `json:"due" readOnly:"true" doc:"Next fetch, ms UTC"`
	Problem      string `json:"problem,omitempty" readOnly:"true" doc:"Why the last fetch failed"`
}

func sourceView(f store.FeedSource) FeedSource {
	return FeedSource{Version: f.Version, URL: f.URL, Format: f.Format, EveryMinutes: f.Minutes, Checked: f.CheckedMS, Due: f.DueMS, Problem: f.Problem}
}

func (s *Server) feedSourceRoutes() {
	const path = "/api/v1/shops/{shop}/feed/source"
	tags := []string{"Feed"}
	register(s, route{Operation: huma.Operation{
		OperationID: "put-feed-source", Method: http.MethodPut, Path: path, Tags: tags, Summary: "Have the feed fetched",
		Description: "From now on the feed is fetched from the URL, at once and then every so many minutes. What the server says is unchanged is not read again. " +
			"GET …/feed shows how far a fetch has come, and its report.",
		Errors: []int{http.StatusPreconditionFailed},
	}, access: accessWrite, body: reflect.TypeFor[FeedSource]()}, s.putFeedSource)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-feed-source", Method: http.MethodGet, Path: path, Tags: tags, Summary: "Read where the feed is fetched from",
	}, access: accessRead}, s.getFeedSource)
	register(s, route{Operation: huma.Operation{
		OperationID: "delete-feed-source", Method: http.MethodDelete, Path: path, Tags: tags, Summary: "Stop fetching the feed",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusPreconditionFailed},
	}, access: accessWrite}, s.deleteFeedSource)
}

type feedSourceOutput struct {
	ETag string `header:"ETag" doc:"Absent where the feed is fetched from nowhere"`
	Body FeedSource
}

func sourceAnswer(f store.FeedSource) *feedSourceOutput {
	out := &feedSourceOutput{Body: sourceView(f)}
	if f.Version != 0 {
		out.ETag = etag(f.Version)
	}
	return out
}

type putFeedSourceInput struct {
	ShopPath
	PutHeader
	jsonBody
}

func (s *Server) putFeedSource(ctx context.Context, in *putFeedSourceInput) (*feedSourceOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	v := FeedSource{EveryMinutes: 60}
	var p problems
	decode(raw, &v, &p)
	checkText(&p, "body.url", v.URL, 1, maxURL)
	if err := s.fetcher.Check(v.URL); err != nil && v.URL != "" {
		p.add("body.url", "%s", err)
	}
	checkRange(&p, "body.every_minutes", v.EveryMinutes, 5, 7*24*60)
	if v.Format != "" {
		checkOneOf(&p, "body.format", v.Format, "csv", "tsv", "google-xml", "ceneo-xml", "json", "jsonl")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	var f store.FeedSource
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		if _, err := tx.Shop(ctx, in.Shop); err != nil {
			return err
		}
		old, err := tx.FeedSource(ctx, in.Shop)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		f, err = tx.PutFeedSource(ctx, store.FeedSource{ShopID: in.Shop, URL: v.URL, Format: v.Format, Minutes: v.EveryMinutes})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.pokeFetcher()
	return sourceAnswer(f), nil
}

func (s *Server) getFeedSource(ctx context.Context, in *struct{ ShopPath }) (*feedSourceOutput, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	f, err := s.store.View().FeedSource(ctx, in.Shop)
	if errors.Is(err, store.ErrNotFound) {
		err = nil // it is uploaded: no URL
	}
	return sourceAnswer(f), err
}

func (s *Server) deleteFeedSource(ctx context.Context, in *struct {
	ShopPath
	MatchHeader
}) (*struct{}, error) {
	return nil, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.FeedSource(ctx, in.Shop)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		return tx.DeleteFeedSource(ctx, in.Shop)
	})
}

// How often due feeds are looked for, and how soon a failed one is tried
// again.
const (
	fetchEvery = 5 * time.Second
	fetchRetry = 5 * time.Minute
)

func (s *Server) pokeFetcher() {
	select {
	case s.fetchNow <- struct{}{}:
	default:
	}
}

// runFetches fetches what is due, one feed at a time, until ctx ends.
func (s *Server) runFetches(ctx context.Context) {
	tick := time.NewTicker(fetchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.fetchNow:
		}
		due, err := s.store.View().DueSources(ctx, s.clock.NowMS(), 16)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("feeds to be fetched", "err", err)
			}
			continue
		}
		for i := range due {
			if ctx.Err() != nil {
				return
			}
			s.fetchFeed(ctx, due[i])
		}
	}
}

// fetchFeed fetches one feed and notes how it went.
func (s *Server) fetchFeed(ctx context.Context, f store.FeedSource) {
	job, end, err := s.uploads.begin(f.ShopID, "fetch", s.clock.NowMS())
	if err != nil {
		return // an upload is under way: soon again
	}
	defer end()
	unchanged, err := s.fetchInto(ctx, &f, job)
	if ctx.Err() != nil {
		return // it stays due
	}
	now := s.clock.NowMS()
	f.Problem, f.DueMS = "", now+int64(f.Minutes)*60_000
	if err != nil {
		s.metrics.fetchFailures.Inc()
		f.Problem, f.DueMS = clip(err.Error()), now+min(int64(f.Minutes)*60_000, fetchRetry.Milliseconds())
		s.log.Warn("feed not fetched", "shop", f.ShopID, "err", err)
	} else {
		s.metrics.fetches.Inc()
		f.CheckedMS = now
	}
	err = s.store.Write(ctx, store.Actor{Name: "fetch"}, func(tx *store.Tx) error {
		if unchanged {
			if err := tx.FeedChecked(ctx, f.ShopID); err != nil {
				return err
			}
		}
		return tx.SourceFetched(ctx, f)
	})
	if err != nil {
		s.log.Error("fetch of a feed not noted", "shop", f.ShopID, "err", err)
	}
}

func (s *Server) fetchInto(ctx context.Context, f *store.FeedSource, job *feedJob) (unchanged bool, err error) {
	a, err := s.fetcher.Get(ctx, f.URL, fetch.Validators{ETag: f.ETag, Modified: f.Modified})
	if err != nil || a.Unchanged {
		return a.Unchanged && err == nil, err
	}
	_, err = s.loadFeed(ctx, &load{shop: f.ShopID, format: f.Format, body: a.Body, actor: store.Actor{Name: "fetch"}, job: job})
	if err = errors.Join(err, a.Body.Close()); err == nil {
		f.ETag, f.Modified = a.ETag, a.Validators.Modified
	}
	return false, err
}
