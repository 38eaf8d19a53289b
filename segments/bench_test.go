package segments

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/grosz/grosz/events"
)

// crowd plays a population such as shops have: two in three people pass by
// with one or two products, most others look around, one in twelve fills a
// cart and one in thirty buys. Each person is of one of 50 shops.
func crowd(s *Store, from, to uint64) {
	rng := rand.New(rand.NewPCG(from, 1))
	products := make([]string, 5000)
	for i := range products {
		products[i] = fmt.Sprint("product-", i)
	}
	categories := []string{"Furniture > Sofas", "Furniture > Beds", "Garden", "Kitchen > Pots", "Lamps", "Rugs"}
	queries := []string{"corner sofa grey", "oak bed", "lamp", "rug 200x300", "garden chair"}
	var e events.ShopEvent
	for n := from; n < to; n++ {
		at := int64(startMS) + rng.Int64N(60*dayMS)
		do := func(t events.ShopType) {
			at += 1000 + rng.Int64N(90_000)
			e = events.ShopEvent{Type: t, ShopID: uint32(1 + n%50), UID: user(n + 1), TimeMS: at}
			binary.LittleEndian.PutUint64(e.EventID[:], rng.Uint64())
		}
		views := 1 + rng.IntN(2)
		if rng.IntN(3) == 0 {
			views = 3 + rng.IntN(12)
		}
		do(events.ShopVisit)
		s.Apply(&e)
		for i := range views {
			if i%6 == 5 {
				at += rng.Int64N(5 * dayMS)
				do(events.ShopVisit)
				s.Apply(&e)
			}
			do(events.ShopProductView)
			e.Product, e.Category = products[rng.IntN(len(products))], categories[rng.IntN(len(categories))]
			s.Apply(&e)
		}
		if views > 2 && rng.IntN(2) == 0 {
			do(events.ShopSearch)
			e.Query = queries[rng.IntN(len(queries))]
			s.Apply(&e)
		}
		if rng.IntN(12) > 0 {
			continue
		}
		for range 1 + rng.IntN(3) {
			do(events.ShopCartAdd)
			e.Product, e.Quantity, e.Price = products[rng.IntN(len(products))], 1, 49_990_000_000
			s.Apply(&e)
		}
		if rng.IntN(5) < 2 {
			do(events.ShopPurchase)
			e.OrderID, e.Value = fmt.Sprint("o", n), 129_990_000_000
			s.Apply(&e)
		}
	}
}

// BenchmarkBytesPerProfile fills a store and tells what a profile takes in
// memory and in a snapshot.
func BenchmarkBytesPerProfile(b *testing.B) {
	for _, n := range []uint64{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				s := newStore(b, Config{MaxProfiles: int(n) * 2})
				crowd(s, 0, n)
				st := s.Stats()
				if st.Profiles != int(n) {
					b.Fatal(st.Profiles)
				}
				b.ReportMetric(float64(st.Bytes)/float64(n), "B/profile")
				b.ReportMetric(float64(st.Charged)/float64(n), "charged/profile")
			}
		})
	}
}

// TestTenMillionProfilesFitInFourGiB by what a profile of the crowd takes.
func TestTenMillionProfilesFitInFourGiB(t *testing.T) {
	const n = 50_000
	s := newStore(t, Config{Shards: 4, MaxProfiles: n * 2})
	crowd(s, 0, n)
	st := s.Stats()
	per := float64(max(st.Bytes, st.Charged)) / n
	t.Logf("%.0f bytes a profile, %.0f charged", float64(st.Bytes)/n, float64(st.Charged)/n)
	if st.Profiles != n || per > 400 {
		t.Fatalf("%d profiles of %.0f bytes", st.Profiles, per)
	}
}

// BenchmarkUpdateAndLookup tells what one event and one lookup take, of people
// who are there, and a lookup of somebody who is not, in stores of three sizes.
func BenchmarkUpdateAndLookup(b *testing.B) {
	for _, n := range []uint64{10_000, 100_000, 1_000_000} {
		s := newStore(b, Config{MaxProfiles: int(n) * 2})
		crowd(s, 0, n)
		rng := rand.New(rand.NewPCG(n, 2))
		dst := make([]ShopProfile, 0, 8)
		b.Run(fmt.Sprint("update/", n), func(b *testing.B) {
			b.ReportAllocs()
			e := events.ShopEvent{Type: events.ShopProductView, Product: "product-7", Category: "Garden", TimeMS: startMS + 61*dayMS}
			for b.Loop() {
				u := rng.Uint64N(n)
				e.UID, e.ShopID, e.TimeMS = user(u+1), uint32(1+u%50), e.TimeMS+1000
				binary.LittleEndian.PutUint64(e.EventID[:], rng.Uint64())
				if !s.Apply(&e) {
					b.Fatal("nothing changed")
				}
			}
		})
		b.Run(fmt.Sprint("lookup/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if dst = s.Lookup(user(rng.Uint64N(n)+1), dst[:0]); len(dst) != 1 {
					b.Fatal(len(dst))
				}
			}
		})
		b.Run(fmt.Sprint("miss/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if dst = s.Lookup(user(n+1+rng.Uint64N(n)), dst[:0]); len(dst) != 0 {
					b.Fatal(len(dst))
				}
			}
		})
	}
}

// BenchmarkRestart writes a snapshot to a file, reads it back, and tells how
// long a restart takes until profiles can be looked up. GROSZ_PROFILES is how
// many; without it, a million.
func BenchmarkRestart(b *testing.B) {
	n := uint64(1_000_000)
	if v := os.Getenv("GROSZ_PROFILES"); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			b.Fatal(err)
		}
	}
	cfg := Config{MaxProfiles: int(n) * 2}
	s := newStore(b, cfg)
	crowd(s, 0, n)
	path := filepath.Join(b.TempDir(), "profiles.snap")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	start, pause := time.Now(), time.Duration(0)
	err = s.SnapshotWhile(f, func(copyShard func(map[int]int64)) {
		at := time.Now()
		copyShard(map[int]int64{0: 1})
		pause = max(pause, time.Since(at))
	})
	if err != nil {
		b.Fatal(err)
	}
	written := time.Since(start)
	size, _ := f.Seek(0, io.SeekEnd)
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	s = nil //nolint:wastedassign // lets the collector have it
	runtime.GC()
	cpu := cpuTime()
	b.ResetTimer()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		again, _, err := Restore(f, cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		if st := again.Stats(); st.Profiles != int(n) {
			b.Fatal(st.Profiles)
		}
		b.ReportMetric(float64(again.Stats().Bytes)/float64(n), "B/profile")
	}
	b.ReportMetric((cpuTime()-cpu).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(size)/float64(n), "file-B/profile")
	b.ReportMetric(written.Seconds(), "s-to-write")
	b.ReportMetric(float64(pause.Microseconds())/1000, "ms-longest-pause")
}

// cpuTime is what the process has used: on a machine that others use too, it
// tells more than the wall clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
