package pacing

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

func bidNumber(n int) (id events.ID) {
	binary.LittleEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

type underWay struct {
	n, campaign int
	dueMS       int64
	wins        bool
}

// playPages sends pages of four slots for one person, with notices up to 30 s
// late, and returns how many impressions there were of each campaign.
func playPages(t require.TestingT, seed uint64, strict bool, most int, rate float64, pages int, everyMS int64, expected float32) (wins [3]int, bids int) {
	rng := rand.New(rand.NewPCG(seed, 3))
	f, user := NewFrequency(0), seed*2654435761+5
	var open []underWay
	shown := map[int]int{}
	n := 0
	for page := range pages {
		now := startMS + int64(page)*everyMS
		keep := open[:0]
		for _, o := range open {
			switch {
			case o.dueMS > now:
				keep = append(keep, o)
			case o.wins:
				f.Settled(user, bidNumber(o.n), 1, uint32(o.campaign), 9, o.dueMS)
			default:
				f.Close(user, bidNumber(o.n))
			}
		}
		open = keep
		for range 4 {
			campaign := 1 + rng.IntN(2)
			caps := []Cap{{WhatCampaign(uint32(campaign)), most, 0}, {WhatShop(), 2*most - 1, 0}, {WhatCreative(9), 3 * most, 0}}
			n++
			if !f.Open(user, Exposure{Bid: bidNumber(n), Campaign: uint32(campaign), Creative: 9, ExpireMS: now + 60_000, P: expected}, caps, strict, now) {
				continue
			}
			bids++
			o := underWay{n: n, campaign: campaign, dueMS: now + rng.Int64N(30_000), wins: rng.Float64() < rate}
			open = append(open, o)
			if o.wins {
				wins[campaign]++
				shown[0]++
			}
		}
	}
	if strict {
		require.LessOrEqual(t, wins[1], most)
		require.LessOrEqual(t, wins[2], most)
		require.LessOrEqual(t, shown[0], 2*most-1, "of the shop")
	}
	return wins, bids
}

func TestStrictCapsAreNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		playPages(t, rapid.Uint64().Draw(t, "seed"), true, rapid.IntRange(1, 7).Draw(t, "cap"),
			rapid.Float64Range(0, 1).Draw(t, "win rate"), 200, rapid.Int64Range(100, 20_000).Draw(t, "ms between pages"), 1)
	})
}

// At a win rate of a tenth a page of four slots is bid on in all four, where a
// strict cap of three stops. Where everybody is offered far more than the cap,
// the average does not exceed it, also when notices come up to six pages late.
func TestNormalCapsDoNotStarveAPage(t *testing.T) {
	_, bids := playPages(t, 1, false, 3, 0, 1, 1, 0.1)
	require.Equal(t, 4, bids)
	const people = 300
	for everyMS := range map[int64]bool{5_000: true, 31_000: true} {
		total := 0
		for seed := range uint64(people) {
			wins, _ := playPages(t, seed, false, 3, 0.1, 150, everyMS, 0.1)
			total += wins[1] + wins[2]
		}
		t.Logf("pages every %d ms: %.3f for a cap of 5", everyMS, float64(total)/people)
		require.LessOrEqual(t, float64(total)/people, 5.0, "the shop's cap, on average")
		require.Greater(t, float64(total)/people, 4.75, "and it is reached")
	}
}

// playNodes sends a person's pages of four slots to nodes at random, each of
// which knows its own open bids at once and every impression lagMS after its
// notice, which comes up to 30 s after the bid.
func playNodes(seed uint64, nodes, most int, strict bool, rate float64, pages int, everyMS, lagMS int64) (wins int) {
	rng := rand.New(rand.NewPCG(seed, 4))
	var all []*Frequency
	for range nodes {
		all = append(all, NewFrequency(0))
	}
	user := rng.Uint64() | 1
	type late struct {
		underWay
		node int
	}
	var open []late
	n := 0
	for page := range pages {
		now := startMS + int64(page)*everyMS
		keep := open[:0]
		for _, o := range open {
			if o.dueMS+lagMS > now {
				keep = append(keep, o)
			} else if o.wins {
				for _, f := range all {
					f.Settled(user, bidNumber(o.n), 1, 1, 9, o.dueMS)
				}
			} else {
				all[o.node].Close(user, bidNumber(o.n))
			}
		}
		open = keep
		at := rng.IntN(nodes)
		for range 4 {
			n++
			x := Exposure{Bid: bidNumber(n), Campaign: 1, Creative: 9, ExpireMS: now + 120_000, P: float32(rate)}
			if all[at].Open(user, x, []Cap{{WhatCampaign(1), most, 0}}, strict, now) {
				o := late{underWay{n: n, dueMS: now + rng.Int64N(30_000), wins: rng.Float64() < rate}, at}
				open = append(open, o)
				if o.wins {
					wins++
				}
			}
		}
	}
	return wins
}

