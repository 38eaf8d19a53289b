package segments

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
)

// drawRich is drawEvent with orders that are paid and come back, named
// conversions and people who are identified, late and in any order.
func drawRich(t *rapid.T, shops int) *events.ShopEvent {
	e := drawEvent(t, shops)
	e.TimeMS = startMS + rapid.Int64Range(0, 50).Draw(t, "time2")*rapid.SampledFrom([]int64{1000, 86_400_000}).Draw(t, "unit")
	e.Name = rapid.SampledFrom([]string{"lead", "sign-up", "newsletter"}).Draw(t, "name")
	switch e.Type {
	case events.ShopPurchase, events.ShopOrderStatus:
		e.OrderID = fmt.Sprint("o", rapid.IntRange(1, 12).Draw(t, "order"))
		e.Offline = rapid.Bool().Draw(t, "offline")
		if e.Type == events.ShopPurchase {
			e.EventID = events.NamedID(e.ShopID, "order", e.OrderID)
			break
		}
		e.Status = rapid.SampledFrom(events.OrderStatuses).Draw(t, "status")
		if e.Status != events.OrderReturned || rapid.Bool().Draw(t, "whole") {
			e.Value = 0
		}
	case events.ShopIdentify:
		e.Name = rapid.SampledFrom([]string{events.AliasVisitor, events.AliasCustomer}).Draw(t, "kind")
		e.Alias = user(uint64(rapid.IntRange(1, 4).Draw(t, "alias")))
	}
	return e
}

func drawRichHistory(t *rapid.T, shops int) []*events.ShopEvent {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *events.ShopEvent { return drawRich(t, shops) }), 0, 150).Draw(t, "history")
}

// logEntry is an event at its place in a log of several partitions.
type logEntry struct {
	e         *events.ShopEvent
	partition int
	offset    int64
}

// logOf lays a history out as Kafka would, by shop and user, with some events
// delivered again later.
func logOf(t *rapid.T, history []*events.ShopEvent) (log []logEntry, ends map[int]int64) {
	ends = map[int]int64{0: 0, 1: 0, 2: 0}
	write := func(e *events.ShopEvent) {
		p := int(e.UID[15]+byte(e.ShopID)) % 3
		log = append(log, logEntry{e, p, ends[p]})
		ends[p]++
	}
	for i, e := range history {
		write(e)
		if rapid.IntRange(0, 5).Draw(t, "again") == 0 {
			write(history[rapid.IntRange(0, i).Draw(t, "which")])
		}
	}
	return log, ends
}

// A store that was restored from a snapshot taken while events went on, shard
// after shard at different places of the log, and that reads on from there, is
// what the whole log gives from scratch.
func TestRebuildFromSnapshotAndTailEqualsFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Shards: 4, MaxProfiles: 1000}
		log, _ := logOf(t, drawRichHistory(t, 3))
		scratch, err := NewStore(cfg)
		require.NoError(t, err)
		for _, m := range log {
			scratch.ApplyFrom(m.e, m.partition, m.offset)
		}
		live, err := NewStore(cfg)
		require.NoError(t, err)
		at, next := 0, map[int]int64{}
		step := func(n int) {
			for ; n > 0 && at < len(log); n-- {
				live.ApplyFrom(log[at].e, log[at].partition, log[at].offset)
				next[log[at].partition] = log[at].offset + 1
				at++
			}
		}
		step(rapid.IntRange(0, len(log)).Draw(t, "before"))
		var file bytes.Buffer
		require.NoError(t, live.SnapshotWhile(&file, func(copyShard func(map[int]int64)) {
			step(rapid.IntRange(0, 20).Draw(t, "meanwhile"))
			copyShard(next)
		}))
		again, from, err := Restore(&file, cfg)
		require.NoError(t, err)
		for _, m := range log {
			if m.offset >= from[m.partition] {
				again.ApplyFrom(m.e, m.partition, m.offset)
			}
		}
		require.Equal(t, everything(scratch), everything(again))
		require.Equal(t, scratch.Stats().Profiles, again.Stats().Profiles)
		require.Equal(t, scratch.Stats().Charged, again.Stats().Charged)
	})
}

// Partitions may be read in any order against each other: every node has the
// same profiles. Opt-outs, too, are of one key.
func TestRebuildFromScratchDoesNotDependOnTheOrderOfPartitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, _ := logOf(t, drawRichHistory(t, 3))
		one, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		other, err := NewStore(Config{Shards: 8, MaxProfiles: 1000})
		require.NoError(t, err)
		for _, m := range log {
			one.Apply(m.e)
		}
		for _, p := range rapid.Permutation([]int{0, 1, 2}).Draw(t, "order") {
			for _, m := range log {
				if m.partition == p {
					other.Apply(m.e)
				}
			}
		}
		require.Equal(t, everything(one), everything(other))
	})
}

