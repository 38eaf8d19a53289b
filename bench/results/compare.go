package results

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// What is a regression.
const (
	alpha   = 0.05 // a difference that chance makes less often is none of noise
	worse   = 0.10 // and less than this is not worth naming
	minRuns = 4    // with three of each, chance makes any order one time in ten
)

// sense is which way a unit is better.
type sense int

const (
	neutral sense = iota
	lower
	higher
	exact // lower, and any difference counts
)

// judged says how a unit is read, and whether it means the same on any machine.
func judged(unit string) (s sense, anywhere bool) {
	switch unit {
	case "allocs/op":
		return exact, true
	case "cpu/204", "cpu/small", "p99/fixed", "mallocs/request":
		return lower, true
	case "rate/fixed", "useful/top":
		return higher, true
	case "requests/s", "events/s":
		return higher, false
	case "ns/op", "cpu-ns/request", "cpu-ns/event":
		return lower, false
	}
	if t, ok := strings.CutSuffix(unit, perReference); ok {
		return lower, stageTime(t)
	}
	if stageTime(unit) {
		return lower, false
	}
	return neutral, false
}

// Change is how a series differs from the kept one.
type Change struct {
	Name, Unit string
	Old, New   float64 // medians
	By         float64 // of the old median, 0.1 is 10 % more
	P          float64 // how often chance alone differs so much; NaN: too few runs
	Worse      bool    // beyond noise
	Better     bool
}

// SameMachine tells whether times can be held against each other.
func SameMachine(a, b *Set) bool {
	for _, key := range []string{"cpu", "goarch", "cpus"} {
		if a.Config[key] != b.Config[key] {
			return false
		}
	}
	return a.Config["cpu"] != ""
}

// Compare lists every series that is judged and in both sets, in the order of
// the new one.
func Compare(kept, now *Set) []Change {
	var out []Change
	same := SameMachine(kept, now)
	for _, name := range now.names {
		if name == Reference {
			continue
		}
		for _, unit := range now.units[name] {
			old, x := kept.Get(name, unit), now.Get(name, unit)
			way, anywhere := judged(unit)
			if old == nil || way == neutral || !anywhere && !same {
				continue
			}
			out = append(out, change(old, x, way))
		}
	}
	return out
}

func change(old, now *Series, way sense) Change {
	c := Change{Name: now.Name, Unit: now.Unit, Old: old.Median(), New: now.Median(), P: math.NaN()}
	switch {
	case c.Old != 0:
		c.By = c.New/c.Old - 1
	case c.New != 0:
		c.By = math.Inf(1)
	}
	if way == exact {
		c.P = 0
		c.Worse, c.Better = c.New > c.Old, c.New < c.Old
		return c
	}
	if len(old.Values) < minRuns || len(now.Values) < minRuns {
		return c
	}
	c.P = mannWhitney(old.Values, now.Values)
	by := c.By
	if way == higher {
		by = -by
	}
	c.Worse, c.Better = c.P < alpha && by > worse, c.P < alpha && by < -worse
	return c
}

// Regressions are what is worse beyond noise. A stage's time counts where it
// is worse also as a multiple of the reference: else the machine was slower.
func Regressions(list []Change) []Change {
	bad := map[string]bool{}
	for _, c := range list {
		bad[c.Name+"\x00"+c.Unit] = c.Worse
	}
	var out []Change
	for _, c := range list {
		if !c.Worse {
			continue
		}
		if ratio, ok := bad[c.Name+"\x00"+c.Unit+perReference]; ok && !ratio {
			continue
		}
		if unit, ok := strings.CutSuffix(c.Unit, perReference); ok {
			if _, told := bad[c.Name+"\x00"+unit]; told {
				continue // by the time itself, or not at all
			}
		}
		out = append(out, c)
	}
	return out
}

// mannWhitney is the chance that two samples of one distribution differ at
// least so much in their ranks: exact, also with ties, by counting how many
// choices of len(a) ranks have each sum.
func mannWhitney(a, b []float64) float64 {
	type item struct {
		v float64
		a bool
	}
	var all []item
	for _, v := range a {
		all = append(all, item{v, true})
	}
	for _, v := range b {
		all = append(all, item{v, false})
	}
	slices.SortFunc(all, func(x, y item) int { return cmp.Compare(x.v, y.v) })
	ranks := make([]int, len(all)) // doubled, so that the mean of two is whole
	most, sum := 0, 0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		for k := i; k < j; k++ {
			ranks[k] = i + 1 + j
			most += ranks[k]
			if all[k].a {
				sum += ranks[k]
			}
		}
		i = j
	}
	// ways[n][s]: choices of n ranks whose sum is s.
	ways := make([][]float64, len(a)+1)
	for n := range ways {
		ways[n] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for _, r := range ranks {
		for n := len(a); n > 0; n-- {
			for s := most; s >= r; s-- {
				ways[n][s] += ways[n-1][s-r]
			}
		}
	}
	below, above, total := 0.0, 0.0, 0.0
	for s, w := range ways[len(a)] {
		total += w
		if s <= sum {
			below += w
		}
		if s >= sum {
			above += w
		}
	}
	return min(1, 2*min(below, above)/total)
}
