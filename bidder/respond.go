package bidder

import (
	"encoding/hex"
	"strconv"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/jsontext"
	"github.com/grosz/grosz/internal/money"
)

// urlSet is the beginnings of our URLs in one scheme.
type urlSet struct {
	base, assets, win, bill, loss, impression, viewable, click, why, hide, failed, played string
}

func newURLSet(base string) urlSet {
	return urlSet{
		base: base, assets: base + "/assets", win: base + pathWin + "?t=", bill: base + pathBill + "?t=", loss: base + pathLoss + "?t=",
		impression: base + pathImpression + "?t=", viewable: base + pathViewable + "?t=", click: base + pathClick + "?t=", why: base + pathWhy + "?t=", hide: base + pathHide + "?t=",
		failed: base + pathVideoError + "?t=", played: base + pathVideoTrack + "?t=",
	}
}

// What follows the token in a URL; the exchange replaces the macros (§ 4.4).
const (
	lossMacros = "&r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}"
)

// Markup types (§ 4.2.3, bid.mtype).
var markupType = [...]int64{events.MediaBanner: 1, events.MediaVideo: 2, events.MediaNative: 4}

// respond writes the bid response (§ 4.2) into c.out. A bid whose ad cannot
// be written is let go; if none is left, c.out is empty.
func (b *Bidder) respond(c *bidContext) NoBidReason {
	w := append(c.out[:0], `{"id":`...)
	w = jsontext.AppendString(w, c.view.ID)
	w = append(w, `,"cur":"`...)
	w = append(w, c.currency[:]...)
	w = append(w, `","seatbid":[{`...)
	if c.exchange.seat != "" {
		w = append(quoted(append(w, `"seat":`...), c.exchange.seat), ',')
	}
	w = append(w, `"bid":[`...)
	c.check.begin(c, w, b.checks.checked.Add(1)%fullCheckEvery == 0 || b.cfg.OnViolation != nil)
	n, refused := 0, ReasonNoCreative
	for i := range c.bids {
		mark := len(w)
		if n > 0 {
			w = append(w, ',')
		}
		var r NoBidReason
		if w, r = b.appendChecked(w, c, &c.bids[i]); r != ReasonNone {
			w, refused = w[:mark], r
			b.release(&c.bids[i])
			continue
		}
		c.bids[n] = c.bids[i]
		n++
	}
	clear(c.bids[n:])
	c.bids = c.bids[:n]
	if n == 0 {
		c.out = w[:0]
		return refused
	}
	c.out = append(w, "]}]}"...)
	return ReasonNone
}

// appendChecked writes one bid and holds what was written against the
// request.
func (b *Bidder) appendChecked(w []byte, c *bidContext, o *bid) ([]byte, NoBidReason) {
	from := len(w)
	w, adm, ok := b.appendBid(w, c, o)
	if !ok {
		return w, c.ads.refused
	}
	adm.from, adm.to = adm.from-from, adm.to-from
	if rule := c.check.check(o, w[from:], adm); rule != ruleNone {
		b.violated(rule, c.view.ID, o)
		return w, ReasonSelfCheck
	}
	return w, ReasonNone
}

func quoted(dst []byte, s string) []byte { return jsontext.AppendString(dst, s) }

