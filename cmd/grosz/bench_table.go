package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/grosz/grosz/bench/results"
	"github.com/grosz/grosz/internal/config"
)

type benchTableConfig struct {
	Results string `config:"results" help:"file of results, in Go's benchmark format" default:"bin/bench.txt"`
	Kept    string `config:"kept" help:"file of the results to compare with; one that is not there is left out" default:"bench/results/kept.txt"`
}

// runBenchTable prints results with their goals, and what is worse than what
// was kept.
func runBenchTable(_ context.Context, e env, args []string) error {
	var c benchTableConfig
	if _, err := config.Load("bench table", args, e.environ, &c, e.out); err != nil {
		return err
	}
	now, err := readResults(c.Results)
	if err != nil {
		return fmt.Errorf("--results: %w", err)
	}
	kept, err := readResults(c.Kept)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--kept: %w", err)
	}
	results.Print(e.out, kept, now)
	return nil
}

func readResults(path string) (*results.Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := results.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
