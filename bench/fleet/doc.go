// Package fleet lets several bidder nodes play one paced campaign of
// bench/pacesim on a virtual clock: the plan of pacing/plan, and per node the
// real book of holds (pacing.Book), wallet of leases (pacing.Wallet) and fold
// of the shared log (pacing/ledger.Fold). Nodes die, stand still or are cut off
// from the log as the scenario says; the ledger tells what was billed and what
// the house paid.
//
//	fleet.go  the Pacer: which node bids, what it holds
//	node.go   one node: reads the log, asks for leases, gives them back
//	log.go    the log, and what it says at the end
//
// Slow side; one goroutine a fleet. Imports no part of the bidder.
package fleet
