// Package storm is the notice storm: a great many win, billing, loss and
// impression notices, shuffled, doubled, forged, late and wrong, through
// several bidder nodes that are killed meanwhile; and the audit after it. What
// was booked must equal the truth exactly, bid by bid: in the log, in
// ClickHouse and in the bidders' books.
//
// It knows the truth from what it sent, works amounts out with big integers
// and reads the log with encoding/json: what it checks shares no code with it
// but the token, which has to be signed. Where notices of one bid named
// several prices, the log decides which of them counts.
//
// Slow. A plan is used by one goroutine until it is sent; Send uses many.
// Imports campaigns, events, pacing and internal, never the bidder.
package storm
