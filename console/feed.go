package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// Bounds of uploads: how long one may take, and how many are read at once.
const (
	uploadTimeout   = 15 * time.Minute
	uploadsAtOnce   = 2
	feedFileProblem = 100 // problems that a report keeps
)

// uploadKey marks an operation whose body is streamed.
const uploadKey = "upload"

// uploads lets few uploads in at a time, and one per shop.
type uploads struct {
	mu    sync.Mutex
	shops map[uint32]*feedJob
}

func newUploads() uploads { return uploads{shops: map[uint32]*feedJob{}} }

// begin takes a place for a shop's upload; end gives it back.
func (u *uploads) begin(shop uint32, from string, nowMS int64) (job *feedJob, end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.shops[shop] != nil {
		return nil, nil, failure(http.StatusConflict, "another upload of this feed is under way")
	}
	if len(u.shops) >= uploadsAtOnce {
		return nil, nil, huma.ErrorWithHeaders(failure(http.StatusServiceUnavailable, "other feeds are being uploaded: try again soon"),
			http.Header{"Retry-After": {"10"}})
	}
	job = &feedJob{from: from, startedMS: nowMS}
	u.shops[shop] = job
	return job, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.shops, shop)
	}, nil
}

// Feed is what is known of a shop's feed.
type Feed struct {
	ShopID   uint32     `json:"shop_id"`
	Version  int64      `json:"version" doc:"Grows with each upload; the ETag"`
	Updated  int64      `json:"updated" doc:"When it was uploaded, ms UTC"`
	Products int        `json:"products" doc:"Products that it holds"`
	Report   FeedReport `json:"report" doc:"What the last upload held"`
	Job      *FeedJob   `json:"job,omitempty" doc:"The upload or fetch that is under way"`
}

func feedView(f store.Feed) (Feed, error) {
	v := Feed{ShopID: f.ShopID, Version: f.Version, Updated: f.UpdatedMS, Products: f.Products}
	if err := json.Unmarshal([]byte(f.Report), &v.Report); err != nil {
		return v, fmt.Errorf("read the feed's report: %w", err)
	}
	return v, nil
}

func (s *Server) feedRoutes() {
	const path = "/api/v1/shops/{shop}/feed"
	tags := []string{"Feed"}
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	register(s, route{Operation: huma.Operation{
		OperationID: "upload-feed", Method: http.MethodPut, Path: path, Tags: tags, Summary: "Upload the product feed",
		Description: "Replaces the whole feed by the body: CSV, TSV, Google Merchant XML, Ceneo XML, JSON or JSON lines, plain or gzip. Bad rows are left " +
			"out and reported; an upload without a single good row is refused, and the old feed stays. Only what changed is sent to the bidders.",
		Errors:   []int{http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusConflict, http.StatusServiceUnavailable},
		Metadata: map[string]any{uploadKey: true},
	}, access: accessWrite}, s.uploadFeed)
	// Documented only now: huma would read the body of an operation that has one.
	operationOf(s.api.OpenAPI(), http.MethodPut, path).RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv": binary, "text/tab-separated-values": binary, "application/xml": binary, "application/json": binary,
		"application/x-ndjson": binary, "application/gzip": binary, "application/octet-stream": binary,
	}}
	s.feedDeltaRoute(binary)
	s.feedSourceRoutes()
	register(s, route{Operation: huma.Operation{
		OperationID: "get-feed", Method: http.MethodGet, Path: path, Tags: tags, Summary: "Read about the feed",
	}, access: accessRead}, s.getFeed)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-products", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/products", Tags: tags, Summary: "List the feed's products",
		Description: "In no order that means anything. With q or available a page may be short or empty and yet have a next one.",
	}, access: accessRead}, s.listProducts)
}

type uploadInput struct {
	ShopPath
	MatchHeader
	Format string `query:"format" enum:"csv,tsv,google-xml,ceneo-xml,json,jsonl" doc:"Format of the body; left out, it is told from the bytes"`
	DryRun bool   `query:"dry_run" doc:"Only read and report, change nothing"`

	body io.Reader
}

// Resolve takes the body as a stream and gives the upload its time.
func (in *uploadInput) Resolve(hc huma.Context) []error {
	r, w := humachi.Unwrap(hc)
	until := time.Now().Add(uploadTimeout)
	rc := http.NewResponseController(w)
	// A test's recorder has no deadlines to set; a real connection has.
	_ = rc.SetReadDeadline(until)
	_ = rc.SetWriteDeadline(until.Add(writeTimeout))
	in.body = r.Body
	return nil
}

