package bidder

import (
	_ "embed"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments"
)

// pixelJS is the shop's one script tag; @SHOP@ and @BASE@ are filled in.
//
//go:embed pixel.js
var pixelJS string

const (
	pathPixel      = "/pixel.js"
	pathPixelEvent = "/pixel/events"
	cookieName     = "grosz_uid"
	cookieSeconds  = 180 * 24 * 60 * 60
)

// pixelScript serves the tag of a shop.
func (b *Bidder) pixelScript(ctx *fasthttp.RequestCtx) {
	shop := b.shopOf(string(ctx.QueryArgs().Peek("shop")))
	if shop == nil {
		ctx.Error("no such shop: the tag is <script async src=\".../pixel.js?shop=ID\"></script>", fasthttp.StatusNotFound)
		return
	}
	js := strings.NewReplacer("@SHOP@", strconv.Itoa(int(shop.ID)), "@BASE@", b.baseFor(ctx)).Replace(pixelJS)
	ctx.SetContentType("application/javascript; charset=utf-8")
	ctx.Response.Header.Set("Cache-Control", "public, max-age=3600")
	ctx.SetBodyString(js)
}

// pixelEvents takes what the tag reports, from pages of the shop only.
func (b *Bidder) pixelEvents(ctx *fasthttp.RequestCtx) {
	shop := b.shopOf(string(ctx.QueryArgs().Peek("shop")))
	if shop == nil {
		problem(ctx, fasthttp.StatusNotFound, "no such shop")
		return
	}
	origin := string(ctx.Request.Header.Peek("Origin"))
	if !ownOrigin(shop, origin) { // browsers always send it with a POST
		problem(ctx, fasthttp.StatusForbidden, "this page is not of the shop's domain "+shop.Domain)
		return
	}
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Vary", "Origin")
	if ctx.IsOptions() {
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	if optedOut(ctx) || b.people.cookieSuppressed(ctx) {
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	b.takeBatch(ctx, shop, b.cookieUser(ctx))
}

// cookieUser returns the browser's DSP-wide id, giving it one if it is new.
func (b *Bidder) cookieUser(ctx *fasthttp.RequestCtx) string {
	if uid, ok := segments.UserFromUID(string(ctx.Request.Header.Cookie(cookieName))); ok {
		return uid.String()
	}
	uid := b.randomID()
	var c fasthttp.Cookie
	c.SetKey(cookieName)
	c.SetValue(uid.String())
	c.SetPath("/")
	c.SetMaxAge(cookieSeconds)
	c.SetHTTPOnly(true)
	if isTLS(ctx) || strings.HasPrefix(b.cfg.PublicURL, "https:") {
		// It is read on other sites' pages, which browsers allow over https only.
		c.SetSecure(true)
		c.SetSameSite(fasthttp.CookieSameSiteNoneMode)
	} else {
		c.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	}
	ctx.Response.Header.SetCookie(&c)
	return uid.String()
}

// ownOrigin tells whether an Origin header names a page of the shop.
func ownOrigin(shop *campaigns.CompiledShop, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if domainUnder(u.Hostname(), shop.Domain) {
		return true
	}
	home, err := url.Parse(shop.URL)
	return err == nil && home.Host == u.Host
}

func (b *Bidder) shopOf(text string) *campaigns.CompiledShop {
	id, err := strconv.ParseUint(text, 10, 32)
	s := b.state.Load()
	if err != nil || s == nil {
		return nil
	}
	return s.Snapshot.Shop(uint32(id))
}

// baseFor is our public URL in the scheme that the page itself came by.
func (b *Bidder) baseFor(ctx *fasthttp.RequestCtx) string {
	if isTLS(ctx) {
		return b.urls.secure.base
	}
	return b.urls.plain.base
}
