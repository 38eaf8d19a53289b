package pacing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

// Whichever way the clock is set, holds, leases and open bids last as long as
// was said.
func TestWhatBidsSetAsideLastsThroughASetClock(t *testing.T) {
	const minute = int64(60_000)
	for _, c := range []struct {
		name string
		by   int64
	}{{"an hour ahead", 60 * minute}, {"an hour behind", -60 * minute}, {"5 min ahead", 5 * minute}, {"5 min behind", -5 * minute}} {
		t.Run(c.name, func(t *testing.T) {
			at := int64(startMS)
			b, f, s := NewBook(Config{Classes: 1}), NewFrequency(0), NewShown(0)
			a := b.Account(1)
			day := int32(at / (24 * 60 * minute))
			a.Wallet().Grant(9, 1000, day, at+10*minute)
			lease, err := b.ReserveLeased(a, bidNumber(1), 100, day, at, at+10*minute, 0)
			require.NoError(t, err)
			require.EqualValues(t, 9, lease)
			b.Hold(1, bidNumber(2), 50, day, at+10*minute) // of before a restart
			caps := []Cap{{WhatCampaign(1), 1, 0}}
			require.True(t, f.Open(5, Exposure{Bid: bidNumber(1), Campaign: 1, ExpireMS: at + 10*minute, P: 1}, caps, true, at))
			shown := []ProductCap{{Most: 1}}
			require.True(t, s.Open(5, 1, bidNumber(1), products(7), 1, shown, true, at, at+10*minute))

			now := at + c.by
			require.True(t, b.ReserveClass(a, bidNumber(3), 10, day, now, now+10*minute, 0), "by the new time already")
			b.ClockSet(now, c.by)
			a.Wallet().ClockSet(c.by)
			f.ClockSet(c.by)
			s.ClockSet(c.by)
			sweep := func(ms int64) {
				for range holdShards {
					b.Sweep(ms)
				}
			}
			sweep(now + 9*minute)
			require.EqualValues(t, 160, heldBy(b, 1), "all are still out")
			require.EqualValues(t, 900, a.Wallet().Left(day, now+9*minute, 1))
			require.False(t, f.MayOpen(5, caps, true, now+9*minute))
			require.Equal(t, []uint32{7}, s.Capped(nil, 5, shown, true, now+9*minute))
			sweep(now + 10*minute)
			require.Zero(t, heldBy(b, 1), "and none any longer")
			require.Zero(t, a.Wallet().Left(day, now+10*minute, 1), "the lease is over")
			require.True(t, f.MayOpen(5, caps, true, now+10*minute))
			require.Empty(t, s.Capped(nil, 5, shown, true, now+10*minute))
		})
	}
}

// heldBy is what a campaign's open holds come to.
func heldBy(b *Book, id uint32) (sum money.Nano) {
	b.EachHeld(func(campaign uint32, held money.Nano) {
		if campaign == id {
			sum += held
		}
	})
	return sum
}
