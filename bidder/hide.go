package bidder

import (
	"html/template"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// hiddenDays is how long a wish to see something no more is kept.
const hiddenDays = 180

// jsBanner is an ad type that a request may block (AdCOM list: JavaScript).
const jsBanner = 3

// mayScript tells whether the banner may carry the script that measures
// whether it is seen.
func (c *bidContext) mayScript(o *bid) bool {
	return !hasInt(c.view.Imps[o.imp].Banner.BType, jsBanner)
}

// hideInAd marks a wish that is sent from within the ad.
const hideInAd = "&in=ad"

// hide takes the wish of a person who met an ad: no more of a product (p), or
// of the whole campaign. It is sent from our own 'why this ad' page or by the
// button in the ad, is durable before it is answered, and holds here from the
// next bid on, at other nodes once the log has brought it. The button stands in
// a publisher's page: there the token must name its person. For others the cookie says who it is, and only a
// page of ours may ask.
func (b *Bidder) hide(ctx *fasthttp.RequestCtx) {
	inAd := len(ctx.QueryArgs().Peek("in")) > 0
	switch {
	case !ctx.IsPost():
		ctx.Response.Header.Set("Allow", "POST")
		say(ctx, fasthttp.StatusMethodNotAllowed, "the wish is sent by POST, from the page behind 'why this ad'")
		return
	case !inAd && !b.people.ownPage(ctx):
		say(ctx, fasthttp.StatusForbidden, "this was sent from another site's page")
		return
	}
	var tok events.Token
	now := b.clock.NowMS()
	text := ctx.FormValue("t")
	if err := b.keys.Verify(&tok, text, now, events.ForClick); err != nil {
		b.reject(events.TypeHide, &tok, err, text, now)
		say(ctx, fasthttp.StatusNotFound, "this link is not valid or has expired")
		return
	}
	who := tok.User
	if who == 0 && !b.people.ownPage(ctx) {
		say(ctx, fasthttp.StatusForbidden, "this was sent from another site's page")
		return
	}
	if who == 0 {
		who = b.pseudonymOf(ctx, tok.ShopID)
	}
	page := b.whyPage(ctx, &tok, string(text))
	if who == 0 {
		if page != nil {
			page.Nobody = true
		}
		b.writeWhy(ctx, page)
		return
	}
	if ok, _ := b.hides.take(tok.ShopID, 1, now); !ok {
		busy(ctx)
		return
	}
	e := b.eventOf(&tok, events.TypeHide, now)
	e.User, e.Product = who, clip(string(ctx.FormValue("p")), maxProductID)
	e.EventID = events.NamedID(tok.ShopID, "hide", tok.BidID.String()+e.Product)
	if err := b.appendEvent(&e); err != nil {
		unavailable(ctx)
		return
	}
	b.noticed(events.TypeHide)
	b.foldHide(&e)
	if page != nil && inAd {
		b.writeHidden(ctx, page)
		return
	}
	if page != nil {
		page.Hid, page.HidProduct = true, e.Product != ""
	}
	b.writeWhy(ctx, page)
}

// hiddenTemplate stands where the ad was, in its frame: it has nothing that
// could be pressed by mistake, so that it may stand in any page.
var hiddenTemplate = template.Must(template.New("hidden").Parse(`<!doctype html>
<html lang="{{.W.Lang}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.W.Title}}</title>
<style>html,body{height:100%;margin:0}body{display:flex;align-items:center;justify-content:center;background:#f3f5f8;color:#475264;font:13px/1.35 system-ui,sans-serif;text-align:center}p{margin:0;padding:4px 8px}</style>
<p role="status">{{.W.Hid}}</p></html>
`))

func (b *Bidder) writeHidden(ctx *fasthttp.RequestCtx, page *whyPage) {
	h := &ctx.Response.Header
	ctx.SetContentType("text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if err := hiddenTemplate.Execute(ctx, page); err != nil {
		b.log.Debug("hidden page not written", "err", err)
	}
}

// hidesPerSecond bounds what /hide makes each node write for one shop, in the
// long run.
const hidesPerSecond = 50

// foldHide applies a wish, from here or from the log; once more is the same.
func (b *Bidder) foldHide(e *events.Event) {
	if e.Test {
		return
	}
	if e.Product != "" {
		b.hidden.Add(e.ShopID, e.User, e.CampaignID, segments.ProductHash(e.Product), e.TimeMS)
		return
	}
	b.hidden.Add(e.ShopID, e.User, e.CampaignID, 0, e.TimeMS)
}

// pseudonymOf is what the shop calls the browser, by our cookie; 0 for nobody.
func (b *Bidder) pseudonymOf(ctx *fasthttp.RequestCtx, shop uint32) uint64 {
	uid, ok := segments.UserFromUID(string(ctx.Request.Header.Cookie(cookieName)))
	s := b.state.Load()
	if !ok || s == nil || optedOut(ctx) || b.people.optedOut(uid) || s.Snapshot.Shop(shop) == nil {
		return 0
	}
	return segments.Pseudonym(s.Snapshot.Shop(shop).Salt, uid)
}
