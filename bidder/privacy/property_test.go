package privacy

import (
	"strings"
	"testing"
	"time"

	gdpr "github.com/prebid/go-gdpr/vendorconsent/tcf2"
	gpp "github.com/prebid/go-gpp"
	"github.com/prebid/go-gpp/constants"
	"github.com/prebid/go-gpp/sections"
	"github.com/prebid/go-gpp/sections/uspca"
	"github.com/prebid/go-gpp/sections/uspco"
	"github.com/prebid/go-gpp/sections/uspct"
	"github.com/prebid/go-gpp/sections/uspnat"
	"github.com/prebid/go-gpp/sections/usput"
	"github.com/prebid/go-gpp/sections/uspva"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/bidder/openrtb"
)

// within tells whether a allows nothing that b does not.
func within(a, b Basis) bool {
	return (!a.Profile || b.Profile) && (!a.Identify || b.Identify) && (!a.Measure || b.Measure)
}

// consistent tells whether each no has a reason and each yes none.
func consistent(b Basis) bool {
	return b.Profile == (b.ProfileWhy == ReasonNone) && b.Identify == (b.IdentifyWhy == ReasonNone) && b.Measure == (b.MeasureWhy == ReasonNone)
}

func drawVendors(t *rapid.T, name string) vendors {
	v := vendors{ranged: rapid.Bool().Draw(t, name+" ranged")}
	for at := 1; len(v.in) < 6; {
		from := at + rapid.IntRange(0, 200).Draw(t, name+" gap")
		to := from + rapid.IntRange(0, 200).Draw(t, name+" length")
		if to > 700 {
			break
		}
		v.in = append(v.in, vendorRange{from, to})
		at = to + 2
	}
	v.max = 700
	return v
}

func drawTC(t *rapid.T) *tc {
	if rapid.IntRange(0, 3).Draw(t, "full") == 0 { // by chance alone hardly one in fifty allows everything
		return full()
	}
	purposes := func(name string) (in []int) {
		for _, p := range []int{1, 2, 3, 4, 5, 7, 24} {
			if rapid.IntRange(0, 5).Draw(t, name) > 0 {
				in = append(in, p)
			}
		}
		return in
	}
	day := now.AddDate(0, 0, -rapid.IntRange(0, 420).Draw(t, "days old"))
	c := &tc{
		version: 2, policy: rapid.IntRange(3, 6).Draw(t, "policy"), created: day, updated: day,
		scope: 1, oneTreatment: rapid.IntRange(0, 9).Draw(t, "one") / 9,
		consent: purposes("consent"), li: purposes("interest"),
		vendor: drawVendors(t, "vendor"), vendorLI: drawVendors(t, "vendorLI"), publisher: rapid.Bool().Draw(t, "publisher"),
	}
	if rapid.IntRange(0, 4).Draw(t, "segment") > 0 {
		v := drawVendors(t, "disclosed")
		c.disclosed = &v
	}
	for range rapid.IntRange(0, 3).Draw(t, "restrictions") {
		c.restrictions = append(c.restrictions, restriction{
			rapid.IntRange(1, 8).Draw(t, "purpose"), rapid.IntRange(0, 3).Draw(t, "kind"), drawVendors(t, "restricted").in,
		})
	}
	return c
}

// model is what a string allows, from its fields alone.
func (c *tc) model(byInterest bool) (b Basis) {
	has := func(in []vendorRange) bool {
		for _, r := range in {
			if r.from <= us && us <= r.to {
				return true
			}
		}
		return false
	}
	lists := func(in []int, p int) bool {
		for _, x := range in {
			if x == p {
				return true
			}
		}
		return false
	}
	restricted := func(p int, kinds ...int) bool {
		for _, r := range c.restrictions {
			if r.purpose == p && lists(kinds, r.kind) && has(r.in) {
				return true
			}
		}
		return false
	}
	switch {
	case c.policy < 4, !c.updated.AddDate(0, 13, 0).After(now):
		return b
	case c.disclosed == nil && !c.updated.Before(time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)):
		return b
	case c.disclosed != nil && !has(c.disclosed.in):
		return b
	}
	consent := func(p int) bool {
		return has(c.vendor.in) && lists(c.consent, p) && !restricted(p, 0, 2, 3)
	}
	storage := consent(1) && c.oneTreatment == 0
	b.Profile = storage && consent(3) && consent(4)
	b.Measure = consent(7) || byInterest && has(c.vendorLI.in) && lists(c.li, 7) && !restricted(7, 0, 1, 3)
	b.Identify = storage && b.Measure
	return b
}

