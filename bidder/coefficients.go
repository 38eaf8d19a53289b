package bidder

import (
	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
)

// coefficients are what a model says of each campaign of a snapshot, by its
// dense index, so that a candidate costs no look-up in a map. Immutable.
type coefficients struct {
	snapshot *campaigns.Snapshot
	model    *value.Model
	by       []coefficient
}

type coefficient struct {
	shop        *value.Shop // nil: nothing was learned of it
	calibration [value.NumTargets]float32
	control     float32
}

// prepare works the coefficients out anew, after a new model or snapshot.
// Who finds those of another pair asks the model itself.
func (b *Bidder) prepare() {
	s, m := b.state.Load(), b.model.Load()
	if s == nil || m == nil {
		return
	}
	k := &coefficients{snapshot: s.Snapshot, model: m, by: make([]coefficient, len(s.Snapshot.Campaigns))}
	for i, camp := range s.Snapshot.Campaigns {
		shop := m.Shops[camp.ShopID]
		co := coefficient{shop: shop, calibration: [value.NumTargets]float32{1, 1}}
		if shop != nil {
			co.control = shop.Control[camp.ID]
			for t := range value.NumTargets {
				co.calibration[t] = shop.CalibrationOf(t, camp.ID)
			}
		}
		k.by[i] = co
	}
	b.coefficients.Store(k)
}
