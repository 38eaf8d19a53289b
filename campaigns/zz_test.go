package campaigns

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	for _, n := range []int{1000, 10000, 100000} {
		s, facts, m, _ := marketOf(t, n)
		best := make([]time.Duration, len(facts))
		bb := make([]time.Duration, len(facts))
		for r := 0; r < 60; r++ {
			for i, f := range facts {
				st := time.Now()
				s.Match(f, m)
				d := time.Since(st)
				st = time.Now()
				m.begin(s, f)
				d2 := time.Since(st)
				if r == 0 || d < best[i] {
					best[i] = d
				}
				if r == 0 || d2 < bb[i] {
					bb[i] = d2
				}
			}
		}
		slices.Sort(best)
		slices.Sort(bb)
		var tried, asked, walked int
		for _, f := range facts {
			s.Match(f, m)
			for _, v := range m.seen {
				if v == m.epoch {
					tried++
				}
			}
			for _, v := range m.memo {
				if v>>1 == m.epoch {
					asked++
				}
			}
			for _, v := range m.walked {
				if v == m.epoch {
					walked++
				}
			}
		}
		k := len(facts)
		fmt.Println(n, "match", best[k/2], "p90", best[k*9/10], "begin", bb[k/2], "tried", tried/k, "asked", asked/k, "walked", walked/k, "open", len(s.index.open.members), "openattrs", len(s.index.open.attrs))
	}
}
