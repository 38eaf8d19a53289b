package bidder

import "sync"

// defaultShopEvents is how many events of a shop are taken in a second.
const defaultShopEvents = 10_000

// shopLimiter is a token bucket for each shop, so that one shop's flood does
// not fill the spool of all. It holds two seconds' worth, at least two batches.
// It grows with the shops, which are few. Safe for many goroutines.
type shopLimiter struct {
	perSecond, most int64 // perSecond 0: no limit

	mu      sync.Mutex
	buckets map[uint32]bucket
	refused uint64
}

type bucket struct{ tokens, atMS int64 }

func newShopLimiter(perSecond int) *shopLimiter {
	if perSecond == 0 {
		perSecond = defaultShopEvents
	}
	n := max(int64(perSecond), 0)
	return &shopLimiter{perSecond: n, most: max(2*n, 2*maxEventsPerBatch), buckets: make(map[uint32]bucket)}
}

// take takes n events' worth, all or nothing; wait is in how many seconds
// there will be enough.
func (l *shopLimiter) take(shop uint32, n int, nowMS int64) (ok bool, wait int64) {
	if l.perSecond == 0 {
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[shop]
	if !known {
		b = bucket{l.most, nowMS}
	}
	b.atMS = min(b.atMS, nowMS) // the clock was set back: do not wait until it catches up
	if gained := min(nowMS-b.atMS, 3_600_000) * l.perSecond / 1000; gained > 0 {
		b.tokens, b.atMS = min(b.tokens+gained, l.most), nowMS
	}
	if b.tokens < int64(n) {
		l.refused++
		l.buckets[shop] = b
		return false, max((int64(n)-b.tokens+l.perSecond-1)/l.perSecond, 1)
	}
	b.tokens -= int64(n)
	l.buckets[shop] = b
	return true, 0
}

func (l *shopLimiter) refusals() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}
