package segments

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/internal/money"
)

// What is packed comes back, whatever a history has made of it.
func TestPackedProfilesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p, q Profile
		for _, e := range drawRichHistory(t, 1) {
			e.UID = user(9)
			p.Fold(e)
		}
		b := p.pack(nil)
		require.LessOrEqual(t, len(b), maxPacked)
		require.NoError(t, q.unpack(b, p.Last))
		require.Equal(t, p, q)
	})
}

// The largest there can be fits.
func TestTheLargestProfileFits(t *testing.T) {
	var p, q Profile
	p.First, p.Last, p.LastView, p.LastSearch = 1, math.MaxUint32, 2, 3
	p.Visits, p.Views = math.MaxUint32, math.MaxUint32
	for i := range p.Products {
		p.Products[i], p.ProductAt[i], p.ProductCount[i] = math.MaxUint64, uint32(1+i%2*math.MaxInt32), math.MaxUint16
	}
	for i := range p.Terms {
		p.Terms[i], p.TermAt[i] = math.MaxUint32, uint32(1+i%2*math.MaxInt32)
	}
	for i := range p.Categories {
		p.Categories[i], p.CategoryAt[i], p.CategoryCount[i] = math.MaxUint32, uint32(1+i%2*math.MaxInt32), math.MaxUint16
	}
	for i := range p.Conversions {
		p.Conversions[i], p.ConversionAt[i], p.ConversionCount[i] = math.MaxUint32, uint32(1+i%2*math.MaxInt32), math.MaxUint16
	}
	p.seen.n, p.seen.horizon = recentEvents, 5
	for i := range p.seen.id {
		p.seen.id[i], p.seen.at[i] = 1<<24-1, uint32(1+i%2*math.MaxInt32)
	}
	for i := range p.links {
		p.links[i] = link{user(uint64(i + 1)), 7}
	}
	p.LastCart, p.LastCheckout, p.emptied = 1, 1, 1
	for i := range p.Cart {
		p.Cart[i], p.CartPrice[i], p.CartQty[i] = math.MaxUint64, math.MaxInt64, math.MaxUint16
	}
	p.sumCart()
	for i := range p.Purchased {
		p.Purchased[i] = math.MaxUint64
	}
	l := &p.orders
	l.n, l.oldCount, l.oldRevenue, l.oldLast, l.horizon = RecentOrders, math.MaxUint32, math.MaxInt64, 1, 1
	l.oldMargin = -math.MaxInt64
	for i := range l.list {
		l.list[i] = order{math.MaxUint32, uint32(i + 1), 1, statusReturned, true, math.MaxInt64, math.MaxInt64, -math.MaxInt64}
	}
	p.sum()
	b := p.pack(nil)
	t.Logf("%d bytes", len(b))
	require.LessOrEqual(t, len(b), maxPacked)
	require.NoError(t, q.unpack(b, p.Last))
	require.Equal(t, p, q)
}

func TestAmountsArePackedExactly(t *testing.T) {
	for _, v := range []money.Nano{0, 1, cent - 1, cent, cent + 1, 129_990_000_000, math.MaxInt64, math.MaxInt64 / cent * cent} {
		var k packer
		k.amount(v)
		u := unpacker{b: k.b}
		require.Equal(t, v, u.amount())
		require.False(t, u.bad)
	}
}

func FuzzUnpack(f *testing.F) {
	var p Profile
	p.Fold(visit(user(1), 1, startMS))
	f.Add(p.pack(nil), p.Last)
	f.Add([]byte{0xff, 0xff, 1, 2, 3}, uint32(7))
	f.Fuzz(func(t *testing.T, b []byte, last uint32) {
		var q Profile
		if q.unpack(b, last) == nil {
			q.class()
		}
	})
}

// The index finds what a map finds.
func TestUserIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := []UserKey{{}}
		for n := range uint64(200) {
			keys = append(keys, user(n+1))
		}
		key := func(i uint32) *UserKey { return &keys[i] }
		var x userIndex
		model := map[UserKey]uint32{}
		for range rapid.IntRange(0, 800).Draw(t, "steps") {
			i := uint32(rapid.IntRange(1, 200).Draw(t, "key"))
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				x.remove(keys[i], key)
				delete(model, keys[i])
			} else {
				x.set(keys[i], i, key)
				model[keys[i]] = i
			}
		}
		require.Equal(t, len(model), x.n)
		for i := uint32(1); i <= 200; i++ {
			_, got := x.find(keys[i], key)
			require.Equal(t, model[keys[i]], got)
		}
	})
}

// The arena keeps what it was given, and its gaps are bounded.
func TestArenaKeepsEverythingAndFewGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a arena
		const owners = 300
		place := make([]uint32, owners)
		want := make([][]byte, owners)
		seed := byte(rapid.IntRange(0, 255).Draw(t, "seed"))
		for step := range rapid.IntRange(0, 4000).Draw(t, "steps") {
			o := uint32(step*7919+int(seed)) % owners
			if step%11 == 0 && place[o] != 0 {
				a.drop(place[o])
				place[o], want[o] = 0, nil
			} else {
				data := make([]byte, (step*int(seed|1))%maxPacked)
				for i := range data {
					data[i] = byte(step + i)
				}
				place[o], want[o] = a.put(o, place[o], data), data
			}
			a.tidy(func(owner, at uint32) bool { return place[owner] == at }, func(owner, to uint32) { place[owner] = to })
			require.LessOrEqual(t, a.total-a.needs, a.total/4+3*segmentSize)
		}
		for o := range want {
			if place[o] != 0 {
				require.True(t, bytes.Equal(want[o], a.get(place[o])))
			}
		}
	})
}
