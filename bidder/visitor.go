package bidder

import (
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// VisitorSegments names the segments of one shop that a visitor is in.
type VisitorSegments interface {
	// AppendNames appends them to dst. p is who the visitor is to the shop.
	AppendNames(dst []string, shop uint32, p *segments.Profile, nowMS int64) []string
}

// readySegments are the ready-made ones, the same for every shop.
type readySegments struct{}

// AppendNames appends the names of what holds.
func (readySegments) AppendNames(dst []string, _ uint32, p *segments.Profile, nowMS int64) []string {
	const day = 24 * 60 * 60
	for _, s := range [...]struct {
		name string
		q    segments.Predicate
	}{
		{"known", segments.Predicate{Op: segments.OpKnown}},
		{"product_viewer", segments.Predicate{Op: segments.OpViewed, Within: 30 * day}},
		{"searcher", segments.Predicate{Op: segments.OpSearched, Within: 30 * day}},
		{"in_cart", segments.Predicate{Op: segments.OpInCart}},
		{"abandoned", segments.Predicate{Op: segments.OpAbandoned, Within: 7 * day}},
		{"checkout", segments.Predicate{Op: segments.OpCheckout, Within: day}},
		{"buyer", segments.Predicate{Op: segments.OpBuyer}},
		{"recent_buyer", segments.Predicate{Op: segments.OpPurchased, Within: 30 * day}},
	} {
		if s.q.Holds(p, nowMS) {
			dst = append(dst, s.name)
		}
	}
	return dst
}

// visitorProducts is how many products a page is told of.
const visitorProducts = 6

// visitorProfile is what a page of a shop is told of its visitor: nothing but
// what this shop knows.
type visitorProfile struct {
	Segments  []string         `json:"segments"`
	Cart      money.Nano       `json:"cart_value"`
	CartLines int              `json:"cart_lines"`
	Orders    uint32           `json:"orders"`
	Products  []visitorProduct `json:"products"`
}

type visitorProduct struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	URL      string         `json:"url"`
	ImageURL string         `json:"image_url,omitempty"`
	Price    money.Nano     `json:"price"`
	Currency money.Currency `json:"currency"`
	// Why is cart, viewed, similar or popular.
	Why string `json:"why"`
}

// visitor is who the sender of a page's batch is, these events included: they
// are not in the log's fold yet.
func (t *batch) visitor() visitorProfile {
	var p segments.Profile
	known := t.b.profiles.Load().LookupShop(t.from.key, t.shop.ID, &p)
	for _, e := range t.kept {
		known = p.Fold(e) || known
	}
	v := visitorProfile{Segments: []string{}, Products: []visitorProduct{}}
	if known {
		v.Segments = t.b.visitors.AppendNames(v.Segments, t.shop.ID, &p, t.now)
		v.Cart, v.CartLines, v.Orders = p.CartValue, p.CartLen(), p.Orders
	}
	if t.shop.Catalogue == nil {
		return v
	}
	var a ad
	a.remember(&p)
	in := creatives.ChooseInput{
		Catalogue: t.shop.Catalogue, Cart: a.cart, Viewed: a.viewed, Purchased: a.bought, Slots: visitorProducts, Seed: t.b.nonce(),
	}
	for _, c := range creatives.Choose(nil, &in) {
		v.Products = append(v.Products, visitorProduct{
			ID: c.Product.ID, Title: c.Product.Title, URL: c.Product.URL, ImageURL: c.Product.ImageURL,
			Price: c.Product.Price, Currency: c.Product.Currency, Why: c.Source.String(),
		})
	}
	return v
}
