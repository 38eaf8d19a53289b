package console

import (
	"net/netip"
	"sync"
)

// Bounds of refused keys: so many in a window from one address, and so many
// addresses remembered.
const (
	failuresAllowed = 20
	failureWindowMS = 60_000
	failureTable    = 10_000
)

// failures counts refused keys by remote address in a bounded table. Only a
// refused key is ever slowed down: a good one passes even from an address
// that guesses, for neighbours may share it behind a proxy, and 256 random
// bits are not guessed.
type failures struct {
	mu    sync.Mutex
	table map[netip.Prefix]failureCount
}

type failureCount struct {
	startMS int64
	n       int
}

// refuse counts one more refused key and tells whether that address has had
// too many, and for how many seconds more.
func (f *failures) refuse(remote netip.Addr, nowMS int64) (tooMany bool, seconds int64) {
	key := remoteKey(remote)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.table == nil {
		f.table = make(map[netip.Prefix]failureCount)
	}
	c, known := f.table[key]
	if !known && len(f.table) >= failureTable {
		f.makeRoom(nowMS)
	}
	if nowMS-c.startMS >= failureWindowMS || nowMS < c.startMS {
		c = failureCount{startMS: nowMS}
	}
	c.n++
	f.table[key] = c
	left := (c.startMS + failureWindowMS - nowMS + 999) / 1000
	return c.n > failuresAllowed, left
}

// makeRoom drops what is over, else an arbitrary tenth.
func (f *failures) makeRoom(nowMS int64) {
	for k, c := range f.table {
		if nowMS-c.startMS >= failureWindowMS {
			delete(f.table, k)
		}
	}
	for k := range f.table {
		if len(f.table) < failureTable-failureTable/10 {
			return
		}
		delete(f.table, k)
	}
}

// remoteKey is one IPv4 address, or the /64 of an IPv6 one, which is what one
// customer has.
func remoteKey(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil { // not an address: all such share one entry
		return netip.Prefix{}
	}
	return p
}
