package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// One thread does all: it sleeps in epoll until an answer or the next due
// request, to some microseconds, and writes and reads itself. So a core
// offers some 100,000 requests a second, and a request leaves when it is due.

const (
	maxPool   = 16_384
	readSize  = 256 << 10
	patience  = 10 * time.Millisecond
	endWait   = time.Second // for answers, past the last request's tmax
	checkDone = 256         // turns of the loop between looks at the context
)

// lane is one connection of the pool.
type lane struct {
	fd   int
	busy bool
	req  int           // its request's body
	due  time.Duration // of it, from the start
	rest []byte        // of it, still to be written
	part []byte        // of its answer, read so far
}

// offering is a run of an Offer.
type offering struct {
	*Offer
	addr    unix.Sockaddr
	family  int
	reqs    [][]byte
	tmax    []time.Duration
	useless [][]byte
	epoll   int
	lanes   []lane
	free    []int32 // the last one freed is taken first
	out     *Offered
	start   time.Time
	gap     float64 // ns
	next    int64   // request
	starved bool    // due requests wait for a connection
	buf     []byte
	flight  int
}

// Run offers the load and waits for the last answers.
func (o *Offer) Run(ctx context.Context) (*Offered, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	host, reqs, err := wireWith(o.URL, o.Ask, o.Bodies)
	if err != nil {
		return nil, err
	}
	o.Patience = cmp.Or(o.Patience, patience)
	r := &offering{Offer: o, reqs: reqs, out: newOffered(), gap: 1e9 / o.Rate, buf: make([]byte, readSize)}
	r.out.Rate, r.out.Took = o.Rate, o.Duration
	for _, b := range o.Bodies {
		r.tmax = append(r.tmax, tmaxOf(b))
	}
	for _, s := range o.Useless {
		r.useless = append(r.useless, []byte(s))
	}
	if err := r.resolve(host); err != nil {
		return nil, err
	}
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	defer func() { _ = unix.Close(r.epoll) }()
	defer r.hangUp()
	r.lanes = make([]lane, min(cmp.Or(o.Connections, 1024), maxPool))
	for i := range r.lanes {
		if err := r.dial(i); err != nil {
			return nil, err
		}
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
	err = r.loop(ctx)
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

func (r *offering) resolve(host string) error {
	a, err := net.ResolveTCPAddr("tcp", host)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if ip := a.IP.To4(); ip != nil {
		r.family, r.addr = unix.AF_INET, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
		return nil
	}
	r.family, r.addr = unix.AF_INET6, &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16())}
	return nil
}

// dial connects a lane and watches it.
func (r *offering) dial(i int) error {
	fd, err := unix.Socket(r.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("load: socket: %w", err)
	}
	wait := unix.NsecToTimeval(int64(dialTimeout))
	err = errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	if err == nil {
		err = unix.Connect(fd, r.addr)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
	}
	if err != nil {
		_ = unix.Close(fd) // it is of no use
		return fmt.Errorf("load: connect to %s: %w", r.URL, err)
	}
	r.lanes[i] = lane{fd: fd, part: r.lanes[i].part[:0]}
	return nil
}

func (r *offering) hangUp() {
	for i := range r.lanes {
		if r.lanes[i].fd > 0 {
			_ = unix.Close(r.lanes[i].fd) // nothing is under way that is still wanted
		}
	}
}

// due is when request n is due, from the start.
func (r *offering) due(n int64) time.Duration { return time.Duration(float64(n) * r.gap) }

func (r *offering) loop(ctx context.Context) error {
	end := r.Warm + r.Duration
	last := end + slices.Max(r.tmax) + endWait
	events := make([]unix.EpollEvent, 512)
	r.start = time.Now()
	for turn := 0; ; turn++ {
		if turn%checkDone == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		now := time.Since(r.start)
		if err := r.send(now, end); err != nil {
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
		n, err := r.wait(events, until-time.Since(r.start))
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			if err := r.ready(int(e.Fd), e.Events); err != nil {
				return err
			}
		}
	}
	for i := range r.lanes {
		if l := &r.lanes[i]; l.busy {
			r.count(l, last, 0, false)
		}
	}
	return nil
}

