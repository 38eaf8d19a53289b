// Package console is the marketers' side of Grosz: the REST API under /api/v1
// with which shops, keys, campaigns and product feeds are made, read and
// changed, its OpenAPI document, and a status page. Its neighbours are
// console/store (the truth, in SQLite), console/publish (which carries every
// change to the bidders through Kafka) and console/report (which asks
// ClickHouse). What shops tell about their visitors does not come here but to
// the bidder.
//
// A request walks: server.go (headers, log, metrics) → auth.go (whose key,
// which shop, which scope) → the handler's file → decode.go and check.go
// (every mistake at once) → a transaction of the store → the answer. A shop's
// key reaches only its own shop: all else is 404 to it, by one middleware
// that reads each route's access and refuses to register a route without one.
//
// Slow side; safe for many goroutines. Must not import the bidder or another
// room's slow edges: what it needs of those comes in through Deps.
package console
