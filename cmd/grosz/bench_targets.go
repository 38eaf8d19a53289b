package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/load"
)

// measured are the servers of a run.
type measured struct {
	list    []load.Target
	metrics string   // of the last bidder
	dirs    []string // of the Groszes that run
	began   time.Time
	stops   []func()
	fail    context.CancelCauseFunc // ends the measurement
}

// stop ends all, the last one first.
func (m *measured) stop() {
	for i := len(m.stops) - 1; i >= 0; i-- {
		m.stops[i]()
	}
}

// reference starts a reference server.
func (m *measured) reference(ctx context.Context, self, kind string, answer int) error {
	p, err := load.Start(ctx, self, nil, "bench", "--server", kind, "--answer-bytes", strconv.Itoa(answer))
	if err != nil {
		return err
	}
	m.stops = append(m.stops, func() { _ = p.Stop() })
	m.list = append(m.list, load.Target{Name: "fasthttp, " + kind, URL: p.URL, PID: p.PID})
	return nil
}

// grosz starts a whole Grosz over a directory, whose bidder is measured, and
// waits until it bids for all of its campaigns.
func (m *measured) grosz(ctx context.Context, e env, self, name, dir string, args ...string) error {
	bidder, metrics := freeAddr(), freeAddr()
	cmd := exec.Command(self, append([]string{"up", "--plain", "--data", dir, "--bidder", bidder, "--metrics", metrics,
		"--console", freeAddr(), "--warehouse", freeAddr(), "--broker", freeAddr()}, args...)...)
	stop, err := startChild(cmd, "grosz up --data "+dir, e.errOut, m.fail)
	if err != nil {
		return err
	}
	m.stops = append(m.stops, stop)
	m.metrics, m.dirs = "http://"+metrics+"/metrics", append(m.dirs, dir)
	start := time.Now()
	if err := m.waitBidding(ctx, "http://"+bidder, campaignsOf(dir)); err != nil {
		return err
	}
	bids := time.Since(start)
	pid, err := pidOf(dir, "bidder")
	if err != nil {
		return err
	}
	calm, err := settle(ctx, pid)
	fmt.Fprintf(e.out, "%s: bids for all its campaigns %.1f s after its start; without requests it then takes %.1f %% of a CPU\n", name, bids.Seconds(), 100*calm)
	m.list = append(m.list, load.Target{Name: name, URL: "http://" + bidder + "/openrtb2/demo", PID: pid})
	return err
}

// Until a process takes less than calmShare of a CPU, or for so long, what it
// does after its start is waited for.
const (
	calmShare = 0.05
	calmWait  = 30 * time.Second
)

// settle waits until a process has little to do, and says what share of a CPU
// it takes.
func settle(ctx context.Context, pid int) (share float64, err error) {
	const look = 2 * time.Second
	for start := time.Now(); time.Since(start) < calmWait; {
		before, err := load.ReadUsage(pid)
		if err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(look):
		}
		after, err := load.ReadUsage(pid)
		if err != nil {
			return 0, err
		}
		if share = (after.CPU - before.CPU).Seconds() / look.Seconds(); share < calmShare {
			break
		}
	}
	return share, nil
}

// benchTargets starts the references and a whole Grosz.
func benchTargets(ctx context.Context, e env, self string, c *benchConfig, fail context.CancelCauseFunc) (*measured, error) {
	m := &measured{began: time.Now(), fail: fail}
	for _, kind := range []string{load.KindEmpty, load.KindFixed} {
		if err := m.reference(ctx, self, kind, c.Answer); err != nil {
			return m, err
		}
	}
	dir := c.World
	var args []string
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "grosz-bench-"); err != nil {
			return m, fmt.Errorf("make a directory: %w", err)
		}
		m.stops = append(m.stops, func() { _ = os.RemoveAll(dir) })
		args = []string{"--demo", "--rate", "1", "--demo-shop", freeAddr()}
	} else if n := worldOf(dir).Profiles; n > 1_000_000 {
		args = []string{"--profiles", strconv.Itoa(n)}
	}
	return m, m.grosz(ctx, e, self, "grosz bidder", dir, args...)
}

func pidOf(dir, role string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "run", role+".pid"))
	if err != nil {
		return 0, fmt.Errorf("find the process of the %s: %w", role, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// worldFile says what 'bench world' wrote into a directory.
const worldFile = "world.json"

// worldSays is what it says.
type worldSays struct {
	Campaigns int `json:"campaigns"`
	Profiles  int `json:"profiles"`
	Products  int `json:"products"`
}

// worldOf reads it; zeros for what is no world.
func worldOf(dir string) (w worldSays) {
	if text, err := os.ReadFile(filepath.Join(dir, worldFile)); err == nil && json.Unmarshal(text, &w) != nil {
		return worldSays{}
	}
	return w
}

func campaignsOf(dir string) int { return worldOf(dir).Campaigns }

// waitBidding waits until all campaigns are live: as many as the world has;
// elsewhere some, and for two seconds no more of them.
func (m *measured) waitBidding(ctx context.Context, base string, campaigns int) error {
	last, same := 0.0, 0
	for start := time.Now(); time.Since(start) < 5*time.Minute; time.Sleep(200 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		now, err := scrape(ctx, m.metrics)
		live := now["grosz_campaigns_live"]
		if same++; err != nil || live == 0 || live != last {
			last, same = live, 0
		}
		all := same >= 10
		if campaigns > 0 {
			all = int(live) >= campaigns
		}
		if all && answers(ctx, base+"/readyz") {
			return nil
		}
	}
	return fmt.Errorf("the bidder bids for %.0f campaigns of %d after five minutes; see the logs of a 'grosz up'", last, campaigns)
}

// pin keeps the measured servers on the first CPU, and everything else off it.
func (m *measured) pin() error {
	n := runtime.NumCPU()
	if n < 2 {
		return errors.New("there is one CPU only")
	}
	var others []int
	for i := 1; i < n; i++ {
		others = append(others, i)
	}
	errs := []error{load.Pin(os.Getpid(), others...)}
	for _, t := range m.list {
		errs = append(errs, load.Pin(t.PID, 0))
	}
	for _, dir := range m.dirs {
		errs = append(errs, pinRoles(dir, m.began, others))
	}
	return errors.Join(errs...)
}

// pinRoles pins every role but the bidder, which has just been started.
func pinRoles(dir string, since time.Time, cpus []int) error {
	files, err := filepath.Glob(filepath.Join(dir, "run", "*.pid"))
	errs := []error{err}
	for _, f := range files {
		role := strings.TrimSuffix(filepath.Base(f), ".pid")
		if info, err := os.Stat(f); role == "bidder" || err != nil || info.ModTime().Before(since) {
			continue // one of an earlier run may be somebody else's process by now
		}
		pid, err := pidOf(dir, role)
		if err == nil {
			err = load.Pin(pid, cpus...)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
