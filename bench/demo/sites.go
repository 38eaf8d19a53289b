package demo

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Sites serves the shops' own pages, with the bidder's pixel on them.
type Sites struct {
	shops  map[string]*site
	order  []*site
	bidder string
	log    *slog.Logger
	mux    *http.ServeMux
	pages  *template.Template
	// started is the videos' time of last change.
	started time.Time
	seller  atomic.Pointer[Seller] // nil until the exchange is open
}

type site struct {
	Shop
	Hue     int
	Tagline string
	Lines   []line
	byID    map[string]*campaigns.Product
	lineOf  map[string]*line // by category
}

// Bounds of the pages.
const (
	perPage    = 24
	cartLimit  = 20
	cartCookie = "cart"
)

// NewSites returns the server of the demo shops; bidder is the base URL of
// the pixel.
func NewSites(shops []Shop, bidder string, log *slog.Logger) (*Sites, error) {
	pages, err := template.New("").Funcs(pubFuncs(template.FuncMap{"price": price, "slug": slugOf})).Parse(pageText + publisherText)
	if err != nil {
		return nil, err
	}
	s := &Sites{shops: map[string]*site{}, bidder: strings.TrimSuffix(bidder, "/"), log: log, mux: http.NewServeMux(), pages: pages, started: time.Now()}
	for _, shop := range shops {
		x := &site{Shop: shop, Hue: shop.concept.hue, Tagline: shop.concept.tagline, Lines: shop.concept.lines,
			byID: map[string]*campaigns.Product{}, lineOf: map[string]*line{}}
		for i := range x.Products {
			x.byID[x.Products[i].ID] = &x.Products[i]
		}
		for i := range x.Lines {
			x.lineOf[x.Lines[i].category] = &x.Lines[i]
		}
		s.shops[shop.Slug] = x
		s.order = append(s.order, x)
	}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.write(w, "index", s.order) })
	s.mux.HandleFunc("GET /img/{shop}/{file}", s.image)
	s.publisherRoutes()
	s.mux.HandleFunc("GET "+mediaPath+"/{path...}", s.media)
	for _, x := range s.order {
		for route, h := range map[string]func(*site, http.ResponseWriter, *http.Request){
			"GET /%s/{$}": s.home, "GET /%s/c/{line}": s.category, "GET /%s/p/{id}": s.product, "GET /%s/search": s.search,
			"GET /%s/cart": s.cart, "POST /%s/cart": s.change, "GET /%s/checkout": s.checkout, "POST /%s/buy": s.buy,
		} {
			s.mux.HandleFunc(fmt.Sprintf(route, x.Slug), func(w http.ResponseWriter, r *http.Request) { h(x, w, r) })
		}
	}
	return s, nil
}

// ServeHTTP answers one request.
func (s *Sites) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// view is what a page shows.
type view struct {
	*site
	Bidder  string
	Title   string
	Items   []*campaigns.Product
	One     *campaigns.Product
	Line    string
	Query   string
	Total   money.Nano
	OrderID string
	Next    int      // next page, 0 if none
	Events  []m      // for the pixel
	Cart    []string // ids
}

type m = map[string]any

func (s *Sites) show(x *site, w http.ResponseWriter, r *http.Request, page string, v view) {
	v.site, v.Bidder = x, s.bidder
	v.Cart = cartOf(x, r)
	s.write(w, page, v)
}

func (s *Sites) write(w http.ResponseWriter, page string, v any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "strict-origin-when-cross-origin")
	if err := s.pages.ExecuteTemplate(w, page, v); err != nil {
		s.log.Warn("demo shop page", slog.String("page", page), slog.Any("error", err))
	}
}

func (s *Sites) home(x *site, w http.ResponseWriter, r *http.Request) {
	v := view{Title: x.Tagline, Events: []m{{"type": "visit"}}}
	for i := range min(12, len(x.Products)) {
		v.Items = append(v.Items, &x.Products[i*len(x.Products)/12])
	}
	s.show(x, w, r, "list", v)
}

func (s *Sites) category(x *site, w http.ResponseWriter, r *http.Request) {
	for _, l := range x.Lines {
		if l.slug == r.PathValue("line") {
			v := view{Title: last(l.category), Line: l.slug, Events: []m{{"type": "category_view", "category": l.category}}}
			s.list(x, w, r, v, func(p *campaigns.Product) bool { return p.Category == l.category })
			return
		}
	}
	http.NotFound(w, r)
}

func (s *Sites) search(x *site, w http.ResponseWriter, r *http.Request) {
	q := strings.TrimSpace(r.FormValue("q"))
	if len(q) > 200 {
		q = q[:200]
	}
	low := strings.ToLower(q)
	v := view{Title: "Wyniki: " + q, Query: q, Events: []m{{"type": "search", "query": q}}}
	s.list(x, w, r, v, func(p *campaigns.Product) bool {
		return strings.Contains(strings.ToLower(p.Title+" "+p.Category+" "+p.Brand), low)
	})
}

