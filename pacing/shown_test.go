package pacing

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

func products(ids ...uint32) (p events.Products) {
	copy(p[:], ids)
	return p
}

func TestProductsAreCappedOneByOne(t *testing.T) {
	s := NewShown(0)
	caps := []ProductCap{{Most: 2, SinceMS: startMS - 3_600_000}}
	at := int64(startMS)
	require.Empty(t, s.Capped(nil, 7, caps, true, at))
	s.Settled(7, 1, bidNumber(1), products(10, 11), at-7_200_000) // too long ago
	s.Settled(7, 1, bidNumber(2), products(10, 11), at-1000)
	require.Empty(t, s.Capped(nil, 7, caps, true, at))
	require.True(t, s.Open(7, 1, bidNumber(3), products(10, 12), 1, caps, true, at, at+60_000))
	require.Equal(t, []uint32{10}, s.Capped(nil, 7, caps, true, at), "seen once, and under way")
	require.False(t, s.Open(7, 1, bidNumber(4), products(12, 10), 1, caps, true, at, at+60_000))
	require.True(t, s.Open(7, 1, bidNumber(5), products(12), 1, caps, true, at, at+60_000))
	require.Equal(t, []uint32{10, 12}, s.Capped(nil, 7, caps, true, at))
	s.Close(7, bidNumber(3))
	require.Empty(t, s.Capped(nil, 7, caps, true, at), "lost")
	s.Settled(7, 1, bidNumber(5), products(12), at)
	s.Settled(7, 1, bidNumber(6), products(12), at)
	require.Equal(t, []uint32{12}, s.Capped(nil, 7, caps, true, at))
	require.Empty(t, s.Capped(nil, 7, caps, true, at+3_700_000-1000)[:0])
	require.Empty(t, s.Capped(nil, 8, caps, true, at), "another person")
	require.True(t, s.Open(0, 1, bidNumber(9), products(12), 1, caps, true, at, at+1), "nobody is not counted")
	require.Equal(t, 1, s.Erase(map[uint64]struct{}{7: {}}))
	require.Empty(t, s.Capped(nil, 7, caps, true, at))
}

// A strict cap is never exceeded while each bid is asked for and counted.
func TestStrictProductCapsAreNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, most := NewShown(0), rapid.IntRange(1, 3).Draw(t, "cap")
		caps := []ProductCap{{Most: most}}
		var open []int
		shown, n := map[uint32]int{}, 0
		wears := map[int]events.Products{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(open) > 0 && rapid.Bool().Draw(t, "a notice") {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "of")
				bid := open[i]
				open = append(open[:i], open[i+1:]...)
				if rapid.Bool().Draw(t, "won") {
					s.Settled(5, 1, bidNumber(bid), wears[bid], startMS)
					for _, p := range wears[bid] {
						shown[p]++
					}
				} else {
					s.Close(5, bidNumber(bid))
				}
				continue
			}
			n++
			p := products(rapid.Uint32Range(1, 4).Draw(t, "one"), rapid.Uint32Range(5, 6).Draw(t, "two"))
			if s.Open(5, 1, bidNumber(n), p, 0.1, caps, true, startMS, startMS+1<<40) {
				open, wears[n] = append(open, n), p
			}
		}
		for p, k := range shown {
			require.True(t, p == 0 || k <= most, "product %d shown %d times", p, k)
		}
	})
}

func TestShownSnapshot(t *testing.T) {
	s := NewShown(0)
	for n := range 200 {
		s.Settled(uint64(1+n%9), uint32(n%3), bidNumber(n), products(uint32(1+n%5), 77), startMS+int64(n)*1000)
	}
	var b bytes.Buffer
	require.NoError(t, s.Snapshot(&b))
	whole := bytes.Clone(b.Bytes())
	got := NewShown(0)
	require.NoError(t, got.Restore(&b))
	for u := uint64(1); u < 10; u++ {
		for most := 1; most < 9; most++ {
			caps := []ProductCap{{Most: most}}
			require.Equal(t, s.Capped(nil, u, caps, true, startMS), got.Capped(nil, u, caps, true, startMS))
		}
	}
	for cut := range len(whole) {
		require.ErrorIs(t, NewShown(0).Restore(bytes.NewReader(whole[:cut])), ErrDamaged)
	}
}

