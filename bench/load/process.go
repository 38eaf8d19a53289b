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

	"golang.org/x/sys/unix"
)

// drain bounds how long a server may take to stop.
const drain = 3 * time.Second

// Usage is what a process has used so far.
type Usage struct {
	CPU time.Duration // user and system
	RSS int64         // bytes, now
}

// ReadUsage reads a process's CPU clock, whose number is made of its id (Linux,
// include/linux/posix-timers.h), and its memory from /proc.
func ReadUsage(pid int) (Usage, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what its threads ran, in nanoseconds
	var cpu unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &cpu); err != nil {
		return Usage{}, fmt.Errorf("usage: the CPU clock of process %d: %w", pid, err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("usage: %w", err)
	}
	// The command's name stands in parentheses and may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("usage: /proc/%d/stat has %d fields", pid, len(fields))
	}
	pages, err := strconv.ParseInt(fields[21], 10, 64)
	if err != nil {
		return Usage{}, fmt.Errorf("usage: /proc/%d/stat: %w", pid, err)
	}
	return Usage{CPU: time.Duration(cpu.Nano()), RSS: pages * int64(os.Getpagesize())}, nil
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
