package privacy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/openrtb"
)

func TestDecide(t *testing.T) {
	yes, no := openrtb.Yes, openrtb.No
	tcText := full().text()
	refused := full()
	refused.consent = nil
	refusedText := refused.text()
	tcOnly := gppText(section{2, tcText})
	both := gppText(section{2, tcText}, section{6, "1YNN"})
	natYes := usText(1, 1, 1, 1, 1, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2)
	for _, c := range []struct {
		name string
		in   Signals
		want Reason // of all three; none: all are allowed
	}{
		{"nothing said", Signals{}, ReasonNone},
		{"all said no", Signals{COPPA: no, GDPR: no, GPC: no, Lmt: no, DNT: no}, ReasonNone},
		{"child", Signals{COPPA: yes, GDPR: yes, Consent: tcText}, ReasonCOPPA},
		{"lmt", Signals{Lmt: yes}, ReasonLmt},
		{"dnt", Signals{DNT: yes}, ReasonDNT},
		{"gpc", Signals{GPC: yes}, ReasonGPC},

		{"GDPR, consent", Signals{GDPR: yes, Consent: tcText}, ReasonNone},
		{"GDPR, none", Signals{GDPR: yes}, ReasonTCFNoString},
		{"GDPR absent, consent", Signals{Consent: tcText}, ReasonNone},
		{"GDPR absent, junk", Signals{Consent: "consent-string"}, ReasonTCFVersion},
		{"GDPR does not apply, junk", Signals{GDPR: no, Consent: "consent-string"}, ReasonNone},
		{"GDPR, consent in GPP alone", Signals{GDPR: yes, GPP: tcOnly, GPPSID: []int32{2}}, ReasonNone},
		{"GDPR, consent in a section that does not apply", Signals{GDPR: yes, GPP: tcOnly, GPPSID: []int32{-1}}, ReasonTCFNoString},
		{"both, they differ", Signals{GDPR: yes, Consent: tcText, GPP: gppText(section{2, refusedText}), GPPSID: []int32{2}}, ReasonTCFPurpose1},
		{"both, the other way", Signals{GDPR: yes, Consent: refusedText, GPP: tcOnly, GPPSID: []int32{2}}, ReasonTCFPurpose1},
		{"section 2 applies whatever the flag", Signals{GDPR: no, GPPSID: []int32{2}}, ReasonTCFNoString},
		{"section 2 not in GPP, in the request", Signals{GPP: gppText(section{6, "1YNN"}), Consent: tcText, GPPSID: []int32{2}}, ReasonNone},

		{"US Privacy", Signals{USPrivacy: "1YNN"}, ReasonNone},
		{"US Privacy, lower case", Signals{USPrivacy: "1ynn"}, ReasonNone},
		{"US Privacy, does not apply", Signals{USPrivacy: "1---"}, ReasonNone},
		{"US Privacy, opted out", Signals{USPrivacy: "1YYN"}, ReasonUSPrivacyOptOut},
		{"US Privacy, opted out, no notice", Signals{USPrivacy: "1-Y-"}, ReasonUSPrivacyOptOut},
		{"US Privacy, opted out, lower case", Signals{USPrivacy: "1yyn"}, ReasonUSPrivacyOptOut},
		{"US Privacy, no notice", Signals{USPrivacy: "1NNN"}, ReasonUSPrivacyNotice},
		{"US Privacy, version 2", Signals{USPrivacy: "2YNN"}, ReasonUSPrivacyUnreadable},
		{"US Privacy, short", Signals{USPrivacy: "1YN"}, ReasonUSPrivacyUnreadable},
		{"US Privacy, a carriage return for a dash", Signals{USPrivacy: "1Y\rN"}, ReasonUSPrivacyUnreadable},
		{"US Privacy, a word", Signals{USPrivacy: "uspConsentString"}, ReasonUSPrivacyUnreadable},

		{"GPP, no section", Signals{GPP: "DBAA"}, ReasonNone},
		{"GPP, none applies", Signals{GPP: "junk", GPPSID: []int32{-1}}, ReasonNone},
		{"GPP junk", Signals{GPP: "header~1YNN"}, ReasonGPPUnreadable},
		{"GPP junk, 6 applies", Signals{GPP: "header~1YNN", GPPSID: []int32{6}}, ReasonGPPUnreadable},
		{"GPP, both", Signals{GPP: both}, ReasonNone},
		{"GPP, US Privacy applies", Signals{GPP: both, GPPSID: []int32{6}}, ReasonNone},
		{"GPP, US Privacy opted out", Signals{GPP: gppText(section{6, "1YYN"}), GPPSID: []int32{6}}, ReasonUSPrivacyOptOut},
		{"GPP, US Privacy opted out, not among those that apply", Signals{GPP: gppText(section{6, "1YYN"}, section{7, natYes}), GPPSID: []int32{7}}, ReasonNone},
		{"GPP, US Privacy opted out, none told to apply", Signals{GPP: gppText(section{6, "1YYN"}, section{7, natYes})}, ReasonUSPrivacyOptOut},
		{"section 6 in the request's own field", Signals{USPrivacy: "1YNN", GPPSID: []int32{6}}, ReasonNone},
		{"section 6 nowhere", Signals{GPPSID: []int32{6}}, ReasonGPPSectionMissing},
		{"section 7 without GPP", Signals{GPPSID: []int32{7}}, ReasonGPPSectionMissing},
		{"section 7 not in GPP", Signals{GPP: both, GPPSID: []int32{-1, 7}}, ReasonGPPSectionMissing},
		{"section 0", Signals{GPP: both, GPPSID: []int32{0}}, ReasonGPPSectionMissing},
		{"a negative section", Signals{GPP: both, GPPSID: []int32{-2}}, ReasonGPPSectionMissing},
		{"a huge section", Signals{GPP: both, GPPSID: []int32{1 << 30}}, ReasonGPPSectionMissing},
		{"Canada", Signals{GPP: gppText(section{5, "BPXuQIAPXuQIAAfKABENB-CgAAAAAAAAAAAAAAAA"}), GPPSID: []int32{5}}, ReasonGPPSectionUnknown},
		{"a section to come", Signals{GPP: gppText(section{27, "BAAA"}), GPPSID: []int32{27}}, ReasonGPPSectionUnknown},
		{"a far section to come", Signals{GPP: gppText(section{99, "BAAA"})}, ReasonGPPSectionUnknown},
		{"TCF 1 section", Signals{GPP: gppText(section{1, "BAAA"})}, ReasonGPPSectionUnknown},
		{"Europe and the US", Signals{GDPR: yes, Consent: tcText, USPrivacy: "1YYN"}, ReasonUSPrivacyOptOut},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := everything()
			if c.want != ReasonNone {
				want = nothing(c.want)
			}
			cache, err := NewCache(8)
			require.NoError(t, err)
			for _, memory := range []*Cache{nil, cache, cache} { // unremembered, new, remembered
				cfg := agreed()
				cfg.Cache = memory
				b := Decide(&c.in, cfg, now.UnixMilli())
				if c.want == ReasonTCFPurpose1 {
					assert.Equal(t, ReasonTCFPurpose7, b.MeasureWhy)
					b.MeasureWhy = ReasonTCFPurpose1
				}
				assert.Equal(t, want, b, "%s", b.ProfileWhy)
			}
		})
	}
}

