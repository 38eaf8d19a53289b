package bidder

import (
	"log/slog"
	"time"
)

// clockSet moves what ends at a moment along with a clock that was set: what
// bids hold, and which of them are open for caps. Leases have their own watch
// (leaseDesk.clockSet). Dates of events and days of budgets are the clock's.
func (b *Bidder) clockSet(now, by int64) {
	b.metrics.clockSet.Inc()
	b.log.Warn("this machine's clock was set: what bids hold lasts as long as before", slog.Duration("by", time.Duration(by)*time.Millisecond))
	b.book.ClockSet(now, by)
	b.frequency.ClockSet(by)
	b.shown.ClockSet(by)
}
