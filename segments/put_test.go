package segments

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What Lookup gives of one store, Put gives to another.
func TestPutCopiesWhatLookupGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, err := NewStore(Config{Shards: 2, MaxProfiles: 100})
		require.NoError(t, err)
		for _, e := range drawHistory(t, 3) {
			from.Apply(e)
		}
		to, err := NewStore(Config{Shards: 1, MaxProfiles: 100})
		require.NoError(t, err)
		for range 2 { // a second time replaces
			for u, profiles := range everything(from) {
				for i := range profiles {
					to.Put(u, profiles[i].Shop, &profiles[i].Profile)
				}
			}
		}
		require.Equal(t, everything(from), everything(to))
	})
}

func TestPutOfNobodyIsNothing(t *testing.T) {
	s := newStore(t, Config{})
	s.Put(UserKey{}, 1, &Profile{})
	s.Put(user(1), 0, &Profile{})
	require.Zero(t, s.Stats().Profiles)
}
