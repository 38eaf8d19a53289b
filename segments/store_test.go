package segments

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/damagetest"
	"github.com/grosz/grosz/internal/money"
)

func newStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := NewStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func user(n uint64) (u UserKey) {
	binary.BigEndian.PutUint64(u[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(u[8:], n)
	return u
}

// drawEvent makes a random event of a few shops, users and products.
func drawEvent(t *rapid.T, shops int) *events.ShopEvent {
	e := &events.ShopEvent{
		Type:     rapid.SampledFrom(events.ShopTypes).Draw(t, "type"),
		ShopID:   uint32(rapid.IntRange(1, shops).Draw(t, "shop")),
		UID:      user(uint64(rapid.IntRange(1, 4).Draw(t, "user"))),
		TimeMS:   1_700_000_000_000 + rapid.Int64Range(0, 1000).Draw(t, "time")*1000,
		Product:  fmt.Sprint("p", rapid.IntRange(1, 12).Draw(t, "product")),
		Category: rapid.SampledFrom([]string{"", "Sofas", "Beds > Oak", "Łóżka"}).Draw(t, "category"),
		Query:    rapid.SampledFrom([]string{"sofa", "corner sofa grey", "łóżko"}).Draw(t, "query"),
		Quantity: rapid.Int64Range(-1, 5).Draw(t, "quantity"),
		Price:    money.Nano(rapid.Int64Range(0, 1e12).Draw(t, "price")),
		Value:    money.Nano(rapid.Int64Range(0, 1e13).Draw(t, "value")),
		Margin:   money.Nano(rapid.Int64Range(-1e12, 1e12).Draw(t, "margin")),
	}
	if e.Type == events.ShopOptOut && rapid.IntRange(0, 9).Draw(t, "rare") > 0 {
		e.Type = events.ShopVisit
	}
	binary.LittleEndian.PutUint64(e.EventID[:], rapid.Uint64Range(1, 1<<20).Draw(t, "id"))
	return e
}

func drawHistory(t *rapid.T, shops int) []*events.ShopEvent {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *events.ShopEvent { return drawEvent(t, shops) }), 0, 120).Draw(t, "history")
}

func everything(s *Store) map[UserKey][]ShopProfile {
	all := map[UserKey][]ShopProfile{}
	for n := range uint64(5) {
		if p := s.Lookup(user(n), nil); len(p) > 0 {
			all[user(n)] = p
		}
	}
	return all
}

// The same history gives the same store, and a snapshot with the tail of the
// history behind it gives the same as the whole.
func TestStoreRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Shards: 2, MaxProfiles: rapid.SampledFrom([]int{2, 6, 100}).Draw(t, "max"), MaxOptOuts: 4}
		history := drawHistory(t, 3)
		cut := rapid.IntRange(0, len(history)).Draw(t, "cut")
		a, _ := NewStore(cfg)
		b, _ := NewStore(cfg)
		for _, e := range history {
			a.Apply(e)
		}
		for _, e := range history[:cut] {
			b.Apply(e)
		}
		var file bytes.Buffer
		require.NoError(t, b.Snapshot(&file, map[int]int64{0: int64(cut), 7: 1 << 40}))
		c, offsets, err := Restore(iotest.OneByteReader(&file), cfg)
		require.NoError(t, err)
		assert.Equal(t, map[int]int64{0: int64(cut), 7: 1 << 40}, offsets)
		for _, e := range history[offsets[0]:] {
			c.Apply(e)
			b.Apply(e)
		}
		assert.Equal(t, everything(a), everything(b))
		assert.Equal(t, everything(a), everything(c))
		assert.Equal(t, a.Stats().Profiles, c.Stats().Profiles)
	})
}

// What shop B sees does not depend on what happened in the other shops.
func TestStoreIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const b = 2
		mixed, _ := NewStore(Config{})
		alone, _ := NewStore(Config{})
		for _, e := range drawHistory(t, 3) {
			mixed.Apply(e)
			if e.ShopID == b {
				alone.Apply(e)
			}
		}
		for n := range uint64(5) {
			var p, q Profile
			require.Equal(t, alone.LookupShop(user(n), b, &q), mixed.LookupShop(user(n), b, &p))
			require.Equal(t, q, p)
		}
	})
}

// A shop within its fair share loses nothing, however much another brings.
func TestStoreIsolationUnderPressure(t *testing.T) {
	s := newStore(t, Config{Shards: 1, MaxProfiles: 100, ShopShareBPS: 9000})
	visit := func(shop uint32, u uint64) {
		s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: shop, UID: user(u), TimeMS: 1_700_000_000_000})
	}
	for u := range uint64(40) {
		visit(1, u+1)
	}
	for u := range uint64(5000) {
		visit(2, u+1)
	}
	st := s.Stats()
	assert.Equal(t, 40, st.Shops[1])
	assert.Equal(t, 60, st.Shops[2])
	assert.Equal(t, 100, st.Profiles)
	assert.EqualValues(t, 4940, st.Evicted)
	for u := range uint64(20) { // a third shop gets its room from the largest
		visit(3, u+1)
	}
	st = s.Stats()
	assert.Equal(t, map[uint32]int{1: 40, 2: 40, 3: 20}, st.Shops)
}