func TestTheExchangesTerms(t *testing.T) {
	b := Decide(&Signals{}, &Config{}, 0)
	assert.Equal(t, Basis{Measure: true, ProfileWhy: ReasonTermsProfile, IdentifyWhy: ReasonTermsLog}, b)
	assert.Equal(t, ReasonTCFNoVendorID, Decide(onlyGDPR(full().text()), &Config{MayProfile: true, MayLog: true}, now.UnixMilli()).ProfileWhy)
	cfg := agreed()
	cfg.WhenAbsent = GDPRApplies
	assert.Equal(t, nothing(ReasonTCFNoString), Decide(&Signals{}, cfg, 0))
	assert.Equal(t, everything(), Decide(&Signals{GDPR: openrtb.No}, cfg, 0))

	for s, want := range map[string]WhenAbsent{"": GDPRIfConsent, "if_consent": GDPRIfConsent, "applies": GDPRApplies} {
		w, err := ParseWhenAbsent(s)
		require.NoError(t, err)
		assert.Equal(t, want, w)
	}
	_, err := ParseWhenAbsent("never")
	assert.ErrorContains(t, err, "never")
	assert.NoError(t, agreed().Validate())
	err = (&Config{VendorID: 40000, WhenAbsent: 9}).Validate()
	assert.ErrorContains(t, err, "40000")
	assert.ErrorContains(t, err, "gdpr_when_absent")
}

func TestEveryReasonHasAName(t *testing.T) {
	seen := map[string]bool{}
	for r := range NumReasons {
		assert.NotEmpty(t, r.String())
		assert.False(t, seen[r.String()], r.String())
		seen[r.String()] = true
	}
	assert.Equal(t, "terms_log", ReasonTermsLog.String())
	assert.Equal(t, "tcf_purpose_7", ReasonTCFPurpose7.String())
	assert.Equal(t, "unknown", NumReasons.String())
}