func (s *Sites) list(x *site, w http.ResponseWriter, r *http.Request, v view, keep func(*campaigns.Product) bool) {
	page, err := strconv.Atoi(r.FormValue("page"))
	if err != nil || page < 1 {
		page = 1
	}
	skip := (page - 1) * perPage
	for i := range x.Products {
		if p := &x.Products[i]; keep(p) {
			if skip--; skip >= 0 {
				continue
			}
			if len(v.Items) == perPage {
				v.Next = page + 1
				break
			}
			v.Items = append(v.Items, p)
		}
	}
	s.show(x, w, r, "list", v)
}

func (s *Sites) product(x *site, w http.ResponseWriter, r *http.Request) {
	p := x.byID[r.PathValue("id")]
	if p == nil {
		http.NotFound(w, r)
		return
	}
	s.show(x, w, r, "product", view{Title: p.Title, One: p, Events: []m{{"type": "product_view", "product": p.ID}}})
}

func (s *Sites) cart(x *site, w http.ResponseWriter, r *http.Request) {
	v := view{Title: "Koszyk"}
	if id := r.FormValue("added"); x.byID[id] != nil {
		v.Events = append(v.Events, m{"type": "cart_add", "product": id, "quantity": 1, "price": x.byID[id].Price.String()})
	}
	if id := r.FormValue("removed"); x.byID[id] != nil {
		v.Events = append(v.Events, m{"type": "cart_remove", "product": id, "quantity": 1})
	}
	for _, id := range cartOf(x, r) {
		v.Items = append(v.Items, x.byID[id])
		v.Total = money.Add(v.Total, x.byID[id].Price)
	}
	s.show(x, w, r, "cart", v)
}

// checkout asks where to send it; nothing of what is typed is kept.
func (s *Sites) checkout(x *site, w http.ResponseWriter, r *http.Request) {
	v := view{Title: "Dostawa i płatność", Events: []m{{"type": "checkout"}}}
	for _, id := range cartOf(x, r) {
		v.Items = append(v.Items, x.byID[id])
		v.Total = money.Add(v.Total, x.byID[id].Price)
	}
	if len(v.Items) == 0 {
		http.Redirect(w, r, "/"+x.Slug+"/cart", http.StatusSeeOther)
		return
	}
	s.show(x, w, r, "checkout", v)
}

// change adds to the cart or takes out of it, then shows it.
func (s *Sites) change(x *site, w http.ResponseWriter, r *http.Request) {
	cart, did := cartOf(x, r), ""
	if id := r.FormValue("add"); x.byID[id] != nil && len(cart) < cartLimit {
		cart, did = append(cart, id), "?added="+id
	}
	for i, id := range cart {
		if id == r.FormValue("remove") {
			cart, did = append(cart[:i], cart[i+1:]...), "?removed="+id
			break
		}
	}
	setCart(x, w, cart)
	http.Redirect(w, r, "/"+x.Slug+"/cart"+did, http.StatusSeeOther)
}

// buy thanks for the order: nothing is sold, the pixel is told.
func (s *Sites) buy(x *site, w http.ResponseWriter, r *http.Request) {
	v := view{Title: "Dziękujemy!", OrderID: newOrderID()}
	var items []m
	for _, id := range cartOf(x, r) {
		p := x.byID[id]
		v.Items = append(v.Items, p)
		v.Total = money.Add(v.Total, p.Price)
		items = append(items, m{"product": id, "quantity": 1, "price": p.Price.String()})
	}
	if len(items) == 0 {
		http.Redirect(w, r, "/"+x.Slug+"/cart", http.StatusSeeOther)
		return
	}
	v.Events = []m{{"type": "purchase", "order_id": v.OrderID, "value": v.Total.String(), "currency": "PLN", "items": items}}
	setCart(x, w, nil)
	r.Header.Del("Cookie") // the page is to show an empty cart
	s.show(x, w, r, "thanks", v)
}

func (s *Sites) image(w http.ResponseWriter, r *http.Request) {
	x := s.shops[r.PathValue("shop")]
	id, ok := strings.CutSuffix(r.PathValue("file"), ".svg")
	if x == nil || !ok {
		http.NotFound(w, r)
		return
	}
	var svg string
	if p := x.byID[id]; p != nil {
		svg = picture(&x.concept, x.lineOf[p.Category], id)
	} else if id == "logo" {
		svg = logo(&x.concept)
	} else if id == "wordmark" {
		svg = wordmark(&x.concept)
	} else {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write([]byte(svg)) // the browser has gone: nothing to do
}
