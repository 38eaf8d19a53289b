// Package certify plays the exchange in an integration test: it sends sample
// bid requests and every kind of notice to a running bidder and says, rule by
// rule, whether the bidder held it, broke it, or gave no occasion to see it.
//
//	samples.go    requests that show one rule each, and the worked examples of
//	              OpenRTB 2.6 § 6.2 with values of our own
//	learn.go      requests made from what the bidder answered: its advertiser,
//	              category, attribute, seat and price are sent back as blocked
//	transport.go  HTTP itself: gzip, chunks, pipelining, what is no request
//	notices.go    nurl, burl, lurl, pixel and click, with every macro value
//	ledger.go     optionally, what Grosz's own books say was settled
//
// Answers are judged by bench/check, which shares no code with the bidder;
// neither does this package. Section numbers are of the OpenRTB 2.6
// specification, with "I" in front of its implementation guide's.
//
// Slow: one request after another, over raw connections, so that what a
// client library would hide is seen too. A Run owns all it starts and leaves
// nothing running. Imports bench/check and internal only.
package certify
