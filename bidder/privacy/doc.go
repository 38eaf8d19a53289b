// Package privacy decides what a bid request lets us do with the person
// behind it: use a profile, keep an identifier, count what follows the ad. It
// is part of the bid stage that describes a request, before candidates are
// looked for; its neighbours are bidder/openrtb, whose flags it takes, and
// bidder, which asks it once per request.
//
// What is read: COPPA, the device's lmt and dnt, Global Privacy Control, the
// US Privacy string, the Global Privacy Platform string with the sections
// that apply, and the TC string of the IAB Europe Transparency and Consent
// Framework (TCF 2.2 and 2.3; later policies keep the format and are read
// alike). Everything has to allow; a signal that cannot be read allows
// nothing. Each no has a typed Reason, for explanations and metrics.
//
//	basis.go     Signals and Config in, Basis out
//	reason.go    why not
//	decide.go    the signals in order
//	tcf.go       what one TC string says about one vendor
//	tcf_walk.go  the string's lengths, restrictions, disclosed vendors
//	gpp.go       the GPP header and its sections
//	gpp_us.go    the sections of the United States
//	cache.go     what strings said, remembered
//	bits.go      base64url text as bits
//
// Hot: with a Cache, a decision on strings seen before stays below 200 ns and
// allocates nothing; a new TC string costs a few microseconds. Decide and
// Cache are safe for many goroutines. No clock is read and no I/O done; the
// package must not import a slow edge.
//
// go-gdpr reads the core of a TC string. It does not see the other segments,
// trusts the lengths (a cut string makes it panic) and keeps one of several
// restrictions on a purpose; so tcf_walk.go measures the string before
// go-gdpr sees it, and reads restrictions and disclosed vendors itself.
// go-gpp knows sections 7 to 12 in their first versions and does not end on
// a header that names section 65535; it serves the tests as a second opinion.
package privacy
