package privacy

import (
	mathbits "math/bits"

	"github.com/grosz/grosz/bidder/openrtb"
)

// Decide says what a request allows at a time, in Unix milliseconds. What
// several laws restrict is what all of them allow.
func Decide(in *Signals, c *Config, nowMS int64) Basis {
	if r := refusal(in); r != ReasonNone {
		return nothing(r)
	}
	b := everything()
	if in.USPrivacy != "" {
		b.close(usPrivacy(in.USPrivacy))
	}
	gdpr := in.GDPR == openrtb.Yes || in.GDPR == openrtb.Absent && (c.WhenAbsent == GDPRApplies || in.Consent != "")
	var eu *tcString // of the GPP string, if its EU section applies
	if gppNeeded(in) {
		var inEU bool
		eu, inEU = b.narrowGPP(in, c)
		gdpr = gdpr || inEU
	}
	if gdpr {
		b.narrowTCF(in, c, eu, nowMS)
	}
	// The exchange's terms say nothing of measuring.
	if b.Profile && !c.MayProfile {
		b.Profile, b.ProfileWhy = false, ReasonTermsProfile
	}
	if b.Identify && !c.MayLog {
		b.Identify, b.IdentifyWhy = false, ReasonTermsLog
	}
	return b
}

// refusal is the reason of the plain signals, each of which closes all.
func refusal(in *Signals) Reason {
	switch {
	case in.COPPA == openrtb.Yes:
		return ReasonCOPPA
	case in.Lmt == openrtb.Yes:
		return ReasonLmt
	case in.DNT == openrtb.Yes:
		return ReasonDNT
	case in.GPC == openrtb.Yes:
		return ReasonGPC
	}
	return ReasonNone
}

// narrowTCF takes what the TC strings do not allow, where the GDPR applies:
// the request's own, and the one in the GPP string if that section applies
// (eu). One of them is enough; with two, both have to allow.
func (b *Basis) narrowTCF(in *Signals, c *Config, eu *tcString, nowMS int64) {
	switch {
	case c.VendorID == 0:
		b.close(ReasonTCFNoVendorID)
		return
	case in.Consent == "" && eu == nil:
		b.close(ReasonTCFNoString)
		return
	}
	if in.Consent != "" {
		t := c.Cache.tc(in.Consent, c.VendorID)
		if t == nil {
			fresh := readTC(in.Consent, c.VendorID)
			t = c.Cache.keepTC(in.Consent, c.VendorID, &fresh)
		}
		o := t.basis(c, nowMS)
		b.narrow(&o)
	}
	if eu != nil {
		o := eu.basis(c, nowMS)
		b.narrow(&o)
	}
}

// gppNeeded tells whether a GPP section may apply.
func gppNeeded(in *Signals) bool {
	for _, id := range in.GPPSID {
		if id != sectionNone {
			return true
		}
	}
	return len(in.GPPSID) == 0 && in.GPP != ""
}

// narrowGPP takes what the sections that apply do not allow, beside the EU's.
// Without a list of those that apply, all of the string do. It tells whether
// the EU's applies, and gives its string if that is there.
func (b *Basis) narrowGPP(in *Signals, c *Config) (eu *tcString, inEU bool) {
	var g *gppString
	if in.GPP != "" {
		if g = c.Cache.gpp(in.GPP, c.VendorID); g == nil {
			fresh := readGPP(in.GPP, c.VendorID)
			g = c.Cache.keepGPP(in.GPP, c.VendorID, &fresh)
		}
		if g.why != ReasonNone {
			b.close(g.why)
			return nil, false
		}
	}
	if len(in.GPPSID) > 0 {
		for _, id := range in.GPPSID {
			inEU = b.narrowSection(id, in, g) || inEU
		}
	} else {
		for left := g.present; left != 0; left &= left - 1 {
			inEU = b.narrowSection(int32(mathbits.TrailingZeros32(left)), in, g) || inEU
		}
		if g.others {
			b.close(ReasonGPPSectionUnknown)
		}
	}
	if inEU && g != nil && g.present&(1<<sectionTCFEU) != 0 {
		eu = &g.tc
	}
	return eu, inEU
}

// narrowSection takes what one section that applies does not allow. The EU's
// is only reported: it is judged with the request's own TC string.
func (b *Basis) narrowSection(id int32, in *Signals, g *gppString) (isEU bool) {
	switch {
	case id == sectionNone:
	case id == sectionTCFEU:
		return true
	case g != nil && id >= 0 && id <= maxSection && g.present&(1<<id) != 0:
		b.close(g.section[id])
	case id == sectionUSPV1 && in.USPrivacy != "":
		// The request's own string says it, and has been read.
	default:
		b.close(ReasonGPPSectionMissing)
	}
	return false
}
