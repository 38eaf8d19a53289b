// Package campaigns owns what a shop asks for: shops, campaigns, creatives
// and products as documents, the targeting language, and their compiled form,
// an immutable Snapshot with an index that tells which campaigns a request
// may concern. It is the second stage of a bid (candidates): the documents
// come from the console through Kafka, the Snapshot goes to the bidder behind
// an atomic pointer.
//
// Hot: Snapshot and index are read by many goroutines without a lock and
// without allocation. Compiling is slow and happens off the hot path.
// Imports segments and internal only; no files, Kafka, HTTP or SQL.
package campaigns
