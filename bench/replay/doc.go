// Package replay sends recorded bid requests, one JSON a line, to a bidder at
// a chosen rate, checks every answer against its own request with bench/check,
// and says what was bid, what was refused and why, and what was wrong. Lines
// that are no JSON are sent as they are: they belong to real traffic.
//
// Run owns its goroutines and has ended them when it returns. Slow; memory
// does not grow with the files.
package replay
