package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/grosz/grosz/bench/load"
	"github.com/grosz/grosz/internal/config"
)

type benchConfig struct {
	Rounds      int           `config:"rounds" help:"interleaved rounds over all servers" default:"3"`
	Duration    time.Duration `config:"duration" help:"of each server's part of a round" default:"3s"`
	Connections int           `config:"connections" help:"connections of the generator" default:"16"`
	Answer      int           `config:"answer-bytes" help:"size of the fixed answer" default:"2500"`
	Corpus      []string      `config:"corpus" help:"recorded requests to send, files of JSON lines" default:"bench/corpus/banner.jsonl,bench/corpus/video.jsonl,bench/corpus/native.jsonl,bench/corpus/standard.jsonl,bench/corpus/context.jsonl"`
	World       string        `config:"world" help:"directory that 'grosz bench world' made: measure with its campaigns, people and requests"`
	Pin         bool          `config:"pin" help:"servers on the first CPU, all else on the others, where there are two or more" default:"true"`
	Profile     string        `config:"cpu-profile" help:"file for a CPU profile of the bidder under this load"`
	Server      string        `config:"server" help:"internal: run a reference server, 204 or fixed"`
}

// Validate lists what is wrong.
func (c *benchConfig) Validate() error {
	var errs []error
	if c.Rounds < 1 {
		errs = append(errs, fmt.Errorf("--rounds %d: at least one", c.Rounds))
	}
	if c.Duration <= 0 {
		errs = append(errs, fmt.Errorf("--duration %s: more than nothing", c.Duration))
	}
	if c.Connections < 1 {
		errs = append(errs, fmt.Errorf("--connections %d: at least one", c.Connections))
	}
	if c.Answer < 0 {
		errs = append(errs, fmt.Errorf("--answer-bytes %d is negative", c.Answer))
	}
	return errors.Join(errs...)
}

// runBench measures the bidder process, with all its work and events on,
// against two reference servers, in one run.
func runBench(ctx context.Context, e env, args []string) error {
	if len(args) > 0 && args[0] == "world" {
		return runBenchWorld(ctx, e, args[1:])
	}
	if len(args) > 0 && args[0] == "events" {
		return runBenchEvents(ctx, e, args[1:])
	}
	var c benchConfig
	if _, err := config.Load("bench", args, e.environ, &c, e.out); err != nil {
		return err
	}
	if c.Server != "" {
		return benchServer(ctx, e, &c)
	}
	if c.World != "" {
		c.Corpus = []string{filepath.Join(c.World, "requests.jsonl")}
	}
	bodies, err := readBodies(c.Corpus)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	targets, stop, err := benchTargets(ctx, e, self, &c)
	defer stop()
	if err != nil {
		return err
	}
	if c.Pin {
		if err := targets.pin(); err != nil {
			fmt.Fprintf(e.out, "not pinned: %v\n", err)
		}
	}
	before, err := scrape(ctx, targets.metrics)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "measuring %d servers, %d rounds of %s each, %d kinds of request\n", len(targets.list), c.Rounds, c.Duration, len(bodies))
	profiled := func() error { return nil }
	if c.Profile != "" {
		profiled = recordProfile(ctx, targets.metrics, c.Profile, time.Duration(c.Rounds*len(targets.list))*c.Duration)
	}
	rows, err := load.Compare(ctx, load.Config{
		Targets: targets.list, Bodies: bodies, Rounds: c.Rounds, Duration: c.Duration, Connections: c.Connections,
	})
	if err != nil {
		return err
	}
	load.Print(e.out, rows)
	if err := profiled(); err != nil {
		return err
	}
	after, err := scrape(ctx, targets.metrics)
	if err != nil {
		return err
	}
	per := func(name string) float64 {
		return (after[name] - before[name]) / max(after["grosz_bid_requests_total"]-before["grosz_bid_requests_total"], 1)
	}
	fmt.Fprintf(e.out, "bidder: %.1f allocations and %.0f bytes a request in the whole process; %.0f %% of the requests bid on; %.4f bids dropped a request\n",
		per("go_memstats_mallocs_total"), per("go_memstats_alloc_bytes_total"), 100*per("grosz_bid_responses_total"), per("grosz_bids_dropped_total"))
	return nil
}

