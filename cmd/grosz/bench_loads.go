package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/load"
)

// Rounds of offered loads, at most: each is a step of seconds.
const loadRounds = 3

// steps are the shares of the top load to offer.
func (c *benchConfig) steps() ([]float64, error) {
	var out []float64
	for _, s := range c.Loads {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || v <= 0 || v > 100 {
			return nil, fmt.Errorf("--loads %q: a share of the top load, above 0", s)
		}
		out = append(out, v)
	}
	return out, nil
}

// useless are the bidder's reasons that are no decision about the impression.
var useless = []string{"overload", "no_time", "not_ready"}

// offerLoads offers shares of the top loads of the fixed server (those below
// its top) and of the bidder, and prints the table.
func offerLoads(ctx context.Context, e env, c *benchConfig, rows []load.Row, bodies [][]byte) ([]string, error) {
	times, err := c.steps()
	if err != nil {
		return nil, err
	}
	fixed, bidder := rows[1], rows[2]
	var list []load.Step
	for _, x := range times {
		if x < 1 {
			list = append(list, load.Step{Target: fixed.Target, Top: fixed.PerSecond, Times: x})
		}
	}
	for _, x := range times {
		list = append(list, load.Step{Target: bidder.Target, Top: bidder.PerSecond, Times: x})
	}
	o := load.Offer{
		Bodies: bodies, Warm: time.Second, Duration: c.Duration, Connections: c.Pool,
		Reason: "X-Grosz-Nobid", Useless: useless, Ask: "X-Grosz-Debug: 1",
	}
	rounds := min(c.Rounds, loadRounds)
	fmt.Fprintf(e.out, "\nopen loop: shares of each server's top load, %d rounds of %s each, up to %d connections; latency from when a request was due\n", rounds, c.Duration, c.Pool)
	if err := load.Climb(ctx, o, list, rounds); err != nil {
		return nil, err
	}
	load.PrintSteps(e.out, list)
	return loadLines(list, bidder.PerSecond), nil
}

// bidderLines are the comparison's rounds as lines of Go's benchmark format.
// Ratios are within a round.
func bidderLines(rows []load.Row, mallocs float64) []string {
	var out []string
	for i, r := range rows {
		for k, x := range r.Rounds {
			line := fmt.Sprintf("BenchmarkBidder/%s 1 %d cpu-ns/request %.0f requests/s", short(r.Name), x.CPU.Nanoseconds(), x.PerSecond)
			if i == 2 {
				line += fmt.Sprintf(" %.3f cpu/204 %.3f rate/fixed %.3f mallocs/request",
					load.Ratio(float64(x.CPU), float64(rows[0].Rounds[k].CPU)), load.Ratio(x.PerSecond, rows[1].Rounds[k].PerSecond), mallocs)
			}
			out = append(out, line)
		}
	}
	return out
}

// loadLines are the rounds of the offered loads.
func loadLines(list []load.Step, top float64) []string {
	fixed := map[float64]load.Step{}
	var out []string
	for _, s := range list {
		name := short(s.Target.Name)
		if name == "fixed" {
			fixed[s.Times] = s
		}
		for k, p99 := range s.P99s {
			line := fmt.Sprintf("BenchmarkLoad/%s/%g 1 %d p99-ns", name, s.Times, p99.Nanoseconds())
			if f, ok := fixed[s.Times]; ok && name == "grosz" {
				line += fmt.Sprintf(" %.3f p99/fixed", load.Ratio(float64(p99), float64(f.P99s[k])))
			}
			if name == "grosz" {
				line += fmt.Sprintf(" %.0f useful/s %.4f useful/top %.5f late-%% %.3f shed-%% %.3f unsent-%%", s.Useful[k], load.Ratio(s.Useful[k], top),
					s.Got.Share(s.Got.Late), s.Got.Share(s.Got.Shed), s.Got.Share(s.Got.Unsent))
			}
			out = append(out, line)
		}
	}
	return out
}

// short is a server's name without blanks.
func short(name string) string {
	name = strings.TrimPrefix(strings.TrimSuffix(name, " bidder"), "fasthttp, ")
	return strings.ReplaceAll(name, " ", "-")
}

// keepResults adds lines to a file; no file: nowhere.
func keepResults(path string, lines []string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("--results: %w", err)
	}
	_, err = f.WriteString("pkg: github.com/grosz/grosz/cmd/grosz\n" + strings.Join(lines, "\n") + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("--results: %w", err)
	}
	return nil
}
