package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// supervisor starts roles as child processes and starts them again when they
// end unasked.
type supervisor struct {
	self    string
	dir     string
	environ []string
	log     *slog.Logger
	lock    *os.File // of the data directory, held by every child

	mu      sync.Mutex
	running map[string]running
}

// running is what is known of a role's process.
type running struct {
	pid      int
	restarts int
	lastErr  string
}

const (
	stopTimeout = 30 * time.Second
	// orphanGrace is what an orphan has beyond stopTimeout, after which it ends
	// itself.
	orphanGrace = 5 * time.Second
	// quickEnd within the first moments is a wrong configuration rather than
	// a crash: after so many in a row the whole is given up.
	quickEnd      = 3 * time.Second
	maxQuickEnds  = 8
	maxRestartGap = 5 * time.Second
)

// childEnded is what the log says of a child that ended unasked.
const childEnded = "child ended, is started again"

// keep runs one child until ctx ends.
func (s *supervisor) keep(ctx context.Context, ch child) error {
	quick, pause := 0, 200*time.Millisecond
	for {
		started := time.Now()
		tail, err := s.once(ctx, ch)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) > quickEnd {
			quick, pause = 0, 200*time.Millisecond
		} else if quick++; quick >= maxQuickEnds {
			return fmt.Errorf("%s ends again and again: %w\n%s\nits log is %s", ch.role, err, tail, s.logPath(ch.role))
		}
		s.note(ch.role, func(r *running) { r.pid = 0; r.restarts++; r.lastErr = fmt.Sprint(err) })
		s.log.Warn(childEnded, "child", ch.role, "err", err, "in", pause, "said", lastWords(tail))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, maxRestartGap)
	}
}

// once runs the child until it ends, or until ctx ends and it has stopped.
func (s *supervisor) once(ctx context.Context, ch child) (tail string, err error) {
	logFile, err := s.openLog(ch.role)
	if err != nil {
		return "", err
	}
	defer func() { _ = logFile.Close() }()
	size, _ := logFile.Seek(0, io.SeekEnd)
	out := &tailWriter{w: logFile, n: size, next: func() (io.Writer, error) {
		f, err := s.openLog(ch.role)
		if err == nil {
			_ = logFile.Close()
			logFile = f
		}
		return f, err
	}}
	cmd := exec.Command(s.self, append([]string{ch.role}, ch.args...)...)
	cmd.Env = append(childEnv(s.environ), supervised+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we stop children in order
	cmd.ExtraFiles = []*os.File{s.lock}
	alive, err := cmd.StdinPipe() // ends with us, however we end
	if err != nil {
		return "", fmt.Errorf("start %s: %w", ch.role, err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start %s: %w", ch.role, err)
	}
	s.note(ch.role, func(r *running) { r.pid = cmd.Process.Pid })
	s.tellOperators(ch, cmd.Process.Pid)
	ended := make(chan struct{})
	var waitErr error
	go func() { waitErr = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		err := waitErr
		if err == nil {
			err = errors.New("it ended without an error")
		}
		return out.last(), err
	case <-ctx.Done():
	}
	_ = alive.Close()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopTimeout):
		s.log.Error("child does not stop, is killed; what it acknowledged is on disk", "child", ch.role)
		_ = cmd.Process.Kill()
		<-ended
	}
	return out.last(), nil
}

// tellOperators writes the child's process id, and the address of its metrics,
// which is any free one for most.
func (s *supervisor) tellOperators(ch child, pid int) {
	run := filepath.Join(s.dir, "run")
	_ = os.WriteFile(filepath.Join(run, ch.role+".pid"), fmt.Appendln(nil, pid), 0o600)
	if i := slices.Index(ch.args, "--metrics"); i >= 0 && i+1 < len(ch.args) {
		_ = os.WriteFile(filepath.Join(run, ch.role+".metrics"), fmt.Appendln(nil, ch.args[i+1]), 0o600)
	}
}

// childEnv is the environment without the file of our own settings, which are
// not the child's.
func childEnv(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool { return strings.HasPrefix(kv, "GROSZ_CONFIG=") })
}

func (s *supervisor) note(role string, f func(*running)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = make(map[string]running)
	}
	r := s.running[role]
	f(&r)
	s.running[role] = r
}

func (s *supervisor) restarts() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.running {
		n += r.restarts
	}
	return n
}

func (s *supervisor) logPath(role string) string { return filepath.Join(s.dir, "logs", role+".log") }

const maxLog = 16 << 20

// openLog appends to the role's log; one that has grown past maxLog becomes
// the one before.
func (s *supervisor) openLog(role string) (*os.File, error) {
	for _, d := range []string{"logs", "run"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("make %s: %w", d, err)
		}
	}
	path := s.logPath(role)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// tailWriter passes on and remembers the end, for an error's sake. Past maxLog
// it goes on with the next writer; without one it passes on no more.
type tailWriter struct {
	mu   sync.Mutex
	w    io.Writer
	next func() (io.Writer, error)
	n    int64
	tail []byte
}

// Write never fails: a child whose log cannot be written must not end by it.
func (t *tailWriter) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = append(t.tail, b...)
	if over := len(t.tail) - 2048; over > 0 {
		t.tail = append(t.tail[:0], t.tail[over:]...)
	}
	if t.n > maxLog && t.next != nil {
		if w, err := t.next(); err == nil {
			t.w, t.n = w, 0
		}
	}
	if t.n <= maxLog {
		t.n += int64(len(b))
		_, _ = t.w.Write(b)
	}
	return len(b), nil
}

func (t *tailWriter) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.tail)
}
