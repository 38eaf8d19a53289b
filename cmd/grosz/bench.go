package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/load"
	"github.com/grosz/grosz/internal/config"
)

type benchConfig struct {
	Rounds      int           `config:"rounds" help:"interleaved rounds over all servers" default:"3"`
	Duration    time.Duration `config:"duration" help:"of each server's part of a round" default:"3s"`
	Connections int           `config:"connections" help:"connections of the generator" default:"256"`
	Answer      int           `config:"answer-bytes" help:"size of the fixed answer" default:"2500"`
	Corpus      []string      `config:"corpus" help:"recorded requests to send, files of JSON lines" default:"bench/corpus/banner.jsonl,bench/corpus/video.jsonl,bench/corpus/native.jsonl,bench/corpus/standard.jsonl,bench/corpus/context.jsonl"`
	World       string        `config:"world" help:"directory that 'grosz bench world' made: measure with its campaigns, people and requests"`
	Pin         bool          `config:"pin" help:"servers on the first CPU, all else on the others, where there are two or more" default:"true"`
	Loads       []string      `config:"loads" help:"shares of the top load to offer afterwards at a fixed rate, like 0.5,0.8,1,1.5,3"`
	Pool        int           `config:"pool" help:"connections of the exchange that offers --loads" default:"1024"`
	Results     string        `config:"results" help:"file to add the results to, in Go's benchmark format"`
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
	if c.Pool < 1 {
		errs = append(errs, fmt.Errorf("--pool %d: at least one", c.Pool))
	}
	_, err := c.steps()
	return errors.Join(append(errs, err)...)
}

// runBench measures the bidder process, with all its work and events on,
// against two reference servers, in one run.
func runBench(ctx context.Context, e env, args []string) (err error) {
	if len(args) > 0 {
		switch args[0] {
		case "world":
			return runBenchWorld(ctx, e, args[1:])
		case "events":
			return runBenchEvents(ctx, e, args[1:])
		case "sizes":
			return runBenchSizes(ctx, e, args[1:])
		case "table":
			return runBenchTable(ctx, e, args[1:])
		}
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
	self, err := thisProgram()
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer func() { err = because(ctx, err) }()
	targets, err := benchTargets(ctx, e, self, &c, fail)
	defer targets.stop()
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
	allocs := per("go_memstats_mallocs_total")
	fmt.Fprintf(e.out, "bidder: %.1f allocations and %.0f bytes a request in the whole process; %.0f %% of the requests bid on; %.4f bids dropped a request\n",
		allocs, per("go_memstats_alloc_bytes_total"), 100*per("grosz_bid_responses_total"), per("grosz_bids_dropped_total"))
	lines := bidderLines(rows, allocs)
	if len(c.Loads) > 0 {
		more, err := offerLoads(ctx, e, &c, rows, bodies)
		if err != nil {
			return err
		}
		lines = append(lines, more...)
	}
	return keepResults(c.Results, lines)
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
