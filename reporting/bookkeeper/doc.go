// Package bookkeeper keeps the durable ledger. It folds grosz.events in the
// order of each partition, by the same code as every bidder (pacing for the
// first settlement of a bid, pacing/ledger for who pays), and writes the double
// entries to ClickHouse's grosz.ledger.
//
// What is folded is checkpointed with its offsets, fsynced, after the entries
// before it are in ClickHouse. After a crash the fold goes on from there and
// writes some entries again: they have the same ids, and keep one row.
//
// Slow side: one goroutine folds and inserts, another only reads the counters.
// One process per log: it locks its directory. It must not import the bidder
// or the console.
package bookkeeper
