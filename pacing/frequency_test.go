package pacing

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestFrequencyAgainstAList: up to eight the count is exact, whatever order
// the sightings come in; above it is never too low, and never more than all.
func TestFrequencyAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := NewFrequency(0)
		seen := map[freqKey][]int64{} // seconds
		now := startMS
		t.Repeat(map[string]func(*rapid.T){
			"Add": func(t *rapid.T) {
				now += rapid.Int64Range(0, 10_000).Draw(t, "later")
				k := freqKey{rapid.Uint64Range(0, 3).Draw(t, "user"), WhatCampaign(rapid.Uint32Range(1, 2).Draw(t, "campaign"))}
				ms := now - rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 60_000)).Draw(t, "out of order by")
				f.Add(k.user, uint32(k.what), ms)
				if k.user != 0 {
					seen[k] = append(seen[k], ms/1000)
				}
			},
			"Expire": func(t *rapid.T) {
				since := now - rapid.Int64Range(0, 60_000).Draw(t, "age")
				for shard := range uint32(holdShards) {
					f.Expire(shard, since, since)
				}
				for k, all := range seen {
					if slices.Max(all) < since/1000 {
						delete(seen, k)
					}
				}
			},
			"": func(t *rapid.T) {
				since := now - rapid.Int64Range(0, 120_000).Draw(t, "window")
				for user := range uint64(4) {
					for c := uint32(1); c <= 2; c++ {
						all := seen[freqKey{user, WhatCampaign(c)}]
						want := 0
						for _, s := range all {
							if s >= since/1000 {
								want++
							}
						}
						got := f.Count(user, c, since)
						if want < 8 {
							require.Equal(t, want, got, "user %d campaign %d", user, c)
						} else {
							require.GreaterOrEqual(t, got, want)
							require.LessOrEqual(t, got, len(all))
						}
					}
				}
				n, _, _ := f.Stats()
				require.EqualValues(t, len(seen), n)
			},
		})
	})
}

func TestFrequencyIsBounded(t *testing.T) {
	const limit = 500
	f := NewFrequency(limit)
	for user := range uint64(5000) {
		f.Add(user+1, 1, startMS+int64(user)*1000)
		n, _, _ := f.Stats()
		require.Less(t, n, int64(limit+holdShards))
	}
	sum := 0
	for i := range f.shards {
		sum += len(f.shards[i].m)
	}
	n, max, evicted := f.Stats()
	require.EqualValues(t, sum, n)
	require.EqualValues(t, limit, max)
	require.EqualValues(t, 5000, uint64(n)+evicted)
	require.Equal(t, 1, f.Count(5000, 1, startMS), "the newest is never the one to go")
}

func TestFrequencyMakesRoomByTheQuietest(t *testing.T) {
	f := NewFrequency(holdShards)
	for i := range uint64(4) { // one shard's
		f.Add(holdShards*(i+1), 1, startMS+int64(i)*1000)
	}
	for i := range uint64(holdShards - 4) { // the bound is reached
		f.Add(i+1, 9, startMS)
	}
	f.Add(holdShards*9, 1, startMS+10_000)
	require.Zero(t, f.Count(holdShards, 1, 0), "the quietest of its shard went")
	require.Equal(t, 1, f.Count(holdShards*2, 1, 0))
	require.Equal(t, 1, f.Count(holdShards*9, 1, 0))
}

func TestNobodyIsNotCounted(t *testing.T) {
	f := NewFrequency(10)
	f.Add(0, 1, startMS)
	require.Zero(t, f.Count(0, 1, 0))
	n, _, _ := f.Stats()
	require.Zero(t, n)
}

func TestFrequencyIsSafeForManyGoroutines(t *testing.T) {
	f := NewFrequency(200)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				f.Add(uint64(i%300), uint32(g%2), startMS+int64(i))
				f.Count(uint64(i%300), uint32(g%2), startMS)
				if i%100 == 0 {
					f.Expire(uint32(i/100), startMS, startMS)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for i := range f.shards {
		sum += len(f.shards[i].m)
	}
	n, _, _ := f.Stats()
	require.EqualValues(t, sum, n)
}

func TestFrequencyAllocatesNothing(t *testing.T) {
	f := NewFrequency(1000)
	for user := range uint64(3000) {
		f.Add(user, 1, startMS)
	}
	n := uint64(0)
	require.Zero(t, testing.AllocsPerRun(5000, func() {
		n++
		f.Add(n%4000, 1, startMS+int64(n))
		f.Count(n%4000, 1, startMS)
	}))
}

func BenchmarkFrequencyCount(b *testing.B) {
	f := NewFrequency(0)
	for user := range uint64(100_000) {
		f.Add(user, 1, startMS)
	}
	b.ReportAllocs()
	n, sum := uint64(0), 0
	for b.Loop() {
		n++
		sum += f.Count(n%100_000, 1, startMS)
	}
	if sum == 0 {
		b.Fatal("nothing counted")
	}
}
