package pacesim

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
)

// Row sums up the seeds of one scenario.
type Row struct {
	Scenario  *Scenario
	Results   []Result // by seed
	MeanShare float64
	Worst     Result // by share
	Delivered float64
	Over      float64 // the most, and what was allowed then
	Allowed   float64
	Reached   bool
}

// Seeds plays n seeds from first on, up to workers at once, each with a pacer
// of its own.
func Seeds(ctx context.Context, s *Scenario, first uint64, n, workers int, pacer func(seed uint64) (Pacer, error)) (Row, error) {
	results, errs := make([]Result, n), make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(1, workers) {
		wg.Go(func() {
			for i := range next {
				p, err := pacer(first + uint64(i))
				if err == nil {
					results[i], err = Play(s, first+uint64(i), p)
				}
				errs[i] = err
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return Row{}, fmt.Errorf("simulation stopped: %w", err)
	}
	for _, err := range errs {
		if err != nil {
			return Row{}, err
		}
	}
	return sumUp(s, results), nil
}

func sumUp(s *Scenario, results []Result) Row {
	r := Row{Scenario: s, Results: results, Worst: results[0], Delivered: math.Inf(1), Over: math.Inf(-1), Reached: true}
	for i := range results {
		x := &results[i]
		r.MeanShare += x.Share / float64(len(results))
		if x.Share < r.Worst.Share {
			r.Worst = *x
		}
		r.Delivered = math.Min(r.Delivered, x.Delivered)
		if x.Over-x.Allowed > r.Over-r.Allowed || i == 0 {
			r.Over, r.Allowed = x.Over, x.Allowed
		}
		r.Reached = r.Reached && x.Reached(s.Goals)
	}
	return r
}

// Head writes the heading of the table.
func Head(w io.Writer) {
	fmt.Fprintf(w, "%-22s %5s %8s %8s %6s %10s %10s %9s %9s  %s\n",
		"scenario", "seeds", "mean %", "worst %", "goal", "delivered", "goal", "over %", "allowed", "reached")
}

// Write writes the row. Overspend below zero is money left over.
func (r *Row) Write(w io.Writer) {
	yes := "yes"
	if !r.Reached {
		missed := []uint64{}
		for i := range r.Results {
			if !r.Results[i].Reached(r.Scenario.Goals) {
				missed = append(missed, r.Results[i].Seed)
			}
		}
		slices.Sort(missed)
		yes = fmt.Sprintf("no, seeds %v", missed)
	}
	fmt.Fprintf(w, "%-22s %5d %8.2f %8.2f %6.1f %10.2f %10.1f %9.3f %9.3f  %s\n",
		r.Scenario.Name, len(r.Results), r.MeanShare, r.Worst.Share, r.Scenario.Goals.Share,
		r.Delivered, r.Scenario.Goals.Delivered, r.Over, r.Allowed, yes)
}
