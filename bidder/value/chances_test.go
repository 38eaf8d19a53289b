package value_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/bidder/value"
)

// Chances says of both targets what Chance says of each.
func TestChancesAreTheTargetsOwn(t *testing.T) {
	whole, bare, uneven := model(t, 12), model(t, 12), model(t, 12)
	bare.Global[value.Order].Table = nil
	uneven.Shops[1].Table[value.Order] = uneven.Shops[1].Table[value.Order][:256]
	place, own := features(12, value.FieldDomain), features(8, value.FieldCampaign)
	cal := [value.NumTargets]float32{0.5, 1.5}
	for name, m := range map[string]*value.Model{"learned": whole, "one target alone": bare, "tables of different sizes": uneven, "none": nil} {
		t.Run(name, func(t *testing.T) {
			var one, both value.Score
			one.Reset(m, place)
			both.Reset(m, place)
			for _, id := range []uint32{1, 2, 2, 9, 0, 3} {
				var shop *value.Shop
				if m != nil {
					shop = m.Shops[id]
				}
				got := both.Chances(id, shop, &cal, own)
				for tg := range value.Target(value.NumTargets) {
					want, ok := one.Chance(tg, id, shop, cal[tg], own)
					if !ok {
						want = value.Prior(tg)
					}
					assert.Equal(t, want, got[tg], "shop %d, target %d", id, tg)
				}
			}
			assert.Zero(t, testing.AllocsPerRun(100, func() { both.Chances(1, nil, &cal, own) }))
		})
	}
}
