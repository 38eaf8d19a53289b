package privacy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/openrtb"
)

func agreed() *Config { return &Config{VendorID: us, MayProfile: true, MayLog: true} }

func onlyGDPR(s string) *Signals { return &Signals{GDPR: openrtb.Yes, Consent: s} }

func decideTC(c *tc) Basis { return Decide(onlyGDPR(c.text()), agreed(), now.UnixMilli()) }

func TestAFullStringAllowsEverything(t *testing.T) {
	for _, ranged := range []bool{false, true} {
		c := full()
		c.vendor.ranged, c.vendorLI.ranged, c.disclosed.ranged = ranged, !ranged, ranged
		assert.Equal(t, everything(), decideTC(c))
	}
}

// TestOneThingMissing takes one thing at a time from a full string.
func TestOneThingMissing(t *testing.T) {
	deadline := time.UnixMilli(disclosedFromMS).UTC()
	require.Equal(t, "2026-02-28T00:00:00Z", deadline.Format(time.RFC3339))
	without := func(purpose int) func(*tc) {
		return func(c *tc) {
			c.consent = nil
			for _, p := range []int{1, 2, 3, 4, 7} {
				if p != purpose {
					c.consent = append(c.consent, p)
				}
			}
		}
	}
	restrict := func(purpose, kind int, in ...vendorRange) func(*tc) {
		return func(c *tc) { c.restrictions = append(c.restrictions, restriction{purpose, kind, in}) }
	}
	me := vendorRange{us, us}
	const p, i, m = 1, 2, 4 // what stays: profile, identify, measure
	for _, c := range []struct {
		name   string
		change func(*tc)
		stays  int
		why    Reason // of what does not stay
	}{
		{"purpose 1", without(1), m, ReasonTCFPurpose1},
		{"purpose 3", without(3), i | m, ReasonTCFPurpose3},
		{"purpose 4", without(4), i | m, ReasonTCFPurpose4},
		{"purpose 7: its legitimate interest is not ours to use", without(7), p, ReasonTCFPurpose7},
		{"purpose 2 is not needed", without(2), p | i | m, ReasonNone},
		{"purpose 1 not shown", func(c *tc) { c.oneTreatment = 1 }, m, ReasonTCFPurpose1},
		{"no consent for us", func(c *tc) { c.vendor.in = []vendorRange{{1, 320}, {322, 500}} }, 0, ReasonTCFVendor},
		{"our id beyond the field", func(c *tc) { c.vendor = vendors{max: 320, in: []vendorRange{{1, 320}}} }, 0, ReasonTCFVendor},
		{"no consent for us, ranges", func(c *tc) { c.vendor = vendors{500, true, []vendorRange{{322, 322}}} }, 0, ReasonTCFVendor},
		{"legitimate interest is not needed", func(c *tc) { c.li, c.vendorLI = nil, vendors{} }, p | i | m, ReasonNone},
		{"not disclosed", func(c *tc) { c.disclosed.in = []vendorRange{{1, 320}} }, 0, ReasonTCFNotDisclosed},
		{"not disclosed, ranges", func(c *tc) { c.disclosed = &vendors{400, true, []vendorRange{{322, 330}}} }, 0, ReasonTCFNotDisclosed},
		{"disclosed to nobody", func(c *tc) { c.disclosed = &vendors{} }, 0, ReasonTCFNotDisclosed},
		{"no segment", func(c *tc) { c.disclosed = nil }, 0, ReasonTCFDisclosureMissing},
		{"no segment, first day", func(c *tc) { c.disclosed, c.created, c.updated = nil, deadline, deadline }, 0, ReasonTCFDisclosureMissing},
		{"no segment, created before, updated after", func(c *tc) { c.disclosed, c.created = nil, deadline.AddDate(0, -1, 0) }, 0, ReasonTCFDisclosureMissing},
		{"no segment, before", func(c *tc) {
			c.disclosed, c.created, c.updated = nil, deadline.Add(-100*time.Millisecond), deadline.Add(-100*time.Millisecond)
		}, p | i | m, ReasonNone},
		{"segment, before, without us", func(c *tc) {
			c.disclosed, c.created, c.updated = &vendors{}, deadline.AddDate(0, -1, 0), deadline.AddDate(0, -1, 0)
		}, 0, ReasonTCFNotDisclosed},
		{"TCF 2.2", func(c *tc) { c.policy = 4 }, p | i | m, ReasonNone},
		{"TCF 2.1", func(c *tc) { c.policy = 3 }, 0, ReasonTCFPolicy},
		{"a policy to come", func(c *tc) { c.policy = 6 }, p | i | m, ReasonNone},
		{"version 1", func(c *tc) { c.version = 1 }, 0, ReasonTCFVersion},
		{"version 3", func(c *tc) { c.version = 3 }, 0, ReasonTCFVersion},
		{"global scope", func(c *tc) { c.scope = 0 }, 0, ReasonTCFScope},
		{"made within the skew", func(c *tc) { c.updated = now.Add(59 * time.Minute) }, p | i | m, ReasonNone},
		{"updated tomorrow", func(c *tc) { c.updated = now.AddDate(0, 0, 1) }, 0, ReasonTCFFuture},
		{"created tomorrow", func(c *tc) { c.created = now.AddDate(0, 0, 1) }, 0, ReasonTCFFuture},
		{"13 months old", func(c *tc) { c.disclosed, c.created, c.updated = nil, now.AddDate(0, -13, 0), now.AddDate(0, -13, 0) }, 0, ReasonTCFExpired},
		{"a day less", func(c *tc) {
			c.disclosed, c.created, c.updated = nil, now.AddDate(0, -13, 1), now.AddDate(0, -13, 1)
		}, p | i | m, ReasonNone},
		{"updated since", func(c *tc) { c.created = now.AddDate(-3, 0, 0) }, p | i | m, ReasonNone},
		{"publisher: 3 not allowed", restrict(3, 0, me), i | m, ReasonTCFPublisherRestricts},
		{"publisher: 3 by interest", restrict(3, 2, vendorRange{1, 400}), i | m, ReasonTCFPublisherRestricts},
		{"publisher: 3 by consent", restrict(3, 1, me), p | i | m, ReasonNone},
		{"publisher: 4 undefined", restrict(4, 3, me), i | m, ReasonTCFPublisherRestricts},
		{"publisher: 1 not allowed", restrict(1, 0, vendorRange{5, 5}, me), m, ReasonTCFPublisherRestricts},
		{"publisher: 7 not allowed", restrict(7, 0, me), p, ReasonTCFPublisherRestricts},
		{"publisher: others", restrict(3, 0, vendorRange{1, 320}, vendorRange{322, 32767}), p | i | m, ReasonNone},
		{"publisher: 2", restrict(2, 0, me), p | i | m, ReasonNone},
		{"publisher: twice, the first ours", func(c *tc) {
			restrict(3, 0, me)(c)
			restrict(3, 0, vendorRange{5, 5})(c)
		}, i | m, ReasonTCFPublisherRestricts},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := full()
			c.change(s)
			b := decideTC(s)
			want := Basis{Profile: c.stays&p != 0, Identify: c.stays&i != 0, Measure: c.stays&m != 0}
			for _, x := range []struct {
				yes bool
				why *Reason
			}{{want.Profile, &want.ProfileWhy}, {want.Identify, &want.IdentifyWhy}, {want.Measure, &want.MeasureWhy}} {
				if !x.yes {
					*x.why = c.why
				}
			}
			assert.Equal(t, want, b, "%s %s %s", b.ProfileWhy, b.IdentifyWhy, b.MeasureWhy)
		})
	}
}