// What docs/marketer.md says of people whose requests reach several nodes.
func TestCapsWithSeveralNodes(t *testing.T) {
	const people, most = 120, 3
	for _, c := range []struct {
		nodes         int
		strict        bool
		everyMS, lag  int64
		mean          float64 // at most, over the cap
		beyond, worst int     // people beyond the cap at most, in a thousand, and impressions beyond
	}{
		{1, true, 5_000, 1_000, 0, 0, 0},
		{1, false, 5_000, 1_000, 0, 40, 2},
		{2, true, 5_000, 1_000, 0.45, 400, 4},
		{2, false, 5_000, 1_000, 0.45, 400, 4},
		{4, true, 5_000, 1_000, 0.9, 600, 5},
		{4, false, 5_000, 1_000, 0.9, 600, 5},
		{4, true, 60_000, 1_000, 0, 10, 1},
		{4, false, 60_000, 1_000, 0.02, 60, 2},
	} {
		total, beyond, worst := 0, 0, 0
		for seed := range uint64(people) {
			w := playNodes(seed, c.nodes, most, c.strict, 0.1, 120, c.everyMS, c.lag)
			total += w
			if w > most {
				beyond, worst = beyond+1, max(worst, w-most)
			}
		}
		mean := float64(total)/people - most
		t.Logf("%d nodes, strict %v, a page every %d s: mean %+.3f, %.1f %% beyond, worst %d beyond", c.nodes, c.strict, c.everyMS/1000, mean, 100*float64(beyond)/people, worst)
		require.LessOrEqual(t, mean, c.mean+0.03)
		require.LessOrEqual(t, beyond*1000/people, c.beyond)
		require.LessOrEqual(t, worst, c.worst)
	}
}

func TestOpenBidsAreForgotten(t *testing.T) {
	f := NewFrequency(0)
	caps := []Cap{{WhatCampaign(1), 1, 0}}
	open := func(n int, at int64) bool {
		return f.Open(8, Exposure{Bid: bidNumber(n), Campaign: 1, ExpireMS: at + 1000, P: 1}, caps, true, at)
	}
	require.True(t, open(1, startMS))
	require.False(t, open(2, startMS+999))
	require.True(t, open(3, startMS+1000), "it has expired")
	f.Close(8, bidNumber(3))
	require.True(t, open(4, startMS+1000), "it was lost")
	f.Settled(8, bidNumber(4), 1, 1, 2, startMS+1500)
	require.False(t, open(5, startMS+9000), "it was seen")
	n, last := f.Seen(8, WhatCreative(2), 0)
	require.Equal(t, 1, n)
	require.EqualValues(t, startMS+1000, last/1000*1000)
	for shard := range uint32(holdShards) {
		f.Expire(shard, 0, startMS+99_000)
	}
	people, _ := f.OpenStats()
	require.Zero(t, people)
	require.Equal(t, 1, f.Erase(map[uint64]struct{}{8: {}})/3, "campaign, shop and creative")
	require.False(t, f.Open(0, Exposure{}, caps, false, startMS), "nobody cannot be counted")
}

func TestFatigueFallsAndRecovers(t *testing.T) {
	f := NewFrequency(0)
	tired := Fatigue{N0: 2 / 0.693147, RecoverMS: 3_600_000, WithinMS: 1 << 40}
	require.InDelta(t, 1, f.Lift(4, WhatCampaign(1), tired, startMS), 0, "never seen")
	f.Add(4, 1, startMS)
	require.InDelta(t, 0, f.Lift(4, WhatCampaign(1), tired, startMS), 1e-3, "just now")
	require.InDelta(t, 0.7071*0.6321, f.Lift(4, WhatCampaign(1), tired, startMS+3_600_000), 1e-3)
	f.Add(4, 1, startMS+1000)
	require.InDelta(t, 0.5, f.Lift(4, WhatCampaign(1), Fatigue{N0: 2 / 0.693147, WithinMS: 1 << 40}, startMS+2000), 1e-3, "half after two")
}

func TestOpenDoesNotAllocate(t *testing.T) {
	f := NewFrequency(0)
	caps := []Cap{{WhatCampaign(1), 3, 0}, {WhatShop(), 9, 0}}
	n := 0
	got := testing.AllocsPerRun(2000, func() {
		n++
		user := uint64(1 + n%50)
		f.Open(user, Exposure{Bid: bidNumber(n), Campaign: 1, ExpireMS: startMS + 50_000, P: 0.1}, caps, false, startMS)
		f.Close(user, bidNumber(n))
	})
	require.LessOrEqual(t, got, 0.2)
}

func BenchmarkOpen(b *testing.B) {
	f := NewFrequency(0)
	caps := []Cap{{WhatCampaign(1), 3, 0}, {WhatShop(), 9, 0}}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		user := uint64(1 + n%10_000)
		f.Open(user, Exposure{Bid: bidNumber(n), Campaign: 1, ExpireMS: startMS + 50_000, P: 0.1}, caps, false, startMS)
		f.Close(user, bidNumber(n))
	}
}
