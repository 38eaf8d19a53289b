package bidder

import (
	"strings"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
)

// terms are what one imp asks of a bid of one media type.
type terms struct {
	c     *bidContext
	imp   *openrtb.Imp
	index int
	media uint8
	vast  creatives.VASTVersion // what a video would be written in
}

// open checks what holds for every campaign alike.
func (t *terms) open() NoBidReason {
	switch t.media {
	case events.MediaBanner:
		return t.openBanner()
	case events.MediaVideo:
		return t.openVideo()
	}
	if t.imp.Native.Request == "" {
		return ReasonNativeMalformed
	}
	if err := t.c.native.Parse(&t.imp.Native); err != nil {
		return ReasonNativeMalformed
	}
	for i := range t.c.native.Assets {
		if !t.c.native.Assets[i].ID.Set {
			return ReasonNativeMalformed // the answer could not say which asset it means
		}
	}
	return ReasonNone
}

// filter refuses a candidate for the first rule it would break, or makes it
// a bid.
func (t *terms) filter(cand candidate) (bid, NoBidReason) {
	camp := t.c.state.Snapshot.Campaigns[cand.campaign]
	o := bid{imp: t.index, campaign: cand.campaign, media: t.media, price: cand.cpm}
	if !camp.InFlight(t.c.nowMS) {
		return o, ReasonFlight
	}
	if r := t.advertiser(camp); r != ReasonNone {
		return o, r
	}
	if r := t.deal(camp, &o); r != ReasonNone {
		return o, r
	}
	r := ReasonNoCreative
	switch t.media {
	case events.MediaBanner:
		r = t.banner(camp, &o)
	case events.MediaVideo:
		r = t.video(camp, &o)
	case events.MediaNative:
		r = t.nativeAd(camp, &o)
	}
	return o, r
}

// advertiser applies badv, bcat, acat, bapp and wlang (§ 3.2.1).
func (t *terms) advertiser(camp *campaigns.CompiledCampaign) NoBidReason {
	v := &t.c.view
	shop := camp.Shop
	for _, blocked := range v.BAdv {
		if domainUnder(shop.Domain, blocked) {
			return ReasonAdvertiser
		}
	}
	for _, blocked := range v.BCat {
		for _, cat := range shop.Categories {
			if categoryUnder(cat, blocked) {
				return ReasonCategory
			}
		}
	}
	if len(v.ACat) > 0 && !allCategoriesUnder(shop.Categories, v.ACat) {
		return ReasonCategory
	}
	if len(v.WLang)+len(v.WLangB) > 0 && shop.Language != "" && !languageIn(shop.Language, v.WLang, v.WLangB) {
		return ReasonLanguage
	}
	return ReasonNone
}

// domainUnder tells whether domain is parent or under it, in any case.
func domainUnder(domain, parent string) bool {
	d := len(domain) - len(parent)
	if parent == "" || d < 0 || (d > 0 && domain[d-1] != '.') {
		return false
	}
	return strings.EqualFold(domain[d:], parent)
}

// categoryUnder tells whether an IAB category is parent or one of its
// children: IAB7-39 is under IAB7.
func categoryUnder(cat, parent string) bool {
	if parent == "" || len(cat) < len(parent) || !strings.EqualFold(cat[:len(parent)], parent) {
		return false
	}
	return len(cat) == len(parent) || cat[len(parent)] == '-'
}

// allCategoriesUnder holds for a shop whose every category is allowed; one
// that names none cannot show that it is.
func allCategoriesUnder(cats, allowed []string) bool {
	for _, cat := range cats {
		under := false
		for _, a := range allowed {
			if under = categoryUnder(cat, a); under {
				break
			}
		}
		if !under {
			return false
		}
	}
	return len(cats) > 0
}

func languageIn(lang string, lists ...[]string) bool {
	for _, list := range lists {
		for _, l := range list {
			if len(l) >= 2 && strings.EqualFold(l[:2], lang) && (len(l) == 2 || l[2] == '-' || l[2] == '_') {
				return true
			}
		}
	}
	return false
}

// deal decides whether the bid goes out openly or in a deal. In a private
// auction only a deal may be bid on; else a deal is used where it takes the
// campaign and asks no more than the bid.
func (t *terms) deal(camp *campaigns.CompiledCampaign, o *bid) NoBidReason {
	pmp := &t.imp.PMP
	private := pmp.Private == openrtb.Yes
	if !private {
		return ReasonNone
	}
	for i := range pmp.Deals {
		d := &pmp.Deals[i]
		if d.ID == "" || (len(d.WSeat) > 0 && seatRefused(d.WSeat, nil, t.c.exchange.seat)) {
			continue
		}
		if len(d.WADomain) > 0 && !domainIn(camp.Shop.Domain, d.WADomain) {
			continue
		}
		if floor, ok := t.inBidCurrency(d.BidFloor, d.BidFloorCur); !ok || o.price < floor {
			continue
		}
		o.deal = d
		return ReasonNone
	}
	return ReasonDealOnly
}

func domainIn(domain string, list []string) bool {
	for _, d := range list {
		if domainUnder(domain, d) {
			return true
		}
	}
	return false
}

// attrBlocked tells whether the creative has a blocked attribute.
func attrBlocked(cr *campaigns.Creative, battr []int32) bool {
	for _, a := range cr.Attr {
		if hasInt(battr, int32(a)) {
			return true
		}
	}
	return false
}

func hasInt(list []int32, v int32) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}
