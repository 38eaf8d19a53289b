// Package ledger says who pays what, and which node may still bid how much.
// It is a fold: the money records of a shop, in the order of the shop's
// partition, give the same entries, balances and leases on every node and in
// every replay. Nobody owns a budget; a request for a lease is a record like
// any other, and what it was granted follows from what stands before it.
//
// For each campaign, at every record: budget = settled + leased + free. For
// each shop: balance = deposits − what was billed. A shop is never billed over
// a limit: a settlement that does not fit goes whole to the house's account,
// what an exchange asks above the bid to a dispute account, and a price that
// could not be read to a provisional one until the exchange's report corrects
// it.
//
// Of a campaign that is billed by clicks an impression is paid out of the
// platform's margin account, and its first click enters it: out of the shop's
// balance where it fits the limits, else out of the house's.
//
// Entries are double: an amount leaves one account and enters another, in one
// currency. Amounts are nano-units. Slow side: one goroutine folds. In memory
// only; imports events and internal.
package ledger
