package bidder

import (
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
)

// appendCRID appends the crid that a bid has with a template.
func (c *bidContext) appendCRID(dst []byte, camp *campaigns.CompiledCampaign, o *bid, tmpl creatives.Template) []byte {
	return creatives.CRIDOf(dst, camp.ShopID, o.creative, c.state.versions[o.creative], tmpl, o.w, o.h)
}

// approved tells whether the exchange takes a bid with this template: it has
// approved its crid, or does not ask for that.
func (c *bidContext) approved(camp *campaigns.CompiledCampaign, o *bid, tmpl creatives.Template) bool {
	if !c.exchange.approvalOnly {
		return true
	}
	a := &c.ads
	a.crid = c.appendCRID(a.crid[:0], camp, o, tmpl)
	return c.state.Snapshot.Approved(camp.ShopID, c.exchange.Name, a.crid)
}

// approval refuses a creative that the exchange has not approved in any form
// that it could take here. What a banner looks like depends on the products
// that there are for the person: they are chosen here only where the answer
// hangs on them.
func (t *terms) approval(camp *campaigns.CompiledCampaign, o *bid) NoBidReason {
	c := t.c
	if !c.exchange.approvalOnly || t.waived {
		return ReasonNone
	}
	if o.media != events.MediaBanner {
		if c.approved(camp, o, creatives.TemplateAuto) {
			return ReasonNone
		}
		return ReasonNotApproved
	}
	var room [4]creatives.Template
	all := creatives.Possible(room[:0], creatives.Wanted(o.creative), o.w, o.h)
	if c.approved(camp, o, all[len(all)-1]) {
		return ReasonNone // the one that needs no products
	}
	for _, tmpl := range all[:len(all)-1] {
		if c.approved(camp, o, tmpl) {
			if _, ok := c.chooseTemplate(o, camp); ok {
				return ReasonNone
			}
			break
		}
	}
	return ReasonNotApproved
}

// chooseTemplate chooses a banner's products and its template by them. Where
// the exchange has not approved that one, one that needs fewer products takes
// its place; false if none of those is approved.
func (c *bidContext) chooseTemplate(o *bid, camp *campaigns.CompiledCampaign) (creatives.Template, bool) {
	want := creatives.Wanted(o.creative)
	if want == creatives.TemplateImage {
		c.ads.choices = c.ads.choices[:0]
		return want, c.approved(camp, o, want)
	}
	c.chooseProducts(o, creatives.Slots(o.w, o.h))
	for n := len(c.ads.choices); ; n = min(n-1, 1) {
		tmpl := creatives.Pick(want, o.w, o.h, n)
		if c.approved(camp, o, tmpl) {
			c.ads.choices = c.ads.choices[:max(n, 0)]
			return tmpl, true
		}
		if n <= 0 {
			return tmpl, false
		}
	}
}

// imagePath is where an uploaded picture is, empty for a banner of products.
func imagePath(cr *campaigns.Creative) string {
	if cr.Image == nil {
		return ""
	}
	return cr.Image.Path
}
