package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/creatives"
)

// maxAdSkip bounds how many products a preview may pass over, so that a
// gallery does not show the same ones everywhere.
const maxAdSkip = 50

// adPage is a banner as the bidders would render it, with products of the
// feed, of a creative that need not be saved: what the editor and the gallery
// show in a frame. A text of the request can do nothing in it, for the page is
// sandboxed: it has no origin, no scripts and no forms.
func (t *site) adPage(w http.ResponseWriter, r *http.Request) {
	who := t.who(w, r)
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
	var banner creatives.Banner
	if err == nil {
		banner, err = t.adOf(r, &shop.Shop)
	}
	var wrong *adError
	switch {
	case errors.As(err, &wrong):
		t.s.plainProblem(w, r, http.StatusBadRequest, wrong.Error())
		return
	case errors.Is(err, store.ErrNotFound), errors.Is(err, strconv.ErrSyntax), errors.Is(err, strconv.ErrRange):
		t.s.plainProblem(w, r, http.StatusNotFound, "there is nothing here")
		return
	case err != nil:
		t.s.log.Error("ad not shown", "shop", id, "err", err)
		t.s.plainProblem(w, r, http.StatusInternalServerError, "something failed here; it is in the log")
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src "+pictureSources(r)+"; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(creatives.AppendBanner(nil, &banner)) //nolint:gosec // it escapes every text, and the page is a sandbox; on an error the client is gone
}

type adError struct{ text string }

func (e *adError) Error() string { return e.text }

// adOf reads the ad from the query.
func (t *site) adOf(r *http.Request, shop *campaigns.Shop) (creatives.Banner, error) {
	q := r.URL.Query()
	b := creatives.Banner{
		Brand: creatives.Brand{Name: shop.Name, Domain: shop.Domain, LogoURL: shop.LogoURL},
		Copy:  creatives.Copy{Title: q.Get("title"), Body: q.Get("body"), CTA: q.Get("cta"), ImageURL: q.Get("image_url"), Lang: shop.Language},
		Links: &creatives.Links{ClickURL: []byte(shop.URL), AssetBase: strings.TrimSuffix(t.s.cfg.PublicURL, "/") + "/assets"},
	}
	var err [3]error
	var skip int
	b.W, err[0] = adNumber(q, "w", 1, maxSide)
	b.H, err[1] = adNumber(q, "h", 1, maxSide)
	skip, err[2] = adNumber(q, "skip", 0, maxAdSkip)
	if err := errors.Join(err[:]...); err != nil {
		return b, err
	}
	if len(r.URL.RawQuery) > maxForm {
		return b, &adError{"the query is too long"}
	}
	b.Template, _ = creatives.ParseTemplate(q.Get("template"))
	if id := q.Get("asset"); id != "" {
		a, err := t.s.store.View().Asset(r.Context(), shop.ID, id)
		if err != nil {
			return b, err
		}
		b.Template, b.Image = creatives.TemplateImage, a.Path
		return b, nil
	}
	yes := true
	slots := max(1, min(creatives.MaxProducts, creatives.Slots(b.W, b.H)))
	products, _, e := t.s.store.View().Products(r.Context(), shop.ID, store.ProductFilter{Available: &yes}, store.ProductPos{}, slots+skip)
	if e != nil {
		return b, e
	}
	if len(products) > slots { // of a short feed the first ones
		products = products[min(skip, len(products)-slots):]
	}
	for i := range products[:min(slots, len(products))] {
		b.Products = append(b.Products, creatives.Choice{Product: &products[i], Source: creatives.FromPopular})
	}
	return b, nil
}

func adNumber(q url.Values, name string, low, high int) (int, error) {
	text := q.Get(name)
	if text == "" && low == 0 {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, &adError{name + " must be from " + strconv.Itoa(low) + " to " + strconv.Itoa(high)}
	}
	return n, nil
}
