package privacy

import (
	"strings"
	"time"

	gdpr "github.com/prebid/go-gdpr/vendorconsent/tcf2"

	"github.com/prebid/go-gdpr/consentconstants"
)

// MaxString is the longest consent string that is read, in bytes. Longer ones
// count as unreadable. Real ones have 100 to 2,000.
const MaxString = 16 << 10

const (
	// disclosedFromMS is 2026-02-28T00:00:00Z: TC strings written from then
	// on need the Disclosed Vendors segment. IAB Europe's TCF 2.3 was to be
	// adopted by 28 February 2026; strings written before it stay valid
	// ('Consent string and vendor list formats v2', version 2.3, § Disclosed
	// Vendors, and IAB Europe's announcement of TCF 2.3).
	disclosedFromMS = 1_772_236_800_000
	// minPolicy is TCF 2.2's policy version: strings with an older one are
	// invalid since 2023 (same document, § Managing conflicting string
	// versions). TCF 2.3 has 5; later ones keep the format.
	minPolicy = 4
	// lifeMonths is how long a choice holds before a person has to be asked
	// again (TCF Policies, reminder of the right to withdraw).
	lifeMonths = 13
	// clockSkewMS is how far ahead of us a CMP's clock may be.
	clockSkewMS = int64(time.Hour / time.Millisecond)
)

// The purposes of the TCF that advertising of ours stands on.
const (
	purposeStorage      = 1 // store and read on the device
	purposeBuildProfile = 3
	purposeUseProfile   = 4
	purposeMeasureAds   = 7
)

// tcString is what one TC string says about one vendor: per purpose the
// reason why not, which depends on the time only through the two bounds.
type tcString struct {
	why        Reason // nothing at all, for this
	madeMS     int64  // the later of created and last updated
	expiresMS  int64
	storage    Reason // purpose 1
	build      Reason // purpose 3
	use        Reason // purpose 4
	measure    Reason // purpose 7 by consent
	byInterest Reason // purpose 7 by legitimate interest
}

// readTC reads a TC string for one vendor.
func readTC(s string, vendor uint16) tcString {
	if len(s) > MaxString {
		return tcString{why: ReasonTCFUnreadable}
	}
	coreText, rest, segmented := strings.Cut(s, ".")
	if !allBase64(coreText) {
		return tcString{why: ReasonTCFUnreadable}
	}
	if sixBits(coreText[0]) != 2 {
		return tcString{why: ReasonTCFVersion}
	}
	facts, ok := walkCore(coreText, vendor)
	if !ok {
		return tcString{why: ReasonTCFUnreadable}
	}
	d := disclosureAbsent
	if segmented {
		if d, ok = walkSegments(rest, vendor); !ok {
			return tcString{why: ReasonTCFUnreadable}
		}
	}
	// go-gdpr looks up to three bytes beyond a section that ends the string.
	parsed, err := gdpr.Parse(decode(coreText, 4))
	if err != nil {
		return tcString{why: ReasonTCFUnreadable}
	}
	core, ok := parsed.(gdpr.ConsentMetadata)
	if !ok {
		return tcString{why: ReasonTCFUnreadable}
	}
	return judgeTC(&core, &facts, d, vendor)
}

// judgeTC draws the conclusions from a string's parts.
func judgeTC(core *gdpr.ConsentMetadata, facts *coreFacts, d disclosure, vendor uint16) (t tcString) {
	created, updated := core.Created(), core.LastUpdated()
	t.madeMS = max(created.UnixMilli(), updated.UnixMilli())
	t.expiresMS = updated.UTC().AddDate(0, lifeMonths, 0).UnixMilli()
	switch {
	case !facts.serviceSpecific:
		t.why = ReasonTCFScope
	case core.TCFPolicyVersion() < minPolicy:
		t.why = ReasonTCFPolicy
	case d == disclosureAbsent && updated.UnixMilli() >= disclosedFromMS:
		t.why = ReasonTCFDisclosureMissing
	case d == disclosureNo:
		t.why = ReasonTCFNotDisclosed
	}
	vendorConsent := core.VendorConsent(vendor)
	closed := facts.restricted[restrictNotAllowed] | facts.restricted[restrictUndefined]
	byConsent := func(purpose uint8, missing Reason) Reason {
		switch {
		case (closed|facts.restricted[restrictInterest])&(1<<purpose) != 0:
			return ReasonTCFPublisherRestricts
		case !vendorConsent:
			return ReasonTCFVendor
		case !core.PurposeAllowed(consentconstants.Purpose(purpose)):
			return missing
		}
		return ReasonNone
	}
	t.storage = byConsent(purposeStorage, ReasonTCFPurpose1)
	if t.storage == ReasonNone && core.PurposeOneTreatment() {
		t.storage = ReasonTCFPurpose1 // it was not shown, so nobody agreed to it
	}
	t.build = byConsent(purposeBuildProfile, ReasonTCFPurpose3)
	t.use = byConsent(purposeUseProfile, ReasonTCFPurpose4)
	t.measure = byConsent(purposeMeasureAds, ReasonTCFPurpose7)
	switch {
	case (closed|facts.restricted[restrictConsent])&(1<<purposeMeasureAds) != 0:
		t.byInterest = ReasonTCFPublisherRestricts
	case !core.VendorLegitInterest(vendor) || !core.PurposeLITransparency(purposeMeasureAds):
		t.byInterest = ReasonTCFPurpose7
	}
	return t
}

// basis is what t allows at a time.
func (t *tcString) basis(c *Config, nowMS int64) Basis {
	switch {
	case t.why != ReasonNone:
		return nothing(t.why)
	case t.madeMS > nowMS+clockSkewMS:
		return nothing(ReasonTCFFuture)
	case nowMS >= t.expiresMS:
		return nothing(ReasonTCFExpired)
	}
	b := Basis{ProfileWhy: first(t.storage, t.build, t.use), MeasureWhy: t.measure}
	if c.MeasureByInterest && t.byInterest == ReasonNone {
		b.MeasureWhy = ReasonNone
	}
	b.IdentifyWhy = first(t.storage, b.MeasureWhy, ReasonNone)
	b.Profile = b.ProfileWhy == ReasonNone
	b.Identify = b.IdentifyWhy == ReasonNone
	b.Measure = b.MeasureWhy == ReasonNone
	return b
}

// first is the first of three reasons that is one.
func first(a, b, c Reason) Reason {
	switch {
	case a != ReasonNone:
		return a
	case b != ReasonNone:
		return b
	}
	return c
}
