package demo

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/grosz/grosz/internal/money"
)

// cartOf reads the cart from its cookie; what the shop does not sell is left
// out.
func cartOf(x *site, r *http.Request) []string {
	c, err := r.Cookie(cartCookie)
	if err != nil {
		return nil
	}
	var out []string
	for _, id := range strings.Split(c.Value, ".") {
		if x.byID[id] != nil && len(out) < cartLimit {
			out = append(out, id)
		}
	}
	return out
}

func setCart(x *site, w http.ResponseWriter, ids []string) {
	http.SetCookie(w, &http.Cookie{Name: cartCookie, Value: strings.Join(ids, "."), Path: "/" + x.Slug + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 30 * 24 * 3600})
}

func newOrderID() string { return "web-" + strings.ToLower(rand.Text()[:12]) }

// price is an amount as Polish shops write it.
func price(n money.Nano) string {
	s := n.String()
	whole, cents, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "\u00a0" + whole[i:]
	}
	if len(cents) == 1 {
		cents += "0"
	}
	return whole + "," + cents + "\u00a0zł"
}

func last(category string) string {
	parts := strings.Split(category, " > ")
	return parts[len(parts)-1]
}

func slugOf(l line) menuItem { return menuItem{Slug: l.slug, Name: last(l.category)} }

// menuItem is a line as pages name it.
type menuItem struct{ Slug, Name string }
