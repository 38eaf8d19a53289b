package certify

import (
	"slices"
	"strings"

	"github.com/grosz/grosz/bench/check"
)

// rule is one thing that is certified. The rules of bench/check keep their
// names; those of this package have a dot in theirs.
type rule struct {
	name, section, about string
}

// Names of this package's own rules.
const (
	ruleBanner    = "format.banner"
	ruleVideo     = "format.video"
	ruleNative    = "format.native"
	ruleSite      = "context.site"
	ruleApp       = "context.app"
	ruleMultiImp  = "imp.several"
	ruleMultiType = "imp.several_media"
	ruleAudio     = "imp.audio"
	ruleDOOH      = "context.dooh"
	rulePlacement = "request.placements"
	ruleLenient   = "request.odd_shapes"
	ruleTest      = "request.test"
	ruleTMax      = "request.tmax"
	ruleCridSame  = "bid.crid_stable"
	ruleExample   = "example.6.2." // and the number
	ruleResponse  = "example.6.3." // and the number
	rulePod       = "example.pods"

	ruleGzip       = "http.gzip"
	ruleGzipAnswer = "http.gzip_answer"
	ruleGzipBomb   = "http.gzip_bomb"
	ruleKeepAlive  = "http.keep_alive"
	rulePipelining = "http.pipelining"
	ruleChunked    = "http.chunked"
	ruleCharset    = "http.charset"
	ruleNoVersion  = "http.no_version"
	ruleMethod     = "http.method"
	ruleMalformed  = "http.malformed"
	ruleUnknown    = "http.unknown_exchange"
	ruleTooLarge   = "http.too_large"
	ruleExpect     = "http.expect_continue"
	ruleAlive      = "http.alive"

	ruleWin        = "notice.nurl"
	ruleBilling    = "notice.burl"
	ruleLoss       = "notice.lurl"
	ruleImpression = "notice.impression"
	ruleClick      = "notice.click"
	ruleRepeat     = "notice.repeated"
	rulePriceText  = "notice.price_text"
	ruleOrder      = "notice.order"
	ruleLateLoss   = "notice.late_loss"
	ruleToken      = "notice.forged"
	ruleTarget     = "click.target"
	ruleTampered   = "click.tampered"
	rulePixel      = "pixel.image"
	ruleNoStore    = "pixel.no_store"

	ruleBooked     = "settle.price"
	ruleOnce       = "settle.once"
	ruleAtBid      = "settle.unreadable"
	ruleDisputed   = "settle.above_bid"
	ruleAudited    = "settle.audit"
	ruleLost       = "settle.loss"
	ruleAfterLoss  = "settle.late_billing"
	ruleUntrusted  = "settle.forged"
	ruleTestFree   = "settle.test"
	ruleRejections = "settle.rejection"
)

