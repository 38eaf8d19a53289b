package load

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// One thread does all: it sleeps in epoll until an answer or the next due
// request, to some microseconds. So a core offers some 100,000 requests a
// second, and a request leaves when it is due.

const patience = 10 * time.Millisecond

// offering is a run of an Offer.
type offering struct {
	pool
	*Offer
	tmax    []time.Duration
	useless [][]byte
	dues    []time.Duration // of each lane's request, from the start
	free    []int32         // the last one freed is taken first
	out     *Offered
	gap     float64 // ns
	next    int64   // request
	starved bool    // due requests wait for a connection
}

// Run offers the load and waits for the last answers.
func (o *Offer) Run(ctx context.Context) (*Offered, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Patience = cmp.Or(o.Patience, patience)
	r := &offering{Offer: o, out: newOffered(), gap: 1e9 / o.Rate}
	r.answered, r.broken, r.reason = r.onAnswer, r.onBroken, o.Reason
	r.out.Rate, r.out.Took = o.Rate, o.Duration
	for _, b := range o.Bodies {
		r.tmax = append(r.tmax, tmaxOf(b))
	}
	for _, s := range o.Useless {
		r.useless = append(r.useless, []byte(s))
	}
	if err := r.open(o.URL, o.Ask, o.Bodies, cmp.Or(o.Connections, 1024)); err != nil {
		return nil, err
	}
	defer r.close()
	r.dues = make([]time.Duration, len(r.lanes))
	for i := range r.lanes {
		r.free = append(r.free, int32(i))
	}
	slices.Reverse(r.free)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Else the kernel may round a sleep up by 50 µs.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }()
	// Where it may, it goes before what else is on its CPUs.
	if tid := unix.Gettid(); unix.Setpriority(unix.PRIO_PROCESS, tid, -15) == nil {
		defer func() { _ = unix.Setpriority(unix.PRIO_PROCESS, tid, 0) }()
	}
	used, began := threadCPU(), time.Now()
	err := r.loop(ctx)
	r.out.CPU, r.out.Wall = threadCPU()-used, time.Since(began)
	return r.out, err
}

// threadCPU is what this thread has used.
func threadCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// due is when request n is due, from the start.
func (r *offering) due(n int64) time.Duration { return time.Duration(float64(n) * r.gap) }

func (r *offering) loop(ctx context.Context) error {
	end := r.Warm + r.Duration
	last := end + slices.Max(r.tmax) + endWait
	r.start = time.Now()
	for turn := 0; ; turn++ {
		if turn%checkDone == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		now := time.Since(r.start)
		if err := r.sendDue(now, end); err != nil {
			return err
		}
		sent := r.due(r.next) >= end
		if sent && r.flight == 0 || now >= last {
			break
		}
		until := last
		if !sent {
			until = r.due(r.next)
			if r.starved { // its turn comes with an answer, or never
				until += r.Patience
			}
		}
		if err := r.wait(until - time.Since(r.start)); err != nil {
			return err
		}
	}
	for i := range r.lanes {
		if r.lanes[i].busy {
			r.count(i, last, 0, false)
		}
	}
	return nil
}

// sendDue writes what is due, as far as connections are free.
func (r *offering) sendDue(now, end time.Duration) error {
	for {
		due := r.due(r.next)
		if due > now || due >= end {
			r.starved = false
			return nil
		}
		k := int(r.next % int64(len(r.reqs)))
		if len(r.free) == 0 {
			if now-due <= r.Patience {
				r.starved = true
				return nil
			}
			if due >= r.Warm {
				r.out.Due++
				r.out.Unsent++
			}
			r.next++
			continue
		}
		i := r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
		r.dues[i] = due
		r.next++
		if !r.starved && due >= r.Warm {
			record(r.out.Lag, now-due)
		}
		if err := r.send(int(i), k); err != nil {
			return err
		}
		now = time.Since(r.start)
	}
}

func (r *offering) onAnswer(i int, a *answer) error {
	useless := slices.ContainsFunc(r.useless, func(u []byte) bool { return string(u) == string(a.reason) })
	r.count(i, time.Since(r.start), a.status, useless)
	r.free = append(r.free, int32(i))
	return nil
}

func (r *offering) onBroken(i int, asked bool) error {
	if asked {
		r.out.Broken++
		r.count(i, time.Since(r.start), 0, false)
		r.free = append(r.free, int32(i))
	}
	return nil
}

// count is the end of a lane's request; status 0: without an answer.
func (r *offering) count(i int, now time.Duration, status int, useless bool) {
	due := r.dues[i]
	if due < r.Warm {
		return
	}
	took := now - due
	r.out.Due++
	record(r.out.Latency, took)
	if status == 200 {
		r.out.Bids++
	}
	if status == 0 || took > r.tmax[r.lanes[i].req] {
		r.out.Late++
		return
	}
	r.out.InTime++
	if useless || status != 200 && status != 204 {
		r.out.Shed++
	}
}
