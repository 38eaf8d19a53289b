package bidder

import (
	"crypto/subtle"
	"html/template"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
)

// pathReview shows a creative to whoever was given the link, to approve it.
const pathReview = "/creative"

// review shows one form of an active campaign's creative as it is bid, with
// products that nobody's behaviour has chosen. Nothing is counted, and it leads
// to the shop alone.
func (b *Bidder) review(ctx *fasthttp.RequestCtx) {
	args := ctx.QueryArgs()
	id, err := strconv.ParseUint(string(args.Peek("campaign")), 10, 32)
	s := b.state.Load()
	crid := string(args.Peek("crid"))
	var camp *campaigns.CompiledCampaign
	if err == nil && s != nil {
		camp, _ = s.Snapshot.Campaign(uint32(id))
	}
	if camp == nil || subtle.ConstantTimeCompare([]byte(creatives.PreviewKey(camp.Shop.Shop.Salt, crid)), args.Peek("key")) != 1 {
		ctx.Error("there is no such creative of an active campaign, or the link is not whole", fasthttp.StatusNotFound)
		return
	}
	for _, media := range [...][]*campaigns.Creative{camp.Banners, camp.Videos, camp.Natives} {
		for _, cr := range media {
			for _, f := range creatives.Forms(camp.ShopID, cr) {
				if f.CRID == crid {
					b.writeReview(ctx, camp, cr, f)
					return
				}
			}
		}
	}
	ctx.Error("the creative has changed since: it has another crid now", fasthttp.StatusGone)
}

func (b *Bidder) writeReview(ctx *fasthttp.RequestCtx, camp *campaigns.CompiledCampaign, cr *campaigns.Creative, f creatives.Form) {
	choices := creatives.Choose(nil, &creatives.ChooseInput{Catalogue: camp.Shop.Catalogue, Slots: b.reviewSlots(cr, f)})
	h := &ctx.Response.Header
	ctx.SetContentType("text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src https: http:; media-src https: http:; sandbox allow-popups allow-popups-to-escape-sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	links := creatives.Links{ClickURL: []byte(camp.Shop.URL), AssetBase: b.urls.plain.assets}
	if cr.Media == campaigns.MediaBanner {
		banner := creatives.Banner{W: f.W, H: f.H, Template: f.Template, Links: &links, Brand: brandOf(camp), Copy: copyOf(camp, cr), Products: choices, Image: imagePath(cr)}
		ctx.SetBody(creatives.AppendBanner(nil, &banner))
		return
	}
	page := reviewPage{Shop: camp.Shop.Name, URL: camp.Shop.URL, Title: cr.Title, Body: cr.Body, CTA: cr.CTA, Image: cr.ImageURL, W: f.W, H: f.H}
	if cr.Video != nil {
		page.Video = cr.Video.URL
		if len(page.Video) > 0 && page.Video[0] == '/' {
			page.Video = links.AssetBase + page.Video
		}
	}
	if cr.Media == campaigns.MediaNative && len(choices) > 0 {
		p := choices[0].Product
		page.Image, page.Price = p.ImageURL, string(creatives.AppendPrice(nil, p.Price, p.Currency))
		page.Title = p.Title
	}
	if err := reviewTemplate.Execute(ctx, &page); err != nil {
		b.log.Debug("review page not written", "err", err)
	}
}

// reviewSlots is how many products the template takes.
func (b *Bidder) reviewSlots(cr *campaigns.Creative, f creatives.Form) int {
	switch {
	case cr.Media == campaigns.MediaNative || f.Template == creatives.TemplateSingle:
		return 1
	case cr.Media != campaigns.MediaBanner || f.Template == creatives.TemplateLogo || f.Template == creatives.TemplateImage:
		return 0
	}
	return creatives.Slots(f.W, f.H)
}

type reviewPage struct {
	Shop, URL, Title, Body, CTA, Image, Price, Video string
	W, H                                             int
}

var reviewTemplate = template.Must(template.New("review").Parse(`<!doctype html><html><meta charset="utf-8"><title>{{.Shop}}</title>
<style>body{font:16px/1.4 system-ui,sans-serif;margin:16px;color:#18212f}main{max-width:{{if .Video}}{{.W}}{{else}}320{{end}}px}img{max-width:100%}b{display:block}</style>
<main>{{if .Video}}<video src="{{.Video}}" width="{{.W}}" height="{{.H}}" controls></video>{{else if .Image}}<img src="{{.Image}}" alt="">{{end}}
{{if .Title}}<b>{{.Title}}</b>{{end}}{{if .Price}}<b>{{.Price}}</b>{{end}}{{if .Body}}<p>{{.Body}}</p>{{end}}
<p><a href="{{.URL}}" target="_blank" rel="noopener nofollow sponsored">{{if .CTA}}{{.CTA}}{{else}}{{.Shop}}{{end}}</a></p></main></html>
`))
