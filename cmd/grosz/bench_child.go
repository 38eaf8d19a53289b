package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// benchEnds is how often roles of a 'grosz up' may end and be started again
// under a measurement: beyond it something is wrong that will not pass.
const benchEnds = 3

// diedError is the end of a process that a measurement needs.
type diedError struct{ text string }

func (e *diedError) Error() string { return e.text }

// because is why err came, or nothing did: the end of a process that ctx's
// cause tells of; else err.
func because(ctx context.Context, err error) error {
	var died *diedError
	if errors.As(context.Cause(ctx), &died) {
		return died
	}
	return err
}

// startChild starts a process and ends the measurement, by fail, at the moment
// when it ends unasked, with its last words. What it writes to its standard
// error goes to errOut as well. stop asks it to end and waits until it has.
func startChild(cmd *exec.Cmd, name string, errOut io.Writer, fail context.CancelCauseFunc) (stop func(), err error) {
	if errOut == nil {
		errOut = os.Stderr
	}
	out := &tailWriter{w: errOut}
	restarts := &restartWatch{name: name, fail: fail}
	cmd.Stderr = io.MultiWriter(out, restarts)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var asked atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		err := cmd.Wait()
		if asked.Load() {
			return
		}
		how := "without an error"
		if err != nil {
			how = err.Error()
		}
		fail(&diedError{fmt.Sprintf("%s, which is to be measured, has ended (%s); its last words:\n%s", name, how, lastLines(out.last(), 12))})
	})
	return func() {
		asked.Store(true)
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		wg.Wait()
	}, nil
}

// lastLines are the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// lastWords is the last line of a text with those before it that it belongs to, as one: what is indented goes on from the
// line above, which says what it is about.
func lastWords(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	from := len(lines) - 1
	for from > 0 && strings.TrimLeft(lines[from], " \t") != lines[from] {
		from--
	}
	lines = lines[from:]
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, " ")
}

// restartWatch counts what the supervisor of a 'grosz up' tells of roles that
// end and are started again. Each of its lines comes in one write.
type restartWatch struct {
	name string
	fail context.CancelCauseFunc
	n    int
	seen [][]byte
}

// Write looks for such lines; it takes all.
func (w *restartWatch) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if !bytes.Contains(line, []byte(childEnded)) {
			continue
		}
		w.seen = append(w.seen, bytes.Clone(line))
		if w.n++; w.n == benchEnds {
			w.fail(&diedError{fmt.Sprintf("roles of %s, which is to be measured, end again and again; see its logs:\n%s", w.name, bytes.TrimSpace(bytes.Join(w.seen, nil)))})
		}
		w.seen = w.seen[max(len(w.seen)-benchEnds, 0):]
	}
	return len(b), nil
}