// appendBid writes one bid object and says where in w the text of its adm
// stands; false when its ad could not be rendered.
func (b *Bidder) appendBid(w []byte, c *bidContext, o *bid) (_ []byte, adm span, ok bool) {
	camp := c.state.Snapshot.Campaigns[o.campaign]
	imp := &c.view.Imps[o.imp]
	urls := &b.urls.plain
	if c.secure(imp) {
		urls = &b.urls.secure
	}
	tmpl, ok := c.chooseAd(o, camp)
	if !ok {
		return w, adm, false
	}
	shows, ok := b.mayShowProducts(c, o, camp, tmpl)
	if !ok {
		c.ads.refused = ReasonFrequency
		return w, adm, false
	}
	tok := events.Token{
		BidID: o.id, BidMS: c.nowMS, Media: o.media, SettleOn: c.exchange.settle[o.media], Test: c.view.Test,
		ImpIndex: uint8(min(o.imp, 31)), Browser: c.browser, ShopID: camp.ShopID, CampaignID: camp.ID, CreativeID: o.creative.ID,
		Exchange: c.exchange.Name, Price: o.price, Currency: c.currency, ShopCurrency: camp.Shop.Currency,
		Rate: o.rate, Hold: o.hold, Lease: o.lease, FeeBPS: uint32(o.fee.BPS), FeeCPM: o.fee.CPM, User: o.user, Products: shows,
	}
	clickTerms(&tok, camp)
	c.token = b.keys.Append(c.token[:0], &tok)
	shown, clicked := tok.As(events.ForImpression), tok.As(events.ForClick)
	c.impToken = b.keys.Append(c.impToken[:0], &shown)
	c.clickToken = b.keys.Append(c.clickToken[:0], &clicked)
	if !b.render(c, o, camp, urls, tmpl) {
		return w, adm, false
	}
	w = append(w, `{"id":"`...)
	w = hex.AppendEncode(w, o.id[:])
	w = append(w, `","impid":`...)
	w = quoted(w, imp.ID)
	w = append(w, `,"price":`...)
	w = money.AppendCPM(w, o.price)
	w = appendNotice(w, `,"nurl":"`, b.urls.plain.win, c.token, c.exchange.priceMacro)
	w = appendNotice(w, `,"burl":"`, b.urls.plain.bill, c.token, c.exchange.priceMacro)
	w = appendNotice(w, `,"lurl":"`, b.urls.plain.loss, c.token, lossMacros)
	w = append(w, `,"adm":`...)
	adm.from = len(w) + 1
	w = quoted(w, view(c.adm))
	adm.to = len(w) - 1
	w = append(w, `,"adomain":[`...)
	w = quoted(w, camp.Shop.Domain)
	w = append(w, `],"cid":"`...)
	w = strconv.AppendUint(w, uint64(camp.ID), 10)
	w = append(w, `","crid":"`...)
	w = append(w, c.ads.crid...)
	w = append(w, '"')
	w = appendCategories(w, camp.Shop.Categories)
	w = c.appendAttrs(w, o)
	if iurl, ok := c.sampleImage(camp, o, urls.assets, c.secure(imp)); ok {
		w = append(w, `,"iurl":`...)
		w = quoted(w, iurl)
	}
	w = appendInt(w, `,"mtype":`, markupType[o.media])
	if o.w > 0 && o.h > 0 {
		w = appendInt(w, `,"w":`, int64(o.w))
		w = appendInt(w, `,"h":`, int64(o.h))
	}
	if o.creative.Video != nil {
		w = appendInt(w, `,"dur":`, int64(o.seconds()))
	}
	if len(camp.Shop.Language) == 2 {
		w = append(append(append(w, `,"language":"`...), camp.Shop.Language...), '"')
	}
	if o.deal != nil {
		w = append(w, `,"dealid":`...)
		w = quoted(w, o.deal.ID)
	}
	w = appendInt(w, `,"exp":`, int64(o.ttl.Seconds()))
	if c.view.Regs.DSA.Present {
		w = b.appendDSA(w, c, o, camp.Shop.Name)
	}
	if c.exchange.prebidType {
		w = appendPrebidType(w, c.view.Regs.DSA.Present, o.media)
	}
	return append(w, '}'), adm, true
}

// secure tells whether the ad must be https throughout: the imp asks for it,
// or the exchange always does.
func (c *bidContext) secure(imp *openrtb.Imp) bool {
	return imp.Secure == openrtb.Yes || c.exchange.secureAlways
}

func appendNotice(w []byte, key, url string, token []byte, macros string) []byte {
	w = append(append(append(w, key...), url...), token...)
	return append(append(w, macros...), '"')
}

func appendInt(w []byte, key string, v int64) []byte {
	return strconv.AppendInt(append(w, key...), v, 10)
}

func appendCategories(w []byte, cats []string) []byte {
	if len(cats) == 0 {
		return w
	}
	w = append(w, `,"cat":[`...)
	for i, s := range cats {
		if i > 0 {
			w = append(w, ',')
		}
		w = quoted(w, s)
	}
	return append(w, ']')
}