// wait sleeps until something can be read or written, or d has passed.
func (r *offering) wait(events []unix.EpollEvent, d time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(r.epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("load: epoll_pwait2 (Linux 5.11 or later): %w", errno)
}

// send writes what is due, as far as connections are free.
func (r *offering) send(now, end time.Duration) error {
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
		l := &r.lanes[i]
		l.busy, l.req, l.due, l.rest = true, k, due, r.reqs[k]
		r.flight++
		r.next++
		if !r.starved && due >= r.Warm {
			record(r.out.Lag, now-due)
		}
		if err := r.write(int(i)); err != nil {
			return err
		}
		now = time.Since(r.start)
	}
}

// write writes what is left of a lane's request.
func (r *offering) write(i int) error {
	l := &r.lanes[i]
	waited := len(l.rest) < len(r.reqs[l.req])
	for len(l.rest) > 0 {
		n, err := unix.Write(l.fd, l.rest)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return r.watch(i, unix.EPOLLIN|unix.EPOLLOUT)
		case err != nil:
			return r.broke(i)
		}
		l.rest = l.rest[n:]
	}
	if waited {
		return r.watch(i, unix.EPOLLIN)
	}
	return nil
}

func (r *offering) watch(i int, events uint32) error {
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_MOD, r.lanes[i].fd, &unix.EpollEvent{Events: events, Fd: int32(i)}); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// ready goes on with a lane that can be written or read.
func (r *offering) ready(i int, events uint32) error {
	l := &r.lanes[i]
	if events&unix.EPOLLOUT != 0 && len(l.rest) > 0 {
		if err := r.write(i); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return nil
	}
	n, err := unix.Read(l.fd, r.buf)
	switch {
	case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil || n == 0:
		return r.broke(i)
	}
	text := r.buf[:n]
	if len(l.part) > 0 {
		l.part = append(l.part, text...)
		text = l.part
	}
	a, whole, err := parseAnswer(text, r.Reason)
	if err != nil {
		return err
	}
	if !whole {
		if len(l.part) == 0 {
			l.part = append(l.part, text...)
		}
		return nil
	}
	if !l.busy {
		return fmt.Errorf("%w: one that nobody asked for", errAnswer)
	}
	useless := slices.ContainsFunc(r.useless, func(u []byte) bool { return string(u) == string(a.reason) })
	r.count(l, time.Since(r.start), a.status, useless)
	l.part = l.part[:0]
	r.release(i)
	return nil
}

// release makes a lane free.
func (r *offering) release(i int) {
	r.lanes[i].busy = false
	r.flight--
	r.free = append(r.free, int32(i))
}

// count is the end of a request; status 0: without an answer.
func (r *offering) count(l *lane, now time.Duration, status int, useless bool) {
	if l.due < r.Warm {
		return
	}
	took := now - l.due
	r.out.Due++
	record(r.out.Latency, took)
	if status == 200 {
		r.out.Bids++
	}
	if status == 0 || took > r.tmax[l.req] {
		r.out.Late++
		return
	}
	r.out.InTime++
	if useless || status != 200 && status != 204 {
		r.out.Shed++
	}
}

// broke dials a lane again whose connection ended.
func (r *offering) broke(i int) error {
	l := &r.lanes[i]
	_ = unix.Close(l.fd) // it is over
	if l.busy {
		r.out.Broken++
		r.count(l, time.Since(r.start), 0, false)
		r.release(i)
	}
	if r.out.Broken > maxErrors {
		return fmt.Errorf("load: more than %d connections to %s ended in the middle of a request", maxErrors, strings.TrimSpace(r.URL))
	}
	l.part = l.part[:0]
	return r.dial(i)
}
