package replay

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/grosz/grosz/bench/check"
)

// keptViolations bounds how many a report holds; all are counted.
const keptViolations = 1000

// Report is what came back.
type Report struct {
	Sent      int
	Malformed int         // lines that are no bid request
	Status    map[int]int // answers by HTTP status
	WithBid   int         // answers with a bid
	Bids      map[string]int
	Refusals  map[string]int // no-bids by reason
	// Violations that were found, at most 1,000 of them; Broken counts all by
	// rule.
	Violations []Violation
	Broken     map[check.Rule]int
	Errors5xx  int
	Dropped    int // connections without an answer
	Drops      []string
	Took       time.Duration
	latency    *hdrhistogram.Histogram // µs
}

// Violation is a breach with where its request stands.
type Violation struct {
	File string
	Line int
	check.Violation
}

func newReport() *Report {
	return &Report{Status: map[int]int{}, Bids: map[string]int{}, Refusals: map[string]int{}, Broken: map[check.Rule]int{},
		latency: hdrhistogram.New(1, 60_000_000, 3)}
}

// Latency is the time that q percent of answers took at most.
func (r *Report) Latency(q float64) time.Duration {
	return time.Duration(r.latency.ValueAtQuantile(q)) * time.Microsecond
}

// Err tells whether the bidder did anything wrong.
func (r *Report) Err() error {
	broken := 0
	for _, n := range r.Broken {
		broken += n
	}
	if broken+r.Errors5xx+r.Dropped == 0 {
		return nil
	}
	return fmt.Errorf("replay: %d violations, %d answers 5xx, %d dropped connections in %d requests", broken, r.Errors5xx, r.Dropped, r.Sent)
}

func (r *Report) add(l line, a check.Answer, res check.Result, took time.Duration, err error) {
	r.Sent++
	if err != nil {
		r.Dropped++
		if len(r.Drops) < 20 {
			r.Drops = append(r.Drops, fmt.Sprintf("%s:%d: %v", l.file, l.no, err))
		}
		return
	}
	_ = r.latency.RecordValue(max(1, took.Microseconds())) // beyond a minute: not recorded
	r.Status[a.Status]++
	if a.Status >= 500 {
		r.Errors5xx++
	}
	if res.Malformed {
		r.Malformed++
	}
	for _, v := range res.Violations {
		r.Broken[v.Rule]++
		if len(r.Violations) < keptViolations {
			r.Violations = append(r.Violations, Violation{l.file, l.no, v})
		}
	}
	if len(res.Bids) > 0 {
		r.WithBid++
	} else {
		r.refused(a, res)
	}
	for _, b := range res.Bids {
		r.Bids[kind(b)]++
	}
}

// refused counts reasons: the bidder's debug header lists them, nbr has one.
func (r *Report) refused(a check.Answer, res check.Result) {
	switch h := a.Header.Get("X-Grosz-Nobid"); {
	case h != "":
		for _, reason := range strings.Split(h, ",") {
			r.Refusals[strings.TrimSpace(reason)]++
		}
	case res.NBR >= 0:
		r.Refusals[fmt.Sprintf("nbr %d", res.NBR)]++
	default:
		r.Refusals[fmt.Sprintf("status %d, no reason", a.Status)]++
	}
}

func kind(b check.Bid) string {
	name := map[int]string{1: "banner", 2: "video", 3: "audio", 4: "native"}[int(b.MType)]
	switch {
	case name == "":
		return fmt.Sprintf("mtype %d", b.MType)
	case b.MType == 1:
		return fmt.Sprintf("banner %dx%d", b.W, b.H)
	case b.Dur > 0:
		return fmt.Sprintf("%s %d s", name, b.Dur)
	}
	return name
}

func (r *Report) print(w io.Writer, show int) {
	rate := float64(r.Sent) / max(r.Took.Seconds(), 1e-9)
	fmt.Fprintf(w, "%d requests in %.1f s (%.0f/s), %d of them malformed; %d with a bid\n", r.Sent, r.Took.Seconds(), rate, r.Malformed, r.WithBid)
	fmt.Fprintf(w, "latency p50 %v  p90 %v  p99 %v  p99.9 %v  max %v\n", r.Latency(50), r.Latency(90), r.Latency(99), r.Latency(99.9), r.Latency(100))
	status := map[string]int{}
	for s, n := range r.Status {
		status[fmt.Sprint(s)] = n
	}
	table(w, "answers by status", status)
	table(w, "bids", r.Bids)
	table(w, "no bid, by reason", r.Refusals)
	broken := map[string]int{}
	for rule, n := range r.Broken {
		broken[fmt.Sprintf("§%s %s", rule.Section(), rule)] = n
	}
	table(w, "violations", broken)
	for i, v := range r.Violations {
		if i == show {
			fmt.Fprintf(w, "  … and more\n")
			break
		}
		fmt.Fprintf(w, "  %s:%d %s\n", v.File, v.Line, v.Violation)
	}
	if r.Dropped > 0 {
		fmt.Fprintf(w, "dropped connections: %d\n", r.Dropped)
		for _, d := range r.Drops {
			fmt.Fprintf(w, "  %s\n", d)
		}
	}
}

// table prints counts, largest first.
func table(w io.Writer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	var names []string
	for n := range counts {
		names = append(names, n)
	}
	sort.Slice(names, func(a, b int) bool {
		return counts[names[a]] > counts[names[b]] || counts[names[a]] == counts[names[b]] && names[a] < names[b]
	})
	fmt.Fprintf(w, "%s:\n", title)
	for _, n := range names {
		fmt.Fprintf(w, "  %8d  %s\n", counts[n], n)
	}
}
