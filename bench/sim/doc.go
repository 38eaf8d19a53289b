// Package sim is a small world around the bidder, with a known truth behind
// it: shoppers who browse publishers and shops, see ads, click and buy, and
// the exchanges that sell their page views. It is the role `exchange` of the
// demo and the other side of the end-to-end test: what the exchanges billed
// and what the shoppers bought is journaled on disk before the bidder hears
// of it, so that the bidder's own books can be compared with it exactly.
//
// Two exchanges come by default. "sim-second" sells in USD at the second
// price plus 0.01 and bills with the billing notice (burl). "sim-first" sells
// in PLN at the first price and bills with the impression: the pixel of a
// banner, the VAST Impression of a video, the impression tracker of a native
// ad. Notices and orders are sent until the bidder takes them, over restarts
// of either side.
//
// Everything is drawn from one seed on an injected clock. Run owns every
// goroutine that it starts. Slow; imports bench/check and internal only, never
// the bidder: URLs in bids are opaque here but for their macros.
package sim
