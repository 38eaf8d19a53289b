package privacy

import (
	"errors"
	"fmt"

	"github.com/grosz/grosz/bidder/openrtb"
)

// Signals is what a request says about privacy. The strings may share the
// request's memory: nothing of them is kept.
type Signals struct {
	COPPA openrtb.Flag // regs.coppa
	GDPR  openrtb.Flag // regs.gdpr
	GPC   openrtb.Flag // regs.ext.gpc
	Lmt   openrtb.Flag // device.lmt
	DNT   openrtb.Flag // device.dnt

	Consent   string  // user.consent: a TC string
	USPrivacy string  // regs.us_privacy
	GPP       string  // regs.gpp
	GPPSID    []int32 // regs.gpp_sid: the GPP sections that apply; -1 says none does
}

// WhenAbsent is what a request without regs.gdpr means.
type WhenAbsent uint8

// The readings of an absent regs.gdpr. An exchange that sells European
// traffic without the flag is configured with GDPRApplies.
const (
	// GDPRIfConsent: the GDPR applies if there is a TC string; who asked for
	// consent thought that it was needed.
	GDPRIfConsent WhenAbsent = iota
	// GDPRApplies: it applies.
	GDPRApplies
)

// ParseWhenAbsent reads a configuration's gdpr_when_absent: "if_consent" (or
// empty) and "applies".
func ParseWhenAbsent(s string) (WhenAbsent, error) {
	switch s {
	case "", "if_consent":
		return GDPRIfConsent, nil
	case "applies":
		return GDPRApplies, nil
	}
	return 0, fmt.Errorf("gdpr_when_absent %q: if_consent or applies", s)
}

// String is the configuration's word for w.
func (w WhenAbsent) String() string {
	if w == GDPRApplies {
		return "applies"
	}
	return "if_consent"
}

// Config is one exchange's agreement. Its zero value allows neither a profile
// nor an identifier.
type Config struct {
	// VendorID is our id in IAB Europe's Global Vendor List. 0: we are not
	// registered, so nobody can have consented, and where the GDPR applies
	// nothing is allowed.
	VendorID uint16
	// MayProfile says that the exchange's terms allow looking up a profile.
	MayProfile bool
	// MayLog says that they allow keeping an identifier from a request.
	MayLog bool
	// MeasureByInterest says that our registration declares purpose 7
	// (measuring advertising) under legitimate interest. It has to be said:
	// a vendor's bit for legitimate interest is also set for vendors that
	// have special purposes alone.
	MeasureByInterest bool
	// WhenAbsent is what a request without regs.gdpr means.
	WhenAbsent WhenAbsent
	// Cache remembers what strings said. It may be shared by all exchanges.
	// Nil: every string is read anew.
	Cache *Cache
}

// maxVendorID is the largest id that go-gdpr reads in publisher restrictions.
const maxVendorID = 32767

// Validate lists all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if c.VendorID > maxVendorID {
		errs = append(errs, fmt.Errorf("vendor_id %d: at most %d", c.VendorID, maxVendorID))
	}
	if c.WhenAbsent > GDPRApplies {
		errs = append(errs, fmt.Errorf("gdpr_when_absent %d is unknown", c.WhenAbsent))
	}
	return errors.Join(errs...)
}

// Basis is what a request allows. Each false has its reason.
type Basis struct {
	Profile  bool // a profile may be looked up and decide what is bid and shown
	Identify bool // an identifier of the person may stand in an event
	Measure  bool // what a person does after the ad may be joined to it

	ProfileWhy  Reason // why not Profile; ReasonNone with it
	IdentifyWhy Reason // why not Identify
	MeasureWhy  Reason // why not Measure
}

// everything is the basis of a request that restricts nothing.
func everything() Basis { return Basis{Profile: true, Identify: true, Measure: true} }

// nothing is the basis of a request that r closes.
func nothing(r Reason) Basis {
	return Basis{ProfileWhy: r, IdentifyWhy: r, MeasureWhy: r}
}

// narrow takes from b what o does not allow. What b refused already keeps its
// reason.
func (b *Basis) narrow(o *Basis) {
	if b.Profile && !o.Profile {
		b.Profile, b.ProfileWhy = false, o.ProfileWhy
	}
	if b.Identify && !o.Identify {
		b.Identify, b.IdentifyWhy = false, o.IdentifyWhy
	}
	if b.Measure && !o.Measure {
		b.Measure, b.MeasureWhy = false, o.MeasureWhy
	}
}

// close refuses, for r, what b still allows, if r is a reason.
func (b *Basis) close(r Reason) {
	if r != ReasonNone {
		o := nothing(r)
		b.narrow(&o)
	}
}

// Nothing tells whether b allows nothing at all: contextual bidding only.
func (b Basis) Nothing() bool { return !b.Profile && !b.Identify && !b.Measure }
