// Package freeport finds ports on the loopback for processes that are about to
// be started: those of a trial or test, and endpoints that only their parent
// reads. Slow; not for a service whose address others know.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// given are the ports that this process has handed out, or taken: at most all
// there are.
var given sync.Map

// The ports that are handed out.
const (
	first = 10_000
	count = 20_000
)

// Loopback returns a port of 127.0.0.1 that nobody listens at. It hands none
// out twice, and none of those that the system gives to outgoing connections:
// such a port could be taken before its process listens, or while the process
// is away between a kill and its next start.
func Loopback() (int, error) {
	last := errors.New("all have been given")
	for range 1000 {
		port := first + rand.IntN(count)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", Addr(port))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("no free port found on the loopback: %w", last)
}

// Take keeps ports from being handed out that somebody else is to listen at:
// those of addresses, host:port. What is no such address has none.
func Take(addrs ...string) {
	for _, addr := range addrs {
		_, text, err := net.SplitHostPort(addr)
		if err != nil {
			continue
		}
		if port, err := strconv.Atoi(text); err == nil {
			given.Store(port, true)
		}
	}
}

// Addr is the loopback address of a port.
func Addr(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
