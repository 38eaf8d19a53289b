package console

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/grosz/grosz/internal/money"
)

// maxBody bounds the body of every request but an upload.
const maxBody = 512 << 10

// bodyTimeout bounds how long such a body may take to arrive.
const bodyTimeout = 15 * time.Second

// routes builds the handler of the listener.
func (s *Server) routes() http.Handler {
	mux := chi.NewMux()
	mux.Use(s.observe, s.speaker.listen, s.recoverPanics, secureHeaders)
	mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.plainProblem(w, r, http.StatusNotFound, "there is nothing here")
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		s.plainProblem(w, r, http.StatusMethodNotAllowed, "this address does not take this method")
	})
	s.pages(mux)
	s.site.routes(mux)
	s.api = humachi.New(mux, s.apiConfig())
	s.api.UseMiddleware(s.authenticate, s.wantJSON)
	s.shopRoutes()
	s.keyRoutes()
	s.campaignRoutes()
	s.feedRoutes()
	s.segmentRoutes()
	s.listRoutes()
	s.assetRoutes()
	s.approvalRoutes()
	s.targetingRoutes()
	s.reportRoutes()
	s.breakdownRoutes()
	s.compareRoutes()
	s.stateRoutes()
	s.webhookRoutes()
	s.changeRoutes()
	s.explainRoutes()
	s.forecastRoutes()
	s.liftRoutes()
	s.erasureRoutes()
	s.accountRoutes()
	s.describe()
	return mux
}

func (s *Server) apiConfig() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	for _, t := range []reflect.Type{reflect.TypeFor[money.CPM](), reflect.TypeFor[money.Nano]()} {
		registry.RegisterTypeAlias(t, reflect.TypeFor[decimalSchema]())
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Grosz console",
				Version: "1",
				Description: "Shops, keys, campaigns and product feeds. Money is a decimal string in the shop's currency; a bid is a CPM, " +
					"the price of a thousand impressions. Times are milliseconds since 1970, UTC. Errors are problem+json (RFC 9457) and list " +
					"every field that is wrong, with a code, in the language that Accept-Language prefers: English or Polish.",
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", Description: "A shop's key, gz_<id>_<secret>, or the administrator's from admin.key"},
				},
			},
			Security: []map[string][]string{{"key": {}}},
		},
		OpenAPIPath:                  "/openapi",
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		Transformers:                 []huma.Transformer{s.speaker.transform},
		RejectUnknownQueryParameters: true,
	}
}

// decimalSchema documents money.
type decimalSchema struct{}

// Schema is what OpenAPI says of an amount of money.
func (decimalSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: `^-?[0-9]*\.?[0-9]*$`, Examples: []any{"2.50"},
		Description: "Decimal number of currency units",
	}
}

// route is an operation with what huma does not know of it.
type route struct {
	huma.Operation
	access access
	// body is the type of the JSON body; nil for none. It is read by
	// parseObject and decode, which list every mistake at once.
	body reflect.Type
}

// jsonBody is embedded in the input of a route that has a body.
type jsonBody struct {
	RawBody []byte `contentType:"application/json"`
}

// register adds a route to the API. A route without access cannot be.
func register[I, O any](s *Server, r route, handle func(context.Context, *I) (*O, error)) {
	if r.access == 0 {
		panic("console: route " + r.OperationID + " has no access")
	}
	meta := map[string]any{accessKey: r.access}
	maps.Copy(meta, r.Metadata)
	r.Metadata = meta
	r.MaxBodyBytes, r.BodyReadTimeout = maxBody, bodyTimeout
	r.SkipValidateBody = true
	r.Errors = append(r.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests)
	huma.Register(s.api, r.Operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.answerFor(ctx, r.OperationID, err)
		}
		return out, nil
	})
	if r.body == nil {
		return
	}
	registry := s.api.OpenAPI().Components.Schemas
	schema := registry.Schema(r.body, true, r.OperationID+"Request")
	content := map[string]*huma.MediaType{"application/json": {Schema: schema}}
	if r.Method == http.MethodPatch {
		content["application/merge-patch+json"] = &huma.MediaType{Schema: schema}
	}
	operationOf(s.api.OpenAPI(), r.Method, r.Path).RequestBody.Content = content
}

func operationOf(doc *huma.OpenAPI, method, path string) *huma.Operation {
	item := doc.Paths[path]
	switch method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	}
	return nil
}

// wantJSON refuses a body that does not say it is JSON, where one is wanted.
func (s *Server) wantJSON(hc huma.Context, next func(huma.Context)) {
	body := hc.Operation().RequestBody
	if body == nil || body.Content["application/json"] == nil || hc.Operation().Metadata[uploadKey] != nil {
		next(hc)
		return
	}
	kind, _, err := mime.ParseMediaType(hc.Header("Content-Type"))
	if err == nil && (kind == "application/json" || kind == "application/merge-patch+json" && hc.Method() == http.MethodPatch) {
		next(hc)
		return
	}
	var status huma.StatusError
	errors.As(failure(http.StatusUnsupportedMediaType, "the body must be JSON: send the header Content-Type: application/json"), &status)
	s.writeProblem(hc, status)
}

// observe counts requests and logs them, never their keys.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		pattern := ""
		if rc := chi.RouteContext(r.Context()); rc != nil {
			pattern = rc.RoutePattern()
		}
		code := ww.Status()
		if code == 0 {
			code = http.StatusOK
		}
		s.metrics.request(knownMethod(r.Method), pattern, code)
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("method", r.Method), slog.String("path", clip(r.URL.Path)),
			slog.Int("code", code), slog.Duration("took", time.Since(start)), slog.String("remote", r.RemoteAddr))
	})
}

// knownMethod keeps made-up methods from making metrics.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http's own sentinel, compared as it does
				panic(v)
			}
			s.log.Error("handler panicked", "path", clip(r.URL.Path), "panic", v, "stack", string(debug.Stack()))
			s.plainProblem(w, r, http.StatusInternalServerError, "something failed here; it is in the log")
		}()
		next.ServeHTTP(w, r)
	})
}

// secureHeaders are for pages and answers alike: nothing is loaded from
// elsewhere, nothing is framed, nothing with data is kept in a cache.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}
