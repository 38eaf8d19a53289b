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
	shops map[uint32]bool
}

func newUploads() uploads { return uploads{shops: map[uint32]bool{}} }

// begin takes a place for a shop's upload; end gives it back.
func (u *uploads) begin(shop uint32) (end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.shops[shop] {
		return nil, failure(http.StatusConflict, "another upload of this feed is under way")
	}
	if len(u.shops) >= uploadsAtOnce {
		return nil, huma.ErrorWithHeaders(failure(http.StatusServiceUnavailable, "other feeds are being uploaded: try again soon"),
			http.Header{"Retry-After": {"10"}})
	}
	u.shops[shop] = true
	return func() {
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
	end, err := s.uploads.begin(in.Shop)
	if err != nil {
		return nil, err
	}
	defer end()
	start := time.Now()
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	old, err := s.store.View().Feed(ctx, in.Shop)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err := in.check(old.Version); err != nil {
		return nil, err
	}
	products, report, err := s.readFeed(ctx, in, &shop.Shop)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return &feedOutput{ETag: etag(old.Version), Body: Feed{ShopID: in.Shop, Version: old.Version, Updated: old.UpdatedMS, Products: len(products), Report: report}}, nil
	}
	feed, sent, err := s.keepFeed(ctx, in, products, old.Buckets, report)
	if err != nil {
		return nil, err
	}
	s.metrics.uploads.Inc()
	s.metrics.uploadS.UpdateDuration(start)
	s.log.Info("feed uploaded", "shop", in.Shop, "products", feed.Products, "rejected", report.Rejected, "messages", sent, "took", time.Since(start))
	v, err := feedView(feed)
	return &feedOutput{ETag: etag(v.Version), Body: v}, err
}

// readFeed reads the upload into products with distinct ids.
func (s *Server) readFeed(ctx context.Context, in *uploadInput, shop *campaigns.Shop) ([]campaigns.Product, FeedReport, error) {
	var products []campaigns.Product
	at := map[string]int{}
	repeated := 0
	body := http.MaxBytesReader(nil, io.NopCloser(in.body), s.cfg.MaxFeedBytes)
	opts := FeedOptions{Format: in.Format, Currency: shop.Currency, MaxProducts: s.cfg.MaxProducts, MaxBytes: s.cfg.MaxFeedBytes, Now: time.UnixMilli(s.clock.NowMS())}
	report, err := s.deps.ReadFeed(ctx, body, opts, func(p campaigns.Product) error {
		if i, ok := at[p.ID]; ok {
			repeated++
			products[i] = p
			return nil
		}
		if len(products) >= s.cfg.MaxProducts {
			return failure(http.StatusRequestEntityTooLarge, "the feed has more than "+strconv.Itoa(s.cfg.MaxProducts)+" products")
		}
		at[p.ID] = len(products)
		products = append(products, p)
		return nil
	})
	if err != nil {
		return nil, report, feedError(ctx, err, s.cfg.MaxFeedBytes)
	}
	report.Repeated += repeated
	report.Accepted = len(products)
	if report.Problems == nil {
		report.Problems = []FeedProblem{}
	}
	report.Problems = report.Problems[:min(len(report.Problems), feedFileProblem)]
	if len(products) == 0 {
		return nil, report, noProducts(report)
	}
	return products, report, nil
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
	return failure(http.StatusUnprocessableEntity, "the upload cannot be read: "+err.Error(),
		&huma.ErrorDetail{Location: "body", Message: err.Error()})
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

// keepFeed stores a feed unless another upload came between.
func (s *Server) keepFeed(ctx context.Context, in *uploadInput, products []campaigns.Product, now int, report FeedReport) (store.Feed, int, error) {
	buckets, err := store.Buckets(products, now)
	if err != nil {
		return store.Feed{}, 0, err
	}
	text, err := json.Marshal(report)
	if err != nil {
		return store.Feed{}, 0, fmt.Errorf("write the report: %w", err)
	}
	var feed store.Feed
	var sent int
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		var err error
		feed, sent, err = tx.PutFeed(ctx, in.Shop, buckets, string(text))
		return err
	})
	return feed, sent, err
}

func (s *Server) getFeed(ctx context.Context, in *struct{ ShopPath }) (*feedOutput, error) {
	f, err := s.store.View().Feed(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	v, err := feedView(f)
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
