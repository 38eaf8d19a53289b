package pacing

import "github.com/grosz/grosz/internal/money"

// Lent is what is left in a wallet of one lease, for bids of a day until a
// moment.
type Lent struct {
	Lease   uint64     `json:"lease"`
	Left    money.Nano `json:"left"`
	Day     int32      `json:"day"`
	UntilMS int64      `json:"until_ms"`
}

// Lent copies what is left of each lease, in the order in which Take looks at
// them.
func (w *Wallet) Lent() []Lent {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.leases) == 0 {
		return nil
	}
	out := make([]Lent, len(w.leases))
	for i, l := range w.leases {
		out[i] = Lent{Lease: l.id, Left: money.Nano(l.left), Day: l.day, UntilMS: l.untilMS}
	}
	return out
}
