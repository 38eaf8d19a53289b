package bidder

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// maxPreviews bounds the sizes of one preview.
const maxPreviews = 20

// previewAsk is the body of POST …/campaigns/{campaign}/preview.
type previewAsk struct {
	// User is whose ad it is to be; nobody's if it is empty.
	User *userIn `json:"user"`
	// Words are what the page's search or keywords say.
	Words string `json:"words"`
	// Request, an OpenRTB bid request of Exchange, says both instead, and the
	// sizes; privacy signals hold.
	Request  json.RawMessage `json:"request"`
	Exchange string          `json:"exchange"`
	// Sizes such as "300x250"; empty: all that the creative takes.
	Sizes []string `json:"sizes"`
	// Template overrides the creative's; Seed varies the choice.
	Template string `json:"template"`
	Seed     uint64 `json:"seed"`
}

// preview is one banner as it would be rendered.
type preview struct {
	W        int              `json:"w"`
	H        int              `json:"h"`
	Creative uint32           `json:"creative"`
	Template string           `json:"template"`
	Crid     string           `json:"crid"`
	Products []previewProduct `json:"products"`
	HTML     string           `json:"html"`
}

type previewProduct struct {
	ID     string `json:"id"`
	Source string `json:"source"`
}

// previewPath takes /api/v1/shops/{shop}/campaigns/{campaign}/preview apart;
// path is what follows the shops' prefix.
func previewPath(path string) (shop, campaign string, ok bool) {
	rest, ok := strings.CutSuffix(path, "/preview")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/campaigns/")
}

