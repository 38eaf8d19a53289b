// Package segments owns who a user is to one shop: profiles built from the
// shop's own events, and the predicates that targeting asks of them. It
// serves the candidates stage of a bid: the bidder turns an exchange's user id
// into a UserKey, looks up the short list of (shop, profile), and hands it to
// campaigns.
//
// Hot: keys, pseudonyms, words, Lookup and Predicate.Holds do not allocate; a
// lookup costs one shard's read lock and a copy of about half a kilobyte per
// shop. Apply, Sweep, Snapshot and Restore are the slow side: one goroutine
// applies, any number look up.
//
// A profile belongs to one (shop, user). No function reads the profile of one
// shop to answer for another. In memory only: imports events (types) and
// internal; no files, Kafka, HTTP or SQL.
package segments
