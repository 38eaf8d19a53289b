package segments

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

func visit(u UserKey, shop uint32, ms int64) *events.ShopEvent {
	return &events.ShopEvent{Type: events.ShopVisit, UID: u, ShopID: shop, TimeMS: ms}
}

// TestEraseTakesTheWholePerson: at every shop, nobody else, and only what
// began before; one by one and in one go alike.
func TestEraseTakesTheWholePerson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		all, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		first := map[[2]int]int64{}
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			who, shop := rapid.IntRange(1, 6).Draw(t, "who"), rapid.IntRange(1, 4).Draw(t, "shop")
			ms := 1_000_000 + 1000*rapid.Int64Range(0, 100).Draw(t, "s")
			u := UserKey{byte(who), 8: byte(who * 37)}
			one.Apply(visit(u, uint32(shop), ms))
			all.Apply(visit(u, uint32(shop), ms))
			if at, ok := first[[2]int{who, shop}]; !ok || ms < at {
				first[[2]int{who, shop}] = ms
			}
		}
		until := map[UserKey]int64{}
		for range rapid.IntRange(0, 4).Draw(t, "erasures") {
			who := rapid.IntRange(1, 6).Draw(t, "gone")
			until[UserKey{byte(who), 8: byte(who * 37)}] = 1_000_000 + 1000*rapid.Int64Range(-1, 101).Draw(t, "until")
		}
		want := 0
		for k, at := range first {
			if ms, ok := until[UserKey{byte(k[0]), 8: byte(k[0] * 37)}]; ok && at <= ms {
				want++
			}
		}
		n := 0
		for u, ms := range until {
			n += one.Erase(u, ms)
			require.Zero(t, one.Erase(u, ms), "again changes nothing")
		}
		m := all.EraseWhere(func(u UserKey) int64 {
			if ms, ok := until[u]; ok {
				return ms
			}
			return -1
		})
		require.Equal(t, want, n)
		require.Equal(t, want, m)
		for _, s := range []*Store{one, all} {
			require.Equal(t, len(first)-want, s.Stats().Profiles)
			for k, at := range first {
				u := UserKey{byte(k[0]), 8: byte(k[0] * 37)}
				var p Profile
				ms, gone := until[u]
				require.Equal(t, !gone || at > ms, s.LookupShop(u, uint32(k[1]), &p))
			}
		}
		require.Zero(t, one.Erase(UserKey{}, 1<<62), "nobody is not everybody")
	})
}

func TestExtendedIDs(t *testing.T) {
	a := UserFromEID("id.example", "1")
	require.Equal(t, a, UserFromEID("id.example", "1"))
	require.NotEqual(t, a, UserFromEID("id.example", "2"))
	require.NotEqual(t, a, UserFromEID("id2.example", "1"))
	require.NotEqual(t, a, UserFromExchange("id.example", "1"))
	for _, u := range []UserKey{UserFromEID("", "1"), UserFromEID("s", ""), UserFromEID("s", string(make([]byte, 257)))} {
		require.True(t, u.IsZero())
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { UserFromEID("id.example", "1") }))
}
