// Package segments owns who a user is to one shop: profiles built from the
// shop's own events, and the predicates that targeting asks of them. It
// serves the candidates stage of a bid: the bidder turns an exchange's user id
// into a UserKey, looks up the short list of (shop, profile), and hands it to
// campaigns.
//
// Hot: keys, pseudonyms, words, Lookup and Predicate.Holds do not allocate; a
// lookup costs one shard's read lock and about 100 ns per shop to unpack the
// profile, and one more of each for every key that identify events joined.
// Apply, Sweep, Snapshot and Restore are the slow side: one goroutine applies,
// any number look up.
//
// A profile is packed (pack.go, unpack.go) into its shard's arena (arena.go);
// its record (shard.go) is found by index.go. What an event does to a profile
// is Fold (apply.go, orders.go, seen.go); merge.go joins one person's keys.
//
// A profile belongs to one (shop, user). No function reads the profile of one
// shop to answer for another. In memory only: imports events (types) and
// internal; no files, Kafka, HTTP or SQL.
package segments
