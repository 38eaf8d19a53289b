package rules

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// A shop within its fair share of the engine's places has all its people in
// its sizes, however many other shops bring, and whenever they do.
func TestEngineQuotaIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most, others = 40, 3
		engine := func(most int) (*Engine, *segments.Store) {
			store, err := segments.NewStore(segments.Config{Shards: 1, MaxProfiles: 10_000})
			require.NoError(t, err)
			e, err := New(Config{Shards: 1, MaxEntries: most}, store, nil)
			require.NoError(t, err)
			e.SetNow(noonS * 1000)
			for shop := uint32(1); shop <= others+1; shop++ {
				e.Install(shop, NewSet(shop, []*Rule{NewRule(shop*10, ask(segments.OpViewed, 0)), NewRule(shop*10+1, ask(segments.OpBuyer, 0))}))
			}
			return e, store
		}
		among, amongStore := engine(most)
		alone, aloneStore := engine(100_000)
		for i := range uint32(rapid.IntRange(1, 300).Draw(t, "events")) {
			shop := rapid.Uint32Range(1, others+1).Draw(t, "shop")
			e := events.ShopEvent{ShopID: shop, TimeMS: noonS * 1000, Product: "p", OrderID: "o", Type: rapid.SampledFrom([]events.ShopType{events.ShopProductView, events.ShopPurchase}).Draw(t, "type")}
			binary.LittleEndian.PutUint32(e.EventID[:], i+1)
			crowd := 100
			if shop == 1 {
				crowd = most/(others+1) - 1
			}
			e.UID = user(rapid.IntRange(0, crowd).Draw(t, "user"))
			again := e
			amongStore.Apply(&e)
			if shop == 1 {
				aloneStore.Apply(&again)
			}
		}
		for !among.Backfill(noonS*1000, 50) || !alone.Backfill(noonS*1000, 50) {
		}
		require.LessOrEqual(t, among.Stats().Entries, most)
		require.Equal(t, alone.Sizes(1), among.Sizes(1))
		require.Zero(t, among.LeftOut(1))
		for n := range most {
			of := func(e *Engine) (out []Member) {
				for _, m := range e.Lookup(user(n), nil) {
					if m.Shop == 1 {
						out = append(out, Member{Shop: 1, due: m.due, bits: m.bits})
					}
				}
				return out
			}
			require.Equal(t, of(alone), of(among))
		}
	})
}
