package privacy

import "strings"

// The GPP sections by id (Global Privacy Platform, 'Section Information').
const (
	sectionTCFEU   = 2
	sectionUSPV1   = 6
	sectionUSNat   = 7
	sectionNone    = -1 // in gpp_sid: none applies
	maxSection     = 31 // larger ids are of sections that we do not read
	maxSectionText = 64 // sections in one string
)

// gppString is what one GPP string says about one vendor.
type gppString struct {
	why     Reason // nothing at all, for this
	present uint32 // a bit per section that is there
	// others tells of a section with an id above maxSection.
	others  bool
	tc      tcString               // section 2
	section [maxSection + 1]Reason // why not, of the other sections
}

// readGPP reads a GPP string for one vendor.
func readGPP(s string, vendor uint16) gppString {
	if len(s) > MaxString {
		return gppString{why: ReasonGPPUnreadable}
	}
	header, body, more := strings.Cut(s, "~")
	var ids [maxSectionText]uint32
	n, ok := gppSections(header, ids[:])
	if !ok {
		return gppString{why: ReasonGPPUnreadable}
	}
	var g gppString
	for _, id := range ids[:n] {
		if !more {
			return gppString{why: ReasonGPPUnreadable} // fewer sections than ids
		}
		var text string
		text, body, more = strings.Cut(body, "~")
		if id > maxSection {
			g.others = true
			continue
		}
		g.present |= 1 << id
		switch {
		case id == sectionTCFEU:
			g.tc = readTC(text, vendor)
		case id == sectionUSPV1:
			g.section[id] = usPrivacy(text)
		default:
			g.section[id] = usSection(id, text)
		}
	}
	if more {
		return gppString{why: ReasonGPPUnreadable} // more sections than ids
	}
	return g
}

// gppSections reads a GPP header into ids, ascending (GPP 'Consent String
// Specification', header: type 3, version 1, ids as a Fibonacci range).
func gppSections(header string, ids []uint32) (n int, ok bool) {
	r := bits{s: header}
	if r.read(6) != 3 || r.read(6) != 1 {
		return 0, false
	}
	last := uint32(0)
	for entries := r.read(12); entries > 0 && !r.bad; entries-- {
		isRange := r.read(1) == 1
		from := last + fibonacci(&r)
		to := from
		if isRange {
			to += fibonacci(&r)
		}
		if r.bad || to-from >= uint32(len(ids)-n) {
			return 0, false
		}
		for id := from; id <= to; id++ {
			ids[n] = id
			n++
		}
		last = to
	}
	return n, !r.bad
}

// fibonacci reads an integer in Fibonacci coding: a sum of Fibonacci numbers
// from 1, 2, 3, 5 on, ended by two ones. It is at least 1.
func fibonacci(r *bits) uint32 {
	var sum uint32
	a, b := uint32(1), uint32(2)
	for one := false; !r.bad; {
		bit := r.read(1) == 1
		if bit && one {
			return sum
		}
		if bit {
			sum += a
		}
		one = bit
		a, b = b, a+b
		if a > 1<<17 {
			r.bad = true // no section has such an id
		}
	}
	return 0
}
