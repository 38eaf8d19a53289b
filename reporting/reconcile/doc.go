// Package reconcile holds an exchange's report of what it bills against what
// was booked. What was booked provisionally, because a notice's price could
// not be read, is brought to what the report says by an adjustment event; what
// differs otherwise is listed. It reads the books from ClickHouse, a file from
// the exchange, and hands events to whoever writes them to the log.
//
// The same report twice changes nothing: the second time everything matches,
// and as long as ClickHouse does not show the first, the event ids are the
// same.
//
// Slow; one goroutine per Run. Imports events and internal only.
package reconcile
