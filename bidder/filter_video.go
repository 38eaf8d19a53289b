package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
)

const (
	linearAd            = 1
	deliveryProgressive = 2
	deliveryDownload    = 3
)

// openVideo checks what holds for every inline VAST of ours (§ 3.2.7), and
// picks its version.
func (t *terms) openVideo() NoBidReason {
	v := &t.imp.Video
	if v.Linearity != 0 && v.Linearity != linearAd {
		return ReasonLinearity
	}
	if len(v.Delivery) > 0 && !hasInt(v.Delivery, deliveryProgressive) && !hasInt(v.Delivery, deliveryDownload) {
		return ReasonDelivery
	}
	var ok bool
	if t.vast, ok = creatives.PickVAST(v.Protocols); !ok {
		return ReasonProtocol
	}
	return ReasonNone
}

// video picks the campaign's first file that the imp allows.
func (t *terms) video(camp *campaigns.CompiledCampaign, o *bid) NoBidReason {
	last := ReasonNoCreative
	for _, cr := range camp.Videos {
		if cr.Video == nil {
			continue
		}
		if last = t.videoFile(cr); last == ReasonNone {
			o.creative, o.w, o.h, o.vast = cr, cr.Video.W, cr.Video.H, t.vast
			if last = t.approval(camp, o); last == ReasonNone {
				return ReasonNone
			}
		}
	}
	return last
}

func (t *terms) videoFile(cr *campaigns.Creative) NoBidReason {
	v, f := &t.imp.Video, cr.Video
	switch {
	case len(v.MIMEs) > 0 && !hasFold(v.MIMEs, f.MIME):
		return ReasonMIME
	case !durationAllowed(v, f.DurationMS):
		return ReasonDuration
	case v.MinBitrate > 0 && f.BitrateKbps < int(v.MinBitrate), v.MaxBitrate > 0 && f.BitrateKbps > int(v.MaxBitrate):
		return ReasonBitrate
	case v.BoxingAllowed == openrtb.No && v.W > 0 && v.H > 0 && int64(v.W)*int64(f.H) != int64(v.H)*int64(f.W):
		return ReasonSize
	case v.PodDur > 0 && f.DurationMS > int64(v.PodDur)*1000:
		return ReasonPod
	case attrBlockedBut(cr, v.BAttr, attrSkippable):
		return ReasonAttr
	}
	return ReasonNone
}

// skipAfter is when the file may be skipped in this imp, in ms, 0 for never:
// not where the player does not let it, attribute 16 is blocked or the file is
// too short (skipmin); not before skipafter.
func skipAfter(v *openrtb.Video, f *campaigns.Video) int64 {
	seconds := videoSeconds(f.DurationMS)
	switch {
	case f.SkipAfterMS <= 0, v.Skip == openrtb.No, hasInt(v.BAttr, attrSkippable), v.SkipMin > 0 && seconds <= v.SkipMin:
		return 0
	}
	ms := max(f.SkipAfterMS, int64(v.SkipAfter)*1000)
	if ms >= f.DurationMS {
		return 0
	}
	return ms
}

// videoSeconds is a file's length as bid.dur says it.
func videoSeconds(ms int64) int32 { return int32((ms + 500) / 1000) }

// durationAllowed applies rqddurs, which stands alone where it is given, or
// the bounds; whole seconds, as a player counts them.
func durationAllowed(v *openrtb.Video, ms int64) bool {
	seconds := videoSeconds(ms)
	if len(v.RqdDurs) > 0 {
		return hasInt(v.RqdDurs, seconds)
	}
	return (v.MinDuration <= 0 || seconds >= v.MinDuration) && (v.MaxDuration <= 0 || seconds <= v.MaxDuration)
}
