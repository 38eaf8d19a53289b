package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/grosz/grosz/bench/fleet"
	"github.com/grosz/grosz/bench/pacesim"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

type simulateConfig struct {
	Seeds   int    `config:"seeds" help:"seeds of each scenario; 0 is as many as the scenario says" default:"0"`
	First   uint64 `config:"first-seed" help:"the first of them; 0 is the scenario's" default:"0"`
	Only    string `config:"only" help:"of the built-in scenarios only those whose name has this in it"`
	Workers int    `config:"workers" help:"seeds played at once" default:"2"`
	Plot    string `config:"plot" help:"write the worst seed's day of each scenario as SVG into this folder"`
	Detail  bool   `config:"detail" help:"print every seed"`
}

// runSimulate plays scenarios against the pacing controller and prints how it
// did; it fails when a goal was missed.
func runSimulate(ctx context.Context, e env, args []string) error {
	var c simulateConfig
	files, err := config.Load("simulate", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	scenarios, err := scenariosOf(files, c.Only)
	if err != nil {
		return err
	}
	pacesim.Head(e.out)
	var missed []string
	for i := range scenarios {
		row, err := c.play(ctx, e, &scenarios[i])
		if err != nil {
			return err
		}
		if !row.Reached {
			missed = append(missed, scenarios[i].Name)
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("simulate: goals missed in %s", strings.Join(missed, ", "))
	}
	return nil
}

func (c *simulateConfig) play(ctx context.Context, e env, s *pacesim.Scenario) (pacesim.Row, error) {
	seeds, first := s.Seeds, s.FirstSeed
	if c.Seeds > 0 {
		seeds = c.Seeds
	}
	if c.First > 0 {
		first = c.First
	}
	row, err := pacesim.Seeds(ctx, s, first, seeds, c.Workers, pacerOf(s))
	if err != nil {
		return row, err
	}
	row.Write(e.out)
	if s.Nodes != nil || s.Orders != nil || s.Clicks != nil {
		for _, note := range row.Worst.Notes() {
			fmt.Fprintf(e.out, "  worst seed %d: %s\n", row.Worst.Seed, note)
		}
	}
	if c.Detail {
		for i := range row.Results {
			r := &row.Results[i]
			fmt.Fprintf(e.out, "  seed %-5d %8d requests %7d wins, share %7.2f, delivered %7.2f, over %7.3f, best k %.3f, uneven %.2f\n",
				r.Seed, r.Requests, r.Wins, r.Share, r.Delivered, r.Over, r.BestK, r.Uneven)
		}
	}
	if c.Plot == "" {
		return row, nil
	}
	return row, plotTo(filepath.Join(c.Plot, s.Name+".svg"), &row.Worst)
}

func plotTo(path string, r *pacesim.Result) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	if err := os.WriteFile(path, pacesim.SVG(r), 0o644); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}

// scenariosOf reads the files; without any it takes the built-in ones.
func scenariosOf(files []string, only string) ([]pacesim.Scenario, error) {
	if len(files) == 0 {
		all, err := pacesim.Builtin()
		if err != nil {
			return nil, err
		}
		var out []pacesim.Scenario
		for _, s := range all {
			if strings.Contains(s.Name, only) {
				out = append(out, s)
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("simulate: no built-in scenario has --only %s in its name", strconv.Quote(only))
		}
		return out, nil
	}
	var out []pacesim.Scenario
	var errs []error
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("simulate: %w", err))
			continue
		}
		s, err := pacesim.Parse(b)
		if err != nil {
			errs = append(errs, fmt.Errorf("simulate: %s: %w", f, err))
		}
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

// localPacer joins the simulator's decimals to the controller's integers.
type localPacer struct{ c *plan.Controller }

// pacerOf makes what plays a scenario: the plan by itself, or nodes that share
// the budget through a log.
func pacerOf(s *pacesim.Scenario) func(seed uint64) (pacesim.Pacer, error) {
	if s.Nodes == nil {
		return newLocalPacer
	}
	return func(seed uint64) (pacesim.Pacer, error) { return fleet.New(*s.Nodes, seed), nil }
}

func newLocalPacer(seed uint64) (pacesim.Pacer, error) {
	return localPacer{plan.New(plan.Config{Seed: seed})}, nil
}

// Start begins a day.
func (p localPacer) Start(_ int, budget float64, forecast []float64, auction int) error {
	return p.c.Start(plan.Day{Budget: money.Nano(math.Floor(budget * money.NanoUnit)), Forecast: forecast, Auction: plan.Auction(auction)})
}

// Bid answers one request.
func (p localPacer) Bid(t float64, id int64, placement int, value float64) (float64, error) {
	bid := p.c.Bid(t, uint64(id), uint64(placement), money.CPM(value*money.CPMUnit))
	return float64(bid) / money.CPMUnit, nil
}

// Win reports one win.
func (p localPacer) Win(t float64, id int64, cost float64) error {
	p.c.Win(t, uint64(id), money.Nano(math.Round(cost*money.NanoUnit)))
	return nil
}

// PerClick says that clicks are billed.
func (p localPacer) PerClick() { p.c.PerClick() }

// Charge reports what a click was billed.
func (p localPacer) Charge(t float64, cost float64) error {
	p.c.Charge(t, money.Nano(math.Round(cost*money.NanoUnit)))
	return nil
}

// End ends the day.
func (p localPacer) End() error {
	p.c.End()
	return nil
}
