// Package clock gives every part the same notion of now, so that a test or a
// simulation can play days in seconds. Hot: Now on the system clock is one
// vDSO call. Safe for many goroutines. Imports nothing of Grosz.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time in milliseconds since the Unix epoch, UTC.
type Clock interface {
	NowMS() int64
}

// System is the machine's clock.
type System struct{}

// Manual is a clock that stands still until it is moved. The zero value
// stands at the epoch.
type Manual struct{ ms atomic.Int64 }

// NewManual returns a clock that stands at ms.
func NewManual(ms int64) *Manual {
	c := new(Manual)
	c.ms.Store(ms)
	return c
}

// NowMS returns where the clock stands, ms UTC.
func (c *Manual) NowMS() int64 { return c.ms.Load() }

// Set moves the clock to ms; backwards is allowed, as real clocks step back.
func (c *Manual) Set(ms int64) { c.ms.Store(ms) }

// Advance moves the clock on by d.
func (c *Manual) Advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
