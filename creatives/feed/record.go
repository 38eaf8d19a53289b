package feed

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// field is what a column means.
type field uint8

const (
	fieldNone field = iota
	fieldID
	fieldTitle
	fieldLink
	fieldImage
	fieldPrice
	fieldSale
	fieldSaleDates
	fieldCurrency
	fieldAvailability
	fieldStock
	fieldBrand
	fieldCategory
	fieldGoogleCategory
	fieldLowest
	fieldGTIN
	fieldGroup
	fieldMargin
	fieldMarginClass
	fieldLabel0
	fieldLabel1
	fieldLabel2
	fieldLabel3
	fieldLabel4
	fieldDeleted // of a delta
	fields
)

// columns are the names that feeds give their fields, in lower case and
// without "g:".
var columns = map[string]field{
	"id": fieldID, "item_id": fieldID, "product_id": fieldID, "sku": fieldID, "offer_id": fieldID,
	"title": fieldTitle, "name": fieldTitle, "product_name": fieldTitle, "nazwa": fieldTitle,
	"link": fieldLink, "url": fieldLink, "product_url": fieldLink,
	"image_link": fieldImage, "image_url": fieldImage, "image": fieldImage, "imageurl": fieldImage, "zdjęcie": fieldImage,
	"price": fieldPrice, "cena": fieldPrice,
	"sale_price": fieldSale, "sale_price_effective_date": fieldSaleDates,
	"currency": fieldCurrency, "waluta": fieldCurrency,
	"availability": fieldAvailability, "available": fieldAvailability, "in_stock": fieldAvailability, "dostępność": fieldAvailability,
	"stock": fieldStock, "quantity": fieldStock,
	"brand": fieldBrand, "producer": fieldBrand, "manufacturer": fieldBrand, "producent": fieldBrand, "marka": fieldBrand,
	"product_type": fieldCategory, "category": fieldCategory, "kategoria": fieldCategory,
	"google_product_category": fieldGoogleCategory,
	"lowest_price_30d":        fieldLowest, "lowest_price_30_days": fieldLowest, "lowest_30d": fieldLowest, "omnibus_price": fieldLowest, "cena_omnibus": fieldLowest, "najniższa_cena_30_dni": fieldLowest,
	"gtin": fieldGTIN, "ean": fieldGTIN, "item_group_id": fieldGroup,
	"margin": fieldMargin, "marża": fieldMargin, "margin_class": fieldMarginClass,
	"custom_label_0": fieldLabel0, "custom_label_1": fieldLabel1, "custom_label_2": fieldLabel2, "custom_label_3": fieldLabel3, "custom_label_4": fieldLabel4,
	"deleted": fieldDeleted,
}

// columnOf is the meaning of a feed's own name of a field.
func columnOf(name string) field {
	name = strings.ToLower(strings.TrimSpace(name))
	name = strings.TrimPrefix(name, "g:")
	return columns[strings.ReplaceAll(strings.ReplaceAll(name, " ", "_"), "-", "_")]
}

// record is one row of any format, as text.
type record struct {
	id     string
	values [fields]string
	names  [fields]string // the feed's own names
	lax    bool           // Ceneo: availability is a number of days
}

func (r *record) reset() {
	r.id, r.values = "", [fields]string{}
}

// set keeps the first value that is not empty.
func (r *record) set(f field, name, value string) {
	if f == fieldNone || r.values[f] != "" {
		return
	}
	r.values[f], r.names[f] = value, name
	if f == fieldID {
		r.id = strings.TrimSpace(value)
	}
}

// Limits of a product's texts, in bytes. Longer titles, brands and categories
// are cut; longer ids and URLs are refused, for cutting would make others of
// them.
const (
	maxID       = 128
	maxTitle    = 300
	maxBrand    = 100
	maxCategory = 300
	maxURL      = 2048
)

