package pacesim_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/fleet"
	"github.com/grosz/grosz/bench/pacesim"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// planner joins the simulator's decimals to the controller's integers.
type planner struct{ c *plan.Controller }

func newPlanner(seed uint64) (pacesim.Pacer, error) {
	return planner{plan.New(plan.Config{Seed: seed})}, nil
}

func (p planner) Start(_ int, budget float64, forecast []float64, auction int) error {
	return p.c.Start(plan.Day{Budget: money.Nano(budget * money.NanoUnit), Forecast: forecast, Auction: plan.Auction(auction)})
}

func (p planner) Bid(t float64, id int64, placement int, value float64) (float64, error) {
	return float64(p.c.Bid(t, uint64(id), uint64(placement), money.CPM(value*money.CPMUnit))) / money.CPMUnit, nil
}

func (p planner) Win(t float64, id int64, cost float64) error {
	p.c.Win(t, uint64(id), money.Nano(math.Round(cost*money.NanoUnit)))
	return nil
}

func (p planner) PerClick() { p.c.PerClick() }

func (p planner) Charge(t float64, cost float64) error {
	p.c.Charge(t, money.Nano(math.Round(cost*money.NanoUnit)))
	return nil
}

func (p planner) End() error { p.c.End(); return nil }

// Every built-in scenario reaches its goals. `make simulate` plays more seeds.
func TestGoals(t *testing.T) {
	all, err := pacesim.Builtin()
	require.NoError(t, err)
	require.Greater(t, len(all), 15)
	if testing.Short() {
		all = all[:1] // under the race detector: one day
	}
	for i := range all {
		s := &all[i]
		t.Run(s.Name, func(t *testing.T) {
			pacer := newPlanner
			if s.Nodes != nil {
				pacer = func(seed uint64) (pacesim.Pacer, error) { return fleet.New(*s.Nodes, seed), nil }
			}
			row, err := pacesim.Seeds(context.Background(), s, 31, 1, 1, pacer)
			require.NoError(t, err)
			for _, r := range row.Results {
				assert.True(t, r.Reached(s.Goals), "seed %d: share %.2f, delivered %.2f, over %.3f of %.3f allowed",
					r.Seed, r.Share, r.Delivered, r.Over, r.Allowed)
			}
		})
	}
}

// half bids half of the value until the money it knows of is gone.
type half struct{ left float64 }

func (h *half) Start(_ int, budget float64, _ []float64, _ int) error { h.left = budget; return nil }
func (h *half) Bid(_ float64, _ int64, _ int, value float64) (float64, error) {
	if h.left <= 0 {
		return 0, nil
	}
	return value / 2, nil
}
func (h *half) Win(_ float64, _ int64, cost float64) error { h.left -= cost; return nil }
func (h *half) End() error                                 { return nil }

// The measure tells a bad pacer from a good one.
func TestABadPacerIsFound(t *testing.T) {
	s, err := pacesim.Parse([]byte("name: x\nrequests: 50000\nnotices: {delay: 30, lost: 0.02}\ngoals: {share: 98, delivered: 99}\n"))
	require.NoError(t, err)
	row, err := pacesim.Seeds(context.Background(), &s, 1, 2, 2, func(uint64) (pacesim.Pacer, error) { return &half{}, nil })
	require.NoError(t, err)
	assert.False(t, row.Reached)
	assert.Less(t, row.Worst.Share, 90.0)
	assert.Greater(t, row.Over, row.Allowed, "what is lost is overspent")
	assert.Contains(t, string(pacesim.SVG(&row.Worst)), "</svg>")
}

// One seed is one world, whoever plays and however many at once.
func TestAWorldIsDrawnFromItsSeed(t *testing.T) {
	s, err := pacesim.Parse([]byte("name: x\nrequests: 5000\n"))
	require.NoError(t, err)
	play := func(workers int) []pacesim.Result {
		row, err := pacesim.Seeds(context.Background(), &s, 1, 4, workers, newPlanner)
		require.NoError(t, err)
		return row.Results
	}
	assert.Equal(t, play(1), play(3))
	r := play(1)
	assert.NotEqual(t, r[0].Spend, r[1].Spend)
}

func TestAScenarioSaysAllThatIsWrong(t *testing.T) {
	_, err := pacesim.Parse([]byte("auction: 3\nrequests: 7\nchanges: [{what: weather, from: 9, to: 8, times: -1}]\nnotices: {lost: 2}\n"))
	for _, want := range []string{"name is missing", "auction 3", "requests 7", `"weather"`, "from 9 to 8", "times -1", "late_share and lost"} {
		require.ErrorContains(t, err, want)
	}
	_, err = pacesim.Parse([]byte("name: x\nchanges: 5\n"))
	require.Error(t, err)
	_, err = pacesim.Parse([]byte("name: x\ncolour: red\n"))
	require.ErrorContains(t, err, "colour")
}
