package bidder

import (
	"errors"
	"net/url"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// ClickIDParam is the query parameter of the landing URL that carries the
// signed click id; the pixel returns it with what the visitor does.
const ClickIDParam = "gzclid"

// click records a click and leads on: to the product's page, else to the
// shop. It leads only to URLs of the shop itself, so it is no open redirect.
func (b *Bidder) click(ctx *fasthttp.RequestCtx) {
	var tok events.Token
	now := b.clock.NowMS()
	args := ctx.QueryArgs()
	text := args.Peek("t")
	err := b.keys.Verify(&tok, text, now, events.ForClick)
	if err != nil && !errors.Is(err, events.ErrTokenExpired) {
		b.reject(events.TypeClick, &tok, err, text, now)
		ctx.Error("this link is not valid", fasthttp.StatusNotFound)
		return
	}
	product := clip(string(args.Peek("p")), maxProductID)
	target := b.landing(&tok, product)
	if target == "" {
		ctx.Error("the shop behind this link is no longer here", fasthttp.StatusGone)
		return
	}
	if err != nil { // expired: the person still gets where they want to go
		b.reject(events.TypeClick, &tok, err, text, now)
		redirect(ctx, target)
		return
	}
	if !ctx.IsGet() && !ctx.IsPost() { // HEAD only looks where it leads
		redirect(ctx, target)
		return
	}
	e := b.eventOf(&tok, events.TypeClick, now)
	e.Product, e.Reason = product, b.judge.click(ctx, &tok, now)
	e.EventID = events.EventID(tok.BidID, events.TypeClick, b.nonce())
	if err := b.appendClick(&e, &tok); err != nil {
		b.metrics.clicksLost.Inc() // the person is not made to wait for us
	}
	b.noticed(events.TypeClick)
	redirect(ctx, withClickID(target, string(text)))
}

const maxProductID = 128

func (b *Bidder) landing(tok *events.Token, product string) string {
	s := b.state.Load()
	if s == nil {
		return ""
	}
	shop := s.Snapshot.Shop(tok.ShopID)
	if shop == nil {
		return ""
	}
	if product != "" {
		if p := shop.Catalogue.ByHash(segments.ProductHash(product)); p != nil && sameSite(shop, p.URL) {
			return p.URL
		}
	}
	return shop.URL
}

// sameSite tells whether a product's page is on the shop's own site: a feed
// must not turn our links into ones that lead anywhere.
func sameSite(shop *campaigns.CompiledShop, raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return false
	}
	if domainUnder(u.Hostname(), shop.Domain) {
		return true
	}
	home, err := url.Parse(shop.URL)
	return err == nil && u.Host == home.Host
}

// withClickID adds the click id to the query, in front of a fragment.
func withClickID(target, token string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += ClickIDParam + "=" + token
	return u.String()
}

func redirect(ctx *fasthttp.RequestCtx, target string) {
	h := &ctx.Response.Header
	h.Set("Location", target)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer-when-downgrade")
	ctx.SetStatusCode(fasthttp.StatusFound)
}
