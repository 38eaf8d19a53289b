package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/grosz/grosz/console/store"
)

// The marketers' pages. A page is a frame with its texts, made here, that
// holds no data of a shop but its name; what it shows and does goes through
// the public API, with the session's cookie. So the API's one gate, not the
// pages, decides who may see what.

// sitePages are the pages of a shop: what follows /console/shops/{shop}/ and
// the template. In is its place in the menu; empty: not in it.
type sitePage struct {
	path, name, in string
}

func sitePages() []sitePage {
	return []sitePage{
		{"campaigns", "campaigns", "campaigns"},
		{"campaigns/new", "editor", ""},
		{"campaigns/{campaign}", "editor", ""},
		{"results", "results", "results"},
		{"segments", "segments", "segments"},
		{"products", "products", "products"},
		{"ads", "ads", "ads"},
		{"why", "why", "why"},
		{"changes", "changes", "changes"},
		{"alerts", "alerts", "alerts"},
		{"keys", "keys", "keys"},
		{"statement", "statement", "statement"},
	}
}

const langCookie = "grosz-lang"

// site serves the pages.
type site struct {
	s     *Server
	words map[string]map[string]string // by language
	pages map[string]*template.Template
	// stamp names the version of the assets, so that they may be cached.
	stamp string
}

// languages of the pages; the first is for those who speak none of them.
func languages() []string { return []string{"en", "pl"} }

// pageData is what a frame knows.
type pageData struct {
	Lang, Page, Path, CSRF, Stamp string
	Other                         string // the other language
	Shop                          *Shop
	Admin, Write                  bool
	Holdout                       bool // whether campaigns can hold people back, to measure
	Campaign                      uint64
	Menu                          []menuItem
	Wrong                         string // a word's key: why signing in failed
	Seconds                       int64
	Version                       string
	Insecure                      bool
	Shops                         []Shop
}

type menuItem struct {
	Name string
	Here bool
}

