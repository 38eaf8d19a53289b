package world

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/grosz/grosz/campaigns"
)

// slots are the facts of the imps of n requests, a list a request.
func (w *World) slots(n int) [][]campaigns.Facts {
	out := make([][]campaigns.Facts, n)
	for i := range out {
		req, u := w.request(i)
		f := w.facts(req, u)
		for _, imp := range req["imp"].([]m) {
			for _, media := range []string{campaigns.MediaBanner, campaigns.MediaVideo, campaigns.MediaNative} {
				if slot, ok := imp[media].(m); ok {
					pos, _ := slot["pos"].(int)
					f.Media, f.Position = media, campaigns.PositionName(int32(pos))
					out[i] = append(out[i], f)
				}
			}
		}
	}
	return out
}

// BenchmarkMatch asks the targeting index about single impressions of worlds
// of several sizes.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := small(b, n)
			s := compile(b, w)
			slots := w.slots(1024)
			matcher := campaigns.NewMatcher()
			counts := make([]int, len(slots))
			for i := range slots {
				counts[i] = len(s.Match(&slots[i][0], matcher))
			}
			slices.Sort(counts)
			best := make([]time.Duration, len(slots)) // per request: shows through a busy machine
			b.ReportAllocs()
			b.ResetTimer()
			found, rounds := 0, 0
			for b.Loop() {
				i := rounds % len(slots)
				start := time.Now()
				found += len(s.Match(&slots[i][0], matcher))
				if d := time.Since(start); rounds < len(slots) || d < best[i] {
					best[i] = d
				}
				rounds++
			}
			if found == 0 {
				b.Fatal("nothing ever matches")
			}
			slices.Sort(best)
			b.ReportMetric(float64(counts[len(counts)/2]), "median-matches")
			b.ReportMetric(float64(best[len(best)/2].Nanoseconds()), "median-best-ns")
			b.ReportMetric(float64(best[len(best)*99/100].Nanoseconds()), "p99-best-ns")
		})
	}
}
