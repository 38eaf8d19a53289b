//go:build !chaos || !unix

package clock

import "time"

// CanStep tells whether StepFile is looked at: never in a program that serves.
const CanStep = false

// NowMS returns the machine's time, ms UTC.
func (System) NowMS() int64 { return time.Now().UnixMilli() }
