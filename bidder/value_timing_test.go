package bidder

import (
	"crypto/sha256"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpuTime is what this process has used so far, which a busy machine lengthens
// far less than the time that passes.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkValueToHold is one imp with 20 candidates that have goals and a
// paced day: value, price, pace and hold. cpu-ns is processor time, least-cpu-ns
// that of the turn of a thousand that others disturbed least; x-sha256
// is that over the SHA-256 of 1 KB, measured in turns with it in the same run.
// The difference of 40 and 20, by 20, is what a further candidate costs.
func BenchmarkValueToHold(b *testing.B) {
	for _, n := range []int{1, 20, 40} {
		for _, at := range []int32{2, 1} {
			b.Run(fmt.Sprintf("candidates=%d/at=%d", n, at), func(b *testing.B) {
				w, t := goalTerms(b, n)
				t.c.at = at
				matches := t.c.matches()
				require.Len(b, matches, n)
				if at == 1 { // prices are known, and the plan has seen how many opportunities there are
					taughtPrices(w.b.exchanges["burl"])
					for range 50_000 {
						w.valueToHold(t, matches)
					}
					w.b.plan(0, 1)
				}
				var own, reference time.Duration
				least := time.Hour
				var block [1024]byte
				const turn = 1000
				rounds := 0
				b.ReportAllocs()
				for b.Loop() {
					if rounds%turn == 0 {
						b.StopTimer()
						start := cpuTime(b)
						for range turn {
							sum := sha256.Sum256(block[:])
							block[0] = sum[0]
						}
						middle := cpuTime(b)
						for range turn {
							w.valueToHold(t, matches)
						}
						this := cpuTime(b) - middle
						own, reference, least = own+this, reference+middle-start, min(least, this)
						b.StartTimer()
					}
					rounds++
					w.valueToHold(t, matches)
				}
				turns := float64((rounds + turn - 1) / turn * turn)
				b.ReportMetric(float64(own)/turns, "cpu-ns")
				b.ReportMetric(float64(least)/turn, "least-cpu-ns")
				b.ReportMetric(float64(reference)/turns, "sha256-ns")
				b.ReportMetric(float64(own)/max(1, float64(reference)), "x-sha256")
			})
		}
	}
}
