package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/grosz/grosz/bench/stream"
	"github.com/grosz/grosz/internal/config"
)

type benchEventsConfig struct {
	kafkaNet
	Kafka  []string `config:"kafka" help:"Kafka brokers, host:port, comma separated; empty: an embedded one of its own"`
	Events int      `config:"events" help:"events to send, each way" default:"1000000"`
	Parts  int      `config:"partitions" help:"partitions of new event topics" default:"4"`
	Rounds int      `config:"rounds" help:"rounds over all ways" default:"1"`
	Keep   string   `config:"results" help:"file to add the results to, in Go's benchmark format"`
}

// Validate lists what is wrong.
func (c *benchEventsConfig) Validate() error {
	var errs []error
	if c.Events < 1 {
		errs = append(errs, fmt.Errorf("--events %d: at least one", c.Events))
	}
	if c.Rounds < 1 {
		errs = append(errs, fmt.Errorf("--rounds %d: at least one", c.Rounds))
	}
	return errors.Join(append(errs, c.kafkaNet.check(c.Kafka))...)
}

// runBenchEvents sends events through a spool to Kafka, as a bidder does, in
// the ways that there are, and reads them back.
func runBenchEvents(ctx context.Context, e env, args []string) (err error) {
	var c benchEventsConfig
	if _, err := config.Load("bench events", args, e.environ, &c, e.out); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "grosz-bench-events-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	name := "given"
	if len(c.Kafka) == 0 {
		var fail context.CancelCauseFunc
		ctx, fail = context.WithCancelCause(ctx)
		defer fail(nil)
		defer func() { err = because(ctx, err) }()
		addr, stop, err := startBroker(e, dir, fail)
		if err != nil {
			return err
		}
		defer stop()
		c.Kafka, name = []string{addr}, "embedded"
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	stream.Head(e.out)
	tag := uint64(time.Now().UnixNano())
	var lines []string
	for round := range c.Rounds {
		for i, way := range eventWays() {
			cfg := stream.Config{
				Kafka: brokers, Dir: filepath.Join(dir, fmt.Sprint(round), fmt.Sprint(i)), Events: c.Events, Partitions: c.Parts, Log: e.log,
				Tag: tag + uint64(round*len(eventWays())+i),
			}
			way.change(&cfg)
			res, err := stream.Run(ctx, cfg)
			if err != nil {
				return err
			}
			stream.Print(e.out, way.says, res)
			if res.Missing > 0 {
				return fmt.Errorf("%d events that were acknowledged are not in the log", res.Missing)
			}
			lines = append(lines, fmt.Sprintf("BenchmarkEvents/%s/%s 1 %.0f events/s %.0f fsynced/s %.0f cpu-ns/event", name, way.name,
				res.Rate(), float64(res.Events)/res.Durable.Seconds(), float64(res.CPU.Nanoseconds())/float64(res.Events)))
		}
	}
	return keepResults(c.Keep, lines)
}

// eventWay is a way in which events come.
type eventWay struct {
	name, says string
	change     func(*stream.Config)
}

func eventWays() []eventWay {
	return []eventWay{
		{"notices", "notices: 2048 at once, one event each", func(s *stream.Config) { s.Senders = 2048 }},
		{"shops", "shops: 64 at once, 250 events each", func(s *stream.Config) { s.Senders, s.PerAppend = 64, 250 }},
		{"backlog", "a backlog: shipped after the last append", func(s *stream.Config) { s.Senders, s.PerAppend, s.Backlog = 64, 250, true }},
	}
}

// startBroker runs the embedded broker as a process of its own, whose end ends
// the measurement.
func startBroker(e env, dir string, fail context.CancelCauseFunc) (addr string, stop func(), err error) {
	self, err := thisProgram()
	if err != nil {
		return "", nil, err
	}
	addr = freeAddr()
	cmd := exec.Command(self, "broker", "--data", dir, "--broker", addr)
	stop, err = startChild(cmd, "grosz broker", e.errOut, fail)
	return addr, stop, err
}