// product makes a product, or says which column is at fault and why.
func (r *record) product(o *Options) (p campaigns.Product, column, reason string) {
	fail := func(f field, format string, args ...any) (campaigns.Product, string, string) {
		name := r.names[f]
		if name == "" {
			name = defaultNames[f]
		}
		return campaigns.Product{}, name, fmt.Sprintf(format, args...)
	}
	for f := range fields {
		if !utf8.ValidString(r.values[f]) {
			return fail(f, "is not UTF-8")
		}
	}
	p.ID = strings.TrimSpace(r.values[fieldID])
	switch {
	case p.ID == "":
		return fail(fieldID, "is missing")
	case len(p.ID) > maxID:
		return fail(fieldID, "is longer than %d bytes", maxID)
	case strings.IndexFunc(p.ID, unicode.IsControl) >= 0:
		return fail(fieldID, "has a control character")
	}
	if p.Title = tidy(r.values[fieldTitle], maxTitle); p.Title == "" {
		return fail(fieldTitle, "is missing")
	}
	var why string
	if p.URL, why = cleanURL(r.values[fieldLink]); why != "" {
		return fail(fieldLink, "%s", why)
	}
	if strings.TrimSpace(r.values[fieldImage]) != "" {
		if p.ImageURL, why = cleanURL(r.values[fieldImage]); why != "" {
			return fail(fieldImage, "%s", why)
		}
	}
	if f, why := r.price(o, &p); why != "" {
		return fail(f, "%s", why)
	}
	if f, why := r.available(&p); why != "" {
		return fail(f, "%s", why)
	}
	p.Brand = tidy(r.values[fieldBrand], maxBrand)
	p.Category = category(r.values[fieldCategory], r.values[fieldGoogleCategory], r.lax)
	if f, why := r.extras(&p); why != "" {
		return fail(f, "%s", why)
	}
	return p, "", ""
}

var defaultNames = [fields]string{fieldID: "id", fieldTitle: "title", fieldLink: "link", fieldImage: "image_link", fieldPrice: "price",
	fieldSale: "sale_price", fieldCurrency: "currency", fieldAvailability: "availability", fieldStock: "stock", fieldBrand: "brand", fieldCategory: "product_type"}

// price takes the sale price where it holds, else the price.
func (r *record) price(o *Options, p *campaigns.Product) (field, string) {
	amount, cur, why := parsePrice(r.values[fieldPrice])
	if why != "" {
		return fieldPrice, why
	}
	if sale := strings.TrimSpace(r.values[fieldSale]); sale != "" && saleHolds(r.values[fieldSaleDates], o.Now) {
		v, c, why := parsePrice(sale)
		if why != "" {
			return fieldSale, why
		}
		if v < amount && (c == cur || c == money.Currency{}) {
			amount, p.ListPrice = v, amount
		}
	}
	if text := strings.TrimSpace(r.values[fieldCurrency]); text != "" && (cur == money.Currency{}) {
		c, err := money.ParseCurrency(text)
		if err != nil {
			return fieldCurrency, err.Error()
		}
		cur = c
	}
	switch {
	case cur == money.Currency{} && o.Currency == money.Currency{}:
		return fieldPrice, "has no currency"
	case cur == money.Currency{}:
		cur = o.Currency
	case o.Currency != money.Currency{} && cur != o.Currency:
		return fieldPrice, fmt.Sprintf("is in %s, the shop's currency is %s", cur, o.Currency)
	}
	p.Price, p.Currency = amount, cur
	return fieldNone, ""
}

