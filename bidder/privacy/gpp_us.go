package privacy

import "strings"

// usLayout is how a section of the United States is laid out: after six bits
// of version, fields of two bits in this order (GPP, 'US-National' and
// 'US-States'; field names there).
type usLayout struct {
	notices   int // of processing, sale, sharing, targeted advertising: 2 is 'not given'
	others    int // notices that do not concern us: sensitive data
	optOuts   int // of sale, sharing, targeted advertising: 1 is 'opted out', 2 'did not'
	sensitive int // kinds of sensitive data, of which we use none
	child     int // known child: anything but 0 is one
	personal  int // consent to uses that were not announced: 1 is 'no'
}

// layoutOf finds the layout of a section's version.
func layoutOf(id, version uint32) (l usLayout, ok bool) {
	switch {
	case id == sectionUSNat && version == 1:
		return usLayout{4, 2, 3, 12, 2, 1}, true
	case id == sectionUSNat && version == 2:
		return usLayout{4, 2, 3, 16, 3, 1}, true
	case version != 1:
		return usLayout{}, false
	}
	switch id {
	case 8: // California: no targeted advertising field
		return usLayout{2, 1, 2, 9, 2, 1}, true
	case 9: // Virginia
		return usLayout{3, 0, 2, 8, 1, 0}, true
	case 10: // Colorado
		return usLayout{3, 0, 2, 7, 1, 0}, true
	case 11, 18: // Utah, Iowa
		return usLayout{3, 1, 2, 8, 1, 0}, true
	case 12: // Connecticut
		return usLayout{3, 0, 2, 8, 3, 0}, true
	case 13, 14, 20: // Florida, Montana, New Hampshire
		return usLayout{3, 0, 2, 8, 3, 1}, true
	case 15: // Oregon
		return usLayout{3, 0, 2, 11, 3, 1}, true
	case 16, 19, 22: // Texas, Nebraska, Tennessee
		return usLayout{3, 0, 2, 8, 1, 1}, true
	case 17: // Delaware
		return usLayout{3, 0, 2, 9, 5, 1}, true
	case 21: // New Jersey
		return usLayout{3, 0, 2, 10, 5, 1}, true
	}
	return usLayout{}, false
}

// usSection says why a section of the United States allows nothing; none of
// the sections that are not of the United States is read here.
//
// A profile is used across shops' sites, which is sharing and targeted
// advertising, so one opt-out of either or of sale closes everything. So do a
// notice that was not given and a section in which no opt-out was offered:
// without an offer nobody declined it.
func usSection(id uint32, text string) Reason {
	core, rest, segmented := strings.Cut(text, ".")
	r := bits{s: core}
	version := r.read(6)
	if r.bad || !allBase64(core) {
		return ReasonGPPSectionUnreadable
	}
	l, ok := layoutOf(id, version)
	if !ok {
		return ReasonGPPSectionUnknown
	}
	notices := readFields(&r, l.notices)
	readFields(&r, l.others)
	optOuts := readFields(&r, l.optOuts)
	readFields(&r, l.sensitive)
	child := readFields(&r, l.child)
	personal := readFields(&r, l.personal)
	r.skip(2 * 2)                 // covered transaction, opt-out option mode
	provider := readFields(&r, 1) // service provider mode
	if r.bad || (notices | optOuts | personal | provider).has(3) {
		return ReasonGPPSectionUnreadable
	}
	switch gpc, ok := gpcSegment(rest, segmented); {
	case !ok:
		return ReasonGPPSectionUnreadable
	case gpc:
		return ReasonGPPGlobalPrivacyCtrl
	case optOuts.has(1):
		return ReasonGPPOptOut
	case child.has(1) || child.has(2) || child.has(3):
		return ReasonGPPChild
	case notices.has(2) || !optOuts.has(2):
		return ReasonGPPNotice
	case personal.has(1):
		return ReasonGPPNoPersonalConsent
	case provider.has(1):
		return ReasonGPPServiceProvider
	}
	return ReasonNone
}

// fieldSet has a bit for each value that some field has.
type fieldSet uint8

func (f fieldSet) has(value int) bool { return f&(1<<value) != 0 }

func readFields(r *bits, n int) (f fieldSet) {
	for range n {
		f |= 1 << r.read(2)
	}
	return f
}

// gpcSegment reads the segments behind a core: the only type is 1, the Global
// Privacy Control.
func gpcSegment(rest string, segmented bool) (gpc, ok bool) {
	for segmented {
		var segment string
		segment, rest, segmented = strings.Cut(rest, ".")
		r := bits{s: segment}
		kind := r.read(2)
		gpc = r.read(1) == 1 || gpc
		if r.bad || kind != 1 {
			return false, false
		}
	}
	return gpc, true
}

// usPrivacy says why a US Privacy string (IAB, 'U.S. Privacy String', version
// 1: notice, opt-out of sale, LSPA) allows nothing.
func usPrivacy(s string) Reason {
	if len(s) != 4 || s[0] != '1' {
		return ReasonUSPrivacyUnreadable
	}
	for i := 1; i < 4; i++ {
		if c := s[i] | 0x20; c != 'y' && c != 'n' && s[i] != '-' {
			return ReasonUSPrivacyUnreadable
		}
	}
	switch notice, optOut := s[1]|0x20, s[2]|0x20; {
	case optOut == 'y':
		return ReasonUSPrivacyOptOut
	case notice == 'n':
		return ReasonUSPrivacyNotice
	}
	return ReasonNone
}
