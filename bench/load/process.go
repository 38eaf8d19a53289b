package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// drain bounds how long a server may take to stop.
const drain = 3 * time.Second

// Usage is what a process has used so far.
type Usage struct {
	CPU time.Duration // user and system
	RSS int64         // bytes, now
}

// clockTick is the unit of /proc's CPU times: USER_HZ is 100 on Linux.
const clockTick = 10 * time.Millisecond

// ReadUsage reads /proc. Ticks are 10 ms, so measure for seconds.
func ReadUsage(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("usage: %w", err)
	}
	// The command's name stands in parentheses and may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("usage: /proc/%d/stat has %d fields", pid, len(fields))
	}
	var n [3]int64
	for i, f := range []string{fields[11], fields[12], fields[21]} {
		if n[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return Usage{}, fmt.Errorf("usage: /proc/%d/stat: %w", pid, err)
		}
	}
	return Usage{CPU: time.Duration(n[0]+n[1]) * clockTick, RSS: n[2] * int64(os.Getpagesize())}, nil
}

// Process is a server that was started for a measurement.
type Process struct {
	PID int
	URL string
	cmd *exec.Cmd
}

// Start runs a server that prints its URL as the first line of its output.
func Start(ctx context.Context, exe string, env []string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = drain
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	p := &Process{PID: cmd.Process.Pid, cmd: cmd}
	first, err := bufio.NewReader(pipe).ReadString('\n')
	p.URL = strings.TrimSpace(first)
	if err != nil || !strings.HasPrefix(p.URL, "http") {
		return nil, errors.Join(fmt.Errorf("start server: %s printed %q instead of its URL", exe, first), p.Stop())
	}
	return p, nil
}

// Stop ends the server and waits for it.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	killer := time.AfterFunc(drain, func() { _ = p.cmd.Process.Kill() }) // it may have ended
	defer killer.Stop()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}
