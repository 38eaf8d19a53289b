package privacy

import "strings"

// coreFacts is what walkCore finds in a core string beside go-gdpr.
type coreFacts struct {
	serviceSpecific bool
	// restricted has, per type of restriction, a bit per purpose that the
	// publisher restricts for us: 0 not allowed, 1 consent required,
	// 2 legitimate interest required, 3 undefined.
	restricted [4]uint64
}

// Offsets in the core string, in bits, and the restrictions' types.
const (
	coreServiceSpecific = 138
	coreVendors         = 213

	restrictNotAllowed = 0
	restrictConsent    = 1
	restrictInterest   = 2
	restrictUndefined  = 3
)

// walkCore walks through a core string to its end. It fails when the string
// ends before what its own counts promise.
func walkCore(core string, vendor uint16) (f coreFacts, ok bool) {
	r := bits{s: core}
	r.skip(coreServiceSpecific)
	f.serviceSpecific = r.read(1) == 1
	r.skip(coreVendors - coreServiceSpecific - 1)
	vendorListed(&r, vendor) // with consent
	vendorListed(&r, vendor) // with legitimate interest
	for n := r.read(12); n > 0 && !r.bad; n-- {
		purpose, kind := r.read(6), r.read(2)
		if rangesHold(&r, vendor, 1<<16-1) {
			f.restricted[kind] |= 1 << purpose
		}
	}
	return f, !r.bad
}

// vendorListed reads a vendor section, a bit field or ranges, and tells
// whether vendor is in it.
func vendorListed(r *bits, vendor uint16) bool {
	last := r.read(16)
	if r.read(1) == 1 {
		return rangesHold(r, vendor, last)
	}
	if vendor == 0 || uint32(vendor) > last {
		r.skip(int(last))
		return false
	}
	r.skip(int(vendor) - 1)
	listed := r.read(1) == 1
	r.skip(int(last) - int(vendor))
	return listed && !r.bad
}

// rangesHold reads a list of ranges of vendor ids from 1 to last, and tells
// whether vendor is in one.
func rangesHold(r *bits, vendor uint16, last uint32) bool {
	held := false
	for n := r.read(12); n > 0 && !r.bad; n-- {
		isRange := r.read(1) == 1
		from := r.read(16)
		to := from
		if isRange {
			to = r.read(16)
		}
		if from == 0 || to < from || to > last {
			r.bad = true
		}
		held = held || from <= uint32(vendor) && uint32(vendor) <= to
	}
	return held && !r.bad
}

// disclosure is what the segments behind the core say about a vendor.
type disclosure uint8

const (
	disclosureAbsent disclosure = iota // there is no Disclosed Vendors segment
	disclosureNo
	disclosureYes
)

// The types of segments behind the core.
const (
	segmentDisclosed = 1
	segmentAllowed   = 2 // of out-of-band bases, deprecated: passed over
	segmentPublisher = 3 // the publisher's own purposes: not ours
)

// walkSegments reads the segments behind the core's dot. It fails
// on a segment that is not base64url, is of an unknown type, is cut, or comes
// twice.
func walkSegments(rest string, vendor uint16) (d disclosure, ok bool) {
	var seen uint
	for more := true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		if !allBase64(segment) {
			return disclosureAbsent, false
		}
		r := bits{s: segment}
		kind := r.read(3)
		if kind < segmentDisclosed || kind > segmentPublisher || seen&(1<<kind) != 0 {
			return disclosureAbsent, false
		}
		seen |= 1 << kind
		if kind != segmentDisclosed {
			continue
		}
		d = disclosureNo
		if vendorListed(&r, vendor) {
			d = disclosureYes
		}
		if r.bad {
			return disclosureAbsent, false
		}
	}
	return d, true
}
