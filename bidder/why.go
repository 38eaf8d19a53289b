package bidder

import (
	"fmt"
	"html/template"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// whyPage is what 'why this ad' tells. What was done in the shop is told only
// to the browser that did it, by its own cookie.
type whyPage struct {
	W                       *whyWords
	Shop, ShopURL           string
	Kind, Token             string
	Known                   bool // the ad was chosen with a profile
	Mine                    bool // and this is the browser whose profile it is
	Cart, Seen              []whyItem
	CartWorth, Ago          string
	Nobody, Hid, HidProduct bool
}

type whyItem struct{ ID, Title, Price string }

// whyRow is a product with the page that lists it.
type whyRow struct {
	Page *whyPage
	Item whyItem
}

// whyMost bounds how many products of each sort are listed.
const whyMost = 6

// why tells the person who met an ad why they saw it, and takes no more.
func (b *Bidder) why(ctx *fasthttp.RequestCtx) {
	var tok events.Token
	text := ctx.QueryArgs().Peek("t")
	if err := b.keys.Verify(&tok, text, b.clock.NowMS(), events.ForClick); err != nil {
		ctx.Error("this link is not valid or has expired", fasthttp.StatusNotFound)
		return
	}
	page := b.whyPage(ctx, &tok, string(text))
	b.writeWhy(ctx, page)
}

// whyPage gathers what the page tells of a token's ad; nil for a shop that is
// gone.
func (b *Bidder) whyPage(ctx *fasthttp.RequestCtx, tok *events.Token, text string) *whyPage {
	s := b.state.Load()
	if s == nil || s.Snapshot.Shop(tok.ShopID) == nil {
		return nil
	}
	shop := s.Snapshot.Shop(tok.ShopID)
	p := &whyPage{W: whyWordsOf(shop.Language), Shop: shop.Name, ShopURL: shop.URL, Token: text, Known: tok.User != 0}
	if camp, _ := s.Snapshot.Campaign(tok.CampaignID); camp != nil {
		p.Kind = camp.Kind
	}
	if !p.Known || b.pseudonymOf(ctx, tok.ShopID) != tok.User {
		return p
	}
	uid, _ := segments.UserFromUID(string(ctx.Request.Header.Cookie(cookieName))) // pseudonymOf has read it
	for _, sp := range b.profiles.Load().Lookup(uid, nil) {
		if sp.Shop == tok.ShopID {
			p.Mine = true
			p.remember(shop, &sp.Profile, b.hidden.Products(nil, tok.User), b.clock.NowMS())
		}
	}
	return p
}

// remember lists what the person left in the cart and looked at.
func (p *whyPage) remember(shop *campaigns.CompiledShop, prof *segments.Profile, hidden []uint64, nowMS int64) {
	item := func(list []whyItem, hash uint64) []whyItem {
		for _, h := range hidden {
			if h == hash {
				return list
			}
		}
		prod := shop.Catalogue.ByHash(hash)
		if prod == nil || len(list) == whyMost {
			return list
		}
		return append(list, whyItem{prod.ID, prod.Title, string(creatives.AppendPrice(nil, prod.Price, prod.Currency))})
	}
	inCart := map[uint64]bool{}
	for _, h := range prof.Cart[:prof.CartLen()] {
		p.Cart, inCart[h] = item(p.Cart, h), true
	}
	for _, h := range prof.Products {
		if h != 0 && !inCart[h] {
			p.Seen = item(p.Seen, h)
		}
	}
	if prof.CartValue > 0 {
		p.CartWorth = string(creatives.AppendPrice(nil, prof.CartValue, shop.Currency))
	}
	p.Ago = p.W.ago(time.Duration(nowMS-int64(prof.Last)*1000) * time.Millisecond)
}

func (b *Bidder) writeWhy(ctx *fasthttp.RequestCtx, page *whyPage) {
	if page == nil {
		ctx.Error("this link is not valid or has expired", fasthttp.StatusNotFound)
		return
	}
	h := &ctx.Response.Header
	ctx.SetContentType("text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // forms need an Origin; the token is for nobody else
	if err := whyTemplate.Execute(ctx, page); err != nil {
		b.log.Debug("why page not written", "err", err)
	}
}

// whyWords are the page's words in one language.
type whyWords struct {
	Lang, Title, Placed, Visited, InCart, Worth, Looked, Wall, Intent, Interest, Wide     string
	Unknown, Hide, HideAd, Hid, HidProduct, Nobody, Stop, OptOut, Yours, Auction, Minutes string
	hours, days, now                                                                      string
}

func (w *whyWords) ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return w.now
	case d < 2*time.Hour:
		return fmt.Sprintf(w.Minutes, int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf(w.hours, int(d/time.Hour))
	}
	return fmt.Sprintf(w.days, int(d/(24*time.Hour)))
}

func whyWordsOf(lang string) *whyWords {
	if lang == "pl" {
		return &whyPolish
	}
	return &whyEnglish
}

var whyEnglish = whyWords{
	Lang: "en", Title: "Why this ad?", Placed: "This ad was placed by Grosz for", Visited: "You visited this shop with this browser",
	InCart: "You left this in your cart", Worth: "worth", Looked: "You looked at", Yours: "The ad reminds you of it.",
	Wall:    "What you do in one shop is never used for another. Nobody was told who you are: to the shop you are a number that is only its own.",
	Unknown: "You visited this shop before with this browser or device, and the ad reminds you of what you saw there.",
	Intent:  "The page or its search suggests that products like these are being looked for now.", Interest: "The ad was chosen for the page it stands on, not for you.",
	Wide: "The shop shows its ads widely; nothing about you decided it.", Auction: "Several advertisers offered money for this place in an auction; this shop offered the most.",
	Stop: "What you can do", Hide: "Don't show me this", HideAd: "Don't show me this ad again", Hid: "Done: this ad will not be shown to you again.",
	HidProduct: "Done: this product will not be shown to you again.", Nobody: "This browser is not known to us, so there is nobody to remember the wish for. The ad was not chosen for you.",
	OptOut: "Opt out of ads that know you, and erase what is kept", Minutes: "%d minutes ago", hours: "%d hours ago", days: "%d days ago", now: "just now",
}

var whyPolish = whyWords{
	Lang: "pl", Title: "Dlaczego ta reklama?", Placed: "Tę reklamę umieścił Grosz dla sklepu", Visited: "Ta przeglądarka była w tym sklepie",
	InCart: "W Twoim koszyku czeka", Worth: "razem", Looked: "Oglądane przez Ciebie", Yours: "Reklama o tym przypomina.",
	Wall:    "To, co robisz w jednym sklepie, nigdy nie służy innemu. Nikt nie dowiedział się, kim jesteś: dla sklepu jesteś liczbą, którą zna tylko on.",
	Unknown: "Ta przeglądarka lub to urządzenie było wcześniej w tym sklepie, a reklama przypomina, co tam oglądano.",
	Intent:  "Strona lub zapytanie na niej wskazują, że właśnie szuka się takich produktów.", Interest: "Reklamę dobrano do strony, na której stoi, a nie do Ciebie.",
	Wide: "Sklep pokazuje tę reklamę szeroko; nic, co dotyczy Ciebie, o niej nie zdecydowało.", Auction: "O to miejsce ubiegało się w aukcji kilku reklamodawców; ten sklep zaproponował najwięcej.",
	Stop: "Co możesz zrobić", Hide: "Nie pokazuj mi tego", HideAd: "Nie pokazuj mi więcej tej reklamy", Hid: "Gotowe: nie zobaczysz więcej tej reklamy.",
	HidProduct: "Gotowe: nie zobaczysz więcej tego produktu.", Nobody: "Nie znamy tej przeglądarki, więc nie ma komu zapamiętać tego życzenia. Reklamy nie dobrano do Ciebie.",
	OptOut: "Zrezygnuj z reklam, które Cię znają, i usuń zapamiętane dane", Minutes: "%d min temu", hours: "%d godz. temu", days: "%d dni temu", now: "przed chwilą",
}

var whyTemplate = template.Must(template.New("why").Funcs(template.FuncMap{"args": func(p *whyPage, i whyItem) whyRow { return whyRow{p, i} }}).Parse(`<!doctype html>
<html lang="{{.W.Lang}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{.W.Title}}</title>
<style>body{font:17px/1.55 system-ui,sans-serif;background:#f4f5f7;color:#1b2430;margin:0}main{max-width:36rem;margin:3rem auto;background:#fff;border-radius:14px;padding:2rem 2.2rem;box-shadow:0 2px 16px rgba(20,30,50,.07)}
h1{font-size:1.5rem;margin:0 0 .6rem}h2{font-size:1.05rem;margin:1.8rem 0 .5rem}ul{list-style:none;padding:0;margin:.4rem 0}li{display:flex;gap:1rem;align-items:center;padding:.55rem 0;border-bottom:1px solid #eceff3}li span{flex:1}
form{margin:0}button{font:inherit;font-size:.85rem;padding:.35rem .8rem;border:1px solid #ccd3dc;border-radius:99px;background:#fff;color:#334;cursor:pointer;white-space:nowrap}button:hover{background:#f4f5f7}
.big button{font-size:1rem;padding:.55rem 1.1rem}.done{background:#e7f6ec;border-radius:10px;padding:.7rem 1rem}.small{color:#5b6776;font-size:.92rem}a{color:#1e5fb4}</style>
<main><h1>{{.W.Title}}</h1>
{{if .Hid}}<p class="done">{{if .HidProduct}}{{.W.HidProduct}}{{else}}{{.W.Hid}}{{end}}</p>{{else if .Nobody}}<p class="done">{{.W.Nobody}}</p>{{end}}
<p>{{.W.Placed}} <b>{{.Shop}}</b>.</p>
{{if and .Known .Mine}}<p>{{.W.Visited}} ({{.Ago}}). {{.W.Yours}}</p>
{{if .Cart}}<h2>{{.W.InCart}}{{if .CartWorth}} ({{.W.Worth}} {{.CartWorth}}){{end}}</h2><ul class="cart">{{range .Cart}}{{template "item" (args $ .)}}{{end}}</ul>{{end}}
{{if .Seen}}<h2>{{.W.Looked}}</h2><ul class="seen">{{range .Seen}}{{template "item" (args $ .)}}{{end}}</ul>{{end}}
{{else if and .Known (eq .Kind "remarketing")}}<p>{{.W.Unknown}}</p>
{{else if eq .Kind "intent"}}<p>{{.W.Intent}}</p>
{{else if eq .Kind "interest"}}<p>{{.W.Interest}}</p>
{{else}}<p>{{.W.Wide}}</p>{{end}}
<p class="small">{{.W.Auction}} {{.W.Wall}}</p>
<h2>{{.W.Stop}}</h2><form class="big" method="post" action="/hide"><input type="hidden" name="t" value="{{.Token}}"><button>{{.W.HideAd}}</button></form>
<p class="small"><a href="/optout">{{.W.OptOut}}</a></p></main></html>
{{define "item"}}<li><span>{{.Item.Title}}</span><b>{{.Item.Price}}</b><form method="post" action="/hide"><input type="hidden" name="t" value="{{.Page.Token}}"><input type="hidden" name="p" value="{{.Item.ID}}"><button>{{.Page.W.Hide}}</button></form></li>{{end}}
`))
