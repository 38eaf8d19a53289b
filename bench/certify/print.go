package certify

import (
	"fmt"
	"io"
	"time"
)

// Print writes the report for people: one line per rule, the broken ones with
// the request that shows it; with all, every request.
func (r *Report) Print(w io.Writer, all bool) error {
	var err error
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	say("%s\n\n", r.URL)
	for i := range r.Findings {
		f := &r.Findings[i]
		say("%-8s  %-22s  § %-14s  %s", f.Outcome, f.Rule, f.Section, f.Reason)
		if f.Case != "" {
			say("  [%s]", f.Case)
		}
		if f.Failed > 1 {
			say("  (%d times)", f.Failed)
		}
		say("\n")
		if f.Request != "" && (all || f.Outcome == Fail) {
			say("            %s\n", f.Request)
		}
	}
	if r.Books != "" {
		say("\n%s\n", r.Books)
	}
	say("\n%d rules: %d pass, %d fail, %d not seen; %d requests, %d bids, %d notices\n",
		len(r.Findings), r.Count(Pass), r.Count(Fail), r.Count(NotSeen), r.Requests, r.Bids, r.Notices)
	say("no-bid answers: %d, p50 %v, p99 %v (told, not judged)\n", r.NoBids, r.NoBidP50.Round(time.Microsecond), r.NoBidP99.Round(time.Microsecond))
	if err != nil {
		return fmt.Errorf("certify: print: %w", err)
	}
	return nil
}
