// Package load measures a bidder against servers that do nothing: it drives
// each of several server processes in turn with the same bodies over raw
// keep-alive connections, reads what CPU the process used meanwhile, and
// prints one table of requests per second, CPU per request and latency, as
// ratios to the first target. Rounds are interleaved, so that what the
// machine does besides falls on all of them alike.
//
// The references are fasthttp servers: one answers 204, one reads the body
// and answers a fixed bid. Latency of an Offer counts from when a request
// should have left, so a server that stalls is not spared.
//
// The generator is one thread with epoll, which needs Linux. Everything that
// is started here is waited for. Imports nothing of Grosz.
package load