func TestDrawnStringsAsTheModel(t *testing.T) {
	var seen [8]int
	rapid.Check(t, func(t *rapid.T) {
		c := drawTC(t)
		cfg := agreed()
		cfg.MeasureByInterest = rapid.Bool().Draw(t, "by interest")
		b, want := Decide(onlyGDPR(c.text()), cfg, now.UnixMilli()), c.model(cfg.MeasureByInterest)
		if b.Profile != want.Profile || b.Identify != want.Identify || b.Measure != want.Measure || !consistent(b) {
			t.Fatalf("%+v: %+v, want %+v", c, b, want)
		}
		i := 0
		for j, yes := range []bool{b.Profile, b.Identify, b.Measure} {
			if yes {
				i |= 1 << j
			}
		}
		seen[i]++
	})
	if testing.Short() {
		return // too few are drawn to see every kind
	}
	assert.Positive(t, seen[0])
	assert.Positive(t, seen[7], "some allow everything")
}

// TestNoBitLessAllowsMore takes each bit of consent away in turn, of the
// purposes, the vendors and the disclosure.
func TestNoBitLessAllowsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawTC(t)
		c.vendor.ranged, c.vendorLI.ranged = false, false
		if c.disclosed != nil {
			c.disclosed.ranged = false
		}
		cfg := agreed()
		cfg.MeasureByInterest = rapid.Bool().Draw(t, "by interest")
		before := Decide(onlyGDPR(c.text()), cfg, now.UnixMilli())
		_, rest, _ := strings.Cut(c.text(), ".")
		if rest != "" {
			rest = "." + rest
		}
		core := c.core()
		second := coreVendors + 17 + c.vendor.max
		for _, span := range [][2]int{{152, 200}, {coreVendors + 17, second}, {second + 17, second + 17 + c.vendorLI.max}} {
			for i := span[0]; i < span[1]; i++ {
				if core[i] == 0 {
					continue
				}
				core[i] = 0
				if after := Decide(onlyGDPR(core.text()+rest), cfg, now.UnixMilli()); !within(after, before) {
					t.Fatalf("without bit %d: %+v, before %+v", i, after, before)
				}
				core[i] = 1
			}
		}
		if c.disclosed == nil {
			return
		}
		d := c.disclosedRow()
		for i := 20; i < len(d); i++ {
			if d[i] == 1 {
				d[i] = 0
				if after := Decide(onlyGDPR(core.text()+"."+d.text()), cfg, now.UnixMilli()); !within(after, before) {
					t.Fatalf("without bit %d of the disclosed: %+v, before %+v", i, after, before)
				}
				d[i] = 1
			}
		}
	})
}

// TestGoGDPRPanicsOnACutString is why the string is measured first. When this
// fails, the library has learned to look.
func TestGoGDPRPanicsOnACutString(t *testing.T) {
	c := full()
	c.vendor.max = 506 // the next section starts with a byte
	text := c.core().text()
	panicked := 0
	for n := range len(text) {
		func() {
			defer func() {
				if recover() != nil {
					panicked++
				}
			}()
			if p, err := gdpr.ParseString(text[:n]); err == nil {
				p.VendorConsent(us)
				p.(gdpr.ConsentMetadata).VendorLegitInterest(us)
			}
		}()
	}
	assert.Positive(t, panicked)
}

// TestGoGDPRAgrees: our walk through the vendor sections finds what go-gdpr
// finds.
func TestGoGDPRAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawTC(t).core().text()
		parsed, err := gdpr.Parse(decode(text, 4))
		require.NoError(t, err)
		id := rapid.Uint16Range(1, 800).Draw(t, "vendor")
		r := bits{s: text, pos: coreVendors}
		require.Equal(t, parsed.VendorConsent(id), vendorListed(&r, id))
		require.Equal(t, parsed.(gdpr.ConsentMetadata).VendorLegitInterest(id), vendorListed(&r, id))
	})
}

