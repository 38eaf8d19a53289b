package clock

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"
)

// StepFile is the variable that names a file of a process's own, by which its
// clock is set in a program that is built with the tag chaos; in any other it
// says nothing.
const StepFile = "GROSZ_CHAOS_CLOCK"

const stepBytes = 8

// Step sets the clock of the process whose StepFile path is: by from the
// machine's. It makes the file if it is not there. The process sees it at once.
func Step(path string, by time.Duration) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteAt(binary.NativeEndian.AppendUint64(make([]byte, 0, stepBytes), uint64(by.Milliseconds())), 0)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return fmt.Errorf("set a clock: %w", err)
	}
	return nil
}

// Steady is what passes, however the clock is set, ms since some moment.
type Steady interface {
	SteadyMS() int64
}

// began is where System's SteadyMS counts from.
var began = time.Now()

// SteadyMS returns the machine's monotonic time, ms since this process began.
func (System) SteadyMS() int64 { return time.Since(began).Milliseconds() }

// least is a difference that is not a clock that was set, but one that is
// drawn to the right time, or a process that had no processor.
const least = 2 * time.Second

// Watch notices that a clock is set. The zero value is not ready: use NewWatch.
// One goroutine at a time.
type Watch struct {
	clock       Clock
	steady      Steady // nil: its time passes only as the clock says
	now, passed int64
}

// NewWatch begins to watch a clock. One that is not Steady is never seen to be
// set: a test moves it so that time passes.
func NewWatch(c Clock) *Watch {
	w := &Watch{clock: c, now: c.NowMS()}
	if w.steady, _ = c.(Steady); w.steady != nil {
		w.passed = w.steady.SteadyMS()
	}
	return w
}

// Look returns the time now, ms UTC, and by how much the clock was set since
// the last time, ms: what was to end at a moment is to end by that much later.
func (w *Watch) Look() (nowMS, byMS int64) {
	nowMS = w.clock.NowMS()
	if w.steady != nil {
		passed := w.steady.SteadyMS()
		if d := (nowMS - w.now) - (passed - w.passed); d >= least.Milliseconds() || -d >= least.Milliseconds() {
			byMS = d
		}
		w.passed = passed
	}
	w.now = nowMS
	return nowMS, byMS
}