// saleHolds reads Google's "from/to" of ISO 8601 times; without dates a sale
// price always holds, and dates that cannot be read mean that it does not.
func saleHolds(dates string, now time.Time) bool {
	dates = strings.TrimSpace(dates)
	if dates == "" {
		return true
	}
	from, to, ok := strings.Cut(dates, "/")
	if !ok || now.IsZero() {
		return false
	}
	f, okF := parseTime(strings.TrimSpace(from))
	t, okT := parseTime(strings.TrimSpace(to))
	return okF && okT && !now.Before(f) && now.Before(t)
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04-0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05-0700", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// available reads availability and stock. A product that can only be ordered
// ahead is not available: an ad for it would disappoint.
func (r *record) available(p *campaigns.Product) (field, string) {
	p.Available = true
	if s := strings.TrimSpace(r.values[fieldStock]); s != "" && strings.Trim(s, "0.,") == "" {
		p.Available = false
	}
	text := strings.ToLower(strings.TrimSpace(r.values[fieldAvailability]))
	if r.lax {
		// Ceneo counts the days until the shop can send: 1, 3, 7 and 14 are
		// stock; 90 on order, 99 ask in the shop, 110 pre-order.
		switch text {
		case "", "1", "3", "7", "14":
		case "90", "99", "110", "0":
			p.Available = false
		default:
			return fieldAvailability, fmt.Sprintf("%q is none of Ceneo's 1, 3, 7, 14, 90, 99, 110", clip(text, 40))
		}
		return fieldNone, ""
	}
	switch strings.NewReplacer("_", " ", "-", " ").Replace(text) {
	case "", "in stock", "instock", "available", "limited availability", "true", "yes", "1", "t", "y", "tak", "dostępny", "http://schema.org/instock", "https://schema.org/instock":
	case "out of stock", "outofstock", "unavailable", "preorder", "pre order", "backorder", "back order", "discontinued", "sold out", "false", "no", "0", "f", "n", "nie", "niedostępny", "http://schema.org/outofstock", "https://schema.org/outofstock":
		p.Available = false
	default:
		return fieldAvailability, fmt.Sprintf("%q is not known; use in_stock, out_of_stock, preorder or backorder", clip(text, 40))
	}
	return fieldNone, ""
}

// category normalises a path: steps joined by " > ". A category that is only
// Google's number says nothing to a person and is left out.
func category(own, google string, slash bool) string {
	text := own
	if strings.TrimSpace(text) == "" {
		text = google
		if strings.Trim(strings.TrimSpace(text), "0123456789") == "" {
			return ""
		}
	}
	sep := ">"
	if slash && !strings.Contains(text, ">") {
		sep = "/"
	}
	var steps []string
	for step := range strings.SplitSeq(text, sep) {
		if step = tidy(step, maxBrand); step != "" {
			steps = append(steps, step)
		}
	}
	return cut(strings.Join(steps, " > "), maxCategory)
}

// cleanURL makes an absolute https URL; http is upgraded but for loopback.
func cleanURL(s string) (string, string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", "is missing"
	}
	if len(s) > maxURL {
		return "", fmt.Sprintf("is longer than %d bytes", maxURL)
	}
	if strings.HasPrefix(s, "//") {
		s = "https:" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", "is not a URL"
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Sprintf("is not an https URL: %q", clip(s, 60))
	case u.Hostname() == "":
		return "", "is a URL without a host"
	case u.User != nil:
		return "", "has a user name in it"
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		u.Scheme = "https"
		if u.Port() == "80" {
			u.Host = strings.TrimSuffix(u.Host, ":80")
		}
	}
	out := u.String()
	if len(out) > maxURL {
		return "", fmt.Sprintf("is longer than %d bytes", maxURL)
	}
	return out, ""
}

func loopback(host string) bool {
	return host == "127.0.0.1" || host == "::1" || strings.EqualFold(host, "localhost")
}

// tidy collapses white space, drops control characters and cuts.
func tidy(s string, max int) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == 0x7f || c >= 0x80 || c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			clean = false
			break
		}
	}
	if !clean {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	}
	return cut(s, max)
}

// cut shortens on a rune boundary.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && s[max]&0xc0 == 0x80 {
		max--
	}
	return strings.TrimSpace(s[:max])
}
