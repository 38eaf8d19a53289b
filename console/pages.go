package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
)

//go:embed web
var web embed.FS

// pages adds what a browser sees. Without sign-in there is no data on it.
func (s *Server) pages(mux chi.Router) {
	tmpl := template.Must(template.ParseFS(web, "web/*.html"))
	mux.Get("/healthz", s.healthz)
	mux.Get("/readyz", s.readyz)
	mux.Get("/style.css", func(w http.ResponseWriter, _ *http.Request) {
		css, _ := web.ReadFile("web/style.css") // embedded
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write(css)
	})
	mux.Get("/", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, tmpl, "status.html", struct {
			Version string
			Parts   []Part
		}{s.deps.Version, s.parts(r.Context())})
	})
	operations := sync.OnceValue(func() []operationDoc { return operationDocs(s.OpenAPI()) })
	mux.Get("/docs", func(w http.ResponseWriter, _ *http.Request) {
		s.render(w, tmpl, "docs.html", operations())
	})
}

func (s *Server) render(w http.ResponseWriter, tmpl *template.Template, name string, data any) {
	var page bytes.Buffer
	if err := tmpl.ExecuteTemplate(&page, name, data); err != nil {
		s.log.Error("page failed", "page", name, "err", err)
		s.plainProblem(w, nil, http.StatusInternalServerError, "the page failed; it is in the log")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(page.Bytes())
}

// operationDoc is an operation on the page of the API.
type operationDoc struct {
	ID, Method, Path, Tag, Summary, Description, Needs string
	Params                                             []*huma.Param
}

func operationDocs(doc *huma.OpenAPI) []operationDoc {
	needs := map[access]string{accessRead: "scope read", accessWrite: "scope write", accessAdmin: "the administrator's key"}
	var out []operationDoc
	for path, item := range doc.Paths {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			op := operationOf(doc, method, path)
			if item == nil || op == nil {
				continue
			}
			need, _ := op.Metadata[accessKey].(access)
			out = append(out, operationDoc{
				ID: op.OperationID, Method: method, Path: path, Tag: op.Tags[0], Summary: op.Summary, Description: op.Description,
				Needs: needs[need], Params: op.Parameters,
			})
		}
	}
	order := func(o operationDoc) string { return o.Path + " " + o.Method }
	slices.SortFunc(out, func(a, b operationDoc) int { return strings.Compare(order(a), order(b)) })
	return out
}
