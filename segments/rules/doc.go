// Package rules owns named segments: which of a shop's segments a user is in,
// kept as bits per (shop, user) so that a bid looks them up. A segment is a
// rule over the shop's profile of the user, or an imported list.
//
// The Engine is told of every change of a profile (segments.Watcher), knows
// when time alone will change an answer (a heap of moments per shard), and
// scans the store when segments were made or changed, a little at a time. What
// it has not worked out yet, or not again, it says so, and the asker evaluates
// the rule from scratch: an answer is exact at every moment.
//
// Hot: Lookup and Member.Has; one shard's read lock, no allocation. All else
// is the slow side: one goroutine at a time, the one that applies to the
// store. Memory: about 80 bytes per (shop, user) up to 64 segments, 8 more for
// each further 64 that somebody is in. Bounded by Config.MaxEntries, counted.
//
// Nothing of one shop is read for another: bits, sizes and sets are per shop.
// Imports segments and internal only; no files, Kafka, HTTP or SQL.
package rules
