package tlsmux

import (
	"net"
	"sync/atomic"
	"time"
)

// deadlineSlack is by how much a deadline may be passed.
const deadlineSlack = 5 * time.Second

// lazy sets a connection's timers lazily: a server that asks for three
// deadlines a request, each a little later than the one of the request before,
// moves a timer of the runtime once in deadlineSlack instead. A deadline holds
// from the next read or write on and ends up to deadlineSlack late; one that is
// past, or none, is set at once.
type lazy struct {
	net.Conn
	read, write deadline
}

// deadline is what was asked for, and what the timer says; ns of the Unix time,
// 0 is none.
type deadline struct{ want, said atomic.Int64 }

func (c *lazy) Read(b []byte) (int, error) {
	if c.read.late() {
		if err := c.Conn.SetReadDeadline(c.read.arm()); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *lazy) Write(b []byte) (int, error) {
	if c.write.late() {
		if err := c.Conn.SetWriteDeadline(c.write.arm()); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

func (c *lazy) SetReadDeadline(t time.Time) error {
	if c.read.ask(t) {
		return c.Conn.SetReadDeadline(t)
	}
	return nil
}

func (c *lazy) SetWriteDeadline(t time.Time) error {
	if c.write.ask(t) {
		return c.Conn.SetWriteDeadline(t)
	}
	return nil
}

func (c *lazy) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// ask notes a deadline, and tells whether to set it at once.
func (d *deadline) ask(t time.Time) bool {
	if t.IsZero() {
		d.want.Store(0)
		d.said.Store(0)
		return true
	}
	ns := t.UnixNano()
	if old := d.want.Swap(ns); ns > old && old > 0 {
		return false
	}
	if time.Until(t) > 0 {
		return false
	}
	d.said.Store(ns)
	return true
}

// late tells whether the timer says something else than was asked for.
func (d *deadline) late() bool {
	want, said := d.want.Load(), d.said.Load()
	return said < want || said-want > int64(deadlineSlack)
}

// arm is what to set the timer to.
func (d *deadline) arm() time.Time {
	ns := d.want.Load() + int64(deadlineSlack)
	d.said.Store(ns)
	return time.Unix(0, ns)
}
