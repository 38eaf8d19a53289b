package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Target is a server process to measure.
type Target struct {
	Name string
	URL  string
	PID  int // 0: CPU and memory are not known
}

// Config of a comparison. The first target is what the others are related to.
type Config struct {
	Targets []Target
	Bodies  [][]byte
	// BodiesOf are the bodies of targets, by URL, that are sent others.
	BodiesOf map[string][][]byte
	// Rounds over all targets; 0 means 3. Duration of each target's part of a
	// round; 0 means 3 s. The first second of a target's first part is
	// driven before, unmeasured.
	Rounds      int
	Duration    time.Duration
	Connections int
}

// Row is one target's figures, medians over the rounds.
type Row struct {
	Target
	PerSecond     float64
	CPUPerRequest time.Duration // 0 if unknown
	// CPURange is the least and the most over the rounds.
	CPURange [2]time.Duration
	P50, P90 time.Duration
	P99      time.Duration
	P999     time.Duration
	RSS      int64 // bytes, the most seen
	Requests int64
	Errors   int64
	Status   map[int]int64
	Rounds   []Round
}

// Round is what one round measured of a target.
type Round struct {
	PerSecond           float64
	CPU                 time.Duration // a request
	p50, p90, p99, p999 time.Duration
}

// Compare measures the targets in interleaved rounds.
func Compare(ctx context.Context, cfg Config) ([]Row, error) {
	if len(cfg.Targets) == 0 {
		return nil, errors.New("compare: no targets")
	}
	cfg.Rounds = cmp.Or(cfg.Rounds, 3)
	cfg.Duration = cmp.Or(cfg.Duration, 3*time.Second)
	rows := make([]Row, len(cfg.Targets))
	for i, t := range cfg.Targets {
		rows[i] = Row{Target: t, Status: map[int]int64{}}
		warm := cfg.drive(t)
		warm.Duration = min(time.Second, cfg.Duration)
		if _, err := warm.Run(ctx); err != nil {
			return nil, fmt.Errorf("compare: %s: %w", t.Name, err)
		}
	}
	for range cfg.Rounds {
		for i, t := range cfg.Targets {
			r, err := cfg.measure(ctx, t, &rows[i])
			if err != nil {
				return nil, fmt.Errorf("compare: %s: %w", t.Name, err)
			}
			rows[i].Rounds = append(rows[i].Rounds, r)
		}
	}
	for i := range rows {
		rows[i].medians(rows[i].Rounds)
	}
	return rows, ctx.Err()
}

func (cfg *Config) drive(t Target) *Drive {
	bodies := cfg.BodiesOf[t.URL]
	if bodies == nil {
		bodies = cfg.Bodies
	}
	return &Drive{URL: t.URL, Bodies: bodies, Duration: cfg.Duration, Connections: cfg.Connections}
}

func (cfg *Config) measure(ctx context.Context, t Target, row *Row) (Round, error) {
	var before, after Usage
	var err error
	if t.PID != 0 {
		if before, err = ReadUsage(t.PID); err != nil {
			return Round{}, err
		}
	}
	res, err := cfg.drive(t).Run(ctx)
	if err != nil {
		return Round{}, err
	}
	if t.PID != 0 {
		if after, err = ReadUsage(t.PID); err != nil {
			return Round{}, err
		}
	}
	row.RSS = max(row.RSS, after.RSS)
	row.Requests += res.Requests
	row.Errors += res.Errors
	for s, n := range res.Status {
		row.Status[s] += n
	}
	q := func(p float64) time.Duration { return time.Duration(res.Latency.ValueAtQuantile(p)) }
	return Round{res.PerSecond(), (after.CPU - before.CPU) / time.Duration(max(res.Requests, 1)), q(50), q(90), q(99), q(99.9)}, nil
}

func (r *Row) medians(rounds []Round) {
	r.PerSecond = median(rounds, func(x Round) float64 { return x.PerSecond })
	cpu := func(x Round) time.Duration { return x.CPU }
	r.CPUPerRequest = median(rounds, cpu)
	r.CPURange = [2]time.Duration{cpu(slices.MinFunc(rounds, byCPU)), cpu(slices.MaxFunc(rounds, byCPU))}
	r.P50 = median(rounds, func(x Round) time.Duration { return x.p50 })
	r.P90 = median(rounds, func(x Round) time.Duration { return x.p90 })
	r.P99 = median(rounds, func(x Round) time.Duration { return x.p99 })
	r.P999 = median(rounds, func(x Round) time.Duration { return x.p999 })
}

func byCPU(a, b Round) int { return cmp.Compare(a.CPU, b.CPU) }

func median[T cmp.Ordered](rounds []Round, of func(Round) T) T {
	var list []T
	for _, r := range rounds {
		list = append(list, of(r))
	}
	return medianOf(list)
}

// Print writes the table; ratios are to the first row.
func Print(w io.Writer, rows []Row) {
	fmt.Fprintf(w, "%-24s %10s %6s %12s %6s %21s %9s %9s %9s %9s %8s %7s\n", "server", "req/s", "×", "CPU/req", "×", "least–most", "p50", "p90", "p99", "p99.9", "RSS MB", "errors")
	for _, r := range rows {
		a := rows[0]
		fmt.Fprintf(w, "%-24s %10.0f %6.2f %12s %6.2f %21s %9s %9s %9s %9s %8.0f %7d\n", r.Name, r.PerSecond, Ratio(r.PerSecond, a.PerSecond),
			micro(r.CPUPerRequest), Ratio(float64(r.CPUPerRequest), float64(a.CPUPerRequest)), micro(r.CPURange[0])+"–"+micro(r.CPURange[1]),
			micro(r.P50), micro(r.P90), micro(r.P99), micro(r.P999), float64(r.RSS)/(1<<20), r.Errors)
	}
	for _, r := range rows {
		for s, n := range r.Status {
			if s != 200 && s != 204 {
				fmt.Fprintf(w, "%s answered %d %d times\n", r.Name, s, n)
			}
		}
	}
}

// Ratio is a ÷ b, 0 where there is nothing to relate to.
func Ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func micro(d time.Duration) string { return fmt.Sprintf("%.1fµs", float64(d)/1000) }