func TestShownAllocatesNothing(t *testing.T) {
	s := NewShown(0)
	caps, list, n := []ProductCap{{Most: 3}}, make([]uint32, 0, 64), 0
	step := func() {
		n++
		u := uint64(1 + n%50)
		list = s.Capped(list[:0], u, caps, false, startMS)
		s.Open(u, 1, bidNumber(n), products(1, 2), 0.1, caps, false, startMS, startMS+1<<40)
		if n%3 == 0 {
			s.Settled(u, 1, bidNumber(n), products(1, 2), startMS)
		}
		s.Close(u, bidNumber(n))
	}
	for range 500 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(2000, step))
}

func BenchmarkShown(b *testing.B) {
	s := NewShown(0)
	for u := range uint64(1000) {
		for n := range 30 {
			s.Settled(u+1, 1, bidNumber(n), products(uint32(n), uint32(n+1), uint32(n+2)), startMS)
		}
	}
	caps, list, n := []ProductCap{{Most: 3}}, make([]uint32, 0, 64), 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		u := uint64(1 + n%1000)
		list = s.Capped(list[:0], u, caps, false, startMS)
		s.Open(u, 1, bidNumber(n), products(90, 91), 0.1, caps, false, startMS, startMS+60_000)
		s.Close(u, bidNumber(n))
	}
}

// A shop within its fair share loses nothing, whatever another brings.
func TestFairSharesOfShops(t *testing.T) {
	const bound = 1000
	f, h, s := NewFrequency(bound), NewHidden(bound), NewShown(bound)
	bring := func(shop uint32, user uint64, n int) {
		f.Settled(user, bidNumber(n), shop, shop, 0, startMS+int64(n)*1000) // two pairs
		h.Add(shop, user, 1, 0, startMS+int64(n)*1000)
		s.Settled(user, shop, bidNumber(n), products(3), startMS+int64(n)*1000)
	}
	for u := range uint64(100) {
		bring(1, 1_000_000+u, 1) // the small shop, and all of it old
	}
	for u := range uint64(20_000) {
		bring(2, 1+u, 10+int(u)) // the flood
		if u%200 == 0 {
			bring(3, 2_000_000+u, int(u)) // another small one comes in between: 100 people
		}
	}
	for name, n := range map[string]func() (int64, int64, uint64){"frequency": f.Stats, "hidden": h.Stats, "shown": s.Stats} {
		held, _, _ := n()
		require.LessOrEqual(t, held, int64(2*bound), name)
	}
	for u := range uint64(100) {
		for shop, user := range map[uint32]uint64{1: 1_000_000 + u, 3: 2_000_000 + u*200} {
			require.Equal(t, 1, f.Count(user, shop, 0), "shop %d", shop)
			require.True(t, h.Campaign(user, 1), "shop %d", shop)
			require.Equal(t, []uint32{3}, s.Capped(nil, user, []ProductCap{{Most: 1}}, true, startMS), "shop %d", shop)
		}
	}
	for shard := range uint32(holdShards) {
		f.Expire(shard, 0, startMS)
		h.Expire(shard, 0)
		s.Expire(shard, 0)
	}
	for name, n := range map[string]func() (int64, int64, uint64){"frequency": f.Stats, "hidden": h.Stats, "shown": s.Stats} {
		held, _, gone := n()
		require.LessOrEqual(t, held, int64(bound), name)
		require.Positive(t, gone, name)
	}
	require.Equal(t, 1, f.Count(1_000_000, 1, 0), "nor when the rest is brought down to the bound")
}
