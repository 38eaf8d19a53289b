package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Mode is what a Proxy does with the bytes.
type Mode int

// Modes of a Proxy.
const (
	// Through passes everything on.
	Through Mode = iota
	// Cut resets every connection, new ones too: the other side is gone.
	Cut
	// Slow holds every piece back for a moment, in both directions.
	Slow
	// Silent keeps connections open and passes nothing on: half-open ones.
	Silent
)

// slowBy is what Slow adds to each piece of at most slowPiece bytes.
const (
	slowBy    = 150 * time.Millisecond
	slowPiece = 64 << 10
)

// Proxy passes TCP connections on to one address. Its owner closes it.
type Proxy struct {
	l  net.Listener
	to string

	mu      sync.Mutex
	mode    Mode
	changed chan struct{} // closed when mode changes
	conns   map[net.Conn]struct{}
	closed  bool
	wg      sync.WaitGroup
}

// NewProxy listens on a loopback port of its own.
func NewProxy(to string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy for %s: %w", to, err)
	}
	p := &Proxy{l: l, to: to, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Set changes the mode for all connections. Those that were silent do not
// come back to life: whoever believed in them has to notice.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m == Cut || p.mode == Silent {
		for c := range p.conns {
			reset(c)
		}
	}
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

// reset closes a connection by RST where it can.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// Close ends everything and waits for it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		reset(c)
	}
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	err := p.l.Close()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		if !p.keep(c) {
			reset(c)
			continue
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// keep notes a connection, unless there are to be none.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode == Cut {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close()
}

func (p *Proxy) serve(c net.Conn) {
	defer p.drop(c)
	d := net.Dialer{Timeout: 5 * time.Second}
	out, err := d.DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		reset(c)
		return
	}
	if !p.keep(out) {
		reset(out)
		reset(c)
		return
	}
	defer p.drop(out)
	var wg sync.WaitGroup
	wg.Go(func() { p.copy(out, c) })
	wg.Go(func() { p.copy(c, out) })
	wg.Wait()
}

// copy passes on from one side until it ends, and ends the other then.
func (p *Proxy) copy(to, from net.Conn) {
	buf := make([]byte, slowPiece)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.may() {
			_, werr := to.Write(buf[:n])
			if err == nil {
				err = werr
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				reset(to)
			}
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// may waits as the mode wants it; false: the bytes are lost.
func (p *Proxy) may() bool {
	for {
		p.mu.Lock()
		mode, changed, closed := p.mode, p.changed, p.closed
		p.mu.Unlock()
		switch {
		case closed || mode == Cut:
			return false
		case mode == Slow:
			time.Sleep(slowBy)
			return true
		case mode == Through:
			return true
		}
		<-changed
	}
}
