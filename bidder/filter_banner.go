package bidder

import (
	"strings"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
)

// xhtmlBanner is what our banners are (AdCOM list: banner ad types): HTML
// without script or frame.
const xhtmlBanner = 2

// Creative attributes (AdCOM list).
const (
	attrExpandFirst = 3 // expands by itself, at a click, at a rollover
	attrExpandLast  = 5
	attrSkippable   = 16
)

// openBanner checks what holds for every HTML banner of ours (§ 3.2.6).
func (t *terms) openBanner() NoBidReason {
	b := &t.imp.Banner
	if hasInt(b.BType, xhtmlBanner) {
		return ReasonBannerType
	}
	if len(b.MIMEs) > 0 && !hasFold(b.MIMEs, "text/html") && !hasFold(b.MIMEs, "application/xhtml+xml") && !hasFold(b.MIMEs, "*/*") {
		return ReasonMIME
	}
	if len(b.Formats) == 0 && (b.W <= 0 || b.H <= 0) {
		return ReasonSize
	}
	return ReasonNone
}

// banner picks the campaign's creative and its size: the first allowed size
// that one of its creatives takes.
func (t *terms) banner(camp *campaigns.CompiledCampaign, o *bid) NoBidReason {
	b := &t.imp.Banner
	if len(camp.Banners) == 0 {
		return ReasonNoCreative
	}
	last := ReasonSize
	if len(b.Formats) == 0 {
		return t.bannerSize(camp, o, int(b.W), int(b.H), last)
	}
	for i := range b.Formats {
		f := &b.Formats[i]
		if f.W > 0 && f.H > 0 {
			if last = t.bannerSize(camp, o, int(f.W), int(f.H), last); last == ReasonNone {
				return ReasonNone
			}
		} else if last = t.bannerRatio(camp, o, f, last); last == ReasonNone {
			return ReasonNone
		}
	}
	return last
}

// bannerRatio answers a format that gives a ratio and a least width
// (§ 3.2.10) with a standard size that has it.
func (t *terms) bannerRatio(camp *campaigns.CompiledCampaign, o *bid, f *openrtb.Format, last NoBidReason) NoBidReason {
	if f.WRatio <= 0 || f.HRatio <= 0 {
		return last
	}
	for _, s := range standardSizes {
		if int64(s.W)*int64(f.HRatio) == int64(s.H)*int64(f.WRatio) && s.W >= int(f.WMin) {
			if last = t.bannerSize(camp, o, s.W, s.H, last); last == ReasonNone {
				return last
			}
		}
	}
	return last
}

var standardSizes = campaigns.StandardSizes()

func (t *terms) bannerSize(camp *campaigns.CompiledCampaign, o *bid, w, h int, last NoBidReason) NoBidReason {
	for _, cr := range camp.Banners {
		if !cr.Takes(w, h) {
			continue
		}
		if attrBlocked(cr, t.imp.Banner.BAttr) || (len(t.imp.Banner.ExpDir) == 0 && expands(cr)) {
			last = ReasonAttr
			continue
		}
		o.creative, o.w, o.h = cr, w, h
		if last = t.approval(camp, o); last == ReasonNone {
			return ReasonNone
		}
	}
	return last
}

// expands tells whether a creative says that it grows, for which the imp must
// name a direction (expdir).
func expands(cr *campaigns.Creative) bool {
	for _, a := range cr.Attr {
		if a >= attrExpandFirst && a <= attrExpandLast {
			return true
		}
	}
	return false
}

func hasFold(list []string, want string) bool {
	for _, s := range list {
		if strings.EqualFold(s, want) {
			return true
		}
	}
	return false
}
