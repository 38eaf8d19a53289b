package bidder

import (
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

// hide takes the wish of a person who met an ad: no more of a product (p), or
// of the whole campaign. It is sent from our own 'why this ad' page, is
// durable before it is answered, and holds here from the next bid on, at
// other nodes once the log has brought it.
func (b *Bidder) hide(ctx *fasthttp.RequestCtx) {
	switch {
	case !ctx.IsPost():
		ctx.Response.Header.Set("Allow", "POST")
		say(ctx, fasthttp.StatusMethodNotAllowed, "the wish is sent by POST, from the page behind 'why this ad'")
		return
	case !b.people.ownPage(ctx):
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
	if who == 0 {
		who = b.pseudonymOf(ctx, tok.ShopID)
	}
	page := b.whyPage(ctx, &tok, string(text))
	if who == 0 {
		page.Nobody = true
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
	page.Hid, page.HidProduct = true, e.Product != ""
	b.writeWhy(ctx, page)
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