func TestStoreQuota(t *testing.T) {
	s := newStore(t, Config{Shards: 1, MaxProfiles: 100, ShopShareBPS: 1000})
	for u := range uint64(50) {
		s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(u + 1), TimeMS: 1_700_000_000_000})
		s.Apply(&events.ShopEvent{Type: events.ShopCartAdd, ShopID: 2, UID: user(u + 1), TimeMS: 1_700_000_000_000, Product: "x"})
	}
	st := s.Stats()
	assert.Equal(t, map[uint32]int{1: 10, 2: 10}, st.Shops)
	assert.InDelta(t, 0.2, st.Fullness, 1e-9)
}

// Of the least recent the one without a cart leaves first.
func TestStoreEvictsTheLeastUseful(t *testing.T) {
	s := newStore(t, Config{Shards: 1, MaxProfiles: 3, ShopShareBPS: 10_000})
	at := int64(1_700_000_000_000)
	s.Apply(&events.ShopEvent{Type: events.ShopCartAdd, ShopID: 1, UID: user(1), TimeMS: at, Product: "x"})
	s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(2), TimeMS: at + 1000})
	s.Apply(&events.ShopEvent{Type: events.ShopProductView, ShopID: 1, UID: user(3), TimeMS: at + 2000})
	s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(4), TimeMS: at + 3000})
	for u, want := range map[uint64]int{1: 1, 2: 0, 3: 1, 4: 1} {
		assert.Len(t, s.Lookup(user(u), nil), want, "user %d", u)
	}
}

func TestStoreSweep(t *testing.T) {
	s := newStore(t, Config{Shards: 4, TTLMS: dayMS, OptOutTTLMS: 2 * dayMS})
	at := int64(1_700_000_000_000)
	for u := range uint64(1000) {
		s.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1 + uint32(u%2), UID: user(u + 1), TimeMS: at + int64(u%2)*dayMS})
	}
	s.Apply(&events.ShopEvent{Type: events.ShopOptOut, ShopID: 9, UID: user(1), TimeMS: at})
	sweep := func(now int64) (n int) {
		for range 200 {
			n += s.Sweep(now, 37)
		}
		return n
	}
	assert.Zero(t, sweep(at+dayMS))
	assert.Equal(t, 500, sweep(at+dayMS+2000))
	assert.Equal(t, map[uint32]int{2: 500}, s.Stats().Shops)
	assert.Equal(t, 1, s.Stats().OptOuts)
	assert.Equal(t, 500, sweep(at+3*dayMS))
	assert.Equal(t, 0, s.Stats().OptOuts)
	assert.Equal(t, 0, s.Stats().Users)
}

func TestStoreOptOut(t *testing.T) {
	s := newStore(t, Config{})
	view := &events.ShopEvent{Type: events.ShopProductView, ShopID: 1, UID: user(1), TimeMS: 1_700_000_000_000, Product: "x"}
	other := *view
	other.ShopID = 2
	assert.True(t, s.Apply(view))
	assert.True(t, s.Apply(&other))
	assert.True(t, s.Apply(&events.ShopEvent{Type: events.ShopOptOut, ShopID: 1, UID: user(1), TimeMS: 1_700_000_001_000}))
	assert.False(t, s.Apply(view), "a replay must not bring it back")
	got := s.Lookup(user(1), nil)
	require.Len(t, got, 1)
	assert.EqualValues(t, 2, got[0].Shop)
	st := s.Stats()
	assert.EqualValues(t, 1, st.OptedOut)
	assert.EqualValues(t, 1, st.Refused)
}

// Readers see only whole profiles: what is written together is read together.
func TestStoreLookupIsNotTorn(t *testing.T) {
	s := newStore(t, Config{Shards: 1})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var dst []ShopProfile
			for {
				select {
				case <-stop:
					return
				default:
				}
				dst = s.Lookup(user(1), dst[:0])
				for i := range dst {
					p := dst[i].Profile
					sum := money.Nano(0)
					for j := range p.CartLen() {
						sum += p.CartPrice[j] * money.Nano(p.CartQty[j])
					}
					if sum != p.CartValue || p.Views != uint32(p.ProductCount[0]) {
						t.Errorf("torn: sum %d value %d views %d", sum, p.CartValue, p.Views)
						return
					}
				}
				s.Stats()
			}
		})
	}
	at := int64(1_700_000_000_000)
	for i := range 3000 {
		at += 1000
		s.Apply(&events.ShopEvent{Type: events.ShopProductView, ShopID: 1, UID: user(1), TimeMS: at, Product: "one"})
		s.Apply(&events.ShopEvent{Type: events.ShopCartAdd, ShopID: 1, UID: user(1), TimeMS: at, Product: fmt.Sprint(i % 9), Price: money.Nano(i), Quantity: 2})
		if i%50 == 49 {
			s.Apply(&events.ShopEvent{Type: events.ShopPurchase, ShopID: 1, UID: user(1), TimeMS: at, Value: 5})
			assert.NoError(t, s.Snapshot(new(bytes.Buffer), nil))
		}
	}
	close(stop)
	wg.Wait()
}

