// Package erase takes a person out of ClickHouse, by the shops' pseudonyms.
// What a visitor did is deleted. What money depends on stays and becomes
// nobody's: settlements, bids and orders keep their amounts, so that reports
// and invoices still agree, and lose the pseudonym, what was searched for, the
// page and the order's own id. What was worked out of their orders goes, and is
// worked out again from what is left.
//
// Slow: mutations that rewrite parts. A loader that reads the log again
// inserts rows again as they were, until Kafka's retention has passed: repeat
// an erasure daily for a month. Repeating it is safe. Imports nothing of Grosz.
package erase