func newSite(s *Server) (*site, error) {
	t := &site{s: s, words: map[string]map[string]string{}, pages: map[string]*template.Template{}}
	sum := sha256.New()
	err := fs.WalkDir(web, "web", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := web.ReadFile(p)
		sum.Write(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	t.stamp = hex.EncodeToString(sum.Sum(nil)[:6])
	files, err := fs.Glob(web, "web/site/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	for _, lang := range languages() {
		raw, err := web.ReadFile("web/words/" + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("read the words: %w", err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(raw, &words); err != nil {
			return nil, fmt.Errorf("read the words of %s: %w", lang, err)
		}
		t.words[lang] = words
		for _, f := range files {
			name := strings.TrimSuffix(path.Base(f), ".html")
			if name == "layout" {
				continue
			}
			tmpl, err := template.New("layout.html").Funcs(template.FuncMap{"t": t.word(words)}).ParseFS(web, "web/site/layout.html", f)
			if err != nil {
				return nil, fmt.Errorf("read the page %s: %w", name, err)
			}
			t.pages[lang+"/"+name] = tmpl
		}
	}
	return t, nil
}

// word looks a text up. A key without one shows itself; a test finds those.
func (t *site) word(words map[string]string) func(string) string {
	return func(key string) string {
		if w, ok := words[key]; ok {
			return w
		}
		return key
	}
}

func (t *site) routes(mux chi.Router) {
	mux.Get("/console/assets/*", t.asset)
	mux.Get("/console/sign-in", t.signInPage)
	mux.Post("/console/sign-in", t.signIn)
	mux.Post("/console/sign-out", t.signOut)
	mux.Get("/console", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/console/", http.StatusSeeOther) })
	mux.Get("/console/", t.home)
	mux.Get("/console/shops/{shop}/ad", t.adPage)
	for _, p := range sitePages() {
		mux.Get("/console/shops/{shop}/"+p.path, t.shopPage(p))
	}
}

// siteHeaders allows our own scripts and frames, and pictures and films of ads
// from the shops.
func siteHeaders(w http.ResponseWriter, r *http.Request) {
	pictures := pictureSources(r)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' "+pictures+
		"; media-src "+pictures+"; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	w.Header().Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	w.Header().Set("Vary", "Cookie, Accept-Language")
}

func pictureSources(r *http.Request) string {
	if loopbackHost(r.Host) {
		return "https: data: http://127.0.0.1:* http://localhost:*" // the demo's shops
	}
	return "https: data:"
}

// asset serves scripts, styles and words, under a name with their version.
func (t *site) asset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(chi.URLParam(r, "*"), t.stamp+"/")
	file := "web/assets/" + name
	if strings.HasPrefix(name, "words/") {
		file = "web/" + name
	}
	b, err := web.ReadFile(path.Clean(file))
	if err != nil || !strings.HasPrefix(path.Clean(file), "web/assets/") && !strings.HasPrefix(path.Clean(file), "web/words/") {
		t.s.plainProblem(w, r, http.StatusNotFound, "there is nothing here")
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(file)))
	if name == chi.URLParam(r, "*") { // without its version
		w.Header().Set("Cache-Control", "no-cache")
	} else {
		w.Header().Set("Cache-Control", "max-age=31536000, immutable")
	}
	_, _ = w.Write(b) // the client is gone then
}

// pageLanguage is what the visitor chose, else what the browser asks for.
func pageLanguage(w http.ResponseWriter, r *http.Request) string {
	chosen := r.URL.Query().Get("lang")
	if c, err := r.Cookie(langCookie); chosen == "" && err == nil {
		chosen = c.Value
	}
	for _, l := range languages() {
		if chosen != l {
			continue
		}
		if r.URL.Query().Has("lang") {
			http.SetCookie(w, &http.Cookie{Name: langCookie, Value: l, Path: "/console", MaxAge: int((365 * 24 * time.Hour).Seconds()), SameSite: http.SameSiteLaxMode, HttpOnly: true})
		}
		return l
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		for _, l := range languages() {
			if tag == l {
				return l
			}
		}
	}
	return languages()[0]
}

func (t *site) data(w http.ResponseWriter, r *http.Request, page string) *pageData {
	lang := pageLanguage(w, r)
	other := languages()[0]
	if lang == other {
		other = languages()[1]
	}
	return &pageData{
		Lang: lang, Other: other, Page: page, Path: r.URL.Path, Stamp: t.stamp, Version: t.s.deps.Version,
		Insecure: r.TLS == nil && !loopbackHost(r.Host),
	}
}

func (t *site) render(w http.ResponseWriter, r *http.Request, status int, d *pageData) {
	var page bytes.Buffer
	if err := t.pages[d.Lang+"/"+d.Page].Execute(&page, d); err != nil {
		t.s.log.Error("page failed", "page", d.Page, "err", err)
		t.s.plainProblem(w, r, http.StatusInternalServerError, "the page failed; it is in the log")
		return
	}
	siteHeaders(w, r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", d.Lang)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the client is gone then
}

// who is signed in; without anybody the browser is sent to sign in.
func (t *site) who(w http.ResponseWriter, r *http.Request) *principal {
	who, err := t.s.session(r.Context(), sessionCookie(r.Header.Get("Cookie")))
	if err != nil {
		t.s.log.Error("session not read", "err", err)
		t.s.plainProblem(w, r, http.StatusInternalServerError, "something failed here; it is in the log")
		return nil
	}
	if who == nil {
		pageLanguage(w, r) // what was chosen by the address is remembered
		http.Redirect(w, r, "/console/sign-in", http.StatusSeeOther)
		return nil
	}
	return who
}

func (t *site) signedIn(w http.ResponseWriter, r *http.Request, page string) (*pageData, *principal) {
	who := t.who(w, r)
	if who == nil {
		return nil, nil
	}
	d := t.data(w, r, page)
	d.CSRF = csrfToken(sessionCookie(r.Header.Get("Cookie")))
	d.Admin = who.admin
	d.Write = who.may(accessWrite)
	if c := t.s.api.OpenAPI().Components.Schemas.Map()["Campaign"]; c != nil {
		_, d.Holdout = c.Properties["holdout_bps"]
	}
	return d, who
}

// home is the list of shops for the administrator; a shop's own people go to
// their campaigns.
func (t *site) home(w http.ResponseWriter, r *http.Request) {
	d, who := t.signedIn(w, r, "shops")
	if who == nil {
		return
	}
	if !who.admin {
		http.Redirect(w, r, fmt.Sprintf("/console/shops/%d/campaigns", who.shop), http.StatusSeeOther)
		return
	}
	t.render(w, r, http.StatusOK, d)
}

func (t *site) shopPage(p sitePage) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, who := t.signedIn(w, r, p.name)
		if who == nil {
			return
		}
		id, err := strconv.ParseUint(chi.URLParam(r, "shop"), 10, 32)
		if err == nil && !who.admin && uint32(id) != who.shop {
			err = store.ErrNotFound
		}
		var shop store.Shop
		if err == nil {
			shop, err = t.s.store.View().Shop(r.Context(), uint32(id))
		}
		if c := chi.URLParam(r, "campaign"); c != "" && err == nil {
			if d.Campaign, err = strconv.ParseUint(c, 10, 32); err == nil {
				_, err = t.s.store.View().Campaign(r.Context(), uint32(id), uint32(d.Campaign))
			}
		}
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, strconv.ErrSyntax) && !errors.Is(err, strconv.ErrRange) {
				t.s.log.Error("page failed", "page", p.name, "err", err)
			}
			d.Page = "lost"
			t.render(w, r, http.StatusNotFound, d)
			return
		}
		v := shopView(shop)
		d.Shop = &v
		for _, m := range sitePages() {
			if m.in != "" {
				d.Menu = append(d.Menu, menuItem{Name: m.in, Here: m.in == p.in || p.name == "editor" && m.in == "campaigns"})
			}
		}
		t.render(w, r, http.StatusOK, d)
	}
}
