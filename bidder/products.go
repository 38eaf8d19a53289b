package bidder

import (
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

// chooseProducts fills c.ads.choices with what the ad of a bid shows: what
// the user left in the cart or saw in this shop, what the page's words look
// for, and what sells.
func (c *bidContext) chooseProducts(o *bid, slots int) {
	camp := c.state.Snapshot.Campaigns[o.campaign]
	a := &c.ads
	a.cart, a.viewed, a.bought = a.cart[:0], a.viewed[:0], a.bought[:0]
	if p := c.profile(camp.ShopID); p != nil {
		a.remember(p)
	}
	a.lookFor(c, camp)
	a.hidden = c.hidden.Products(a.hidden[:0], o.user)
	for _, h := range a.hidden {
		a.bought = append(a.bought, creatives.Ref{Hash: h})
	}
	if !c.state.Snapshot.FeedFresh(camp.Shop.Shop, c.nowMS) {
		a.choices = a.choices[:0] // prices and stock of a feed that old may be wrong
		return
	}
	a.capped = c.cappedProducts(a.capped[:0], o, camp)
	a.moved = movedPrices{shop: camp.Shop, seen: c.pagePrices, nowMS: c.nowMS, capped: a.capped}
	a.together = a.together[:0]
	for _, refs := range [...][]creatives.Ref{a.cart, a.viewed} {
		if len(refs) > 0 { // what others looked at beside the latest of each
			a.together = c.together.With(a.together, camp.ShopID, refs[0].Hash)
		}
	}
	a.choice = creatives.ChooseInput{Refuse: &a.moved, Together: a.together, Trending: c.together.Trending(camp.ShopID),
		Catalogue: camp.Shop.Catalogue, Cart: a.cart, Viewed: a.viewed, Purchased: a.bought,
		Wanted: a.found, WantedFirst: camp.Kind == campaigns.KindIntent, Slots: slots, Seed: c.draw(),
	}
	a.choices = creatives.Choose(a.choices, &a.choice)
}

func (a *ad) remember(p *segments.Profile) {
	for i, h := range p.Cart {
		if h == 0 {
			break
		}
		a.cart = append(a.cart, creatives.Ref{Hash: h, AtMS: int64(p.LastCart)*1000 + int64(i)})
	}
	for i, h := range p.Products {
		if h == 0 {
			break
		}
		a.viewed = append(a.viewed, creatives.Ref{Hash: h, AtMS: int64(p.ProductAt[i]) * 1000})
	}
	for _, h := range p.Purchased {
		if h == 0 {
			break
		}
		a.bought = append(a.bought, creatives.Ref{Hash: h})
	}
}

// lookFor takes the products that the person looks for, best match first; what
// was merely seen in the shop the profile brings itself.
func (a *ad) lookFor(c *bidContext, camp *campaigns.CompiledCampaign) {
	clear(a.found)
	a.found = a.found[:0]
	m := c.state.Snapshot.Intent(&c.facts, camp.ShopID)
	if m == nil {
		return
	}
	for i := range m.N {
		if h := &m.Hits[i]; h.Source != intent.FromShopView || camp.Kind == campaigns.KindIntent {
			a.found = append(a.found, camp.Shop.Catalogue.At(int(h.Pos)))
		}
	}
}

func brandOf(camp *campaigns.CompiledCampaign) creatives.Brand {
	return creatives.Brand{Name: camp.Shop.Name, Domain: camp.Shop.Domain, LogoURL: camp.Shop.LogoURL}
}

func copyOf(camp *campaigns.CompiledCampaign, cr *campaigns.Creative) creatives.Copy {
	return creatives.Copy{Title: cr.Title, Body: cr.Body, CTA: cr.CTA, ImageURL: cr.ImageURL, Lang: camp.Shop.Language}
}
