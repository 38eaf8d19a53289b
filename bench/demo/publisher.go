package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/sim"
)

// Seller auctions what real browsers see: sim.World.
type Seller interface {
	Sell(ctx context.Context, v *sim.Visit) (sim.Sale, error)
	Shown(ctx context.Context, id string) error
}

// The publisher is one of the simulation's own, with a page that people can
// open. What is sold on it goes through the same exchange.
const (
	pubPath     = "/kurier/"
	pubDomain   = "kurier-miejski.example"
	pubName     = "Kurier Miejski"
	pubExchange = "sim-first"
	pubUser     = "kurier_uid"     // cookie: the exchange's id of the browser
	pubConsent  = "kurier_consent" // cookie: the TC string
)

// adSlot is a place on the publisher's page.
type adSlot struct {
	Tag           string
	W, H          int
	median, floor int64 // USD cents CPM
}

// adSlots of the page, by tag. The small one takes the place of the billboard
// on a phone.
func adSlots() map[string]adSlot {
	return map[string]adSlot{
		"top":   {"top", 970, 250, 120, 30},
		"side":  {"side", 300, 600, 150, 40},
		"text":  {"text", 300, 250, 110, 25},
		"phone": {"phone", 320, 100, 80, 15},
	}
}

// Sell opens the publisher's page: from now on its slots are auctioned.
func (s *Sites) Sell(by Seller) { s.seller.Store(&by) }

func (s *Sites) publisherRoutes() {
	s.mux.HandleFunc("GET "+pubPath+"{$}", s.publisher)
	s.mux.HandleFunc("POST "+pubPath+"consent", s.consent)
	s.mux.HandleFunc("POST "+pubPath+"ad", s.adFor)
	s.mux.HandleFunc("POST "+pubPath+"shown", s.adShown)
}

// pubView is what the publisher's page shows.
type pubView struct {
	Name    string
	Asked   bool   // the dialog was answered
	Agreed  bool   // with yes
	Sync    string // URL that matches the exchange's id with the bidder's
	Slots   map[string]adSlot
	Shops   []*site
	Bidder  string
	Browser string // the exchange's id
}

func (s *Sites) publisher(w http.ResponseWriter, r *http.Request) {
	v := pubView{Name: pubName, Slots: adSlots(), Shops: s.order, Bidder: s.bidder}
	if tc := cookieOf(r, pubConsent); tc != "" {
		v.Asked = true
		if v.Browser = cookieOf(r, pubUser); v.Browser != "" {
			v.Agreed = true
			v.Sync = s.bidder + "/sync/" + pubExchange + "?uid=" + url.QueryEscape(v.Browser) + "&gdpr=1&gdpr_consent=" + url.QueryEscape(tc)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	s.write(w, "publisher", v)
}

// consent keeps the answer to the dialog, or forgets it, to be asked again.
// Only a yes gives the browser an id.
func (s *Sites) consent(w http.ResponseWriter, r *http.Request) {
	yes, again := r.FormValue("answer") == "yes", r.FormValue("answer") == "again"
	set := func(name, value string, age int) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: pubPath, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: age})
	}
	const year = 365 * 24 * 3600
	if again {
		set(pubConsent, "", -1)
	} else {
		set(pubConsent, tcString(yes, time.Now()), year)
	}
	if yes {
		set(pubUser, "km-"+strings.ToLower(rand.Text()), year)
	} else {
		set(pubUser, "", -1)
	}
	http.Redirect(w, r, pubPath, http.StatusSeeOther)
}

func cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// adAnswer is what the page gets for a slot.
type adAnswer struct {
	Sale sim.Sale `json:"sale"`
	HTML string   `json:"html"` // empty: somebody else's ad
}

// adFor sells a slot of the page for this browser.
func (s *Sites) adFor(w http.ResponseWriter, r *http.Request) {
	seller := s.seller.Load()
	sl, ok := adSlots()[r.FormValue("slot")]
	if !ok || seller == nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		http.Error(w, "no such slot, or the exchange is not open yet", http.StatusNotFound)
		return
	}
	v := sim.Visit{
		Exchange: pubExchange, UA: r.UserAgent(), Domain: pubDomain, Page: "https://" + pubDomain + "/miasto/rynek", Site: pubName,
		Cat: []string{"IAB12"}, Keywords: "miasto,pl", Slot: sl.Tag, W: sl.W, H: sl.H, Median: sl.median, Floor: sl.floor,
		Consent: cookieOf(r, pubConsent), User: cookieOf(r, pubUser), Secure: r.TLS != nil, GPC: r.Header.Get("Sec-GPC") == "1",
	}
	if lang, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ","); len(lang) >= 2 {
		v.Lang = strings.ToLower(lang[:2])
	}
	sale, err := (*seller).Sell(r.Context(), &v)
	if err != nil {
		s.log.Warn("demo publisher", slog.String("slot", sl.Tag), slog.Any("error", err))
		http.Error(w, "the auction failed: "+err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(adAnswer{sale, sale.AdM}); err != nil {
		s.log.Debug("demo publisher", slog.Any("error", err)) // the browser has gone
	}
}

// adShown is the publisher's own beacon: the exchange bills by it.
func (s *Sites) adShown(w http.ResponseWriter, r *http.Request) {
	seller := s.seller.Load()
	if seller == nil {
		http.Error(w, "the exchange is not open yet", http.StatusNotFound)
		return
	}
	switch err := (*seller).Shown(r.Context(), r.FormValue("id")); {
	case errors.Is(err, sim.ErrNoSale):
		http.Error(w, err.Error(), http.StatusGone)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// slotOf is a template's way to a slot.
func slotOf(v pubView, tag string) adSlot { return v.Slots[tag] }

// pubFuncs are what the publisher's template needs beside the shops'.
func pubFuncs(f template.FuncMap) template.FuncMap {
	f["slot"] = slotOf
	return f
}
