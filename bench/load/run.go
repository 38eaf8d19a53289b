package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Drive is one burst of load at one server.
type Drive struct {
	URL    string
	Bodies [][]byte
	// Duration of the burst.
	Duration time.Duration
	// Connections; 0 means 16.
	Connections int
	// Pipeline is how many requests a connection has under way in the closed
	// loop; 0 means 1.
	Pipeline int
	// Rate is requests per second over all connections in an open loop; 0
	// means a closed loop: as fast as answers come.
	Rate float64
}

// Result of a burst.
type Result struct {
	Requests int64
	Status   map[int]int64
	Bytes    int64 // of answers' bodies
	Errors   int64 // broken connections, each redialled
	Took     time.Duration
	Latency  *hdrhistogram.Histogram // ns
}

// PerSecond is answers per second.
func (r *Result) PerSecond() float64 { return float64(r.Requests) / r.Took.Seconds() }

const (
	maxLatency = int64(60 * time.Second)
	maxErrors  = 1000 // per connection; then it gives up
)

func newResult() *Result {
	return &Result{Status: map[int]int64{}, Latency: hdrhistogram.New(1000, maxLatency, 3)}
}

func (r *Result) answer(status, size int, took time.Duration) {
	r.Requests++
	r.Status[status]++
	r.Bytes += int64(size)
	_ = r.Latency.RecordValue(min(max(int64(took), 1000), maxLatency)) // in range
}

func (r *Result) merge(o *Result) {
	r.Requests += o.Requests
	r.Bytes += o.Bytes
	r.Errors += o.Errors
	for s, n := range o.Status {
		r.Status[s] += n
	}
	r.Latency.Merge(o.Latency)
}

// Run drives one burst. It fails only if nothing could be asked at all.
func Run(ctx context.Context, d Drive) (*Result, error) {
	if d.Connections == 0 {
		d.Connections = 16
	}
	d.Pipeline = max(d.Pipeline, 1)
	addr, reqs, err := wire(d.URL, d.Bodies)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.Duration)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total = newResult()
		last  error
	)
	start := time.Now()
	for i := range d.Connections {
		wg.Go(func() {
			w := &worker{addr: addr, reqs: reqs, next: i * len(reqs) / d.Connections, out: newResult(), d: &d}
			err := w.run(ctx, start, i)
			mu.Lock()
			defer mu.Unlock()
			total.merge(w.out)
			if err != nil {
				last = err
			}
		})
	}
	wg.Wait()
	total.Took = time.Since(start)
	if total.Requests == 0 && last != nil {
		return nil, last
	}
	return total, nil
}

// worker is one connection's life.
type worker struct {
	addr string
	reqs [][]byte
	next int
	out  *Result
	d    *Drive
}

func (w *worker) request() []byte {
	b := w.reqs[w.next]
	if w.next++; w.next == len(w.reqs) {
		w.next = 0
	}
	return b
}

func (w *worker) run(ctx context.Context, start time.Time, index int) error {
	for ctx.Err() == nil {
		c, err := dial(w.addr)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now().Add(time.Second)) }) // lets what is under way end
			if w.d.Rate > 0 {
				err = w.open(ctx, c, start, index)
			} else {
				err = w.closed(ctx, c)
			}
			stop()
			_ = c.Close()
		}
		if err != nil && ctx.Err() == nil {
			if w.out.Errors++; w.out.Errors >= maxErrors || errors.Is(err, errAnswer) {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// closed keeps Pipeline requests under way.
func (w *worker) closed(ctx context.Context, c *conn) error {
	for n := 0; ctx.Err() == nil; n++ {
		if n%64 == 0 {
			if err := c.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
				return err
			}
		}
		sent := time.Now()
		for range w.d.Pipeline {
			if _, err := c.w.Write(w.request()); err != nil {
				return err
			}
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
		for range w.d.Pipeline {
			status, size, err := c.read()
			if err != nil {
				return err
			}
			w.out.answer(status, size, time.Since(sent))
		}
	}
	return nil
}

// open sends at fixed times, whatever the answers do; the reader counts each
// from the time at which it should have left.
func (w *worker) open(ctx context.Context, c *conn, start time.Time, index int) error {
	gap := time.Duration(float64(w.d.Connections) / w.d.Rate * float64(time.Second))
	due := start.Add(gap * time.Duration(index) / time.Duration(w.d.Connections))
	if behind := time.Since(due); behind > 0 { // a redialled connection: what it missed is lost
		due = due.Add(gap * (behind/gap + 1))
	}
	under := make(chan time.Time, 4096)
	var failed atomic.Bool
	read := make(chan error, 1)
	go func() {
		for at := range under {
			status, size, err := c.read()
			if err != nil {
				failed.Store(true)
				_ = c.Close()
				for range under { // lets the writer go on to see it
				}
				read <- err
				return
			}
			w.out.answer(status, size, time.Since(at))
		}
		read <- nil
	}()
	err := w.write(ctx, c, due, gap, under, &failed)
	close(under)
	return errors.Join(err, <-read)
}

func (w *worker) write(ctx context.Context, c *conn, due time.Time, gap time.Duration, under chan<- time.Time, failed *atomic.Bool) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && !failed.Load() {
		if wait := time.Until(due); wait > 0 {
			if err := c.w.Flush(); err != nil {
				return err
			}
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return nil
			case <-timer.C:
			}
		}
		if _, err := c.w.Write(w.request()); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		select {
		case under <- due:
		default: // 4,096 are under way: all that was written must be sent before waiting
			if err := c.w.Flush(); err != nil {
				return err
			}
			under <- due
		}
		due = due.Add(gap)
	}
	return c.w.Flush()
}
