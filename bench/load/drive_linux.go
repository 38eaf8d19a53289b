package load

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// driving is a run of a Drive.
type driving struct {
	pool
	sent []time.Duration // of each lane's request, from the start
	next []int           // its body
	out  *Result
	end  time.Duration
}

// Run drives the burst.
func (d *Drive) Run(ctx context.Context) (*Result, error) {
	r := &driving{out: newResult(), end: d.Duration}
	r.answered, r.broken = r.onAnswer, r.onBroken
	if err := r.open(d.URL, "", d.Bodies, cmp.Or(d.Connections, 16)); err != nil {
		return nil, err
	}
	defer r.close()
	r.sent, r.next = make([]time.Duration, len(r.lanes)), make([]int, len(r.lanes))
	for i := range r.next {
		r.next[i] = i * len(r.reqs) / len(r.lanes)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := r.loop(ctx)
	r.out.Took = time.Since(r.start)
	return r.out, err
}

func (r *driving) loop(ctx context.Context) error {
	r.start = time.Now()
	for i := range r.lanes {
		if err := r.ask(i); err != nil {
			return err
		}
	}
	for turn := 0; ; turn++ {
		if turn%checkDone == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := r.poll()
		if err != nil {
			return err
		}
		if n == 0 {
			if now := time.Since(r.start); now >= r.end && r.flight == 0 || now >= r.end+endWait {
				return nil
			}
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // others on this CPU may go on; it cannot fail
		}
	}
}

// ask sends a lane's next request.
func (r *driving) ask(i int) error {
	now := time.Since(r.start)
	if now >= r.end {
		return nil
	}
	r.sent[i] = now
	k := r.next[i]
	if r.next[i]++; r.next[i] == len(r.reqs) {
		r.next[i] = 0
	}
	return r.send(i, k)
}

func (r *driving) onAnswer(i int, a *answer) error {
	r.out.Requests++
	r.out.Status[a.status]++
	record(r.out.Latency, time.Since(r.start)-r.sent[i])
	return r.ask(i)
}

func (r *driving) onBroken(i int, asked bool) error {
	if asked {
		r.out.Errors++
	}
	return r.ask(i)
}
