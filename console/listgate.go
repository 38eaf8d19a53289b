package console

import (
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// Bounds of lists that are being uploaded or read back: bytes of memory of all
// shops' together, and how many of one shop at once. A client decides how long
// each takes, up to the times of the server.
const (
	listMemory   = 320 << 20
	listsPerShop = 2
)

// listGate lets in as many uploads and reads of lists as there is memory for.
// Most take a few MB; two of the largest fill it.
type listGate struct {
	mu    sync.Mutex
	shops map[uint32]int
	bytes int64
}

func newListGate() listGate { return listGate{shops: map[uint32]int{}} }

// begin takes room, bytes, for a shop; end gives it back. What is alone is
// always let in.
func (g *listGate) begin(shop uint32, room int64) (end func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shops[shop] >= listsPerShop || g.bytes > 0 && g.bytes+room > listMemory {
		return nil, huma.ErrorWithHeaders(failure(http.StatusServiceUnavailable, "other lists are being uploaded or read: try again soon"),
			http.Header{"Retry-After": {"5"}})
	}
	g.shops[shop]++
	g.bytes += room
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.shops[shop]--; g.shops[shop] == 0 {
			delete(g.shops, shop)
		}
		g.bytes -= room
	}), nil
}

// used is the memory that is taken.
func (g *listGate) used() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bytes
}

// uploadRoom is what an upload of so many bytes takes, about: its entries, the
// room that they grow into, and what they become packed. -1: it does not say
// how long it is.
func uploadRoom(length int64) int64 {
	if length < 0 || length > maxListBytes {
		length = maxListBytes
	}
	return 3*length + 1<<20
}

// readRoom is what a list takes while it is read: the database's copy of what is
// packed, and ours.
func readRoom(packed int64) int64 { return 2*packed + 1<<18 }