func benchServer(ctx context.Context, e env, c *benchConfig) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(e.out, "http://%s/\n", l.Addr())
	return load.ServeReference(ctx, l, c.Server, c.Answer)
}

func readBodies(paths []string) ([][]byte, error) {
	var out [][]byte
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--corpus: %w", err)
		}
		for line := range bytes.SplitSeq(b, []byte{'\n'}) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				out = append(out, line)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--corpus %s: no requests in it", strings.Join(paths, ","))
	}
	return out, nil
}

// measured are the servers of a run.
type measured struct {
	list    []load.Target
	metrics string
	dir     string
}

// benchTargets starts the references and a whole Grosz in a directory of its
// own, whose bidder is measured.
func benchTargets(ctx context.Context, e env, self string, c *benchConfig) (measured, func(), error) {
	var m measured
	var stops []func()
	stop := func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	for _, kind := range []string{load.KindEmpty, load.KindFixed} {
		p, err := load.Start(ctx, self, nil, "bench", "--server", kind, "--answer-bytes", strconv.Itoa(c.Answer))
		if err != nil {
			return m, stop, err
		}
		stops = append(stops, func() { _ = p.Stop() })
		m.list = append(m.list, load.Target{Name: "fasthttp, " + kind, URL: p.URL, PID: p.PID})
	}
	dir := c.World
	args := []string{"up", "--plain"}
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "grosz-bench-"); err != nil {
			return m, stop, fmt.Errorf("make a directory: %w", err)
		}
		stops = append(stops, func() { _ = os.RemoveAll(dir) })
		args = append(args, "--demo", "--rate", "1", "--demo-shop", freeAddr())
	}
	bidder, metrics := freeAddr(), freeAddr()
	cmd := exec.Command(self, append(args, "--data", dir, "--bidder", bidder, "--metrics", metrics,
		"--console", freeAddr(), "--warehouse", freeAddr(), "--broker", freeAddr())...)
	cmd.Stderr = e.errOut
	if err := cmd.Start(); err != nil {
		return m, stop, fmt.Errorf("start grosz up: %w", err)
	}
	stops = append(stops, func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	m.metrics, m.dir = "http://"+metrics+"/metrics", dir
	if err := m.waitBidding(ctx, "http://"+bidder); err != nil {
		return m, stop, err
	}
	pid, err := pidOf(dir, "bidder")
	m.list = append(m.list, load.Target{Name: "grosz bidder", URL: "http://" + bidder + "/openrtb2/demo", PID: pid})
	return m, stop, err
}

func pidOf(dir, role string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "run", role+".pid"))
	if err != nil {
		return 0, fmt.Errorf("find the process of the %s: %w", role, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// waitBidding waits until all campaigns are live: there are some, and for a
// second no more of them.
func (m *measured) waitBidding(ctx context.Context, base string) error {
	last, same := 0.0, 0
	for range 600 {
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		now, err := scrape(ctx, m.metrics)
		live := now["grosz_campaigns_live"]
		if same++; err != nil || live == 0 || live != last {
			last, same = live, 0
		}
		if same >= 10 && answers(ctx, base+"/readyz") {
			return nil
		}
	}
	return errors.New("the bidder did not bid within two minutes; see the logs of a 'grosz up'")
}

// pin keeps the servers on the first CPU, and everything else off it.
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
	for _, role := range []string{"console", "loader", "warehouse", "broker"} {
		pid, err := pidOf(m.dir, role)
		if err == nil {
			err = load.Pin(pid, others...)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
