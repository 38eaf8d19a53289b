package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
)

// openNative reads the native request.
func (t *terms) openNative() NoBidReason {
	if t.imp.Native.Request == "" || t.c.native.Parse(&t.imp.Native) != nil {
		return ReasonNativeMalformed
	}
	for i := range t.c.native.Assets {
		if !t.c.native.Assets[i].ID.Set {
			return ReasonNativeMalformed // the answer could not say which asset it means
		}
	}
	return ReasonNone
}

// nativeAd picks the campaign's first native creative that can answer every
// required asset: it writes the answer once with links that lead nowhere.
func (t *terms) nativeAd(camp *campaigns.CompiledCampaign, o *bid) NoBidReason {
	last := ReasonNoCreative
	for _, cr := range camp.Natives {
		if attrBlocked(cr, t.imp.Native.BAttr) {
			last = ReasonAttr
			continue
		}
		o.creative = cr
		if r := t.approval(camp, o); r != ReasonNone {
			last = r
			continue
		}
		t.c.chooseProducts(o, 1)
		t.c.describeNative(o)
		t.c.ads.native.Links = &trialLinks
		out, refused, _ := creatives.AppendNative(t.c.adm[:0], &t.c.ads.native)
		t.c.adm = out
		if refused == creatives.RefusedNone {
			return ReasonNone
		}
		last = ReasonNativeAsset
	}
	return last
}

var trialLinks = creatives.Links{ClickURL: []byte("https://x/?"), ImpURL: []byte("https://x/"), Secure: true}

// describeNative translates the parsed native request for the renderer.
func (c *bidContext) describeNative(o *bid) {
	q, n := &c.native, &c.ads.native
	imp := &c.view.Imps[o.imp]
	camp := c.state.Snapshot.Campaigns[o.campaign]
	n.Version = nativeVersion(q.Ver, imp.Native.Ver)
	n.Wrap = c.exchange.wrapNative(n.Version < 11)
	n.Privacy = q.Privacy
	n.EventImage, n.EventView = false, false
	for i := range q.EventTrackers {
		e := &q.EventTrackers[i]
		image := hasInt(e.Methods, 1)
		n.EventImage = n.EventImage || (e.Event == 1 && image)
		n.EventView = n.EventView || (e.Event == 2 && image)
	}
	n.Assets = n.Assets[:0]
	for i := range q.Assets {
		n.Assets = append(n.Assets, nativeAsset(&q.Assets[i]))
	}
	n.Brand, n.Copy = brandOf(camp), copyOf(camp, o.creative)
	n.Product = nil
	if len(c.ads.choices) > 0 {
		n.Product = c.ads.choices[0].Product
	}
	n.Video = nil
}

func nativeAsset(a *openrtb.NativeAsset) creatives.NativeAsset {
	out := creatives.NativeAsset{ID: int64(a.ID.V), Required: a.Required}
	switch {
	case a.Title.Present:
		out.Kind, out.MaxLen = creatives.AssetTitle, int(a.Title.Len)
	case a.Img.Present:
		out.Kind, out.ImgType = creatives.AssetImage, int(a.Img.Type)
		out.W, out.H, out.WMin, out.HMin = int(a.Img.W), int(a.Img.H), int(a.Img.WMin), int(a.Img.HMin)
		out.MIMEs = a.Img.MIMEs
	case a.Data.Present:
		out.Kind, out.DataType, out.MaxLen = creatives.AssetData, int(a.Data.Type), int(a.Data.Len)
	case a.Video.Present:
		out.Kind = creatives.AssetVideo
		out.MinDurationMS, out.MaxDurationMS = int64(a.Video.MinDuration)*1000, int64(a.Video.MaxDuration)*1000
	}
	return out
}

// nativeVersion reads "1.2" from the request, else from imp.native.ver; 1.0
// was the only one that did not have to say so.
func nativeVersion(own, imp string) int {
	if own == "" {
		own = imp
	}
	switch own {
	case "1.1", "1.1.0":
		return 11
	case "1", "1.0", "1.0.0":
		return 10
	}
	return 12
}
