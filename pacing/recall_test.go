package pacing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

// A person who is remembered and recalled counts alike, whatever happens to the
// stores that it was copied from.
func TestAPersonIsRecalledAsRemembered(t *testing.T) {
	f, shown, hidden := NewFrequency(0), NewShown(0), NewHidden(0)
	const user, shop = 77, 3
	for i := range int64(3) {
		f.Settled(user, bidID(int(i)), shop, 1, 2, startMS+i*1000)
		shown.Settled(user, shop, bidID(int(i)), events.Products{5}, startMS+i*1000)
	}
	hidden.Add(shop, user, 9, 0, startMS)
	hidden.Add(shop, user, 0, 4711, startMS)
	caps := []Cap{{WhatCampaign(1), 5, startMS - hourMS}}
	own, other := bidID(10), bidID(11)
	for _, id := range []events.ID{own, other} {
		require.True(t, f.Open(user, Exposure{Bid: id, Campaign: 1, ExpireMS: startMS + hourMS, P: 1}, caps, true, startMS))
		require.True(t, shown.Open(user, shop, id, events.Products{6}, 1, nil, true, startMS, startMS+hourMS))
	}
	p := Remember(f, shown, hidden, user, []What{WhatCampaign(1), WhatShop(), WhatCreative(2), WhatCampaign(99)}, []events.ID{own})
	f.Settled(user, bidID(12), shop, 1, 2, startMS)
	shown.Settled(user, shop, bidID(12), events.Products{5}, startMS)
	for range 2 { // a copy can be used again
		f2, shown2, hidden2 := NewFrequency(0), NewShown(16), NewHidden(16)
		p.Recall(f2, shown2, hidden2)
		for _, w := range []What{WhatCampaign(1), WhatShop(), WhatCreative(2)} {
			n, _ := f2.Seen(user, w, startMS-hourMS)
			require.Equal(t, 3, n)
			require.Equal(t, 3, p.Seen(w, startMS-hourMS))
		}
		require.Zero(t, p.Seen(WhatCampaign(99), 0))
		require.True(t, f2.Open(user, Exposure{Bid: own, Campaign: 1, ExpireMS: startMS + hourMS, P: 1}, caps, true, startMS), "three were seen, one is open")
		require.False(t, f2.Open(user, Exposure{Bid: bidID(13), Campaign: 1, ExpireMS: startMS + hourMS, P: 1}, caps, true, startMS))
		product := []ProductCap{{Most: 3, SinceMS: startMS - hourMS}}
		require.Equal(t, []uint32{5}, shown2.Capped(nil, user, product, true, startMS))
		require.True(t, hidden2.Campaign(user, 9))
		require.Equal(t, []uint64{4711}, hidden2.Products(nil, user))
	}
	var nobody Person
	nobody.Recall(f, shown, hidden)
	require.Zero(t, Remember(f, nil, nil, 0, nil, nil).User)
}
