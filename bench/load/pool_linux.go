package load

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxPool   = 16_384
	readSize  = 256 << 10
	endWait   = time.Second // for answers, past the last request's time
	checkDone = 256         // turns of a loop between looks at the context
)

// pool is keep-alive connections of one thread, each with one request at a
// time. The thread does all: it writes and reads itself, as epoll says.
type pool struct {
	// answered is called with a lane's answer, when the lane is free again;
	// broken when its connection ended and was dialled again, asked: a request
	// was under way.
	answered func(i int, a *answer) error
	broken   func(i int, asked bool) error

	target string
	reason string // the header that answers are asked for
	addr   unix.Sockaddr
	family int
	reqs   [][]byte
	epoll  int
	lanes  []lane
	start  time.Time
	buf    []byte
	events []unix.EpollEvent
	flight int
	ended  int // connections
}

// lane is one connection of the pool.
type lane struct {
	fd   int
	busy bool
	req  int    // its request's body
	rest []byte // of it, still to be written
	part []byte // of its answer, read so far
}

// open dials n connections.
func (p *pool) open(target, header string, bodies [][]byte, n int) (err error) {
	var host string
	if host, p.reqs, err = wire(target, header, bodies); err != nil {
		return err
	}
	p.target, p.buf, p.events = target, make([]byte, readSize), make([]unix.EpollEvent, 512)
	if err := p.resolve(host); err != nil {
		return err
	}
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	p.lanes = make([]lane, min(n, maxPool))
	for i := range p.lanes {
		if err := p.dial(i); err != nil {
			p.close()
			return err
		}
	}
	return nil
}

func (p *pool) close() {
	for i := range p.lanes {
		if p.lanes[i].fd > 0 {
			_ = unix.Close(p.lanes[i].fd) // nothing is under way that is still wanted
		}
	}
	_ = unix.Close(p.epoll)
}

func (p *pool) resolve(host string) error {
	a, err := net.ResolveTCPAddr("tcp", host)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if ip := a.IP.To4(); ip != nil {
		p.family, p.addr = unix.AF_INET, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
		return nil
	}
	p.family, p.addr = unix.AF_INET6, &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16())}
	return nil
}

// dial connects a lane and watches it.
func (p *pool) dial(i int) error {
	p.lanes[i] = lane{part: p.lanes[i].part[:0]}
	fd, err := unix.Socket(p.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("load: socket: %w", err)
	}
	wait := unix.NsecToTimeval(int64(dialTimeout))
	err = errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	if err == nil {
		err = unix.Connect(fd, p.addr)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
	}
	if err != nil {
		_ = unix.Close(fd) // it is of no use
		return fmt.Errorf("load: connect to %s: %w", p.target, err)
	}
	p.lanes[i].fd = fd
	return nil
}

// poll goes on with all lanes that can be read or written now, and returns
// how many.
func (p *pool) poll() (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	return p.ready(n, errno)
}

// wait sleeps until something can be read or written, or d has passed, and
// goes on with it.
func (p *pool) wait(d time.Duration) error {
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	_, err := p.ready(n, errno)
	return err
}

func (p *pool) ready(n uintptr, errno unix.Errno) (int, error) {
	if errno == unix.EINTR {
		return 0, nil
	} else if errno != 0 {
		return 0, fmt.Errorf("load: epoll (Linux 5.11 or later): %w", errno)
	}
	for _, e := range p.events[:n] {
		if err := p.goOn(int(e.Fd), e.Events); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// send writes request k on a free lane.
func (p *pool) send(i, k int) error {
	l := &p.lanes[i]
	l.busy, l.req, l.rest = true, k, p.reqs[k]
	p.flight++
	return p.write(i)
}

// write writes what is left of a lane's request.
func (p *pool) write(i int) error {
	l := &p.lanes[i]
	waited := len(l.rest) < len(p.reqs[l.req])
	for len(l.rest) > 0 {
		n, err := unix.Write(l.fd, l.rest)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return p.watch(i, unix.EPOLLIN|unix.EPOLLOUT)
		case err != nil:
			return p.broke(i)
		}
		l.rest = l.rest[n:]
	}
	if waited {
		return p.watch(i, unix.EPOLLIN)
	}
	return nil
}

func (p *pool) watch(i int, events uint32) error {
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, p.lanes[i].fd, &unix.EpollEvent{Events: events, Fd: int32(i)}); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// goOn goes on with a lane that can be written or read.
func (p *pool) goOn(i int, events uint32) error {
	l := &p.lanes[i]
	if events&unix.EPOLLOUT != 0 && len(l.rest) > 0 {
		if err := p.write(i); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return nil
	}
	n, err := unix.Read(l.fd, p.buf)
	switch {
	case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil || n == 0:
		return p.broke(i)
	}
	text := p.buf[:n]
	if len(l.part) > 0 {
		l.part = append(l.part, text...)
		text = l.part
	}
	a, whole, err := parseAnswer(text, p.reason)
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
	l.part, l.busy = l.part[:0], false
	p.flight--
	return p.answered(i, &a)
}

// broke dials a lane again whose connection ended.
func (p *pool) broke(i int) error {
	l := &p.lanes[i]
	_ = unix.Close(l.fd) // it is over
	asked := l.busy
	if asked {
		p.flight--
		p.ended++
	}
	if p.ended > maxErrors {
		l.fd = 0
		return fmt.Errorf("load: more than %d connections to %s ended in the middle of a request", maxErrors, strings.TrimSpace(p.target))
	}
	if err := p.dial(i); err != nil {
		return err
	}
	return p.broken(i, asked)
}
