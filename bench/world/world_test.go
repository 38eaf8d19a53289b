package world

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/segments"
)

const now = 1_795_305_600_000

func small(t testing.TB, camps int) *World {
	w, err := New(Config{Campaigns: camps, Profiles: 20_000, Products: 2_000, Seed: 7, NowMS: now})
	require.NoError(t, err)
	return w
}

func compile(t testing.TB, w *World) *campaigns.Snapshot {
	in := campaigns.Input{Version: 1}
	for id := 1; id <= w.Shops(); id++ {
		s := w.Shop(id)
		in.Shops = append(in.Shops, &s)
	}
	next := uint32(1)
	for i := range w.Campaigns() {
		c := w.Campaign(i)
		c.ID = uint32(i + 1)
		for k := range c.Creatives {
			c.Creatives[k].ID = next
			next++
		}
		in.Campaigns = append(in.Campaigns, &c)
	}
	s, problems := campaigns.Compile(in)
	require.Empty(t, problems)
	require.Len(t, s.Campaigns, w.Campaigns())
	return s
}

// TestAWorldIsLikeItself: the same seed draws the same, in any order; another
// seed another.
func TestAWorldIsLikeItself(t *testing.T) {
	a, b := small(t, 200), small(t, 200)
	other, err := New(Config{Campaigns: 200, Profiles: 20_000, Products: 2_000, Seed: 8, NowMS: now})
	require.NoError(t, err)
	for i := 199; i >= 0; i-- {
		require.Equal(t, a.Campaign(i), b.Campaign(i))
		x, err := a.Request(i)
		require.NoError(t, err)
		y, err := b.Request(i)
		require.NoError(t, err)
		require.Equal(t, string(x), string(y))
		z, err := other.Request(i)
		require.NoError(t, err)
		require.NotEqual(t, string(x), string(z))
	}
	require.Equal(t, a.Products(1), b.Products(1))
	require.Equal(t, a.Shop(2), b.Shop(2))
}

// TestAWorldIsWhatItSays: sizes, numbers, and as many campaigns for an
// impression as promised.
func TestAWorldIsWhatItSays(t *testing.T) {
	w := small(t, 10_000)
	s := compile(t, w)
	most := 0
	for i := range w.Campaigns() {
		most = max(most, 1+strings.Count(w.Campaign(i).Targeting, " and "))
	}
	assert.Greater(t, most, 14, "clauses of the longest targeting")
	matches := w.Matches(s, 2000)
	assert.InDelta(t, 20, matches[len(matches)/2], 6)
	assert.InDelta(t, 200, matches[len(matches)*99/100], 80)
	var sizes []int
	media := map[string]int{}
	for i := range 1000 {
		b, err := w.Request(i)
		require.NoError(t, err)
		require.NotContains(t, string(b), "\n")
		sizes = append(sizes, len(b))
		var req struct {
			Imp []map[string]any
		}
		require.NoError(t, json.Unmarshal(b, &req))
		require.NotEmpty(t, req.Imp)
		require.LessOrEqual(t, len(req.Imp), 4)
		for _, imp := range req.Imp {
			for _, k := range []string{"banner", "video", "native"} {
				if imp[k] != nil {
					media[k]++
				}
			}
		}
	}
	slices.Sort(sizes)
	assert.GreaterOrEqual(t, sizes[0], 1000)
	assert.Less(t, sizes[len(sizes)-1], 8000)
	for _, k := range []string{"banner", "video", "native"} {
		assert.Greater(t, media[k], 150, k)
	}
}

func TestProfilesAndProducts(t *testing.T) {
	w := small(t, 1000)
	seen, products := map[segments.UserKey]bool{}, 0
	n := 0
	require.NoError(t, w.Profiles(func(u segments.UserKey, shop uint32, p *segments.Profile) error {
		require.False(t, u.IsZero())
		require.Positive(t, p.Last)
		require.LessOrEqual(t, int(shop), w.Shops())
		seen[u] = true
		n++
		return nil
	}))
	require.Equal(t, 20_000, n)
	require.InDelta(t, n/2, len(seen), float64(n)/6)
	for id := 1; id <= w.Shops(); id++ {
		products += len(w.Products(id))
	}
	require.InDelta(t, 2_000, products, 1)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{Campaigns: -1, Profiles: -1, Products: -1})
	for _, part := range []string{"campaigns", "profiles", "products", "NowMS"} {
		require.ErrorContains(t, err, part)
	}
}
