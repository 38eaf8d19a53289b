package bidder

import (
	"bytes"
	"html/template"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

const (
	pathOptOut = "/optout"
	// optOutCookie is not signed: it says nothing but that its browser wants to
	// be left alone. Who makes one up leaves himself out, and who removes it
	// could remove any cookie; the id is on the suppression list besides.
	optOutCookie  = "grosz_optout"
	optOutSeconds = 400 * 24 * 60 * 60 // the longest that browsers keep one
	// optOutsPerSecond bounds what /optout makes each node write and look for.
	optOutsPerSecond = 5
)

// optOutPage is what /optout shows.
type optOutPage struct {
	Out, Done bool
	Reference string // of the erasure, if there was anything to erase
}

var optOutTemplate = template.Must(template.New("optout").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Opting out</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1b2430}h1{font-size:1.4rem}
button{font:inherit;padding:.5rem 1rem}code{overflow-wrap:anywhere}</style>
<h1>Ads that know you</h1>
{{if .Out}}<p>{{if .Done}}Done. {{end}}This browser has opted out: it is not recognised, and nothing about it is kept.</p>
{{if .Reference}}<p>What was known of it is being erased. The reference of that is <code>{{.Reference}}</code>.</p>{{end}}
<p>You will still see ads; they are chosen for the page, not for you. The choice is kept in a cookie, so please opt out again in other browsers, or after you have deleted your cookies.</p>
{{else}}<p>Shops that advertise through Grosz can remind you of what you looked at in them. If you do not want that in this browser, opt out: your id is deleted, and what was known under it is erased.</p>
<form method="post" action="/optout"><button>Opt out and erase</button></form>
{{end}}</html>
`))

func (p *people) optOutPage(ctx *fasthttp.RequestCtx, page optOutPage) {
	ctx.SetContentType("text/html; charset=utf-8")
	if err := optOutTemplate.Execute(ctx, page); err != nil {
		p.b.log.Debug("opt-out page not written", "err", err)
	}
}

// optOut serves the page (GET) and the wish (POST) to be left alone.
func (p *people) optOut(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case ctx.IsGet() || ctx.IsHead():
		p.optOutPage(ctx, optOutPage{Out: optedOut(ctx)})
	case !ctx.IsPost():
		h.Set("Allow", "GET, POST")
		say(ctx, fasthttp.StatusMethodNotAllowed, "the page is GET, the wish POST")
	case !p.ownPage(ctx):
		say(ctx, fasthttp.StatusForbidden, "this was sent from another site's page")
	default:
		p.takeOptOut(ctx)
	}
}

// ownPage tells whether a form comes from a page of ours. A program that
// sends no Origin may ask for itself.
func (p *people) ownPage(ctx *fasthttp.RequestCtx) bool {
	origin := ctx.Request.Header.Peek("Origin")
	if len(origin) == 0 {
		return true
	}
	if bytes.Equal(origin, []byte("null")) {
		return false
	}
	u, err := url.Parse(string(origin))
	return err == nil && u.Hostname() == p.b.host
}

func (p *people) takeOptOut(ctx *fasthttp.RequestCtx) {
	p.setCookie(ctx, optOutCookie, "1", optOutSeconds)
	p.setCookie(ctx, cookieName, "", -1)
	page := optOutPage{Out: true, Done: true}
	uid, known := segments.UserFromUID(string(ctx.Request.Header.Cookie(cookieName)))
	if known && !p.optedOut(uid) {
		now := p.b.clock.NowMS()
		if !p.optOuts.allow(now) {
			busy(ctx)
			return
		}
		e := events.Erasure{
			EventID: events.EraseID(uid, now), Type: events.TypeErase, TimeMS: now, UID: uid, OptOut: true,
			Reason: "optout_page", Node: p.b.cfg.Node,
		}
		if err := p.cfg.Emit(&e); err != nil {
			busy(ctx)
			return
		}
		// The log will say it to every node; here it holds at once.
		if err := p.apply(&e); err != nil {
			p.b.log.Error("erasure is left to the log", "err", err)
		}
		page.Reference = e.EventID.String()
	}
	p.optOutPage(ctx, page)
}

func (p *people) setCookie(ctx *fasthttp.RequestCtx, name, value string, seconds int) {
	var c fasthttp.Cookie
	c.SetKey(name)
	c.SetValue(value)
	c.SetPath("/")
	if seconds < 0 {
		c.SetExpire(fasthttp.CookieExpireDelete)
	} else {
		c.SetMaxAge(seconds)
	}
	c.SetHTTPOnly(true)
	if isTLS(ctx) || strings.HasPrefix(p.b.cfg.PublicURL, "https:") {
		c.SetSecure(true)
		c.SetSameSite(fasthttp.CookieSameSiteNoneMode)
	} else {
		c.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	}
	ctx.Response.Header.SetCookie(&c)
}