// appendAttrs writes the creative's attributes. Skippable (16) is said of a
// video that was written so, and of no other.
func (c *bidContext) appendAttrs(w []byte, o *bid) []byte {
	skippable := o.creative.Video != nil && skipAfter(&c.view.Imps[o.imp].Video, o.creative.Video) > 0 && o.vast >= creatives.VAST30
	key := `,"attr":[`
	for _, a := range o.creative.Attr {
		if a == attrSkippable && o.creative.Video != nil {
			continue
		}
		w = appendInt(w, key, int64(a))
		key = ","
	}
	if skippable {
		w = appendInt(w, key, attrSkippable)
		key = ","
	}
	if key == "," {
		w = append(w, ']')
	}
	return w
}

// appendDSA answers regs.ext.dsa: on whose behalf the ad is, who paid, and,
// where the publisher may have it, by what the ad was chosen: profiling (1) or
// basic advertising (2). adrender 1 where our ad leads to 'why this ad' and
// the publisher (pubrender 2) does not show the notice itself.
func (b *Bidder) appendDSA(w []byte, c *bidContext, o *bid, shop string) []byte {
	ask := &c.view.Regs.DSA
	w = append(w, `,"ext":{"dsa":{"behalf":`...)
	w = quoted(w, shop)
	w = append(w, `,"paid":`...)
	w = quoted(w, shop)
	if ask.DataToPub.Or(0) > 0 {
		w = append(w, `,"transparency":[{"domain":`...)
		w = quoted(w, b.host)
		if o.user != 0 {
			w = append(w, `,"dsaparams":[1,2]}]`...)
		} else {
			w = append(w, `,"dsaparams":[2]}]`...)
		}
	}
	if ask.PubRender.Or(0) != 2 && c.rendersNotice(o.media) {
		return append(w, `,"adrender":1}}`...)
	}
	return append(w, `,"adrender":0}}`...)
}

// appendPrebidType says the media type once more, where adapters of Prebid
// Server look for it that were written before mtype: bid.ext.prebid.type. An
// ext that is there already is continued.
func appendPrebidType(w []byte, more bool, media uint8) []byte {
	if more {
		w = append(w[:len(w)-1], ',')
	} else {
		w = append(w, `,"ext":{`...)
	}
	w = append(append(w, `"prebid":{"type":"`...), events.MediaName(media)...)
	return append(w, `"}}`...)
}

// sampleImage is bid.iurl: a picture of the ad's content for review.
func (c *bidContext) sampleImage(camp *campaigns.CompiledCampaign, o *bid, assets string, secure bool) (string, bool) {
	own := o.creative.ImageURL
	if path := imagePath(o.creative); path != "" {
		c.ads.sample = append(append(c.ads.sample[:0], assets...), path...)
		own = view(c.ads.sample)
	}
	for _, u := range [...]string{own, camp.Shop.LogoURL} {
		if len(u) > 8 && (u[:8] == "https://" || (!secure && u[:7] == "http://")) {
			return u, true
		}
	}
	return "", false
}

// chooseAd chooses the products of the ad and, of a banner, its template;
// false when there is no ad to write, and why in c.ads.refused.
func (c *bidContext) chooseAd(o *bid, camp *campaigns.CompiledCampaign) (tmpl creatives.Template, ok bool) {
	c.ads.refused = ReasonNoCreative
	switch o.media {
	case events.MediaBanner:
		if tmpl, ok = c.chooseTemplate(o, camp); !ok {
			c.ads.refused = ReasonNotApproved
		}
		return tmpl, ok
	case events.MediaVideo:
		c.chooseProducts(o, creatives.MaxProducts)
	case events.MediaNative:
		if c.native.Parse(&c.view.Imps[o.imp].Native) != nil { // another imp's may have come between
			return creatives.TemplateAuto, false
		}
		c.chooseProducts(o, 1)
	}
	return creatives.TemplateAuto, true
}

// render writes the ad into c.adm and its crid into c.ads.crid.
func (b *Bidder) render(c *bidContext, o *bid, camp *campaigns.CompiledCampaign, urls *urlSet, tmpl creatives.Template) (ok bool) {
	a := &c.ads
	c.links(o, urls, c.secure(&c.view.Imps[o.imp]))
	switch o.media {
	case events.MediaBanner:
		c.fillBanner(&a.banner, o, camp, o.w, o.h, tmpl)
		c.adm, ok = creatives.AppendBanner(c.adm[:0], &a.banner), true
	case events.MediaVideo:
		ok = c.renderVideo(o, camp)
	case events.MediaNative:
		ok = c.renderNative(o)
	}
	a.crid = c.appendCRID(a.crid[:0], camp, o, tmpl)
	return ok
}

