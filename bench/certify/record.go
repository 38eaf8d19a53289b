package certify

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Outcome of a rule.
type Outcome string

// A rule is seen to hold, seen broken, or there was no occasion.
const (
	Pass    Outcome = "pass"
	Fail    Outcome = "fail"
	NotSeen Outcome = "not seen"
)

// Finding is what is known of one rule.
type Finding struct {
	Rule    string  `json:"rule"`
	Section string  `json:"section"` // of OpenRTB 2.6; "I": its implementation guide
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"` // one line
	Case    string  `json:"case,omitempty"`
	// Request that shows it: a bid request's JSON, or the notice that was
	// called.
	Request string `json:"request,omitempty"`
	Passed  int    `json:"passed"` // how often it was seen to hold
	Failed  int    `json:"failed"`
	weight  weight
}

// Report is what a Run found.
type Report struct {
	URL      string    `json:"url"`
	Findings []Finding `json:"findings"`
	Requests int       `json:"requests"`
	Bids     int       `json:"bids"`
	Notices  int       `json:"notices"`
	// Books is why the books could not be read; empty: they were, or nobody
	// asked.
	Books string `json:"books,omitempty"`
	// No-bid answers and how long they took; no rule is made of it.
	NoBids   int           `json:"no_bids"`
	NoBidP50 time.Duration `json:"no_bid_p50_ns"`
	NoBidP99 time.Duration `json:"no_bid_p99_ns"`
}

// Count tells how many rules had an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Outcome == o {
			n++
		}
	}
	return n
}

// Finding returns what is known of a rule; nil for none of that name.
func (r *Report) Finding(name string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == name {
			return &r.Findings[i]
		}
	}
	return nil
}

// Err tells whether the bidder failed: a rule was broken, or nothing was bid
// on at all; with strict also if a rule was not seen.
func (r *Report) Err(strict bool) error {
	failed, unseen := r.Count(Fail), r.Count(NotSeen)
	switch {
	case failed > 0:
		return fmt.Errorf("certify: %d of %d rules failed", failed, len(r.Findings))
	case r.Bids == 0:
		return fmt.Errorf("certify: %s bid on none of %d requests, so nothing is certified", r.URL, r.Requests)
	case r.Books != "":
		return errors.New(r.Books)
	case strict && unseen > 0:
		return fmt.Errorf("certify: %d of %d rules were not seen", unseen, len(r.Findings))
	}
	return nil
}

// weight is how much an occasion says of a rule.
type weight int

const (
	byTheWay weight = iota // any answer shows it
	aimed                  // the request was made for it
	learned                // the request was made of the bidder's own answer
)

// evidence is where a rule was seen.
type evidence struct {
	name    string // of the case
	request string
}

// recorder collects findings.
type recorder struct {
	report  Report
	index   map[string]int
	noBids  []time.Duration
	weight  weight   // of the stage that runs
	unknown []string // rules that do not exist: a mistake of this package
}

func newRecorder(url string) *recorder {
	rec := &recorder{report: Report{URL: url}, index: map[string]int{}, weight: aimed}
	for i, r := range allRules() {
		reason := "no occasion to see it"
		if r.about != "" {
			reason += ": " + r.about
		}
		rec.report.Findings = append(rec.report.Findings, Finding{Rule: r.name, Section: r.section, Outcome: NotSeen, Reason: reason})
		rec.index[r.name] = i
	}
	return rec
}

func (rec *recorder) find(name string) *Finding {
	i, ok := rec.index[name]
	if !ok {
		rec.unknown = append(rec.unknown, name)
		return &Finding{}
	}
	return &rec.report.Findings[i]
}

// pass is for an occasion that was made for the rule.
func (rec *recorder) pass(name string, ev evidence, format string, args ...any) {
	rec.passAs(rec.weight, name, ev, format, args...)
}

// passAs keeps the first of the most telling occasions; a failure stands over
// them.
func (rec *recorder) passAs(w weight, name string, ev evidence, format string, args ...any) {
	f := rec.find(name)
	f.Passed++
	if f.Outcome == NotSeen || f.Outcome == Pass && w > f.weight {
		f.Outcome, f.Reason, f.Case, f.Request, f.weight = Pass, oneLine(fmt.Sprintf(format, args...)), ev.name, ev.request, w
	}
}

func (rec *recorder) fail(name string, ev evidence, format string, args ...any) {
	f := rec.find(name)
	f.Failed++
	if f.Outcome != Fail {
		f.Outcome, f.Reason, f.Case, f.Request = Fail, oneLine(fmt.Sprintf(format, args...)), ev.name, ev.request
	}
}

// unseen says why a rule could not be seen, unless it is by another case.
func (rec *recorder) unseen(name string, ev evidence, format string, args ...any) {
	if f := rec.find(name); f.Outcome == NotSeen {
		f.Reason, f.Case, f.Request = fmt.Sprintf(format, args...), ev.name, ev.request
	}
}

// verdict passes or fails.
func (rec *recorder) verdict(ok bool, name string, ev evidence, format string, args ...any) {
	if ok {
		rec.pass(name, ev, format, args...)
	} else {
		rec.fail(name, ev, format, args...)
	}
}

func (rec *recorder) noBid(took time.Duration) { rec.noBids = append(rec.noBids, took) }

func (rec *recorder) finish() Report {
	if n := len(rec.noBids); n > 0 {
		slices.Sort(rec.noBids)
		rec.report.NoBids, rec.report.NoBidP50, rec.report.NoBidP99 = n, rec.noBids[n/2], rec.noBids[n*99/100]
	}
	return rec.report
}

const maxReason = 240

// oneLine keeps a reason from the bidder's bytes printable and short.
func oneLine(s string) string {
	b := make([]rune, 0, len(s))
	for _, c := range s {
		if len(b) == maxReason {
			return string(b) + "…"
		}
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return string(b)
}

// JSON is the report for machines.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("certify: report: %w", err)
	}
	return append(b, '\n'), nil
}
