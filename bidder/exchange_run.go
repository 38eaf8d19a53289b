package bidder

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/grosz/grosz/events/price"
	"github.com/grosz/grosz/internal/money"
)

// What an exchange's agreement decides while requests and notices run.
// Everything here is free of allocation and safe for many goroutines.

type gzipMode uint8

const (
	gzipAsked gzipMode = iota
	gzipAlways
	gzipNever
)

type nativeWrap uint8

const (
	nativeWrapVersion nativeWrap = iota
	nativeWrapAlways
	nativeWrapNever
)

// decoder reads the exchange's price macros.
func (x *Exchange) decoder() price.Decoder { return x.prices }

// delayClass is the class in which billing delays are learned.
func (x *Exchange) delayClass(media uint8) uint16 { return x.number*8 + uint16(media&7) }

// holdFor is how long an unanswered bid of a media type keeps its hold.
func (x *Exchange) holdFor(media uint8) time.Duration { return x.holds[media&7] }

// roundBid cuts p to the decimal places that the exchange takes; 0 means that
// nothing is left to bid.
func (x *Exchange) roundBid(p money.CPM) money.CPM {
	if x.priceStep <= 1 {
		return p
	}
	return p - p%x.priceStep
}

// leastPrice is the least that a bid that reached floor can be charged; a
// reported price below it, or above the bid, is drift. floor is in the bid's
// currency, at as resolved for the imp or its deal: 1 first price, 2 second
// price plus, 3 the deal's fixed price. An auction type of the exchange's own
// can charge anything.
func (x *Exchange) leastPrice(at int32, bid, floor money.CPM) money.CPM {
	switch at {
	case 1:
		return bid
	case 2:
		if x.lonePlus {
			floor += x.increment
		}
	case 3:
	default:
		return 0
	}
	return min(max(floor, 0), bid)
}

// gzipAnswer tells whether an answer is compressed, to a client that asked
// for it or did not.
func (x *Exchange) gzipAnswer(asked bool) bool {
	return x.gzip == gzipAlways || (asked && x.gzip == gzipAsked)
}

// wrapNative tells whether a native ad is wrapped in {"native": …}; byVersion
// is what the request's version wants.
func (x *Exchange) wrapNative(byVersion bool) bool {
	return x.nativeWrap == nativeWrapAlways || (byVersion && x.nativeWrap == nativeWrapVersion)
}

// allowQPS tells whether one more request is worked on now, ms UTC.
func (x *Exchange) allowQPS(nowMS int64) bool { return x.rate.allow(nowMS) }

// authorised tells whether a bid request may come with this value of the
// header x.authHeader, from this address of the connection. Where the file
// gives tokens and addresses, both must fit. All tokens are compared, each in
// constant time.
func (x *Exchange) authorised(header []byte, remote netip.Addr) bool {
	if len(x.addresses) > 0 {
		remote = remote.Unmap().WithZone("")
		found := false
		for i := range x.addresses {
			found = found || x.addresses[i].Contains(remote)
		}
		if !found {
			return false
		}
	}
	if len(x.tokens) == 0 {
		return true
	}
	if len(header) > 7 && header[6] == ' ' && (string(header[:6]) == "Bearer" || string(header[:6]) == "bearer") {
		header = header[7:]
	}
	sum, match := sha256.Sum256(header), 0
	for i := range x.tokens {
		match |= subtle.ConstantTimeCompare(sum[:], x.tokens[i][:])
	}
	return match == 1 && len(header) > 0
}

// addrOf is the address of a connection's other end; the zero Addr, which no
// range contains, where it has none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		if ip, ok := netip.AddrFromSlice(t.IP); ok {
			return ip
		}
	}
	return netip.Addr{}
}

// rateLimit lets so many through per second, and in one moment at most a
// tenth of a second's. It is the generic cell rate algorithm: one number, the
// time at which all that was let through will have been due.
type rateLimit struct {
	interval, burst int64 // ns; 0: no limit
	due             atomic.Int64
}

// set sets the limit before the first use; 0 is none.
func (l *rateLimit) set(perSecond int) {
	if perSecond > 0 {
		l.interval = max(int64(time.Second)/int64(perSecond), 1)
		l.burst = max(int64(100*time.Millisecond), l.interval)
	}
}

func (l *rateLimit) allow(nowMS int64) bool {
	if l.interval == 0 {
		return true
	}
	now := nowMS * int64(time.Millisecond)
	for {
		old := l.due.Load()
		due := max(old, now)
		if old > now+l.burst+int64(time.Second) {
			due = now // the clock was set back: do not wait until it catches up
		}
		due += l.interval
		if due > now+l.burst {
			return false
		}
		if l.due.CompareAndSwap(old, due) {
			return true
		}
	}
}
