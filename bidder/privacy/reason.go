package privacy

// Reason says why a request does not allow something.
type Reason uint8

// The reasons.
const (
	ReasonNone Reason = iota
	ReasonCOPPA
	ReasonLmt
	ReasonDNT
	ReasonGPC

	// US Privacy.
	ReasonUSPrivacyUnreadable
	ReasonUSPrivacyOptOut
	ReasonUSPrivacyNotice // no notice of the right to opt out

	// Global Privacy Platform.
	ReasonGPPUnreadable
	ReasonGPPSectionMissing // a section that applies is not in the string
	ReasonGPPSectionUnknown // a section or version that we do not read
	ReasonGPPSectionUnreadable
	ReasonGPPOptOut            // of sale, sharing or targeted advertising
	ReasonGPPNotice            // no notice of the right to opt out, or no choice recorded
	ReasonGPPChild             // a known child
	ReasonGPPNoPersonalConsent // no consent to uses that were not announced
	ReasonGPPServiceProvider   // we would act as the publisher's service provider
	ReasonGPPGlobalPrivacyCtrl // the section's own GPC segment
	ReasonTCFNoVendorID        // we have no vendor id
	ReasonTCFNoString          // the GDPR applies and there is no TC string
	ReasonTCFUnreadable
	ReasonTCFVersion            // not version 2
	ReasonTCFPolicy             // a policy before TCF 2.2
	ReasonTCFScope              // not of this service
	ReasonTCFFuture             // made in the future
	ReasonTCFExpired            // older than 13 months
	ReasonTCFDisclosureMissing  // no Disclosed Vendors segment
	ReasonTCFNotDisclosed       // we are not in that segment
	ReasonTCFVendor             // no consent for us
	ReasonTCFPurpose1           // no consent to store and read on the device
	ReasonTCFPurpose3           // no consent to build a profile for advertising
	ReasonTCFPurpose4           // no consent to choose advertising by a profile
	ReasonTCFPurpose7           // no basis to measure advertising
	ReasonTCFPublisherRestricts // the publisher forbids us a purpose

	// The exchange's terms.
	ReasonTermsProfile
	ReasonTermsLog

	// NumReasons is their number, for arrays of counters.
	NumReasons
)

var reasonNames = [NumReasons]string{
	"none", "coppa", "lmt", "dnt", "gpc",
	"us_privacy_unreadable", "us_privacy_opt_out", "us_privacy_notice",
	"gpp_unreadable", "gpp_section_missing", "gpp_section_unknown", "gpp_section_unreadable",
	"gpp_opt_out", "gpp_notice", "gpp_child", "gpp_no_personal_consent", "gpp_service_provider", "gpp_gpc",
	"tcf_no_vendor_id", "tcf_no_string", "tcf_unreadable", "tcf_version", "tcf_policy", "tcf_scope",
	"tcf_future", "tcf_expired", "tcf_disclosure_missing", "tcf_not_disclosed", "tcf_vendor",
	"tcf_purpose_1", "tcf_purpose_3", "tcf_purpose_4", "tcf_purpose_7", "tcf_publisher_restricts",
	"terms_profile", "terms_log",
}

// String is the reason's name in metrics and explanations.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return "unknown"
}
