package openrtb

import (
	"encoding/json"

	"github.com/prebid/openrtb/v20/openrtb2"
)

func (c checker) imp(want *openrtb2.Imp, got *Imp) {
	c.t.Helper()
	c.str("imp.id", want.ID, got.ID)
	c.str("imp.tagid", want.TagID, got.TagID)
	c.flag01("imp.instl", want.Instl, got.Instl)
	c.flag("imp.secure", want.Secure, got.Secure)
	c.flag("imp.clickbrowser", want.ClickBrowser, got.ClickBrowser)
	c.int("imp.ssai", int64(want.SSAI), got.SSAI)
	c.int("imp.exp", want.Exp, got.Exp)
	c.price("imp.bidfloor", want.BidFloor, got.BidFloor)
	c.str("imp.bidfloorcur", want.BidFloorCur, got.BidFloorCur)
	if want.Rwdd == 1 && !got.Rewarded {
		c.t.Errorf("imp.rwdd: %t", got.Rewarded)
	}
	if want.Qty != nil && want.Qty.Multiplier > 0 && want.Qty.Multiplier <= 1e6 {
		c.near("imp.qty.multiplier", want.Qty.Multiplier, got.Multiplier)
	}
	if len(want.Metric) != len(got.Metrics) {
		c.t.Errorf("imp.metric: %d, want %d", len(got.Metrics), len(want.Metric))
	}
	for i := range min(len(want.Metric), len(got.Metrics)) {
		c.str("metric.type", want.Metric[i].Type, got.Metrics[i].Type)
		c.str("metric.vendor", want.Metric[i].Vendor, got.Metrics[i].Vendor)
		if v := want.Metric[i].Value; v <= 1e9 && v >= -1e9 {
			c.near("metric.value", v, got.Metrics[i].Value)
		}
	}
	var ext struct {
		GPID string `json:"gpid"`
	}
	if json.Unmarshal(want.Ext, &ext) == nil && ext.GPID != "" {
		c.str("imp.ext.gpid", ext.GPID, got.GPID)
	}
	if presence(c, "banner", want.Banner, got.Banner.Present) {
		c.banner(want.Banner, &got.Banner)
	}
	if presence(c, "video", want.Video, got.Video.Present) {
		c.video(want.Video, &got.Video)
	}
	if presence(c, "audio", want.Audio, got.Audio.Present) {
		c.audio(want.Audio, &got.Audio)
	}
	if presence(c, "native", want.Native, got.Native.Present) {
		text := []byte(got.Native.Request)
		if got.Native.Escaped {
			text, _ = appendUnescaped(nil, got.Native.Request)
		}
		c.str("native.request", want.Native.Request, string(text))
		c.str("native.ver", want.Native.Ver, got.Native.Ver)
		ints(c, "native.api", want.Native.API, got.Native.API)
		ints(c, "native.battr", want.Native.BAttr, got.Native.BAttr)
	}
	if presence(c, "pmp", want.PMP, got.PMP.Present) {
		c.flag01("pmp.private_auction", want.PMP.PrivateAuction, got.PMP.Private == Yes)
		if len(want.PMP.Deals) != len(got.PMP.Deals) {
			c.t.Fatalf("pmp.deals: %d, want %d", len(got.PMP.Deals), len(want.PMP.Deals))
		}
		for i := range want.PMP.Deals {
			c.deal(&want.PMP.Deals[i], &got.PMP.Deals[i])
		}
	}
}

// near compares a decimal in micros, cut to a whole.
func (c checker) near(name string, want float64, got int64) {
	c.t.Helper()
	if d := want*1e6 - float64(got); d > 1.001+want*1e-6 || d < -1.001+want*-1e-6 && want > 0 {
		c.t.Errorf("%s: %d micro, want %g", name, got, want)
	}
}

func (c checker) deal(want *openrtb2.Deal, got *Deal) {
	c.t.Helper()
	c.str("deal.id", want.ID, got.ID)
	c.price("deal.bidfloor", want.BidFloor, got.BidFloor)
	c.str("deal.bidfloorcur", want.BidFloorCur, got.BidFloorCur)
	c.int("deal.at", want.AT, got.At.V)
	c.flag01("deal.guar", want.Guar, got.Guar == Yes)
	c.strs("deal.wseat", want.WSeat, got.WSeat)
	c.strs("deal.wadomain", want.WADomain, got.WADomain)
	c.price("deal.mincpmpersec", want.MinCPMPerSec, got.MinCPMPerSec)
	c.durFloors(want.DurFloors, got.DurFloors)
}

func (c checker) durFloors(want []openrtb2.DurFloors, got []DurFloor) {
	c.t.Helper()
	if len(want) != len(got) {
		c.t.Fatalf("durfloors: %d, want %d", len(got), len(want))
	}
	for i := range want {
		c.int("durfloors.mindur", want[i].MinDur, got[i].MinDur)
		c.int("durfloors.maxdur", want[i].MaxDur, got[i].MaxDur)
		c.price("durfloors.bidfloor", want[i].BidFloor, got[i].BidFloor)
	}
}