func TestMeasuringByLegitimateInterest(t *testing.T) {
	me := []vendorRange{{us, us}}
	for _, c := range []struct {
		name   string
		change func(*tc)
		want   Reason
	}{
		{"interest", func(*tc) {}, ReasonNone},
		{"not for us", func(c *tc) { c.vendorLI.in = []vendorRange{{1, 2}} }, ReasonTCFPurpose7},
		{"objected to", func(c *tc) { c.li = []int{2} }, ReasonTCFPurpose7},
		{"publisher wants consent", func(c *tc) { c.restrictions = []restriction{{7, 1, me}} }, ReasonTCFPurpose7},
		{"publisher wants interest", func(c *tc) { c.restrictions = []restriction{{7, 2, me}} }, ReasonNone},
		{"publisher forbids", func(c *tc) { c.restrictions = []restriction{{7, 0, me}} }, ReasonTCFPublisherRestricts},
		{"publisher wants both", func(c *tc) { c.restrictions = []restriction{{7, 2, me}, {7, 1, me}} }, ReasonTCFPublisherRestricts},
		{"consent in its place, publisher wants consent", func(c *tc) {
			c.consent, c.restrictions = []int{1, 7}, []restriction{{7, 1, me}}
		}, ReasonNone},
		{"not disclosed", func(c *tc) { c.disclosed.in = nil }, ReasonTCFNotDisclosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := full()
			s.consent = []int{1}
			c.change(s)
			cfg := agreed()
			cfg.MeasureByInterest = true
			b := Decide(onlyGDPR(s.text()), cfg, now.UnixMilli())
			assert.Equal(t, c.want, b.MeasureWhy, b.MeasureWhy.String())
			assert.Equal(t, c.want == ReasonNone, b.Measure)
			assert.Equal(t, c.want, b.IdentifyWhy)
			assert.False(t, b.Profile, "no interest stands for 3 and 4")
		})
	}
}

