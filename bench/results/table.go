package results

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// goal is a figure that has one.
type goal struct {
	name, unit string
	says       string
	most       bool // a bound from above
	bound      float64
}

// goals are docs/performance.md's, in its order.
func goals() []goal {
	return []goal{
		{"Bidder/grosz", "cpu/204", "CPU a request, × the 204 server", true, 2.2},
		{"Bidder/grosz", "rate/fixed", "requests/s, × the fixed answer", false, 0.5},
		{"Bidder/grosz", "mallocs/request", "heap allocations a request", true, 4},
		{"Load/grosz/0.5", "p99/fixed", "p99 at half of the top load, × the fixed answer", true, 3},
		{"Load/grosz/0.8", "late-%", "answers past tmax at 80 % of the top load, %", true, 0},
		{"Load/grosz/1.5", "p99-ns", "p99 at 1.5 × the top load", true, 100e6},
		{"Load/grosz/3", "p99-ns", "p99 at 3 × the top load", true, 100e6},
		{"Load/grosz/1.5", "useful/top", "useful answers at 1.5 × the top load, × top", false, 0.8},
		{"Load/grosz/3", "useful/top", "useful answers at 3 × the top load, × top", false, 0.8},
		{"Sizes/100000", "cpu/small", "CPU a request of 100,000 campaigns, × 1,000", true, 1.5},
		{"Events/embedded/notices", "events/s", "notices through spool and embedded broker", false, 150_000},
		{"Events/embedded/shops", "events/s", "batches of shops, embedded broker", false, 150_000},
		{"Events/embedded/backlog", "events/s", "a backlog, embedded broker", false, 150_000},
		{"bench/stream Events/apache/notices", "events/s", "notices through spool and Apache Kafka", false, 150_000},
		{"bench/stream Events/apache/batches", "events/s", "batches of shops, Apache Kafka", false, 150_000},
		{"bench/stream Events/apache/backlog", "events/s", "a backlog, Apache Kafka", false, 150_000},
	}
}

// Print writes the table, and below it the regressions; kept may be nil.
func Print(w io.Writer, kept, now *Set) {
	var list []Change
	if kept != nil {
		list = Compare(kept, now)
	}
	fmt.Fprintf(w, "machine: %s\n", machine(now))
	if kept != nil {
		fmt.Fprintf(w, "kept:    %s; version %s, %s\n", machine(kept), word(kept.Config["version"]), word(kept.Config["date"]))
	}
	row := func(what string, here, times, allocs, goal, kept, change, p string) {
		fmt.Fprintf(w, "%-52s %11s %9s %7s %15s %11s %8s %6s\n", what, here, times, allocs, goal, kept, change, p)
	}
	row("", "here", "× SHA-256", "allocs", "goal", "kept", "change", "p")
	shown := map[string]bool{}
	for _, g := range goals() {
		x := now.Get(g.name, g.unit)
		shown[g.name] = true
		if x == nil {
			row(g.says, "not run", "", "", g.text(), number(g.unit, kept.Get(g.name, g.unit)), "", "")
			continue
		}
		change, p := changeOf(list, g.name, g.unit)
		row(g.says, number(g.unit, x), "", "", g.verdict(x.Median()), number(g.unit, kept.Get(g.name, g.unit)), change, p)
	}
	for _, name := range now.names {
		if name == Reference || shown[name] {
			continue
		}
		unit := mainUnit(now, name)
		times, allocs := "", ""
		if x := now.Get(name, unit+perReference); x != nil {
			times = fmt.Sprintf("%.3g", x.Median())
		}
		if x := now.Get(name, "allocs/op"); x != nil {
			allocs = fmt.Sprintf("%.4g", x.Median())
		}
		change, p := changeOf(list, name, unit)
		if change == "" { // on another machine the multiple is what can be compared
			change, p = changeOf(list, name, unit+perReference)
		}
		row(name, number(unit, now.Get(name, unit)), times, allocs, "", number(unit, kept.Get(name, unit)), change, p)
	}
	conclude(w, kept, now, list)
}

// conclude names the regressions.
func conclude(w io.Writer, kept, now *Set, list []Change) {
	switch {
	case kept == nil:
		fmt.Fprintln(w, "nothing is kept to compare with: 'make bench-keep' keeps this")
		return
	case !SameMachine(kept, now):
		fmt.Fprintln(w, "another kind of machine than the kept result's: ratios and allocations are compared, times are not")
	}
	few := 0
	for _, c := range list {
		if math.IsNaN(c.P) {
			few++
		}
	}
	if few > 0 {
		fmt.Fprintf(w, "%d figures have fewer than %d runs, too few to tell from noise\n", few, minRuns)
	}
	bad := Regressions(list)
	if len(bad) == 0 {
		fmt.Fprintf(w, "no regressions beyond noise, of %d figures\n", len(list))
		return
	}
	fmt.Fprintf(w, "%d regressions beyond noise (p < %g and more than %g %% worse; allocations: any):\n", len(bad), alpha, 100*worse)
	for _, c := range bad {
		fmt.Fprintf(w, "  %s: %s was %.4g, is %.4g (%s, p=%.3f)\n", c.Name, c.Unit, c.Old, c.New, percent(c.By), c.P)
	}
}

func (g goal) text() string {
	sign := "≥ "
	if g.most {
		sign = "≤ "
	}
	return sign + figure(g.unit, g.bound)
}

func (g goal) verdict(v float64) string {
	if g.most && v <= g.bound || !g.most && v >= g.bound {
		return g.text() + " yes"
	}
	return g.text() + " no"
}

// mainUnit is what a benchmark is told by.
func mainUnit(s *Set, name string) string {
	for _, unit := range []string{"mean-best-ns", "median-best-ns", "least-cpu-ns", "cpu-ns/request", "events/s", "p99-ns", "ns/op"} {
		if s.Get(name, unit) != nil {
			return unit
		}
	}
	return s.units[name][0]
}

func changeOf(list []Change, name, unit string) (by, p string) {
	for _, c := range list {
		if c.Name != name || c.Unit != unit {
			continue
		}
		if math.IsNaN(c.P) {
			return percent(c.By), "?"
		}
		if c.P >= alpha {
			return "~", fmt.Sprintf("%.3f", c.P)
		}
		return percent(c.By), fmt.Sprintf("%.3f", c.P)
	}
	return "", ""
}

func percent(by float64) string {
	if math.IsInf(by, 0) {
		return "from 0"
	}
	return fmt.Sprintf("%+.1f%%", 100*by)
}

func number(unit string, s *Series) string {
	if s == nil {
		return ""
	}
	return figure(unit, s.Median())
}

func figure(unit string, v float64) string {
	switch {
	case unit == "ns/op" || strings.HasSuffix(unit, "-ns") || strings.HasPrefix(unit, "cpu-ns/"):
		d := time.Duration(v)
		switch {
		case v < 1000:
			return fmt.Sprintf("%.4gns", v)
		case d < time.Millisecond:
			return fmt.Sprintf("%.4gµs", v/1e3)
		}
		return fmt.Sprintf("%.4gms", v/1e6)
	case strings.HasSuffix(unit, "/s"):
		return fmt.Sprintf("%.0f/s", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func machine(s *Set) string {
	return strings.TrimSpace(fmt.Sprintf("%s, %s CPUs, %s, Linux %s, load %s", word(s.Config["cpu"]), word(s.Config["cpus"]), word(s.Config["go"]), word(s.Config["kernel"]), word(s.Config["load"])))
}

func word(s string) string {
	if s == "" {
		return "?"
	}
	return s
}
