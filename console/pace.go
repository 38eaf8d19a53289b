package console

import (
	"net/netip"
	"sync"
)

// Bounds of signing in: so many wrong keys from an address, or of one key id
// from there, close the sign-in page to it for a while; the right key too.
// The API's own limit, in limit.go, is another.
const (
	lockAfter      = 5
	lockAfterOfAll = 20
	lockWindowMS   = 15 * 60_000
	lockTable      = 20_000
)

// locks counts failed sign-ins in a bounded table.
type locks struct {
	mu    sync.Mutex
	table map[lockKey]failureCount
}

// lockKey with an empty id counts all failures of an address.
type lockKey struct {
	remote netip.Prefix
	id     string
}

// closed tells whether signing in is closed to an address and key id, and for
// how many seconds more.
func (l *locks) closed(remote netip.Addr, id string, nowMS int64) (bool, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := remoteKey(remote)
	for _, k := range []struct {
		key  lockKey
		most int
	}{{lockKey{at, id}, lockAfter}, {lockKey{at, ""}, lockAfterOfAll}} {
		c, ok := l.table[k.key]
		if ok && c.n >= k.most && !c.lockOver(nowMS) {
			return true, (c.startMS + lockWindowMS - nowMS + 999) / 1000
		}
	}
	return false, 0
}

// fail counts a wrong key. The window begins anew with each failure, so
// whoever goes on trying stays out.
func (l *locks) fail(remote netip.Addr, id string, nowMS int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table == nil {
		l.table = map[lockKey]failureCount{}
	}
	at := remoteKey(remote)
	for _, k := range []lockKey{{at, id}, {at, ""}} {
		c, ok := l.table[k]
		if !ok && len(l.table) >= lockTable {
			l.makeRoom(nowMS)
		}
		if c.lockOver(nowMS) {
			c.n = 0
		}
		l.table[k] = failureCount{startMS: nowMS, n: c.n + 1}
	}
}

// lockOver tells whether a window of signing in has passed. One that begins in the future has:
// the clock was set back, and nobody is to wait until it catches up.
func (c failureCount) lockOver(nowMS int64) bool {
	return nowMS-c.startMS >= lockWindowMS || nowMS < c.startMS
}

func (l *locks) makeRoom(nowMS int64) {
	for k, c := range l.table {
		if c.lockOver(nowMS) {
			delete(l.table, k)
		}
	}
	for k := range l.table {
		if len(l.table) < lockTable-lockTable/10 {
			return
		}
		delete(l.table, k)
	}
}

// Bounds of what sessions may ask: a second's requests, and how many may come
// at once. A page needs about five. A shop's server asks by a key: it may keep
// thousands of documents up to date.
const (
	paceRate     = 20
	paceBurst    = 200
	keyPaceRate  = 100
	keyPaceBurst = 2_000
	paceTable    = 10_000
)

// pace bounds requests, by the key that asks or that signed in.
type pace struct {
	rate, burst float64 // a second, and at once

	mu    sync.Mutex
	table map[string]paceState
}

type paceState struct {
	atMS int64
	left float64
}

// take counts one request; false means that it is one too many.
func (p *pace) take(name string, nowMS int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		p.table = map[string]paceState{}
	}
	st, ok := p.table[name]
	if !ok {
		if len(p.table) >= paceTable {
			p.makeRoom(nowMS)
		}
		st = paceState{atMS: nowMS, left: p.burst}
	}
	st.left = min(p.burst, st.left+float64(max(0, nowMS-st.atMS))*p.rate/1000)
	st.atMS = nowMS
	ok = st.left >= 1
	if ok {
		st.left--
	}
	p.table[name] = st
	return ok
}

// makeRoom drops those that have been quiet long enough to be full again.
func (p *pace) makeRoom(nowMS int64) {
	for k, st := range p.table {
		if float64(nowMS-st.atMS) >= p.burst*1000/p.rate {
			delete(p.table, k)
		}
	}
	for k := range p.table {
		if len(p.table) < paceTable {
			return
		}
		delete(p.table, k)
	}
}