// ownRules lists this package's rules in the order of the report.
func ownRules() []rule {
	return []rule{
		{ruleBanner, "3.2.6", "banners are bid on"},
		{ruleVideo, "3.2.7", "video is bid on"},
		{ruleNative, "3.2.9", "native ads are bid on"},
		{ruleSite, "3.2.13", "sites are bid on"},
		{ruleApp, "3.2.14", "apps are bid on"},
		{ruleMultiImp, "3.2.4", "several imps in one request are answered each for itself"},
		{ruleMultiType, "3.2.4", "one imp with several media types gets one bid, which says its type"},
		{ruleAudio, "3.2.8", "an audio-only imp gets a valid answer"},
		{ruleDOOH, "3.2.32", "a digital out-of-home request gets a valid answer"},
		{rulePlacement, "3.2.3", "a fact is read in 2.5's place and in 2.6's"},
		{ruleLenient, "2.6", "odd shapes and unknown fields are no error"},
		{ruleTest, "3.2.1", "test traffic is answered"},
		{ruleTMax, "3.2.1", "the answer comes within tmax"},
		{ruleCridSame, "4.2.3", "a creative keeps its id from one answer to the next"},
		{ruleExample + "1", "6.2.1", "worked example: simple banner"},
		{ruleExample + "2", "6.2.2", "worked example: expandable creative"},
		{ruleExample + "3", "6.2.3", "worked example: mobile"},
		{ruleExample + "4", "6.2.4", "worked example: video"},
		{ruleExample + "5", "6.2.5", "worked example: private marketplace with direct deals"},
		{ruleExample + "6", "6.2.6", "worked example: native ad"},
		{ruleResponse + "2", "6.3.2", "worked example: VAST in the bid"},
		{ruleResponse + "3", "6.3.3", "worked example: a bid on a direct deal"},
		{ruleResponse + "4", "6.3.4", "worked example: native markup in the bid"},
		{rulePod, "I 7.6", "structured and dynamic video pods"},

		{ruleGzip, "2.4", "a gzip-ed request is read"},
		{ruleGzipAnswer, "2.4", "with Accept-Encoding: gzip the answer can be read"},
		{ruleGzipBomb, "2.4", "a small body that inflates to a huge one is refused"},
		{ruleKeepAlive, "2.1", "connections persist"},
		{rulePipelining, "2.1", "pipelined requests are answered in order"},
		{ruleChunked, "2.1", "a chunked body is read"},
		{ruleCharset, "2.3", "a charset in the content type does no harm"},
		{ruleNoVersion, "2.5", "a request without x-openrtb-version is answered"},
		{ruleMethod, "2.1", "GET and HEAD are refused with 4xx"},
		{ruleMalformed, "2.1", "a malformed request gets 400"},
		{ruleUnknown, "2.1", "an unknown endpoint gets 404"},
		{ruleTooLarge, "2.1", "an oversized body gets 413"},
		{ruleExpect, "2.1", "Expect: 100-continue is answered"},
		{ruleAlive, "2.1", "after all this the bidder still answers"},

		{ruleWin, "4.2.3", "the win notice is taken"},
		{ruleBilling, "4.2.3", "the billing notice is taken"},
		{ruleLoss, "4.2.3", "the loss notice is taken"},
		{ruleImpression, "I 7.8", "the impression in the markup is taken"},
		{ruleClick, "4.3.2", "the click in the markup leads on"},
		{ruleRepeat, "I 7.8", "a repeated notice is taken"},
		{rulePriceText, "4.4", "whatever stands for ${AUCTION_PRICE} is taken"},
		{ruleOrder, "I 7.8", "a billing notice before the win notice is taken"},
		{ruleLateLoss, "4.2.3", "a loss notice after the billing one is taken"},
		{ruleToken, "4.2.3", "altered notices are no error and lead nowhere"},
		{ruleTarget, "4.2.3", "a click leads to the advertiser"},
		{ruleTampered, "4.2.3", "an altered click leads nowhere else"},
		{rulePixel, "I 7.8", "the impression pixel is an image"},
		{ruleNoStore, "I 7.8", "the impression pixel is not cached"},

		{ruleBooked, "4.4", "the reported price is booked"},
		{ruleOnce, "I 7.8", "repeated and contradicting notices book once"},
		{ruleAtBid, "4.4", "an unreadable price is booked at the bid"},
		{ruleDisputed, "4.4", "what is above the bid is disputed, not booked"},
		{ruleAudited, "4.4", "AUDIT books nothing"},
		{ruleLost, "4.2.3", "a loss books nothing"},
		{ruleAfterLoss, "I 7.8", "a billing notice after a loss is booked, a loss after billing changes nothing"},
		{ruleUntrusted, "4.2.3", "altered notices book nothing"},
		{ruleTestFree, "3.2.1", "test traffic is never billed"},
		{ruleRejections, "4.2.3", "altered notices are on record"},
	}
}

// allRules are bench/check's, by section, and then our own.
func allRules() []rule {
	var out []rule
	for r, section := range check.Rules() {
		out = append(out, rule{string(r), section, ""})
	}
	slices.SortFunc(out, func(a, b rule) int {
		if c := strings.Compare(a.section, b.section); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return append(out, ownRules()...)
}