// links makes the URLs that the ad calls, in c.urls.
func (c *bidContext) links(o *bid, urls *urlSet, secure bool) {
	l := &c.ads.links
	u := c.urls[:0]
	need := 8 * (len(urls.impression) + len(c.token) + len(c.exchange.priceMacro) + 8)
	if cap(u) < need {
		u = make([]byte, 0, 2*need)
	}
	join := func(base string, token []byte, macro string) []byte {
		start := len(u)
		u = append(append(append(u, base...), token...), macro...)
		return u[start:len(u):len(u)]
	}
	*l = creatives.Links{
		ImpURL:   join(urls.impression, c.impToken, c.exchange.priceMacro),
		ClickURL: join(urls.click, c.clickToken, ""), WhyURL: join(urls.why, c.clickToken, ""),
		ClickMacro: c.exchange.clickMacro, ClickEncode: c.exchange.clickEncode, AssetBase: urls.assets, Secure: secure,
	}
	if o.user != 0 { // somebody whom the token names, so that the wish can be remembered
		l.HideURL = join(urls.hide, c.clickToken, hideInAd)
	}
	if o.media == events.MediaVideo {
		l.ErrorURL, l.TrackURL = join(urls.failed, c.impToken, ""), join(urls.played, c.impToken, "")
	}
	if o.media != events.MediaBanner || c.mayScript(o) {
		l.ViewURL = join(urls.viewable, c.impToken, "")
	}
	c.urls = u
}

func (c *bidContext) fillBanner(dst *creatives.Banner, o *bid, camp *campaigns.CompiledCampaign, w, h int, tmpl creatives.Template) {
	*dst = creatives.Banner{
		W: w, H: h, Template: tmpl, Links: &c.ads.links,
		Brand: brandOf(camp), Copy: copyOf(camp, o.creative), Products: c.ads.choices, Image: imagePath(o.creative),
	}
}

func (c *bidContext) renderVideo(o *bid, camp *campaigns.CompiledCampaign) bool {
	a := &c.ads
	v := &c.view.Imps[o.imp].Video
	a.serving = hex.AppendEncode(a.serving[:0], o.id[:])
	a.assetID = strconv.AppendUint(a.assetID[:0], uint64(o.creative.ID), 10)
	a.file = *o.creative.Video
	a.file.SkipAfterMS = skipAfter(v, o.creative.Video)
	a.vast = creatives.VAST{
		Version: o.vast, AdID: a.assetID, ServingID: a.serving, CreativeID: a.assetID,
		Links: &a.links, Brand: brandOf(camp), Copy: copyOf(camp, o.creative), Video: &a.file,
	}
	if len(a.choices) > 0 {
		a.vast.Product = a.choices[0].Product
	}
	const companionHTML = 2 // AdCOM list: companion types
	for i := range v.Companions {
		k := &v.Companions[i]
		if len(v.CompanionType) > 0 && !hasInt(v.CompanionType, companionHTML) {
			break
		}
		w, h := int(k.W), int(k.H)
		if w == 0 && len(k.Formats) > 0 {
			w, h = int(k.Formats[0].W), int(k.Formats[0].H)
		}
		if w > 0 && h > 0 {
			c.fillBanner(&a.companion, o, camp, w, h, creatives.TemplateAuto)
			a.quiet = a.links
			a.quiet.ViewURL = nil // the video says itself whether it is seen
			a.companion.Links = &a.quiet
			a.vast.Companion = &a.companion
			break
		}
	}
	var refused creatives.VASTRefusal
	c.adm, refused = creatives.AppendVAST(c.adm[:0], &a.vast)
	return refused == creatives.VASTRefusedNone
}

func (c *bidContext) renderNative(o *bid) bool {
	c.describeNative(o)
	c.ads.native.Links = &c.ads.links
	var refused creatives.Refusal
	c.adm, refused, _ = creatives.AppendNative(c.adm[:0], &c.ads.native)
	return refused == creatives.RefusedNone
}
