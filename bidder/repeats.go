package bidder

import (
	"encoding/binary"
	"sync"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// maxRepeats bounds each of the two generations of a repeatSet.
const maxRepeats = 500_000

// repeatSet remembers the latest events that this node made durable, and the
// latest settlements of the log, each with its price. When a
// generation is full the one before is forgotten: an event older than that
// would be written again, and counted once all the same, by its id.
type repeatSet struct {
	mu       sync.Mutex
	now, old map[uint64]money.CPM // the price that the event had
}

func (r *repeatSet) has(id events.ID) bool {
	k := binary.LittleEndian.Uint64(id[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	_, now := r.now[k]
	_, old := r.old[k]
	return now || old
}

// price is the price of an event that is remembered.
func (r *repeatSet) price(id events.ID) (p money.CPM, known bool) {
	k := binary.LittleEndian.Uint64(id[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, known = r.now[k]; !known {
		p, known = r.old[k]
	}
	return p, known
}

func (r *repeatSet) add(id events.ID, price money.CPM) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || len(r.now) >= maxRepeats {
		r.old, r.now = r.now, make(map[uint64]money.CPM)
	}
	r.now[binary.LittleEndian.Uint64(id[:])] = price
}
