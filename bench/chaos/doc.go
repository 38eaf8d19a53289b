// Package chaos breaks a whole Grosz under load, one fault after the other,
// and holds it to account throughout: what is settled equals what the
// simulated exchanges billed, to the nano-unit; no budget is overspent;
// nothing is counted twice; bids keep coming in time; memory and disk stay
// within bounds. It knows the truth from the journals of package sim and asks
// ClickHouse as an analyst would.
//
// proxy.go stands between the processes and Kafka or ClickHouse, and cuts,
// delays or stops what flows. probe.go asks for bids all the time. clients.go
// are clients that are slow or go silent. poison.go writes to Kafka what is no
// record of ours. tear.go leaves files as a torn write does. books.go compares.
// run.go plays the faults and makes the table. Who starts and kills processes
// gives that as functions.
//
// Slow. A Run is one goroutine; the rest is safe for many. Imports events,
// bench/sim and internal, never the bidder: what it checks shares no code
// with it.
package chaos
