package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Offer is an open loop at a fixed rate, as an exchange sends it: over a pool
// of keep-alive connections, one request at a time on each. A request that is
// due takes a free connection; where there is none it waits some milliseconds
// for one, and is then given up unsent and counted as such: exchanges do not
// queue. Latency counts from when a request was due, so that a server that
// stalls is not spared (coordinated omission).
type Offer struct {
	URL    string
	Bodies [][]byte
	// Rate is requests per second that are due.
	Rate float64
	// Warm is offered first and counts for nothing; Duration is measured.
	Warm, Duration time.Duration
	// Connections of the pool; 0 means 1,024.
	Connections int
	// Patience is how long a request waits for a free connection; 0 means 10 ms.
	Patience time.Duration
	// Reason is a header by which the server says why an answer is no bid, and
	// Useless the reasons for which it is of no use. Ask is a request header,
	// "Name: value", that makes the server say it. All may be empty.
	Reason  string
	Useless []string
	Ask     string
}

// DefaultTMax is how long a request without a tmax waits, ms.
const DefaultTMax = 100

// Offered is what came of an Offer.
type Offered struct {
	Rate   float64 // that was asked for
	Due    int64   // requests
	InTime int64   // answered within their tmax
	Shed   int64   // of these, answers of no use
	Late   int64   // answered later, or not before the end
	Unsent int64   // given up: no connection was free
	Broken int64   // connections that ended in the middle of a request
	Bids   int64   // answered 200, in time or not
	Took   time.Duration
	// Wall is the whole run, and CPU what the generator's thread used in it.
	Wall, CPU time.Duration
	// Latency from when a request was due, ns, of all that were sent.
	Latency *hdrhistogram.Histogram
	// Lag is how late the generator itself was: from when a request was due
	// until it was written, where a connection was free; ns.
	Lag *hdrhistogram.Histogram
}

// Useful is the answers per second that came in time and were not shed.
func (o *Offered) Useful() float64 { return float64(o.InTime-o.Shed) / o.Took.Seconds() }

// P is a percentile of the latency.
func (o *Offered) P(q float64) time.Duration { return time.Duration(o.Latency.ValueAtQuantile(q)) }

// Share is n in percent of the requests that were due.
func (o *Offered) Share(n int64) float64 { return 100 * float64(n) / float64(max(o.Due, 1)) }

func newOffered() *Offered {
	return &Offered{Latency: hdrhistogram.New(1000, maxLatency, 3), Lag: hdrhistogram.New(1000, maxLatency, 3)}
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d), 1000), maxLatency)) // in range
}

// merge adds a further round.
func (o *Offered) merge(p *Offered) {
	o.Due += p.Due
	o.InTime += p.InTime
	o.Shed += p.Shed
	o.Late += p.Late
	o.Unsent += p.Unsent
	o.Broken += p.Broken
	o.Bids += p.Bids
	o.Took += p.Took
	o.Wall += p.Wall
	o.CPU += p.CPU
	o.Latency.Merge(p.Latency)
	o.Lag.Merge(p.Lag)
}

// Validate lists all that is wrong.
func (o *Offer) Validate() error {
	var errs []error
	if o.Rate <= 0 || o.Duration <= 0 || o.Warm < 0 {
		errs = append(errs, fmt.Errorf("load: a rate of %g for %s after %s", o.Rate, o.Duration, o.Warm))
	}
	if o.Connections < 0 || o.Patience < 0 {
		errs = append(errs, fmt.Errorf("load: %d connections, %s of patience", o.Connections, o.Patience))
	}
	return errors.Join(errs...)
}

// tmaxOf reads how long a request waits.
func tmaxOf(body []byte) time.Duration {
	var req struct {
		TMax int64 `json:"tmax"`
	}
	if err := json.Unmarshal(body, &req); err != nil || req.TMax <= 0 {
		req.TMax = DefaultTMax
	}
	return time.Duration(req.TMax) * time.Millisecond
}

// Step is one row of a table of loads.
type Step struct {
	Target Target
	Top    float64 // the target's top load, requests per second
	Times  float64 // of it
	Got    *Offered
	P99s   []time.Duration // of each round
	Useful []float64       // of each round
	CPU    time.Duration   // of the server in all rounds; 0 if unknown
}

// P99 is the median of the rounds'.
func (s *Step) P99() time.Duration { return medianOf(s.P99s) }

// PerSecond is the median of the rounds' useful answers per second.
func (s *Step) PerSecond() float64 { return medianOf(s.Useful) }

func medianOf[T cmp.Ordered](list []T) T {
	var zero T
	if len(list) == 0 {
		return zero
	}
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// Climb offers every step's load in turn, so many rounds. What o says of a
// rate and an address is replaced by the step's.
func Climb(ctx context.Context, o Offer, steps []Step, rounds int) error {
	for i := range steps {
		steps[i].Got = newOffered()
		steps[i].Got.Rate = steps[i].Top * steps[i].Times
	}
	for range rounds {
		for i := range steps {
			s := &steps[i]
			o.URL, o.Rate = s.Target.URL, s.Got.Rate
			before, known := ReadUsage(s.Target.PID)
			got, err := o.Run(ctx)
			if err != nil {
				return fmt.Errorf("offer %.0f requests a second to %s: %w", o.Rate, s.Target.Name, err)
			}
			if after, err := ReadUsage(s.Target.PID); known == nil && err == nil {
				s.CPU += after.CPU - before.CPU
			}
			s.P99s, s.Useful = append(s.P99s, got.P(99)), append(s.Useful, got.Useful())
			s.Got.merge(got)
		}
	}
	return ctx.Err()
}

// slowGenerator is a lag past which a row says more of the generator than of
// the server.
const slowGenerator = 5 * time.Millisecond

// PrintSteps writes the table of loads.
func PrintSteps(w io.Writer, steps []Step) {
	fmt.Fprintf(w, "%-18s %6s %8s %9s %7s %9s %9s %9s %9s %8s %8s %8s %6s %5s %5s\n",
		"server", "× top", "due/s", "useful/s", "shed %", "p50", "p90", "p99", "p99.9", "late", "late %", "unsent %", "lag99", "CPU %", "gen %")
	for _, s := range steps {
		g := s.Got
		fmt.Fprintf(w, "%-18s %6.2f %8.0f %9.0f %7.2f %9s %9s %9s %9s %8d %8.3f %8.2f %6s %5.0f %5.0f\n", s.Target.Name, s.Times,
			float64(g.Due)/g.Took.Seconds(), s.PerSecond(), g.Share(g.Shed), milli(g.P(50)), milli(g.P(90)), milli(s.P99()), milli(g.P(99.9)),
			g.Late, g.Share(g.Late), g.Share(g.Unsent), milli(time.Duration(g.Lag.ValueAtQuantile(99))),
			100*s.CPU.Seconds()/g.Wall.Seconds(), 100*g.CPU.Seconds()/g.Wall.Seconds())
	}
	for _, s := range steps {
		if lag := time.Duration(s.Got.Lag.ValueAtQuantile(99)); lag > slowGenerator {
			fmt.Fprintf(w, "%s at %.2f: the generator could not keep up (one request in a hundred left more than %s late): take its latencies as too high\n", s.Target.Name, s.Times, milli(lag))
		}
		if s.Got.Broken > 0 {
			fmt.Fprintf(w, "%s at %.2f: %d connections broke\n", s.Target.Name, s.Times, s.Got.Broken)
		}
	}
}

func milli(d time.Duration) string { return fmt.Sprintf("%.2fms", float64(d)/1e6) }
