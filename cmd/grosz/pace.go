package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/pacing/lines"
	"github.com/grosz/grosz/pacing/plan"
)

type paceConfig struct {
	Stdio bool   `config:"stdio" help:"read JSON lines from standard input and answer bids on standard output"`
	Seed  uint64 `config:"seed" help:"of the few bids that are varied on a first day to learn from" default:"1"`
}

// runPace offers the pacing of one campaign to another program.
func runPace(ctx context.Context, e env, args []string) error {
	var c paceConfig
	if _, err := config.Load("pace", args, e.environ, &c, e.out); err != nil {
		return err
	}
	if !c.Stdio {
		return errors.New("grosz pace --stdio: without --stdio there is nothing to pace")
	}
	return servePace(ctx, os.Stdin, e, plan.Config{Seed: c.Seed})
}

// servePace ends with its input, or with the process: a read from a pipe
// cannot be interrupted, so that nobody waits for its goroutine after a signal.
func servePace(ctx context.Context, in io.Reader, e env, cfg plan.Config) error {
	done := make(chan error, 1)
	go func() { done <- lines.Serve(in, e.out, e.errOut, cfg) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-done:
		if err != nil {
			return fmt.Errorf("grosz pace: %w", err)
		}
		return nil
	}
}