func TestStringsThatAreNone(t *testing.T) {
	whole := full().text()
	core := full().core().text()
	disclosed := full().disclosedRow().text()
	for name, s := range map[string]string{
		"a word":              "gdprConsentString",
		"TCF 1":               "BOlOrv1OlOr2EAAAABADECg-AAAApp7v______9______9uz_Ov_v_f__33e8__9v_l_7_-___u_-3zd4u_1vf99yfm1-7etr3tp_87ues2_Xur__79__3z3_9phP78k89r7337Ew-v02",
		"a GPP string":        gppText(section{2, whole}),
		"one dot":             ".",
		"padding":             core + "=",
		"standard base64":     core[:20] + "+" + core[21:],
		"dot at the end":      whole + ".",
		"empty segment":       core + ".." + disclosed,
		"segment twice":       core + "." + disclosed + "." + disclosed,
		"unknown segment":     core + "." + disclosed + ".gAAA",
		"segment not base64":  core + "." + disclosed + ".!",
		"core as a segment":   core + "." + core,
		"segment of one char": core + ".I",
		"too long":            core + "." + disclosed + "." + string(make([]byte, MaxString)),
	} {
		b := Decide(onlyGDPR(s), agreed(), now.UnixMilli())
		assert.True(t, b.Nothing(), name)
		assert.Contains(t, []Reason{ReasonTCFUnreadable, ReasonTCFVersion}, b.ProfileWhy, name)
	}
}

// TestCutAnywhere: a string that was cut never allows more than the whole,
// and nothing once the cut reaches what is read.
func TestCutAnywhere(t *testing.T) {
	for _, ranged := range []bool{false, true} {
		c := full()
		c.vendor.ranged, c.vendorLI.ranged, c.disclosed.ranged = ranged, ranged, ranged
		c.restrictions = []restriction{{5, 0, ours}}
		whole, needed := c.text(), len(c.core().text())+1+len(c.disclosedRow().text())
		for n := range len(whole) {
			b := Decide(onlyGDPR(whole[:n]), agreed(), now.UnixMilli())
			switch {
			case n < needed:
				assert.True(t, b.Nothing(), "%d of %d", n, len(whole))
			case n > needed+1:
				assert.Equal(t, everything(), b, "the publisher's segment is not ours to read")
			}
		}
	}
}

// TestPublishedStrings reads strings that others published with their fields.
func TestPublishedStrings(t *testing.T) {
	// The example of IAB's specification of the string; its fields as
	// GDPR::IAB::TCFv2 documents them: purposes 1, 3, 9 and 10.
	const s = "CLcVDxRMWfGmWAVAHCENAXCkAKDAADnAABRgA5mdfCKZuYJez-NQm0TBMYA4oCAAGQYIAAAAAAEAIAEgAA.argAC0gAAAAAAAAAAAA"
	x := readTC(s, 2)
	assert.EqualValues(t, 1326215413, x.madeMS/1000)
	assert.Equal(t, ReasonTCFPolicy, x.why)
	assert.Equal(t, [4]Reason{ReasonNone, ReasonNone, ReasonTCFPurpose4, ReasonTCFPurpose7}, [4]Reason{x.storage, x.build, x.use, x.measure})
	assert.Equal(t, ReasonTCFVendor, readTC(s, 1).storage)
	// Of the GPP's reference implementation: all defaults.
	assert.Equal(t, ReasonTCFScope, readTC("CPSG_8APSG_8ANwAAAENAwCAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA", us).why)
}
