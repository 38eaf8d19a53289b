package bidder

import (
	"fmt"
	"strings"
	"time"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
)

// The rules refuse at the first thing they meet. To hear all of them, what
// refused is taken away from the view of the request, and the rules are asked
// again. So the rules are written once, in filter*.go, and nothing here can
// say otherwise than they do.

// asked is what relax may change.
type asked struct {
	badv, bcat, acat, wlang, wlangb []string
	dsa                             openrtb.DSA
	imp                             openrtb.Imp
	nowMS                           int64
}

func (t *terms) save() asked {
	v := &t.c.view
	return asked{v.BAdv, v.BCat, v.ACat, v.WLang, v.WLangB, v.Regs.DSA, *t.imp, t.c.nowMS}
}

func (t *terms) restore(a asked) {
	v := &t.c.view
	v.BAdv, v.BCat, v.ACat, v.WLang, v.WLangB = a.badv, a.bcat, a.acat, a.wlang, a.wlangb
	v.Regs.DSA, *t.imp, t.c.nowMS = a.dsa, a.imp, a.nowMS
	t.waived = false
}

// openMisses lists what is against every campaign alike. opened is false when
// the imp cannot be read on. The imp stays relaxed.
func (t *terms) openMisses() (misses []Miss, opened bool) {
	var met [numReasons]bool
	for {
		r := t.open()
		if r == ReasonNone {
			return misses, true
		}
		if met[r] {
			return misses, false
		}
		met[r] = true
		misses = append(misses, Miss{Rule: r.String(), Detail: t.detail(r, nil)})
		if !t.relax(r, nil) {
			return misses, false
		}
	}
}

// filterMisses lists every rule that a campaign breaks. The bid is what the
// filter made in the end. whole is false when a rule could not be taken away,
// so that those behind it were not asked.
func (t *terms) filterMisses(cand candidate) (o bid, misses []Miss, whole bool) {
	camp := t.c.state.Snapshot.Campaigns[cand.campaign]
	before := t.save()
	defer t.restore(before)
	var met [numReasons]bool
	for {
		var r NoBidReason
		o, r = t.filter(cand)
		if r == ReasonNone {
			return o, misses, true
		}
		if met[r] {
			return bid{}, misses, false
		}
		met[r] = true
		misses = append(misses, Miss{Rule: r.String(), Detail: t.detail(r, camp)})
		if !t.relax(r, camp) {
			return bid{}, misses, r == ReasonNoCreative || r == ReasonNativeAsset // the last ones
		}
	}
}

// relax takes away from the request what r refused by; false where that
// cannot be. camp is nil when the imp is opened.
func (t *terms) relax(r NoBidReason, camp *campaigns.CompiledCampaign) bool {
	v, b, m := &t.c.view, &t.imp.Banner, &t.imp.Video
	switch r {
	case ReasonFlight:
		if t.c.nowMS = camp.StartMS; camp.EndMS > 0 {
			t.c.nowMS = max(camp.StartMS, camp.EndMS-1)
		}
	case ReasonAdvertiser:
		v.BAdv = nil
	case ReasonCategory, ReasonTaxonomy:
		v.BCat, v.ACat = nil, nil
	case ReasonLanguage:
		v.WLang, v.WLangB = nil, nil
	case ReasonDealOnly:
		t.imp.PMP = openrtb.PMP{}
	case ReasonBannerType:
		b.BType = nil
	case ReasonMIME:
		b.MIMEs, m.MIMEs = nil, nil
	case ReasonSize:
		t.relaxSize(camp)
	case ReasonAttr:
		b.BAttr, m.BAttr, t.imp.Native.BAttr = nil, nil, nil
		b.ExpDir = []int32{1, 2, 3, 4, 5, 6}
	case ReasonDuration:
		m.MinDuration, m.MaxDuration, m.RqdDurs = 0, 0, nil
	case ReasonBitrate:
		m.MinBitrate, m.MaxBitrate = 0, 0
	case ReasonPod:
		m.PodDur = 0
	case ReasonLinearity:
		m.Linearity = 0
	case ReasonDelivery:
		m.Delivery = nil
	case ReasonProtocol:
		m.Protocols = nil
	case ReasonDSA:
		v.Regs.DSA.Present = false
	case ReasonNotApproved:
		t.waived = true
	default:
		return false
	}
	return true
}

// relaxSize offers a size that the campaign takes.
func (t *terms) relaxSize(camp *campaigns.CompiledCampaign) {
	t.imp.Video.BoxingAllowed = openrtb.Absent
	size := campaigns.StandardSizes()[0]
	if camp != nil && len(camp.Banners) > 0 && len(camp.Banners[0].Sizes) > 0 {
		size = camp.Banners[0].Sizes[0]
	}
	t.imp.Banner.Formats = []openrtb.Format{{W: int32(size.W), H: int32(size.H)}}
}