// A profile in the store is Fold over its events.
func TestStoreEqualsFoldFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		type who struct {
			u    UserKey
			shop uint32
		}
		want := map[who]*Profile{}
		for _, e := range drawRichHistory(t, 3) {
			if e.Type == events.ShopOptOut || e.Type == events.ShopIdentify {
				continue
			}
			k := who{e.UID, e.ShopID}
			if want[k] == nil {
				want[k] = &Profile{}
			}
			require.Equal(t, want[k].Fold(e), s.Apply(e))
		}
		for k, p := range want {
			var got Profile
			if s.LookupShop(k.u, k.shop, &got) {
				require.Equal(t, *p, got)
			} else {
				require.Zero(t, p.Last)
			}
		}
	})
}

// However much of a history is sent again, and however much later, counts and
// orders stay as they were: as long as no more than recentEvents events of a
// person are of one second.
func TestRebuildWithEverythingSentAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := drawRichHistory(t, 2)
		for i, e := range history {
			e.TimeMS = startMS + int64(rapid.IntRange(0, 400).Draw(t, "s"))*1000
			binary.LittleEndian.PutUint32(e.EventID[:], uint32(i+1)*2654435761)
			if e.Type == events.ShopPurchase {
				e.EventID = events.NamedID(e.ShopID, "order", e.OrderID)
			}
		}
		perSecond := map[string]int{}
		for _, e := range history {
			k := fmt.Sprint(e.UID, e.ShopID, e.TimeMS)
			if perSecond[k]++; perSecond[k] >= recentEvents {
				return
			}
		}
		s, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		for _, e := range history {
			s.Apply(e)
		}
		before := everything(s)
		for _, e := range history {
			s.Apply(e)
		}
		after := everything(s)
		for u, list := range before {
			for i := range list {
				a, b := &list[i], &after[u][i]
				require.Equal(t, a.Visits, b.Visits)
				require.Equal(t, a.Views, b.Views)
				require.Equal(t, a.Last, b.Last)
				require.Equal(t, a.LastPurchase, b.LastPurchase)
				require.Equal(t, a.Orders, b.Orders)
				require.Equal(t, a.Revenue, b.Revenue)
			}
		}
	})
}

// What shop B sees is the same whatever the other shops' visitors do, also
// where the other shops identify the same people, or fill the store.
func TestProfileIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const b = 2
		mixed, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		alone, err := NewStore(Config{Shards: 2, MaxProfiles: 1000})
		require.NoError(t, err)
		for _, e := range drawRichHistory(t, 3) {
			changed := mixed.Apply(e)
			if e.ShopID == b {
				require.Equal(t, changed, alone.Apply(e))
			}
		}
		for n := range uint64(5) {
			var p, q Profile
			require.Equal(t, alone.LookupShop(user(n), b, &q), mixed.LookupShop(user(n), b, &p))
			require.Equal(t, q, p)
		}
	})
}

// Whatever other shops bring, a shop that stays within its fair share of the
// bytes loses nothing.
func TestProfileQuotaIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const shops, total = 4, 64_000
		s, err := NewStore(Config{Shards: 1, MaxProfiles: 1 << 20, MaxBytes: total, ShopShareBPS: 7000})
		require.NoError(t, err)
		mine, _ := NewStore(Config{Shards: 1, MaxProfiles: 1 << 20, MaxBytes: 1 << 30})
		id := uint64(0)
		for range rapid.IntRange(100, 1500).Draw(t, "events") {
			e := drawRich(t, shops)
			if id++; e.Type == events.ShopOptOut || e.Type == events.ShopIdentify {
				continue
			}
			binary.LittleEndian.PutUint64(e.EventID[:], id*0x9e3779b97f4a7c15)
			if e.ShopID != 1 {
				e.UID = user(uint64(rapid.IntRange(1, 2000).Draw(t, "crowd")))
			}
			s.Apply(e)
			if e.ShopID != 1 {
				continue
			}
			mine.Apply(e)
			if mine.Stats().Charged > total/shops*9/10 {
				break // no longer within it
			}
		}
		require.LessOrEqual(t, s.Stats().Charged, int64(total)+maxBlobBytes*4/3+recordCharge)
		for n := range uint64(5) {
			var p, q Profile
			require.Equal(t, mine.LookupShop(user(n), 1, &q), s.LookupShop(user(n), 1, &p))
			require.Equal(t, q, p)
		}
	})
}
