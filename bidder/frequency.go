package bidder

import (
	"fmt"
	"math"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

const hourMS = int64(time.Hour / time.Millisecond)

// fatigueWindow is how far back impressions tire.
const fatigueWindow = 7 * 24 * hourMS

// cappedShops tells, by dense index, whether a campaign's shop caps anything.
func cappedShops(snap *campaigns.Snapshot) []bool {
	shops := map[uint32]bool{}
	for _, c := range snap.Campaigns {
		if c.Frequency.Capped() {
			shops[c.ShopID] = true
		}
	}
	out := make([]bool, len(snap.Campaigns))
	for i, c := range snap.Campaigns {
		out[i] = shops[c.ShopID]
	}
	return out
}

// productCappedShops tells, by dense index, whether a campaign's shop caps
// products: its ads' products are then counted, whichever campaign shows them.
func productCappedShops(snap *campaigns.Snapshot) []bool {
	shops := map[uint32]bool{}
	for _, c := range snap.Campaigns {
		for i := range c.Frequency.Caps {
			if c.Frequency.Caps[i].Per == campaigns.PerProduct {
				shops[c.ShopID] = true
			}
		}
	}
	out := make([]bool, len(snap.Campaigns))
	for i, c := range snap.Campaigns {
		out[i] = shops[c.ShopID]
	}
	return out
}

// productCaps are what a campaign's caps of products allow by now.
func productCaps(dst []pacing.ProductCap, camp *campaigns.CompiledCampaign, nowMS int64) []pacing.ProductCap {
	for i := range camp.Frequency.Caps {
		if f := &camp.Frequency.Caps[i]; f.Per == campaigns.PerProduct {
			dst = append(dst, pacing.ProductCap{Most: f.Impressions, SinceMS: nowMS - int64(f.Hours)*hourMS})
		}
	}
	return dst
}

// cappedProducts appends the products that the campaign does not show the
// person now.
func (c *bidContext) cappedProducts(dst []uint32, o *bid, camp *campaigns.CompiledCampaign) []uint32 {
	if c.shown == nil || o.user == 0 || !c.state.cappedProducts[o.campaign] {
		return dst
	}
	var room [campaigns.MaxFrequencyCaps]pacing.ProductCap
	return c.shown.Capped(dst, o.user, productCaps(room[:0], camp, c.nowMS), camp.Frequency.Strict, c.nowMS)
}

// mayShowProducts counts the products of an ad as under way and returns them
// for its token; false where another bid has just taken the last place. Ads of
// shops that do not cap products are not counted.
func (b *Bidder) mayShowProducts(c *bidContext, o *bid, camp *campaigns.CompiledCampaign, tmpl creatives.Template) (list events.Products, ok bool) {
	if c.shown == nil || o.user == 0 || !c.state.cappedProducts[o.campaign] {
		return list, true
	}
	for i, ch := range c.ads.choices[:c.visible(o, tmpl)] {
		list[i] = events.ShortProduct(segments.ProductHash(ch.Product.ID))
	}
	if list == (events.Products{}) || c.view.Test || b.onlyAsks() {
		return list, true
	}
	var room [campaigns.MaxFrequencyCaps]pacing.ProductCap
	p := b.winRate(c, o.media)
	return list, c.shown.Open(o.user, camp.ShopID, o.id, list, p, productCaps(room[:0], camp, c.nowMS), camp.Frequency.Strict, c.nowMS, c.nowMS+o.ttl.Milliseconds())
}

// visible is how many of the chosen products an ad shows at most.
func (c *bidContext) visible(o *bid, tmpl creatives.Template) int {
	n := min(len(c.ads.choices), len(events.Products{}))
	switch {
	case tmpl == creatives.TemplateLogo:
		return 0
	case tmpl == creatives.TemplateSingle, o.media == events.MediaNative,
		o.media == events.MediaVideo && len(c.view.Imps[o.imp].Video.Companions) == 0:
		return min(n, 1)
	}
	return n
}

// mayShow asks all caps of a campaign and counts the bid as under way, in one
// step. Bids of a shop without caps are not counted.
func (b *Bidder) mayShow(c *bidContext, o *bid, camp *campaigns.CompiledCampaign) bool {
	if o.user == 0 || !c.state.capped[o.campaign] {
		return true
	}
	var room [1 + campaigns.MaxFrequencyCaps]pacing.Cap
	caps := appendCaps(room[:0], camp, o.creative, c.nowMS)
	x := pacing.Exposure{
		Bid: o.id, Campaign: camp.ID, ExpireMS: c.nowMS + o.ttl.Milliseconds(), P: b.winRate(c, o.media),
	}
	if o.creative != nil {
		x.Creative = o.creative.ID
	}
	if c.view.Test || b.onlyAsks() {
		return b.frequency.MayOpen(o.user, caps, camp.Frequency.Strict, c.nowMS)
	}
	return b.frequency.Open(o.user, x, caps, camp.Frequency.Strict, c.nowMS)
}

// appendCaps appends what a campaign's caps allow by now; without a creative
// those of creatives are left out.
func appendCaps(dst []pacing.Cap, camp *campaigns.CompiledCampaign, cr *campaigns.Creative, nowMS int64) []pacing.Cap {
	f := &camp.Frequency
	if f.Impressions > 0 {
		dst = append(dst, pacing.Cap{What: pacing.WhatCampaign(camp.ID), Most: f.Impressions, SinceMS: nowMS - int64(f.Hours)*hourMS})
	}
	for i := range f.Caps {
		if one, ok := capOf(&f.Caps[i], camp, cr, nowMS); ok {
			dst = append(dst, one)
		}
	}
	return dst
}

// capOf is one cap by now; ok is false for one of creatives without a creative,
// and of products: those are asked when products are chosen.
func capOf(f *campaigns.FrequencyCap, camp *campaigns.CompiledCampaign, cr *campaigns.Creative, nowMS int64) (c pacing.Cap, ok bool) {
	c = pacing.Cap{What: pacing.WhatCampaign(camp.ID), Most: f.Impressions, SinceMS: nowMS - int64(f.Hours)*hourMS}
	switch f.Per {
	case campaigns.PerShop:
		c.What = pacing.WhatShop()
	case campaigns.PerProduct:
		return c, false
	case campaigns.PerCreative:
		if cr == nil {
			return c, false
		}
		c.What = pacing.WhatCreative(cr.ID)
	}
	return c, true
}

// missedCaps says which of a campaign's further caps a person has reached.
func (b *Bidder) missedCaps(c *bidContext, camp *campaigns.CompiledCampaign) (out []Miss) {
	if c.user.IsZero() {
		return []Miss{{Rule: ReasonFrequency.String(), Detail: "nobody is known whose impressions could be counted"}}
	}
	user := segments.Pseudonym(camp.Shop.Salt, c.user)
	for i := range camp.Frequency.Caps {
		f := &camp.Frequency.Caps[i]
		limit, ok := capOf(f, camp, nil, c.nowMS)
		if !ok {
			continue // of creatives: which one it would be is chosen later
		}
		most := pacing.Allowed(user, limit.What, limit.Most, camp.Frequency.Strict)
		if seen, _ := b.frequency.Seen(user, limit.What, limit.SinceMS); seen >= most {
			out = append(out, Miss{Rule: ReasonFrequency.String(), Detail: fmt.Sprintf("seen %d times in %d h, the cap per %s is %d", seen, f.Hours, f.Per, f.Impressions)})
		}
	}
	return out
}

// tired lowers a campaign's value for a person who has seen it, where the
// campaign asks for that.
func (b *Bidder) tired(c *bidContext, m int32, cpm money.CPM) money.CPM {
	if !c.state.Snapshot.Tires(m) || !c.basis.Identify || c.user.IsZero() {
		return cpm
	}
	camp := c.state.Snapshot.Campaigns[m]
	t := camp.Frequency.Fatigue
	user := segments.Pseudonym(camp.Shop.Salt, c.user)
	lift := b.frequency.Lift(user, pacing.WhatCampaign(camp.ID), pacing.Fatigue{
		N0: float64(t.HalfAfter) / math.Ln2, RecoverMS: float64(t.RecoverMinutes) * 60_000, WithinMS: fatigueWindow,
	}, c.nowMS)
	if lift >= 1 {
		return cpm
	}
	return money.CPM(float64(cpm) * lift)
}
