package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments/intent"
)

// describeRequest fills the facts that all imps of the request share.
func (b *Bidder) describeRequest(c *bidContext) {
	v, f := &c.view, &c.facts
	f.NowMS, f.Exchange = c.nowMS, c.exchange.Name
	switch {
	case v.App.Present && !v.Site.Present:
		f.Inventory, f.Domain, f.Bundle = "app", v.App.Domain, v.App.Bundle
		describePage(f, v.App.CatTax, [...][]string{v.App.Cat, v.App.SectionCat, v.App.PageCat}, v.App.Keywords, v.App.KwArray, &v.App.Content)
	case v.Site.Present:
		f.Inventory, f.Domain, f.URL, f.Search = "site", v.Site.Domain, v.Site.Page, v.Site.Search
		describePage(f, v.Site.CatTax, [...][]string{v.Site.Cat, v.Site.SectionCat, v.Site.PageCat}, v.Site.Keywords, v.Site.KwArray, &v.Site.Content)
		f.AddText(v.Site.Search)
		f.Intent.Add(v.Site.Search, intent.FromSearch)
		f.Intent.AddURL(v.Site.Page)
	}
	geo := &v.Device.Geo
	if !geo.Present {
		geo = &v.User.Geo
	}
	f.Country, f.Region, f.City = b.placeOf(v, geo)
	f.Device, f.OS = campaigns.DeviceClass(v.Device.DeviceType), v.Device.OS
	if f.OS == "" {
		f.OS = v.Device.SUA.Platform.Brand
	}
	if f.Language = v.Device.Language; f.Language == "" {
		f.Language = v.Device.LangB
	}
	if !c.basis.Profile {
		return // nothing of the person: neither profile nor what others say of them
	}
	f.AddKeywords(v.User.Keywords)
	f.Intent.Add(v.User.Keywords, intent.FromKeyword)
	for _, k := range v.User.KwArray {
		f.AddKeyword(k)
		f.Intent.Add(k, intent.FromKeyword)
	}
	for i := range v.User.Data {
		describeData(f, &v.User.Data[i])
	}
	if !c.user.IsZero() {
		b.describeWanted(c)
		f.Profiles = b.profiles.Load().Lookup(c.user, f.Profiles)
		b.segments.describe(f, c.user)
	}
}

func describePage(f *campaigns.Facts, tax int32, cats [3][]string, keywords string, kw []string, content *openrtb.Content) {
	for _, list := range cats {
		for _, s := range list {
			describeCategory(f, tax, s)
		}
	}
	for _, s := range content.Cat {
		describeCategory(f, content.CatTax, s)
	}
	f.AddKeywords(keywords)
	for _, k := range kw {
		f.AddKeyword(k)
	}
	f.AddKeywords(content.Keywords)
	for _, k := range content.KwArray {
		f.AddKeyword(k)
	}
	f.AddText(content.Title)
	f.Intent.Add(keywords, intent.FromKeyword)
	for _, k := range kw {
		f.Intent.Add(k, intent.FromKeyword)
	}
	f.Intent.Add(content.Keywords, intent.FromKeyword)
	for _, k := range content.KwArray {
		f.Intent.Add(k, intent.FromKeyword)
	}
	f.Intent.Add(content.Title, intent.FromContent)
	for i := range content.Data {
		describeData(f, &content.Data[i])
	}
}

// describeImp fills the facts of one imp and media type.
func (b *Bidder) describeImp(c *bidContext, i int, media uint8) {
	imp, f := &c.view.Imps[i], &c.facts
	f.Media = events.MediaName(media)
	f.Position = ""
	switch media {
	case events.MediaBanner:
		f.Position = campaigns.PositionName(imp.Banner.Pos.Or(0))
	case events.MediaVideo:
		f.Position = campaigns.PositionName(imp.Video.Pos.Or(0))
	}
	f.Deals = f.Deals[:0]
	for d := range imp.PMP.Deals {
		f.AddDeal(imp.PMP.Deals[d].ID)
	}
}

func offered(imp *openrtb.Imp, media uint8) bool {
	switch media {
	case events.MediaBanner:
		return imp.Banner.Present
	case events.MediaVideo:
		return imp.Video.Present
	case events.MediaNative:
		return imp.Native.Present
	}
	return false
}

// usd is what a request without cur asks for (§ 3.2.1).
var usd = money.MustCurrency("USD")

// pickCurrency chooses the bid's currency: one that the request lists, and
// the exchange takes, in the exchange's order of preference if it has one.
// Which shops have a rate for it shows when their campaigns are priced.
func (c *bidContext) pickCurrency() bool {
	x := c.exchange
	if len(c.view.Cur) == 0 {
		c.currency = usd
		return len(x.currencies) == 0 || hasCurrency(x.currencies, usd)
	}
	if len(x.currencies) > 0 {
		for _, want := range x.currencies {
			for _, s := range c.view.Cur {
				if cur, err := money.ParseCurrency(s); err == nil && cur == want {
					c.currency = cur
					return true
				}
			}
		}
		return false
	}
	for _, s := range c.view.Cur {
		cur, err := money.ParseCurrency(s)
		if err != nil {
			continue
		}
		if _, ok := c.state.Rates.Rate(cur, c.state.Rates.Base); ok {
			c.currency = cur
			return true
		}
	}
	return false
}

func hasCurrency(list []money.Currency, c money.Currency) bool {
	for _, x := range list {
		if x == c {
			return true
		}
	}
	return false
}