func (c checker) banner(want *openrtb2.Banner, got *Banner) {
	c.t.Helper()
	c.optional("banner.w", want.W, Int{got.W, want.W != nil})
	c.optional("banner.h", want.H, Int{got.H, want.H != nil})
	if len(want.Format) != len(got.Formats) {
		c.t.Fatalf("banner.format: %d, want %d", len(got.Formats), len(want.Format))
	}
	for i, w := range want.Format {
		g := got.Formats[i]
		c.int("format.w", w.W, g.W)
		c.int("format.h", w.H, g.H)
		c.int("format.wratio", w.WRatio, g.WRatio)
		c.int("format.hratio", w.HRatio, g.HRatio)
		c.int("format.wmin", w.WMin, g.WMin)
	}
	ints(c, "banner.btype", want.BType, got.BType)
	ints(c, "banner.battr", want.BAttr, got.BAttr)
	ints(c, "banner.expdir", want.ExpDir, got.ExpDir)
	ints(c, "banner.api", want.API, got.API)
	c.optional("banner.pos", wide(want.Pos), got.Pos)
	c.strs("banner.mimes", want.MIMEs, got.MIMEs)
	c.flag01("banner.topframe", want.TopFrame, got.TopFrame == Yes)
	c.str("banner.id", want.ID, got.ID)
	c.flag("banner.vcm", want.Vcm, got.VCM)
}

func (c checker) companions(want []openrtb2.Banner, got []Banner) {
	c.t.Helper()
	if len(want) != len(got) {
		c.t.Fatalf("companionad: %d, want %d", len(got), len(want))
	}
	for i := range want {
		c.banner(&want[i], &got[i])
	}
}

func (c checker) video(w *openrtb2.Video, g *Video) {
	c.t.Helper()
	c.strs("video.mimes", w.MIMEs, g.MIMEs)
	for _, f := range []struct {
		name string
		want int64
		got  int32
	}{
		{"minduration", w.MinDuration, g.MinDuration}, {"maxduration", w.MaxDuration, g.MaxDuration}, {"maxseq", w.MaxSeq, g.MaxSeq},
		{"poddur", w.PodDur, g.PodDur}, {"podseq", int64(w.PodSeq), g.PodSeq}, {"placement", int64(w.Placement), g.Placement},
		{"plcmt", int64(w.Plcmt), g.Plcmt}, {"linearity", int64(w.Linearity), g.Linearity}, {"skipmin", w.SkipMin, g.SkipMin},
		{"skipafter", w.SkipAfter, g.SkipAfter}, {"slotinpod", int64(w.SlotInPod), g.SlotInPod}, {"maxextended", w.MaxExtended, g.MaxExtended.V},
		{"minbitrate", w.MinBitRate, g.MinBitrate}, {"maxbitrate", w.MaxBitRate, g.MaxBitrate}, {"sequence", int64(w.Sequence), g.Sequence},
	} {
		c.int("video."+f.name, f.want, f.got)
	}
	c.optional("video.w", w.W, Int{g.W, w.W != nil})
	c.optional("video.h", w.H, Int{g.H, w.H != nil})
	c.optional("video.startdelay", wide(w.StartDelay), g.StartDelay)
	c.optional("video.pos", wide(w.Pos), g.Pos)
	c.flag("video.skip", w.Skip, g.Skip)
	c.flag("video.boxingallowed", w.BoxingAllowed, g.BoxingAllowed)
	c.str("video.podid", w.PodID, g.PodID)
	c.price("video.mincpmpersec", w.MinCPMPerSec, g.MinCPMPerSec)
	if len(w.Protocols) > 0 {
		ints(c, "video.protocols", w.Protocols, g.Protocols)
	} else if w.Protocol > 0 {
		ints(c, "video.protocol", []int64{int64(w.Protocol)}, g.Protocols)
	}
	ints(c, "video.rqddurs", w.RqdDurs, g.RqdDurs)
	ints(c, "video.battr", w.BAttr, g.BAttr)
	ints(c, "video.playbackmethod", w.PlaybackMethod, g.PlaybackMethod)
	ints(c, "video.delivery", w.Delivery, g.Delivery)
	ints(c, "video.api", w.API, g.API)
	ints(c, "video.companiontype", w.CompanionType, g.CompanionType)
	ints(c, "video.poddedupe", w.PodDedupe, g.PodDedupe)
	c.companions(w.CompanionAd, g.Companions)
	c.durFloors(w.DurFloors, g.DurFloors)
}

func (c checker) audio(w *openrtb2.Audio, g *Audio) {
	c.t.Helper()
	c.strs("audio.mimes", w.MIMEs, g.MIMEs)
	for _, f := range []struct {
		name string
		want int64
		got  int32
	}{
		{"minduration", w.MinDuration, g.MinDuration}, {"maxduration", w.MaxDuration, g.MaxDuration}, {"poddur", w.PodDur, g.PodDur},
		{"podseq", int64(w.PodSeq), g.PodSeq}, {"maxseq", w.MaxSeq, g.MaxSeq}, {"slotinpod", int64(w.SlotInPod), g.SlotInPod},
		{"maxextended", w.MaxExtended, g.MaxExtended.V}, {"minbitrate", w.MinBitrate, g.MinBitrate}, {"maxbitrate", w.MaxBitrate, g.MaxBitrate},
		{"feed", int64(w.Feed), g.Feed},
	} {
		c.int("audio."+f.name, f.want, f.got)
	}
	c.optional("audio.startdelay", wide(w.StartDelay), g.StartDelay)
	c.optional("audio.nvol", wide(w.NVol), g.NVol)
	c.flag("audio.stitched", w.Stitched, g.Stitched)
	c.str("audio.podid", w.PodID, g.PodID)
	c.price("audio.mincpmpersec", w.MinCPMPerSec, g.MinCPMPerSec)
	ints(c, "audio.protocols", w.Protocols, g.Protocols)
	ints(c, "audio.rqddurs", w.RqdDurs, g.RqdDurs)
	ints(c, "audio.battr", w.BAttr, g.BAttr)
	ints(c, "audio.delivery", w.Delivery, g.Delivery)
	ints(c, "audio.api", w.API, g.API)
	ints(c, "audio.companiontype", w.CompanionType, g.CompanionType)
	c.companions(w.CompanionAd, g.Companions)
	c.durFloors(w.DurFloors, g.DurFloors)
}
