package rates

import (
	"fmt"
	"io"
	"time"
)

// Expired tells whether every conversion is refused now.
func (r *Refresher) Expired() bool { return r.Rates() == r.now.Load().refuse }

// age of the rates by their as_of; 0 before the first.
func (r *Refresher) age(nowMS int64) time.Duration {
	asOf := r.now.Load().rates.AsOfMS
	if asOf == 0 {
		return 0
	}
	return time.Duration(nowMS-asOf) * time.Millisecond
}

// WriteMetrics writes the job's state in Prometheus' text format; a most age of
// 0 is none. Without any
// rates yet, grosz_rates_refused is 1.
func (r *Refresher) WriteMetrics(w io.Writer) {
	refused := 0
	if r.Expired() || r.now.Load().rates.AsOfMS == 0 {
		refused = 1
	}
	fmt.Fprintf(w, "grosz_rates_age_seconds %.0f\n", r.age(r.cfg.Clock.NowMS()).Seconds())
	fmt.Fprintf(w, "grosz_rates_age_seconds_max %.0f\n", max(r.cfg.MaxAge, 0).Seconds())
	fmt.Fprintf(w, "grosz_rates_refused %d\n", refused)
	fmt.Fprintf(w, "grosz_rates_read_total %d\n", r.reads.Load())
	fmt.Fprintf(w, "grosz_rates_errors_total %d\n", r.failures.Load())
}
