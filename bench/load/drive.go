package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Drive is one burst of load at one server in a closed loop: every connection
// sends its next request as soon as it has read the answer before. The
// generator does not sleep: it asks its connections in turns for answers, so
// that a server that is slower than the generator need not wake it for each
// answer, which on a virtual machine costs the server several microseconds
// of CPU that a faster one, which keeps the generator busy, does not pay.
type Drive struct {
	URL    string
	Bodies [][]byte
	// Duration of the burst.
	Duration time.Duration
	// Connections; 0 means 16.
	Connections int
}

// Result of a burst.
type Result struct {
	Requests int64 // answered
	Status   map[int]int64
	Errors   int64 // connections that ended in the middle of a request, each redialled
	Took     time.Duration
	Latency  *hdrhistogram.Histogram // ns
}

// PerSecond is answers per second.
func (r *Result) PerSecond() float64 { return float64(r.Requests) / r.Took.Seconds() }

const maxLatency = int64(60 * time.Second)

func newResult() *Result {
	return &Result{Status: map[int]int64{}, Latency: hdrhistogram.New(1000, maxLatency, 3)}
}