type feedOutput struct {
	ETag string `header:"ETag"`
	Body Feed
}

func (s *Server) uploadFeed(ctx context.Context, in *uploadInput) (*feedOutput, error) {
	if s.deps.ReadFeed == nil {
		return nil, failure(http.StatusNotImplemented, "feeds cannot be read here")
	}
	job, end, err := s.uploads.begin(in.Shop, "upload", s.clock.NowMS())
	if err != nil {
		return nil, err
	}
	defer end()
	f, err := s.loadFeed(ctx, &load{shop: in.Shop, format: in.Format, body: in.body, dry: in.DryRun, actor: caller(ctx).actor(), match: in.check, job: job})
	if err != nil {
		return nil, err
	}
	return &feedOutput{ETag: etag(f.Version), Body: f}, nil
}

// feedError is the answer to an upload that could not be read to its end.
func feedError(ctx context.Context, err error, most int64) error {
	var known huma.StatusError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the upload is larger than %d bytes", most))
	case errors.Is(err, ErrFeedTooLarge):
		return failure(http.StatusRequestEntityTooLarge, err.Error())
	case ctx.Err() != nil:
		return err
	}
	return unreadable(err)
}

// unreadable refuses an upload that is broken in itself.
func unreadable(err error) error {
	why := "the upload cannot be read: " + err.Error()
	return failure(http.StatusUnprocessableEntity, why, &huma.ErrorDetail{Location: "body", Message: why})
}

// noProducts refuses an upload without a good row, listing its bad ones.
func noProducts(report FeedReport) error {
	details := make([]*huma.ErrorDetail, 0, len(report.Problems))
	for _, bad := range report.Problems {
		text := bad.Reason
		if bad.Column != "" {
			text = bad.Column + ": " + text
		}
		details = append(details, &huma.ErrorDetail{Location: "body.line[" + strconv.Itoa(bad.Line) + "]", Message: text})
	}
	return failure(http.StatusUnprocessableEntity, fmt.Sprintf("the upload has %d rows and no good product: the feed stays as it was", report.Rows), details...)
}

func (s *Server) getFeed(ctx context.Context, in *struct{ ShopPath }) (*feedOutput, error) {
	f, err := s.store.View().Feed(ctx, in.Shop)
	if job := s.uploads.progress(in.Shop); errors.Is(err, store.ErrNotFound) && job != nil {
		return &feedOutput{Body: Feed{ShopID: in.Shop, Job: job, Report: FeedReport{Problems: []FeedProblem{}}}}, nil // the first one is on its way
	}
	if err != nil {
		return nil, err
	}
	v, err := feedView(f)
	v.Job = s.uploads.progress(in.Shop)
	return &feedOutput{ETag: etag(v.Version), Body: v}, err
}

type listProductsInput struct {
	ShopPath
	Page
	ID        string `query:"id" maxLength:"200" doc:"Only this product"`
	Q         string `query:"q" maxLength:"200" doc:"Only products with this text in id, title, brand or category"`
	Available string `query:"available" enum:"true,false" doc:"Only products that are in stock, or that are not"`
}

type productList struct{ Body list[campaigns.Product] }

func (s *Server) listProducts(ctx context.Context, in *listProductsInput) (*productList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	var after store.ProductPos
	place, err := in.place("product")
	if err != nil {
		return nil, err
	}
	if place != "" {
		bucket, id, ok := strings.Cut(place, "/")
		after.ID = id
		after.Bucket, err = strconv.Atoi(bucket)
		if !ok || err != nil || after.Bucket < 0 || after.Bucket > store.MaxBuckets {
			return nil, badCursor()
		}
	}
	filter := store.ProductFilter{ID: in.ID, Text: in.Q}
	if in.Available != "" {
		yes := in.Available == "true"
		filter.Available = &yes
	}
	items, next, err := s.store.View().Products(ctx, in.Shop, filter, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &productList{list[campaigns.Product]{Items: slices.Clip(items)}}
	if next != nil {
		out.Body.Next = cursorOf("product", strconv.Itoa(next.Bucket)+"/"+next.ID)
	}
	return out, nil
}