func TestRestoreRefusesDamage(t *testing.T) {
	small := Config{Shards: 1, MaxProfiles: 100}
	s := newStore(t, small)
	for u := range uint64(2) {
		s.Apply(&events.ShopEvent{Type: events.ShopCartAdd, ShopID: 1, UID: user(u + 1), TimeMS: 1_700_000_000_000, Product: "x", Price: 5})
	}
	var file bytes.Buffer
	require.NoError(t, s.Snapshot(&file, map[int]int64{1: 2}))
	whole := file.Bytes()
	_, _, err := Restore(bytes.NewReader(whole), small)
	require.NoError(t, err)
	damagetest.Every(t, whole, func(what string, bad []byte) {
		_, _, err := Restore(bytes.NewReader(bad), small)
		require.ErrorIs(t, err, ErrSnapshot, what)
	})
	failing := errors.New("disk full")
	require.ErrorIs(t, s.Snapshot(writerFunc(func([]byte) (int, error) { return 0, failing }), nil), failing)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func FuzzRestore(f *testing.F) {
	s := newStore(f, Config{Shards: 1})
	s.Apply(&events.ShopEvent{Type: events.ShopCartAdd, ShopID: 1, UID: user(1), TimeMS: 1_700_000_000_000, Product: "x", Price: 5})
	s.Apply(&events.ShopEvent{Type: events.ShopOptOut, ShopID: 1, UID: user(2), TimeMS: 1_700_000_000_000})
	var file bytes.Buffer
	if err := s.Snapshot(&file, map[int]int64{0: 1}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := Restore(bytes.NewReader(b), Config{Shards: 1, MaxProfiles: 100})
		if err == nil {
			s.Lookup(user(1), nil)
		} else if !errors.Is(err, ErrSnapshot) {
			t.Fatal(err)
		}
	})
}

func TestConfigValidateListsAll(t *testing.T) {
	err := Config{Shards: 3, ShopShareBPS: 10_001, TTLMS: 5, OptOutTTLMS: 1}.Validate()
	require.Error(t, err)
	for _, part := range []string{"shards 3", "shop share 10001", "TTL of 5", "opt-out TTL"} {
		assert.ErrorContains(t, err, part)
	}
	assert.NoError(t, Config{}.Validate())
}

func TestStoreAllocations(t *testing.T) {
	s := newStore(t, Config{})
	e := &events.ShopEvent{Type: events.ShopProductView, ShopID: 1, UID: user(1), TimeMS: 1_700_000_000_000, Product: "p", Category: "A > B"}
	s.Apply(e)
	e.ShopID = 2
	s.Apply(e)
	dst := make([]ShopProfile, 0, 4)
	var p Profile
	n := testing.AllocsPerRun(200, func() {
		dst = s.Lookup(user(1), dst[:0])
		s.LookupShop(user(1), 2, &p)
		e.EventID[0]++
		s.Apply(e)
	})
	if n != 0 || len(dst) != 2 {
		t.Fatalf("%v allocations, %d profiles", n, len(dst))
	}
}

func BenchmarkLookup(b *testing.B) {
	const users = 200_000
	s := newStore(b, Config{})
	for u := range uint64(users) {
		for shop := range uint32(3) {
			s.Apply(&events.ShopEvent{Type: events.ShopCartAdd, ShopID: shop + 1, UID: user(u + 1), TimeMS: 1_700_000_000_000, Product: "x", Price: 5})
		}
	}
	dst := make([]ShopProfile, 0, 8)
	b.ReportAllocs()
	b.ResetTimer()
	i := uint64(0)
	for b.Loop() {
		i = (i*1664525 + 1013904223) % users
		if dst = s.Lookup(user(i+1), dst[:0]); len(dst) != 3 {
			b.Fatal(len(dst))
		}
	}
	st := s.Stats()
	b.ReportMetric(float64(st.Bytes)/float64(st.Profiles), "B/profile")
}

func BenchmarkApply(b *testing.B) {
	s := newStore(b, Config{})
	e := &events.ShopEvent{Type: events.ShopProductView, TimeMS: 1_700_000_000_000, Product: "product-1", Category: "Sofas > Corner"}
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		e.UID, e.ShopID = user(i%100_000+1), 1+uint32(i&3)
		binary.LittleEndian.PutUint64(e.EventID[:], i)
		e.TimeMS += 10
		s.Apply(e)
	}
}
