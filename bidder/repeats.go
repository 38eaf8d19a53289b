package bidder

import (
	"encoding/binary"
	"sync"

	"github.com/grosz/grosz/events"
)

// maxRepeats bounds each of the two generations of a repeatSet.
const maxRepeats = 500_000

// repeatSet remembers the latest events that this node made durable. When a
// generation is full the one before is forgotten: an event older than that
// would be written again, and counted once all the same, by its id.
type repeatSet struct {
	mu       sync.Mutex
	now, old map[uint64]struct{}
}

func (r *repeatSet) has(id events.ID) bool {
	k := binary.LittleEndian.Uint64(id[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	_, now := r.now[k]
	_, old := r.old[k]
	return now || old
}

func (r *repeatSet) add(id events.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || len(r.now) >= maxRepeats {
		r.old, r.now = r.now, make(map[uint64]struct{})
	}
	r.now[binary.LittleEndian.Uint64(id[:])] = struct{}{}
}
