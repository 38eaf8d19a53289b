// Package volume measures the warehouse at volume: it fills an empty one with
// synthetic bids, events and orders of thirty days, lets the roll-ups be
// worked out, and asks every documented view. It says bytes per row, rows per
// second and seconds per view, so that growth can be read from two runs.
//
// The rows are drawn from hashes of their number: the same number of bids is
// always the same data. Of 100 bids 30 win and are billed, 28 are shown, 18
// seen, 0.4 clicked (one click in 20 within the following day), 30 lose; ten
// visits come with them, of which 0.3 are orders, and ten meetings of visitors in
// the traffic; beside them, 40 counts a minute of one node. There are 20 shops, 60
// campaigns, 4 exchanges, 300 sites and 3 million people.
//
// Then events are sent at a steady rate by the way that a bidder's notices take,
// through a spool, Kafka and the loader, into the same warehouse, and each is
// timed from when it was due until a query returned it.
//
// Slow, a tool. Imports reporting/schema, rollup and loader, the events' room
// and bench/load.
package volume
