package pacing

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHiddenIsPerPerson(t *testing.T) {
	h := NewHidden(0)
	h.Add(0, 7, 3, 0, 1000)
	h.Add(0, 7, 3, 99, 2000)
	h.Add(0, 0, 3, 0, 3000)
	h.Add(0, 8, 0, 0, 3000)
	require.True(t, h.Campaign(7, 3))
	require.False(t, h.Campaign(7, 4))
	require.False(t, h.Campaign(8, 3))
	require.False(t, h.Campaign(0, 3), "nobody hides nothing")
	require.False(t, h.Campaign(7, 0))
	require.Equal(t, []uint64{99}, h.Products(nil, 7))
	require.Empty(t, h.Products(nil, 8))
	n, _, _ := h.Stats()
	require.EqualValues(t, 1, n)
	require.Equal(t, 1, h.Erase(map[uint64]struct{}{7: {}, 9: {}}))
	require.False(t, h.Campaign(7, 3))
}

func TestHiddenKeepsTheNewestAndIsIdempotent(t *testing.T) {
	h := NewHidden(0)
	for p := uint64(1); p <= 12; p++ {
		h.Add(0, 5, 1, p, int64(p)*1000)
		h.Add(0, 5, 1, p, int64(p)*1000)
	}
	h.Add(0, 5, 1, 7, 20_000)
	require.Equal(t, []uint64{7, 12, 11, 10, 9, 8, 6, 5}, h.Products(nil, 5))
	for s := range uint32(holdShards) {
		h.Expire(s, 21_000)
	}
	require.Empty(t, h.Products(nil, 5))
}

func TestHiddenIsBounded(t *testing.T) {
	h := NewHidden(100)
	for u := uint64(1); u <= 5000; u++ {
		h.Add(0, u, 1, 0, int64(u)*1000)
	}
	n, most, gone := h.Stats()
	require.LessOrEqual(t, n, most+holdShards)
	require.EqualValues(t, 5000-n, gone)
}

func TestHiddenSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHidden(0)
		for range rapid.IntRange(0, 60).Draw(t, "wishes") {
			h.Add(0, rapid.Uint64Range(1, 30).Draw(t, "user"), rapid.Uint32Range(1, 9).Draw(t, "campaign"), rapid.Uint64Range(0, 20).Draw(t, "product"), rapid.Int64Range(0, 1<<40).Draw(t, "ms"))
		}
		var buf bytes.Buffer
		require.NoError(t, h.Snapshot(&buf))
		whole := bytes.Clone(buf.Bytes())
		got := NewHidden(0)
		require.NoError(t, got.Restore(&buf))
		for u := uint64(1); u <= 30; u++ {
			require.Equal(t, h.Products(nil, u), got.Products(nil, u))
			for c := uint32(1); c <= 9; c++ {
				require.Equal(t, h.Campaign(u, c), got.Campaign(u, c))
			}
		}
		cut := rapid.IntRange(0, len(whole)-1).Draw(t, "cut")
		require.ErrorIs(t, NewHidden(0).Restore(bytes.NewReader(whole[:cut])), ErrDamaged)
	})
}

func TestHiddenAllocatesNothing(t *testing.T) {
	h := NewHidden(0)
	h.Add(0, 7, 3, 99, 1000)
	h.Add(0, 7, 3, 0, 1000)
	dst := make([]uint64, 0, maxHiddenProducts)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		h.Campaign(7, 3)
		dst = h.Products(dst[:0], 7)
	}))
}

func BenchmarkHidden(b *testing.B) {
	h := NewHidden(0)
	for u := uint64(1); u < 100_000; u++ {
		h.Add(0, u, 3, 0, 1000)
	}
	b.ReportAllocs()
	b.ResetTimer()
	hits := 0
	for i := range b.N {
		if h.Campaign(uint64(i)%200_000, 3) {
			hits++
		}
	}
	if b.N > 200_000 && hits == 0 {
		b.Fatal("nothing was hidden")
	}
}