// relaxRequest is relax for what concerns the request as a whole.
func relaxRequest(c *bidContext, r NoBidReason) bool {
	v := &c.view
	switch r {
	case ReasonDOOH:
		v.DOOH.Present = false
	case ReasonBlockListCut:
		v.Truncated = 0
	case ReasonSeat:
		v.WSeat, v.BSeat = nil, nil
	case ReasonCurrency:
		v.Cur = nil
		if list := c.exchange.currencies; len(list) > 0 {
			v.Cur = []string{list[0].String()}
		}
	default:
		return false
	}
	return true
}

func requestDetail(c *bidContext, r NoBidReason) string {
	v := &c.view
	switch r {
	case ReasonNoImp:
		return "there is no imp"
	case ReasonDOOH:
		return "screens in public are not bid on"
	case ReasonBlockListCut:
		return "a list is longer than is read, so a block list could be incomplete"
	case ReasonNoTime:
		return fmt.Sprintf("%v are left of tmax %d ms after the network", c.deadline.Round(time.Millisecond), v.TMax)
	case ReasonSeat:
		return fmt.Sprintf("our seat is %q, wseat is %s, bseat is %s", c.exchange.seat, list(v.WSeat), list(v.BSeat))
	case ReasonCurrency:
		return "none of " + list(v.Cur) + " is taken here or has a rate"
	}
	return ""
}

// detail says what r refused by. camp is nil when the imp is opened.
func (t *terms) detail(r NoBidReason, camp *campaigns.CompiledCampaign) string {
	v, m := &t.c.view, &t.imp.Video
	switch r {
	case ReasonFlight:
		return "it is before the campaign's start or after its end"
	case ReasonAdvertiser:
		return "badv blocks " + camp.Shop.Domain
	case ReasonCategory, ReasonTaxonomy:
		return fmt.Sprintf("the shop's categories are %s, bcat is %s, acat is %s", list(camp.Shop.Categories), list(v.BCat), list(v.ACat))
	case ReasonLanguage:
		return fmt.Sprintf("the ads are in %q, wlang allows %s", camp.Shop.Language, list(append(append([]string(nil), v.WLang...), v.WLangB...)))
	case ReasonDealOnly:
		return "only a deal will do, and none takes the shop, the targeting and the price"
	case ReasonNoCreative:
		return "the campaign has no " + events.MediaName(t.media)
	case ReasonSize:
		return "no creative takes " + t.sizes()
	case ReasonMIME:
		if t.media == events.MediaVideo {
			return "the imp takes " + list(m.MIMEs)
		}
		return "the imp takes " + list(t.imp.Banner.MIMEs)
	case ReasonBannerType:
		return "btype blocks banners of HTML"
	case ReasonAttr:
		return "battr or expdir blocks an attribute of the creative"
	case ReasonDuration:
		if len(m.RqdDurs) > 0 {
			return fmt.Sprintf("the imp wants exactly one of %v seconds", m.RqdDurs)
		}
		return fmt.Sprintf("the imp wants %d to %d seconds", m.MinDuration, m.MaxDuration)
	case ReasonBitrate:
		return fmt.Sprintf("the imp wants %d to %d kbit/s", m.MinBitrate, m.MaxBitrate)
	case ReasonPod:
		return fmt.Sprintf("the pod lasts %d seconds", m.PodDur)
	case ReasonProtocol:
		return fmt.Sprintf("no VAST of ours is among protocols %v", m.Protocols)
	case ReasonLinearity:
		return "the imp wants a non-linear ad"
	case ReasonDelivery:
		return "the imp takes streams only"
	case ReasonDSA:
		return "regs.dsa requires a notice that this ad does not show"
	case ReasonNotApproved:
		return t.c.exchange.Name + " bids with approved creatives only, and has approved none of the campaign's that fits"
	case ReasonNativeMalformed:
		return "the native request cannot be read"
	case ReasonNativeAsset:
		return "a required asset cannot be answered"
	}
	return ""
}

// sizes are what the imp offers.
func (t *terms) sizes() string {
	if t.media == events.MediaVideo {
		return fmt.Sprintf("%dx%d without boxing", t.imp.Video.W, t.imp.Video.H)
	}
	b := &t.imp.Banner
	var out []string
	for i := range b.Formats {
		if f := &b.Formats[i]; f.W > 0 && f.H > 0 {
			out = append(out, fmt.Sprintf("%dx%d", f.W, f.H))
		} else {
			out = append(out, fmt.Sprintf("%d:%d ≥ %d", f.WRatio, f.HRatio, f.WMin))
		}
	}
	if len(b.Formats) == 0 {
		out = append(out, fmt.Sprintf("%dx%d", b.W, b.H))
	}
	return strings.Join(out, ", ")
}

// list prints a few of a list's strings.
func list(of []string) string {
	const most = 8
	if len(of) == 0 {
		return "empty"
	}
	if n := len(of) - most; n > 0 {
		return fmt.Sprintf("%q and %d more", of[:most], n)
	}
	return fmt.Sprintf("%q", of)
}