// goGPPReason is usSection's answer from go-gpp's fields.
func goGPPReason(s gpp.Section) Reason {
	var notices, outs, child []byte
	var personal, provider byte
	gpc := false
	common := func(c sections.CommonUSCoreSegment) {
		notices = []byte{c.SharingNotice, c.SaleOptOutNotice, c.TargetedAdvertisingOptOutNotice}
		outs = []byte{c.SaleOptOut, c.TargetedAdvertisingOptOut}
		child, provider = c.KnownChildSensitiveDataConsents, c.MspaServiceProviderMode
	}
	switch x := s.(type) {
	case uspnat.USPNAT:
		c := x.CoreSegment
		notices = []byte{c.SharingNotice, c.SaleOptOutNotice, c.SharingOptOutNotice, c.TargetedAdvertisingOptOutNotice}
		outs = []byte{c.SaleOptOut, c.SharingOptOut, c.TargetedAdvertisingOptOut}
		child, personal, provider, gpc = c.KnownChildSensitiveDataConsents, c.PersonalDataConsents, c.MspaServiceProviderMode, x.GPCSegment.Gpc
	case uspca.USPCA:
		c := x.CoreSegment
		notices = []byte{c.SaleOptOutNotice, c.SharingOptOutNotice}
		outs = []byte{c.SaleOptOut, c.SharingOptOut}
		child, personal, provider, gpc = c.KnownChildSensitiveDataConsents, c.PersonalDataConsents, c.MspaServiceProviderMode, x.GPCSegment.Gpc
	case uspva.USPVA:
		common(x.CoreSegment)
	case uspco.USPCO:
		common(x.CoreSegment)
		gpc = x.GPCSegment.Gpc
	case uspct.USPCT:
		common(x.CoreSegment)
		gpc = x.GPCSegment.Gpc
	case usput.USPUT:
		c := x.CoreSegment
		notices = []byte{c.SharingNotice, c.SaleOptOutNotice, c.TargetedAdvertisingOptOutNotice}
		outs = []byte{c.SaleOptOut, c.TargetedAdvertisingOptOut}
		child, provider = []byte{c.KnownChildSensitiveDataConsents}, c.MspaServiceProviderMode
	}
	has := func(in []byte, v byte) bool { return strings.IndexByte(string(in), v) >= 0 }
	switch {
	case has(notices, 3), has(outs, 3), personal == 3, provider == 3:
		return ReasonGPPSectionUnreadable
	case gpc:
		return ReasonGPPGlobalPrivacyCtrl
	case has(outs, 1):
		return ReasonGPPOptOut
	case len(strings.Trim(string(child), "\x00")) > 0:
		return ReasonGPPChild
	case has(notices, 2), !has(outs, 2):
		return ReasonGPPNotice
	case personal == 1:
		return ReasonGPPNoPersonalConsent
	case provider == 1:
		return ReasonGPPServiceProvider
	}
	return ReasonNone
}

func TestGoGPPAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []section
		for _, u := range usCases {
			if u.id > 12 || u.version > 1 || rapid.Bool().Draw(t, u.name) {
				continue
			}
			f := u.allowing()
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				f[rapid.IntRange(0, len(f)-1).Draw(t, "place")] = rapid.IntRange(0, 3).Draw(t, "value")
			}
			text := usText(u.version, f...)
			if u.id != 9 && u.id != 11 {
				text += rapid.SampledFrom([]string{"", ".QA", ".YA"}).Draw(t, "gpc")
			}
			in = append(in, section{u.id, text})
		}
		text := gppText(in...)
		theirs, errs := gpp.Parse(text)
		require.Empty(t, errs)
		g := readGPP(text, us)
		require.Equal(t, ReasonNone, g.why)
		for i, s := range theirs.Sections {
			require.Equal(t, constants.SectionID(in[i].id), theirs.SectionTypes[i])
			require.Equal(t, goGPPReason(s), g.section[in[i].id], "%d %s", in[i].id, in[i].text)
		}
	})
}

func FuzzDecide(f *testing.F) {
	whole := full().text()
	f.Add(whole, "", "", uint8(2), int32(0))
	f.Add("", gppText(section{2, whole}, section{6, "1YNN"}), "1YYN", uint8(0), int32(2))
	f.Add("CLcVDxRMWfGmWAVAHCENAXCkAKDAADnAABRgA5mdfCKZuYJez-NQm0TBMYA4oCAAGQYIAAAAAAEAIAEgAA.argAC0gAAAAAAAAAAAA", "DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1NYN", "1---", uint8(1), int32(7))
	ranged := full()
	ranged.vendor.ranged, ranged.disclosed.ranged, ranged.restrictions = true, true, []restriction{{3, 1, ours}}
	f.Add(ranged.text(), "DBABBgA~xlgWEYCZAA", "", uint8(2), int32(8))
	cache, err := NewCache(64)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, consent, gppString, usp string, flag uint8, sid int32) {
		in := Signals{GDPR: openrtb.Flag(flag % 3), Consent: consent, GPP: gppString, USPrivacy: usp}
		if sid != 0 {
			in.GPPSID = []int32{sid}
		}
		cfg := agreed()
		b := Decide(&in, cfg, now.UnixMilli())
		if !consistent(b) {
			t.Fatalf("%+v", b)
		}
		cfg.Cache = cache
		for range 2 {
			if c := Decide(&in, cfg, now.UnixMilli()); c != b {
				t.Fatalf("with a cache %+v, without %+v", c, b)
			}
		}
		in.GDPR = openrtb.Yes
		if c := Decide(&in, cfg, now.UnixMilli()); !within(c, b) {
			t.Fatalf("under the GDPR %+v, before %+v", c, b)
		}
		in.COPPA = openrtb.Yes
		if c := Decide(&in, cfg, now.UnixMilli()); c != nothing(ReasonCOPPA) {
			t.Fatalf("of a child: %+v", c)
		}
	})
}
