// Package forget follows the wishes of people to be forgotten and takes them
// out of ClickHouse, beside the loader: at once, again and again within the
// first day, for rows that were still on their way, and then daily for 35
// days, longer than any raw topic is kept. Each erasure that found something,
// and the first one of each wish, leaves a receipt in the log.
//
// Slow: it follows grosz.campaigns for the shops' salts, without which nobody
// can be found, and grosz.erasures from its beginning at each start; what is
// due is looked for in ClickHouse, and only what is there is rewritten. It
// keeps nothing of its own: after a restart it looks for everybody again.
// One goroutine works, two follow; Run waits for all. A shop's salt that was
// deleted is remembered until the restart only: after it that shop's rows
// cannot be told to be anybody's.
package forget
