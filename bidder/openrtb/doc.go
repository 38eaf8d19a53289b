// Package openrtb reads bid requests: OpenRTB 2.5 and 2.6 as exchanges really send them.
//
// It is the first stage of a bid, called by the bidder's server and read by every later stage. It is hot: a request of
// 1.4 KB is read in about a microsecond, without allocation once a Request has been used for a while. A Request belongs
// to one goroutine at a time; the package has no state of its own. It imports nothing but the standard library.
//
// Request.Parse walks the bytes once and fills a struct with what a bidder needs; everything else is stepped over.
// Strings are views into the body, so the body must stay alive and unchanged until Reset. Strings that had escapes live
// in the Request's own arena. Lists live in slabs that the Request owns and uses again.
//
// # What is an error
//
// Only what is not one JSON object: an empty body, an array at the top, text after the object, a truncated body,
// brackets that do not match, members without key or colon, unknown values nested deeper than MaxDepth. Values that are
// not looked at are checked for quotes and brackets only. A byte order mark in front is accepted.
//
// # What is merely odd
//
// A field of the wrong type never fails the request: it reads as absent and is counted in Request.Odd. Taken without
// complaint are integers as 160.0, 1e2 or "160", true and false for 1 and 0, prices as strings, numbers for strings
// (their text is kept), one string for a list of one, one object for a list of one. null and the empty string, list or
// object mean absent wherever something else is expected, and so does false for an object or a list.
//
// Keys are compared exactly, as the standard spells them, once their escapes are undone. Of duplicate keys the last usable value wins;
// the members of duplicate objects are read into the same struct. Where 2.5 puts a field into ext and 2.6 beside it, both
// are read as one, and 2.6's wins wherever it stands.
//
// # Strings
//
// Strings are kept as sent: control characters and invalid UTF-8 included. An escaped lone surrogate becomes U+FFFD, an
// unknown escape keeps its letter. Whoever writes such a string into a response uses jsontext.AppendString,
// which makes valid JSON of any bytes.
//
// # Bounds
//
// Body size is the caller's bound. Within it, lists are cut at the limits in limits.go, which sets Request.Truncated; a
// Request gives back unusually large slabs at Reset.
package openrtb