// servePreview renders a campaign's banners for a user or a request, without
// bidding: nothing is held, counted or recorded, and the links lead to the
// shop alone.
func (b *Bidder) servePreview(ctx *fasthttp.RequestCtx, shopID, campaignID string) {
	shop := b.shopOf(shopID)
	switch {
	case !ctx.IsPost():
		problem(ctx, fasthttp.StatusMethodNotAllowed, "previews are asked for by POST")
		return
	case shop == nil || !keyScoped(ctx, shop.Shop, "read", "write"):
		problem(ctx, fasthttp.StatusUnauthorized, "no such shop, or the key is not its own")
		return
	}
	id, err := strconv.ParseUint(campaignID, 10, 32)
	camp, _ := b.state.Load().Snapshot.Campaign(uint32(id))
	if err != nil || camp == nil || camp.ShopID != shop.ID {
		problem(ctx, fasthttp.StatusNotFound, "no such active campaign")
		return
	}
	var ask previewAsk
	if err := json.Unmarshal(ctx.PostBody(), &ask); err != nil {
		problem(ctx, fasthttp.StatusBadRequest, "the body is not the JSON of a preview: "+err.Error())
		return
	}
	c := b.contexts.Get().(*bidContext)
	defer func() { c.reset(); b.contexts.Put(c) }()
	c.state, c.nowMS, c.start, c.now = b.state.Load(), b.clock.NowMS(), b.now(), b.now
	sizes, err := b.previewFacts(c, &ask, shop)
	if err != nil {
		problem(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	writeJSON(ctx, fasthttp.StatusOK, map[string]any{"items": b.previews(c, &ask, camp, sizes)})
}

// previewFacts reads whose ad it is, what the page says, and the sizes.
func (b *Bidder) previewFacts(c *bidContext, ask *previewAsk, shop *campaigns.CompiledShop) ([]campaigns.Size, error) {
	if _, ok := creatives.ParseTemplate(ask.Template); !ok {
		return nil, fmt.Errorf("template: %q is none of grid, carousel, single, logo", clip(ask.Template, 40))
	}
	var sizes []campaigns.Size
	for _, s := range ask.Sizes {
		w, h, _ := strings.Cut(s, "x")
		sw, errW := strconv.Atoi(w)
		sh, errH := strconv.Atoi(h)
		if errW != nil || errH != nil || sw < 1 || sh < 1 || sw > 4000 || sh > 4000 || len(sizes) == maxPreviews {
			return nil, fmt.Errorf("sizes: %q; at most %d such as \"300x250\"", clip(s, 40), maxPreviews)
		}
		sizes = append(sizes, campaigns.Size{W: sw, H: sh})
	}
	if len(ask.Request) > 0 {
		if c.exchange = c.state.Exchanges[ask.Exchange]; c.exchange == nil {
			return nil, fmt.Errorf("exchange: there is none named %q", clip(ask.Exchange, 40))
		}
		if err := c.view.Parse(ask.Request); err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}
		b.decideBasis(c)
		b.describeRequest(c)
		for i := range c.view.Imps {
			ban := &c.view.Imps[i].Banner
			if ban.W > 0 && ban.H > 0 && len(ask.Sizes) == 0 {
				sizes = append(sizes, campaigns.Size{W: int(ban.W), H: int(ban.H)})
			}
			for _, f := range ban.Formats {
				if f.W > 0 && f.H > 0 && len(ask.Sizes) == 0 {
					sizes = append(sizes, campaigns.Size{W: int(f.W), H: int(f.H)})
				}
			}
		}
		return sizes[:min(len(sizes), maxPreviews)], nil
	}
	c.facts.AddText(ask.Words)
	if ask.User != nil {
		uid, bad := userOfShop(shop, *ask.User)
		if bad != nil {
			return nil, fmt.Errorf("%s: %s", bad.Field, bad.Message)
		}
		if !b.people.optedOut(uid) {
			c.user = uid
			c.facts.Profiles = b.profiles.Load().Lookup(uid, c.facts.Profiles)
			b.segments.describe(&c.facts, uid)
		}
	}
	return sizes, nil
}

// previews renders what is asked for.
func (b *Bidder) previews(c *bidContext, ask *previewAsk, camp *campaigns.CompiledCampaign, sizes []campaigns.Size) []preview {
	out := []preview{}
	if len(sizes) == 0 {
		sizes = campaigns.StandardSizes()
	}
	o := bid{media: events.MediaBanner}
	if !c.user.IsZero() {
		o.user = segments.Pseudonym(camp.Shop.Salt, c.user)
	}
	for i, other := range c.state.Snapshot.Campaigns {
		if other.ID == camp.ID {
			o.campaign = int32(i)
		}
	}
	want, _ := creatives.ParseTemplate(ask.Template)
	for _, s := range sizes {
		if o.creative = camp.Banner(s.W, s.H); o.creative == nil {
			continue
		}
		tmpl := want
		if ask.Template == "" || o.creative.Image != nil {
			tmpl = creatives.Wanted(o.creative)
		}
		c.chooseProducts(&o, creatives.Slots(s.W, s.H))
		c.ads.choice.Seed = ask.Seed
		if c.state.Snapshot.FeedFresh(camp.Shop.Shop, c.nowMS) {
			c.ads.choices = creatives.Choose(c.ads.choices, &c.ads.choice)
		}
		tmpl = creatives.Pick(tmpl, s.W, s.H, len(c.ads.choices))
		links := creatives.Links{ClickURL: []byte(camp.Shop.URL), AssetBase: b.urls.plain.assets}
		banner := creatives.Banner{W: s.W, H: s.H, Template: tmpl, Links: &links, Brand: brandOf(camp), Copy: copyOf(camp, o.creative), Products: c.ads.choices, Image: imagePath(o.creative)}
		p := preview{W: s.W, H: s.H, Creative: o.creative.ID, Template: tmpl.String(), Products: []previewProduct{}, HTML: string(creatives.AppendBanner(nil, &banner)),
			Crid: string(creatives.CRIDOf(nil, camp.ShopID, o.creative, c.state.versions[o.creative], tmpl, s.W, s.H))}
		if tmpl != creatives.TemplateLogo {
			for _, ch := range c.ads.choices {
				p.Products = append(p.Products, previewProduct{ch.Product.ID, ch.Source.String()})
			}
		}
		out = append(out, p)
	}
	return out
}
