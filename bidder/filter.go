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
	// waived: explain asks what else would be wrong with a creative that is
	// not approved.
	waived bool
	group  uint64 // see priceGroup; 0: not worked out
}

// open checks what holds for every campaign alike.
func (t *terms) open() NoBidReason {
	r := ReasonNone
	switch t.media {
	case events.MediaBanner:
		r = t.openBanner()
	case events.MediaVideo:
		r = t.openVideo()
	case events.MediaNative:
		r = t.openNative()
	}
	if r == ReasonNone && t.undisclosed() {
		return ReasonDSA
	}
	return r
}

// undisclosed tells whether the ad would go without the notice that regs.dsa
// requires: the publisher cannot render it and this media's ads do not.
func (t *terms) undisclosed() bool {
	ask := &t.c.view.Regs.DSA
	return ask.Present && ask.Required.Or(0) >= 2 && ask.PubRender.Set && ask.PubRender.V == 0 && !t.c.rendersNotice(t.media)
}

// rendersNotice tells whether our ads of a media lead to 'why this ad': the
// banner's corner does, and native's privacy link where the imp shows one.
func (c *bidContext) rendersNotice(media uint8) bool {
	return media == events.MediaBanner || (media == events.MediaNative && c.native.Privacy)
}

// filter refuses a candidate for the first rule it would break, or makes it
// a bid.
func (t *terms) filter(cand candidate) (bid, NoBidReason) {
	camp := t.c.state.Snapshot.Campaigns[cand.campaign]
	o := bid{imp: t.index, campaign: cand.campaign, media: t.media, price: cand.cpm, k: cand.k}
	if !camp.InFlight(t.c.nowMS) {
		return o, ReasonFlight
	}
	if r := t.advertiser(camp); r != ReasonNone {
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
	if r == ReasonNone { // a floor can depend on the creative
		r = t.deal(camp, &o)
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
	if r := categories(shop.Categories, v.BCat, v.ACat, v.CatTax); r != ReasonNone {
		return r
	}
	if len(v.WLang)+len(v.WLangB) > 0 && shop.Language != "" && !languageIn(shop.Language, v.WLang, v.WLangB) {
		return ReasonLanguage
	}
	return ReasonNone
}

// domainUnder tells whether domain is parent or under it, in any case. Block
// lists name domains also as https://www.shop.example/.
func domainUnder(domain, parent string) bool {
	parent = cleanDomain(parent)
	d := len(domain) - len(parent)
	if parent == "" || d < 0 || (d > 0 && domain[d-1] != '.') {
		return false
	}
	return strings.EqualFold(domain[d:], parent)
}

// cleanDomain cuts what is no part of a domain: spaces, scheme, a wildcard
// (*.shop.example, .shop.example), www., path.
func cleanDomain(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	if i := strings.IndexByte(s, '/'); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "*"), ".")
	if len(s) > 4 && strings.EqualFold(s[:4], "www.") {
		s = s[4:]
	}
	return s
}

// categoryUnder tells whether an IAB category is parent or one of its
// children: IAB7-39 is under IAB7. Both are of Content Taxonomy 1.0; see
// category.go for others.
func categoryUnder(cat, parent string) bool {
	if parent == "" || len(cat) < len(parent) || !strings.EqualFold(cat[:len(parent)], parent) {
		return false
	}
	return len(cat) == len(parent) || cat[len(parent)] == '-'
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

// attrBlocked tells whether the creative has a blocked attribute.
func attrBlocked(cr *campaigns.Creative, battr []int32) bool { return attrBlockedBut(cr, battr, 0) }

// attrBlockedBut leaves one attribute out, which the ad can do without.
func attrBlockedBut(cr *campaigns.Creative, battr []int32, optional int) bool {
	for _, a := range cr.Attr {
		if a != optional && hasInt(battr, int32(a)) {
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
