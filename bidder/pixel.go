package bidder

import (
	_ "embed"
	"maps"
	"net/url"
	"slices"
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
	pathPixelHello = "/pixel/hello"
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

// fromPage checks that a call comes from a page of the shop, and lets that
// page alone read the answer. It has answered when it returns nil.
func (b *Bidder) fromPage(ctx *fasthttp.RequestCtx) *campaigns.CompiledShop {
	shop := b.shopOf(string(ctx.QueryArgs().Peek("shop")))
	if shop == nil {
		problem(ctx, fasthttp.StatusNotFound, "no such shop")
		return nil
	}
	origin := string(ctx.Request.Header.Peek("Origin"))
	if !ownOrigin(shop, origin) { // browsers always send it with a POST
		problem(ctx, fasthttp.StatusForbidden, "this page is not of the shop's domain "+shop.Domain)
		return nil
	}
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Vary", "Origin")
	h.Set("Cache-Control", "no-store")
	if ctx.IsOptions() || optedOut(ctx) || b.people.cookieSuppressed(ctx) {
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return nil
	}
	return shop
}

// pixelEvents takes what the tag reports, from pages of the shop only. With
// profile=1 the answer tells who the visitor is to this shop.
func (b *Bidder) pixelEvents(ctx *fasthttp.RequestCtx) {
	shop := b.fromPage(ctx)
	if shop == nil {
		return
	}
	from := sender{page: true, browser: browserOf(string(ctx.UserAgent())), vid: visitorKey(shop, string(ctx.QueryArgs().Peek("vid")))}
	cookie, known := segments.UserFromUID(string(ctx.Request.Header.Cookie(cookieName)))
	switch {
	case known:
		from.key = cookie
	case from.vid.IsZero():
		from.key, _ = segments.UserFromUID(b.cookieUser(ctx))
	default: // a browser that keeps no cookie of ours is known to this shop alone
		from.key = from.vid
	}
	t := &batch{b: b, shop: shop, from: from, now: b.clock.NowMS()}
	if !t.take(ctx, t.readJSON) {
		return
	}
	if len(ctx.QueryArgs().Peek("profile")) > 0 {
		t.answer(ctx, t.visitor())
		return
	}
	t.answer(ctx, nil)
}

// maxPixelSyncs bounds the user syncs that one page view starts.
const maxPixelSyncs = 8

// pixelHello is asked once a day by a browser that agreed to be known: it
// gives the browser its id, if it keeps one, and names the exchanges' syncs.
func (b *Bidder) pixelHello(ctx *fasthttp.RequestCtx) {
	shop := b.fromPage(ctx)
	if shop == nil {
		return
	}
	if string(ctx.Request.Header.Peek("Sec-GPC")) == "1" {
		writeJSON(ctx, fasthttp.StatusOK, map[string]any{"syncs": []string{}})
		return
	}
	b.cookieUser(ctx)
	syncs := b.people.syncing()
	for i, name := range syncs {
		syncs[i] = b.baseFor(ctx) + pathSync + url.PathEscape(name)
	}
	writeJSON(ctx, fasthttp.StatusOK, map[string]any{"syncs": syncs})
}

// syncing names the exchanges to which a browser can be led for its id.
func (p *people) syncing() []string {
	names := make([]string, 0, maxPixelSyncs)
	for _, name := range slices.Sorted(maps.Keys(p.routes)) {
		if r := p.routes[name]; r != nil && r.url != "" && len(names) < maxPixelSyncs {
			names = append(names, name)
		}
	}
	return names
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
