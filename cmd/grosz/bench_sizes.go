package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/grosz/grosz/bench/load"
	"github.com/grosz/grosz/internal/config"
)

type benchSizesConfig struct {
	Small       int           `config:"small" help:"campaigns of the small world" default:"1000"`
	Large       int           `config:"large" help:"campaigns of the large world, of which as many match" default:"100000"`
	Profiles    int           `config:"profiles" help:"profiles of people at shops, in each" default:"200000"`
	Products    int           `config:"products" help:"products of all shops, in each" default:"100000"`
	Dir         string        `config:"dir" help:"directory for both worlds, kept; worlds that are there are used; empty: a temporary one"`
	Rounds      int           `config:"rounds" help:"interleaved rounds over both" default:"4"`
	Duration    time.Duration `config:"duration" help:"of each world's part of a round" default:"3s"`
	Connections int           `config:"connections" help:"connections of the generator" default:"256"`
	Pin         bool          `config:"pin" help:"servers on the first CPU, all else on the others, where there are two or more" default:"true"`
	Results     string        `config:"results" help:"file to add the results to, in Go's benchmark format"`
}

// Validate lists what is wrong.
func (c *benchSizesConfig) Validate() error {
	var errs []error
	if c.Small < 1 || c.Large < 1 || c.Profiles < 0 || c.Products < 0 {
		errs = append(errs, errors.New("--small, --large: at least one campaign each; --profiles, --products: not negative"))
	}
	if c.Rounds < 1 || c.Duration <= 0 || c.Connections < 1 {
		errs = append(errs, errors.New("--rounds, --duration, --connections: more than nothing"))
	}
	return errors.Join(errs...)
}

// runBenchSizes measures bidders of two worlds in turns: what a request costs
// where a hundred times as many campaigns are there and as many match.
func runBenchSizes(ctx context.Context, e env, args []string) (err error) {
	var c benchSizesConfig
	if _, err := config.Load("bench sizes", args, e.environ, &c, e.out); err != nil {
		return err
	}
	self, err := thisProgram()
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "grosz-sizes-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer func() { err = because(ctx, err) }()
	m := &measured{began: time.Now(), fail: fail}
	defer m.stop()
	if err := m.reference(ctx, self, load.KindEmpty, 0); err != nil {
		return err
	}
	bodies := map[string][][]byte{}
	for _, n := range []int{c.Small, c.Large} {
		if err := c.world(ctx, e, self, m, filepath.Join(dir, strconv.Itoa(n)), n, bodies); err != nil {
			return err
		}
	}
	bodies[m.list[0].URL] = bodies[m.list[1].URL]
	if c.Pin {
		if err := m.pin(); err != nil {
			fmt.Fprintf(e.out, "not pinned: %v\n", err)
		}
	}
	rows, err := load.Compare(ctx, load.Config{Targets: m.list, BodiesOf: bodies, Rounds: c.Rounds, Duration: c.Duration, Connections: c.Connections})
	if err != nil {
		return err
	}
	load.Print(e.out, rows)
	return errors.Join(keepResults(c.Results, sizeLines(e.out, &c, rows)), ctx.Err())
}

// world writes a world, if it is not there, and starts a Grosz over it.
func (c *benchSizesConfig) world(ctx context.Context, e env, self string, m *measured, dir string, campaigns int, bodies map[string][][]byte) error {
	if campaignsOf(dir) != campaigns {
		args := []string{"--dir", dir, "--campaigns", strconv.Itoa(campaigns), "--profiles", strconv.Itoa(c.Profiles), "--products", strconv.Itoa(c.Products)}
		if err := runBenchWorld(ctx, e, args); err != nil {
			return err
		}
	}
	list, err := readBodies([]string{filepath.Join(dir, "requests.jsonl")})
	if err != nil {
		return err
	}
	if err := m.grosz(ctx, e, self, fmt.Sprintf("%d campaigns", campaigns), dir, "--profiles", strconv.Itoa(max(c.Profiles+c.Profiles/8, 1_000_000))); err != nil {
		return err
	}
	bodies[m.list[len(m.list)-1].URL] = list
	return nil
}

// sizeLines says the ratio, and gives the rounds as lines of results.
func sizeLines(w io.Writer, c *benchSizesConfig, rows []load.Row) (lines []string) {
	small, large := rows[1], rows[2]
	for k := range small.Rounds {
		a, b := small.Rounds[k], large.Rounds[k]
		lines = append(lines,
			fmt.Sprintf("BenchmarkSizes/%d 1 %d cpu-ns/request %.0f requests/s", c.Small, a.CPU.Nanoseconds(), a.PerSecond),
			fmt.Sprintf("BenchmarkSizes/%d 1 %d cpu-ns/request %.0f requests/s %.3f cpu/small", c.Large, b.CPU.Nanoseconds(), b.PerSecond, load.Ratio(float64(b.CPU), float64(a.CPU))))
	}
	fmt.Fprintf(w, "%d campaigns cost %.2f times the CPU of %d a request\n", c.Large, load.Ratio(float64(large.CPUPerRequest), float64(small.CPUPerRequest)), c.Small)
	return lines
}
